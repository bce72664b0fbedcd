// Transactions that the server has given up, as the application that began them reports them.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { NestBench, type NestParts, recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import { Connection } from '../../client/connection.js';
import { RocketMQAdmin } from '../../entries/admin.js';
import {
  RocketMQEvents,
  RocketMQHealth,
  type RocketMQModuleOptions,
  type TransactionAnswer,
  TransactionalSend,
  TransactionChecker,
} from '../../entries/nest.js';
import { Producer } from '../../producer/producer.js';
import { TransactionBounds } from '../../producer/transactions/transaction-bounds.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { commandLine } from '../../support/command-line.js';
import { ManualClock } from '../../support/manual-clock.js';
import { GivenUpWatch } from './given-up-watch.js';

/** The state of each transaction in the database of the service. */
const answers = new Map<string, TransactionAnswer>();

@Injectable()
class Orders {
  /** Whether the process crashes in the middle: it reports no end, and answers no check. */
  static isAway = false;

  @TransactionalSend('orders', { message: (id: string) => ({ body: { id } }) })
  async place(id: string): Promise<string> {
    if (Orders.isAway) throw new Error('the database is away');
    return id;
  }

  @TransactionChecker('orders')
  answer({ body }: { body: { id: string } }): TransactionAnswer {
    return Orders.isAway ? 'unknown' : (answers.get(body.id) ?? 'rollback');
  }
}

describe('an application with transactions', () => {
  let bench: NestBench;

  beforeEach(async () => {
    answers.clear();
    Orders.isAway = false;
    bench = await NestBench.open({
      nameServerPort: 0,
      transactionFirstCheckMs: 6 * SECOND_MS,
      transactionCheckIntervalMs: 30 * SECOND_MS,
      transactionCheckMax: 2,
    });
    bench.broker.declareTopic({ name: 'orders', type: 'transaction' });
  });
  afterEach(() => bench.close());

  const start = (options: Partial<RocketMQModuleOptions> = {}, prepare?: NestParts['prepare']) =>
    bench.start({
      providers: [Orders],
      options: {
        consumerGroup: 'shop',
        nameServer: bench.broker.nameServerEndpoint,
        // All have ended when the server gives them up, so that a checker may answer with a rollback.
        producer: { localTransactionTimeoutMs: MINUTE_MS },
        ...options,
      },
      ...(prepare && { prepare }),
    });

  /** Transactions whose checks nobody answers until the server has given them up. */
  async function giveUp(app: INestApplication, ...ids: string[]): Promise<void> {
    Orders.isAway = true;
    for (const id of ids)
      await app
        .get(Orders)
        .place(id)
        .catch(() => {});
    await bench.broker.advance(2 * MINUTE_MS);
    expect(bench.broker.halfMessages()).toEqual([]);
    Orders.isAway = false;
  }

  const watched = (app: INestApplication): unknown[] => {
    const events: unknown[] = [];
    app
      .get(RocketMQEvents)
      .of('transaction-given-up')
      .subscribe(({ topic, resolution }) => events.push([topic, resolution]));
    return events;
  };
  const reported = (app: INestApplication) =>
    app
      .get(RocketMQHealth)
      .report()
      .givenUpTransactions?.map(({ resolution }) => resolution);

  it('reports the committed ones once, within 5 minutes, and is ready nevertheless', async () => {
    const logger = recordingLogger();
    const app = await start({ logger });
    const events = watched(app);
    answers.set('kept', 'commit');
    await giveUp(app, 'kept', 'dropped');
    await bench.broker.advance(5 * MINUTE_MS);
    expect([events, reported(app)]).toEqual([[['orders', 'commit']], ['commit']]);
    expect(app.get(RocketMQHealth).report()).toMatchObject({ isReady: true, problems: [] });
    const line = logger.lines.find(([text]) => text.startsWith('error the server has given up a transaction'));
    expect(line?.[0]).toMatch(
      /its message is missing\. .* transaction resume --id \S+ --yes --name-server 127\.0\.0\.1:\d+$/,
    );
    await bench.broker.advance(10 * MINUTE_MS);
    expect(events).toHaveLength(1);
  });

  it('reports at startup those that were given up while no instance ran, once by each instance', async () => {
    const first = await start();
    answers.set('kept', 'commit');
    await giveUp(first, 'kept');
    await bench.closeApps();
    for (let instance = 0; instance < 2; instance++) {
      let events: unknown[] = [];
      const app = await start({}, (made) => {
        events = watched(made);
      });
      await bench.broker.idle();
      expect([events, reported(app)]).toEqual([[['orders', 'commit']], ['commit']]);
    }
  });

  it('reports at startup the one that was given up before hundreds of another service', async () => {
    bench.broker.declareTopic({ name: 'payments', type: 'transaction' });
    const first = await start();
    answers.set('kept', 'commit');
    await giveUp(first, 'kept');
    await bench.closeApps();
    const connection = new Connection({ endpoints: bench.broker.endpoints, clock: bench.broker.clock });
    const other = new Producer(connection, {
      transactionOwner: 'another service',
      transactionCheckers: { payments: () => 'unknown' },
    });
    for (let count = 0; count < 300; count++) await other.beginTransaction({ topic: 'payments', body: 'other' });
    await other.close();
    connection.close();
    await bench.broker.advance(2 * MINUTE_MS);
    expect(bench.broker.halfMessages()).toEqual([]);
    const app = await start();
    await bench.broker.idle();
    expect(reported(app)).toEqual(['commit']);
  });

  it('logs where a search stopped that reached its limit, and continues there with the next one', async () => {
    const logger = recordingLogger();
    const clock = new ManualClock();
    const pages = 50;
    const read: number[] = [];
    const watch = new GivenUpWatch({
      clock,
      logger,
      command: commandLine,
      checkers: {},
      bounds: new TransactionBounds({}),
      events: { report() {} },
      ownerOf: () => 'shop',
      admin: {
        givenUpSince: async (reached, limit) => {
          const offset = reached?.get('broker-a') ?? 0;
          read.push(offset);
          const next = offset + limit;
          return { messages: [], reached: new Map([['broker-a', next]]), hasMore: read.length < pages };
        },
        findMessages: async () => ({ messages: [], failures: [], mayBeMore: false }),
      },
    });
    const stopped = () => logger.lines.filter(([text]) => text.includes('than one search reads'));
    watch.start();
    await until(() => stopped().length === 1);
    expect(read.length).toBeLessThan(pages);
    expect(stopped()[0]?.[1]).toEqual({ reached: `broker-a: ${(read.at(-1) ?? 0) + 256}` });
    clock.advanceTo(clock.nowMs() + 5 * MINUTE_MS);
    await until(() => read.length === pages);
    await watch.stop();
    expect(read).toEqual(Array.from({ length: pages }, (_, page) => page * 256));
    expect(stopped()).toHaveLength(1);
  });

  it('no longer reports one that was resumed, however it ended', async () => {
    const app = await start();
    await giveUp(app, 'kept', 'dropped');
    Orders.isAway = true;
    await bench.broker.advance(5 * MINUTE_MS);
    expect(reported(app)).toEqual(['unknown', 'unknown']);
    Orders.isAway = false;
    answers.set('kept', 'commit');
    const admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint });
    for (const half of (await admin.givenUpHalfMessages()).messages) await admin.resumeHalfMessage(half);
    await admin.close();
    await bench.broker.advance(6 * MINUTE_MS);
    expect(bench.broker.messages('orders').map(({ body }) => body.toString())).toEqual(['{"id":"kept"}']);
    expect(reported(app)).toEqual([]);
  });

  it('ignores those of other services on the same topic', async () => {
    const app = await start();
    const events = watched(app);
    const connection = new Connection({ endpoints: bench.broker.endpoints, clock: bench.broker.clock });
    const other = new Producer(connection, {
      transactionOwner: 'another service',
      transactionCheckers: { orders: () => 'unknown' },
    });
    answers.set('other', 'commit');
    await other.beginTransaction({ topic: 'orders', body: JSON.stringify({ id: 'other' }) });
    await other.close();
    connection.close();
    await bench.broker.advance(10 * MINUTE_MS);
    expect(bench.broker.halfMessages()).toEqual([]);
    expect([events, reported(app)]).toEqual([[], []]);
  });

  it('cannot report them without nameServer, and logs once when the brokers cannot be asked', async () => {
    const without = await start({ nameServer: undefined });
    await bench.broker.advance(5 * MINUTE_MS);
    expect(reported(without)).toBeUndefined();
    const logger = recordingLogger();
    const unreachable = await start({ nameServer: '127.0.0.1:1', logger });
    await until(() => logger.lines.some(([text]) => text.includes('TRANS_CHECK_MAX_TIME_TOPIC')));
    await bench.broker.advance(10 * MINUTE_MS);
    expect(reported(unreachable)).toBeUndefined();
    const lines = logger.lines.filter(([text]) => text.startsWith('warn the brokers cannot be asked'));
    expect(lines).toHaveLength(1);
  });
});
