// A manual clock while handlers use a database: time waits for them and never runs ahead.

import type { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { createPglite } from 'demo-kit';
import { RocketMQListener, RocketMQModule } from 'nestjs-rocketmq';
import { Connection, MINUTE_MS, Producer, PushConsumer, SECOND_MS } from 'nestjs-rocketmq/client';
import { schemaSql, TransactionLog } from 'nestjs-rocketmq/sql';
import { TestBroker } from 'nestjs-rocketmq/testing';

const RETRY_MS = 5 * SECOND_MS;
/** Keeps the database and the handler busy. */
const SLOW = 'SELECT count(*) FROM generate_series(1, 5000)';

let database: PGlite;
let broker: TestBroker;
let connection: Connection;
let producer: Producer;
let log: TransactionLog;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  database = await createPglite();
  await database.exec(`${schemaSql()}; CREATE TABLE handled (what text, attempt int, at_ms bigint)`);
});
afterAll(() => database.close());

beforeEach(async () => {
  await database.exec('TRUNCATE handled');
  const backoff = { kind: 'customized', nextMs: [RETRY_MS] } as const;
  broker = await TestBroker.start({ manualClock: true, groups: [{ name: 'workers', backoff }] });
  connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
  log = new TransactionLog({ database });
  producer = new Producer(connection, {
    transactionCheckers: {
      paid: async (check) => {
        await database.query(SLOW);
        return log.check(check);
      },
    },
  });
  await producer.start();
  ends.push(
    () => broker.stop(),
    () => connection.close(),
    () => producer.close(),
  );
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function work(topic: string, handle: (what: string, attempt: number) => Promise<void>): Promise<void> {
  const consumer = new PushConsumer(connection, {
    consumerGroup: 'workers',
    subscriptions: [{ topic }],
    concurrency: 8,
    handler: async ({ body, deliveryAttempt }) => handle(body.toString(), deliveryAttempt),
  });
  await consumer.start();
  ends.push(() => consumer.close());
}

/** Several round trips to the database, as in a handler of an application. */
async function note(what: string, attempt: number): Promise<void> {
  await database.query(SLOW);
  await database.transaction(async (tx) => {
    await tx.query(SLOW);
    await tx.query('INSERT INTO handled VALUES ($1, $2, $3)', [what, attempt, broker.clock.nowMs()]);
  });
  await database.query(SLOW);
}

async function handled(startMs: number): Promise<string[]> {
  const { rows } = await database.query<{ what: string; attempt: number; at_ms: number }>(
    'SELECT what, attempt, at_ms::float8 AS at_ms FROM handled ORDER BY at_ms, what, attempt',
  );
  return rows.map(({ what, attempt, at_ms }) => `${what} #${attempt} at ${(at_ms - startMs) / SECOND_MS} s`);
}

@Injectable()
class Sluggard {
  wake = (): void => {};

  @RocketMQListener('naps', { consumerGroup: 'sluggards' })
  async nap(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
  }
}

describe('advance, with handlers that use a database', () => {
  it('delivers each of a chain of delayed messages at its time, each sent by the handler of the previous one', async () => {
    await work('chain', async (what, attempt) => {
      await note(what, attempt);
      await producer.send({ topic: 'chain', body: String(Number(what) + 1), delayMs: MINUTE_MS });
      await database.query(SLOW);
    });
    const startMs = broker.clock.nowMs();
    await producer.send({ topic: 'chain', body: '1', delayMs: MINUTE_MS });
    await broker.advance(12 * MINUTE_MS);
    const expected = Array.from({ length: 12 }, (_, index) => `${index + 1} #1 at ${60 * (index + 1)} s`);
    expect(await handled(startMs)).toEqual(expected);
    expect(broker.pending()).toMatchObject([{ kind: 'delayed', dueAtMs: startMs + 13 * MINUTE_MS }]);
  });

  it('delivers many concurrent messages and their retries', async () => {
    await work('many', async (what, attempt) => {
      await note(what, attempt);
      if (attempt < 3) throw new Error('not yet');
    });
    const names = Array.from({ length: 8 }, (_, index) => `job-${String(index).padStart(2, '0')}`);
    const startMs = broker.clock.nowMs();
    await Promise.all(names.map((body) => producer.send({ topic: 'many', body, delayMs: MINUTE_MS })));
    await broker.advance(2 * MINUTE_MS);
    const expected = [1, 2, 3].flatMap((attempt) =>
      names.map((name) => `${name} #${attempt} at ${55 + 5 * attempt} s`),
    );
    expect(await handled(startMs)).toEqual(expected);
    expect(broker.pending()).toEqual([]);
  });

  it('waits for the answer of a check that reads the database', async () => {
    broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' }, times: 20 });
    const startMs = broker.clock.nowMs();
    const paid = producer.transact({ message: { topic: 'paid', body: 'order-1' } }, () =>
      database.transaction(async (tx) => {
        await tx.query(SLOW);
        await log.record(tx);
      }),
    );
    await paid.catch(() => {});
    broker.faults.clear();
    await work('paid', note);
    await broker.advance(10 * SECOND_MS);
    expect(await handled(startMs)).toEqual(['order-1 #1 at 6 s']);
    expect(broker.halfMessages()).toEqual([]);
  });

  it('names the listener of an application', async () => {
    const { endpoints, clock } = broker;
    const imports = [RocketMQModule.forRoot({ endpoints, clock })];
    const app = await Test.createTestingModule({ imports, providers: [Sluggard] }).compile();
    await app.init();
    await producer.send({ topic: 'naps', body: '{}' });
    await expect(broker.idle({ guardMs: 200 })).rejects.toThrow('listener Sluggard.nap of group sluggards');
    app.get(Sluggard).wake();
    await broker.idle();
    await app.close();
  });

  it('reports which handler does not end, and where it is', async () => {
    let end = (): void => {};
    await work('stuck', async () => {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
    });
    const { messageId } = await producer.send({ topic: 'stuck', body: 'x' });
    const beforeMs = broker.clock.nowMs();
    const message = await broker.advance(MINUTE_MS, { guardMs: 200 }).catch(({ message }: Error) => message);
    expect(message).toContain(`handler of message ${messageId} from "stuck"`);
    expect(message).toContain('of group workers');
    expect(message).toContain(`at a consumer of group workers (client `);
    expect(broker.clock.nowMs()).toBe(beforeMs);
    end();
    await broker.advance(MINUTE_MS);
  });
});
