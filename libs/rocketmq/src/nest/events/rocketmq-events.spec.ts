// The lifecycle events that an application gets, with a broker that stops and starts.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { NestBench, recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import {
  currentTransaction,
  DeadLetterError,
  getRocketMQEventsToken,
  type RocketMQEvent,
  RocketMQEvents,
  RocketMQListener,
  RocketMQListeners,
  RocketMQModule,
  RocketMQProducer,
  TransactionalSend,
} from '../../entries/nest.js';
import { MINUTE_MS } from '../../support/clock.js';
import { silentLogger } from '../../support/logger.js';

/** The events, in short. */
function inShort(event: RocketMQEvent): string {
  if ('endpoint' in event) return `${event.type} ${event.consumerGroup ?? event.role}`;
  if ('listener' in event) return `${event.type} ${event.listener}`;
  if (event.type === 'drained') return `drained ${event.consumerGroup} ${event.unfinished}`;
  if (event.type === 'dead-lettered') return `dead-lettered ${event.consumerGroup} ${event.reason}`;
  if (event.type === 'transaction-ended') return `transaction-ended ${event.resolution} by ${event.by}`;
  if (event.type === 'transaction-unknown') return `transaction-unknown ${event.during} ${event.resolution}`;
  return event.type;
}

@Injectable()
class Watcher {
  readonly events: RocketMQEvent[] = [];

  constructor(events: RocketMQEvents) {
    events.events$.subscribe((event) => this.events.push(event));
  }

  get seen(): string[] {
    return this.events.map(inShort);
  }

  async has(event: string): Promise<void> {
    await until(() => this.seen.includes(event));
  }
}

describe('the lifecycle events of a connection', () => {
  let bench: NestBench;

  beforeEach(async () => {
    bench = await NestBench.open();
  });
  afterEach(() => bench.close());

  it('report connections, losses, recoveries, pauses and the shutdown to a subscriber in a constructor', async () => {
    @Injectable()
    class Shop {
      @RocketMQListener('orders', { consumerGroup: 'shop', name: 'orders' })
      handle(): void {}
    }
    const app = await bench.start({ providers: [Shop, Watcher] });
    const watcher = app.get(Watcher);
    await watcher.has('connected shop');
    expect(watcher.seen).toEqual(['connected producer', 'connected shop']);
    await bench.broker.stop();
    await watcher.has('lost shop');
    await bench.broker.broker.start();
    await watcher.has('recovered shop');
    await watcher.has('recovered producer');
    app.get(RocketMQListeners).pause('orders');
    app.get(RocketMQListeners).resume('orders');
    expect(app.get(RocketMQListeners).state('orders')).toMatchObject({ concurrency: 16, running: 0 });
    app.get(RocketMQListeners).setConcurrency('orders', 2);
    expect(app.get(RocketMQListeners).state('orders')).toMatchObject({ concurrency: 2, running: 0 });
    await bench.closeApps();
    expect(watcher.seen.slice(-4)).toEqual([
      'paused orders',
      'resumed orders',
      'concurrency-changed orders',
      'drained shop 0',
    ]);
    expect(watcher.seen.filter((event) => event.startsWith('lost'))).toHaveLength(2);
    const lost = watcher.events.find(({ type }) => type === 'lost');
    expect(lost).toMatchObject({
      connection: undefined,
      atMs: expect.any(Number),
      endpoint: bench.broker.endpoints,
      clientId: expect.any(String),
      error: expect.any(Error),
    });
  });

  it('report dead letters and lost leases, in addition to the hooks of the module', async () => {
    const hooked: string[] = [];
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    @Injectable()
    class Shop {
      @RocketMQListener('orders', { consumerGroup: 'shop' })
      async handle({ id }: { id: string }): Promise<void> {
        if (id === 'bad') throw new DeadLetterError('not this one');
        await gate;
      }
    }
    // Hooks of a class, whose methods are not own properties.
    class Hooks {
      onDeadLetter(): void {
        hooked.push('dead letter');
      }
      onLeaseLost(): void {
        hooked.push('lease lost');
      }
    }
    const app = await bench.start({ providers: [Shop, Watcher], options: { events: new Hooks() } });
    const watcher = app.get(Watcher);
    await bench.send(app, 'orders', { id: 'bad' });
    await watcher.has('dead-lettered shop handler-decided');
    bench.broker.faults.add({
      rpc: 'changeInvisibleDuration',
      action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE' },
    });
    await app.get(RocketMQProducer).send({ topic: 'orders', body: { id: 'slow' }, keys: ['k'] });
    await bench.broker.advance(MINUTE_MS, { duringWork: true });
    await watcher.has('lease-lost');
    release();
    await bench.broker.idle();
    expect(hooked).toEqual(['dead letter', 'lease lost']);
    expect(watcher.events.find(({ type }) => type === 'lease-lost')).toMatchObject({
      consumerGroup: 'shop',
      topic: 'orders',
      keys: ['k'],
      deliveryAttempt: 1,
    });
  });

  it('report transactions whose end is unknown: the answer is lost, or the checker answers unknown', async () => {
    @Injectable()
    class Till {
      @TransactionalSend('paid', { message: (id: string) => ({ body: { id } }) })
      async pay(_id: string): Promise<void> {}
    }
    const transactionLog = { check: async () => 'unknown' as const };
    const app = await bench.start({ providers: [Till, Watcher], options: { transactionLog } });
    const watcher = app.get(Watcher);
    bench.broker.faults.add({
      rpc: 'endTransaction',
      action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' },
      times: 9,
    });
    await app.get(Till).pay('1');
    await watcher.has('transaction-unknown end commit');
    bench.broker.faults.clear();
    const unknown = watcher.events.find(({ type }) => type === 'transaction-unknown');
    expect(unknown).toMatchObject({ topic: 'paid', transactionId: expect.any(String), error: expect.any(Error) });
  });

  it('report how transactions end, to the hook, too', async () => {
    @Injectable()
    class Till {
      @TransactionalSend('paid', { message: (id: string) => ({ body: { id } }) })
      async pay(id: string): Promise<string> {
        if (id === 'rejected') currentTransaction().rollback();
        return currentTransaction().messageId;
      }
    }
    const hooked: string[] = [];
    const events = {
      onEnded: ({ messageId }: { messageId: string }, ...end: string[]) => void hooked.push(`${messageId} ${end}`),
    };
    const transactionLog = { check: async () => 'unknown' as const };
    const app = await bench.start({ providers: [Till, Watcher], options: { transactionLog, events } });
    const ids = [await app.get(Till).pay('1'), await app.get(Till).pay('rejected')];
    const watcher = app.get(Watcher);
    await watcher.has('transaction-ended commit by client');
    await watcher.has('transaction-ended rollback by client');
    expect(hooked).toEqual([`${ids[0]} commit,client`, `${ids[1]} rollback,client`]);
    const ended = watcher.events.find(({ type }) => type === 'transaction-ended');
    expect(ended).toMatchObject({ topic: 'paid', messageId: ids[0], transactionId: expect.any(String) });
  });

  it('belong to one connection each, and a subscriber that throws stops neither sends nor handlers', async () => {
    const logger = recordingLogger();
    const handled: unknown[] = [];
    @Injectable()
    class Shop {
      @RocketMQListener('orders', { consumerGroup: 'shop', connection: 'second' })
      handle(body: unknown): void {
        handled.push(body);
      }
    }
    const { endpoints, clock } = bench.broker;
    const second = RocketMQModule.forRoot({ name: 'second', endpoints, clock, logger });
    const seen: string[] = [];
    const app = await bench.start({
      imports: [second as never],
      providers: [Shop, Watcher],
      options: { logger: silentLogger },
      prepare: (starting) => {
        const events = starting.get<RocketMQEvents>(getRocketMQEventsToken('second'));
        events.of('connected', 'drained').subscribe((event) => {
          seen.push(`${event.connection} ${inShort(event)}`);
          throw new Error('a watcher fails');
        });
      },
    });
    await bench.send(app, 'orders', 1);
    await until(() => handled.length > 0);
    await bench.closeApps();
    expect(handled).toEqual([1]);
    expect(seen).toEqual(['second connected producer', 'second connected shop', 'second drained shop 0']);
    expect(app.get(Watcher).seen).toEqual(['connected producer']);
    expect(logger.lines.filter(([line]) => line.includes('a subscriber of RocketMQEvents failed'))).toHaveLength(3);
  });
});
