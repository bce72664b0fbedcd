import type { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createPglite } from 'demo-kit';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/pglite';
import { Connection } from '../client/connection.js';
import { PushConsumer } from '../consumer/push-consumer.js';
import { Producer } from '../producer/producer.js';
import type { LocalEnd } from '../producer/transactions/transaction-scope.js';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { RocketMQError, UsageError } from '../support/errors.js';
import { ManualClock } from '../support/manual-clock.js';
import { TestBroker } from '../testing/test-broker.js';
import { type Purgeable, SqlCleanup } from './cleanup.js';
import { Inbox, type InboxMessage } from './inbox.js';
import { TransactionLog } from './log/transaction-log.js';
import { TransactionFencedError } from './log/transaction-log-errors.js';
import { Outbox } from './outbox/outbox.js';
import { OutboxRelay } from './outbox/outbox-relay.js';
import type { OutboxSend } from './outbox/outbox-relay-options.js';
import { drizzleDatabase, drizzleExecutor } from './ports/drizzle.js';
import { retrySpanMs } from './retry-span.js';
import { schemaSql } from './schema.js';
import type { SqlDatabase, SqlExecutor } from './sql-port.js';

// One database for all tests, because starting it is what takes time.
let database: PGlite;

beforeAll(async () => {
  database = await createPglite();
  await database.exec(schemaSql());
});

beforeEach(async () => {
  await database.exec('DELETE FROM rocketmq_transaction_log; DELETE FROM rocketmq_inbox');
});

afterAll(async () => {
  await database.close();
});

const inbox = new Inbox();
const half = { transactionId: 'T1', topic: 'order-created' };
const neverAborted = new AbortController().signal;

async function rowsOf(table: string): Promise<unknown[]> {
  return (await database.query(`SELECT * FROM ${table}`)).rows;
}

describe('schemaSql', () => {
  it('can run again', async () => {
    await database.exec(schemaSql());
    expect(await rowsOf('rocketmq_inbox')).toEqual([]);
  });

  it('accepts other names, and rejects what is not a plain name', () => {
    expect(schemaSql({ transactionLogTable: 'shop.log' })).toContain('"shop"."log"');
    expect(() => schemaSql({ inboxTable: 'x"; DROP TABLE y' })).toThrow(UsageError);
    expect(() => new TransactionLog({ database, tableName: 'a.b.c' })).toThrow(UsageError);
  });
});

const databases: [string, () => SqlDatabase][] = [
  ['PGlite itself', () => database],
  ['Drizzle', () => drizzleDatabase(drizzle(database), sql)],
];

describe.each(databases)('TransactionLog on %s', (_, open) => {
  it('answers commit when the local transaction has committed', async () => {
    const log = new TransactionLog({ database: open() });
    await open().transaction((tx) => log.record(tx, half));
    expect(await log.check({ ...half, signal: neverAborted })).toBe('commit');
    expect(await rowsOf('rocketmq_transaction_log')).toMatchObject([
      { transaction_id: 'T1', topic: 'order-created', resolution: 'commit' },
    ]);
  });

  it('answers rollback when there is no row, and the late local transaction fails then', async () => {
    const log = new TransactionLog({ database: open() });
    expect(await log.check({ ...half, signal: neverAborted })).toBe('rollback');
    expect(await log.check({ ...half, signal: neverAborted })).toBe('rollback');
    const late = open().transaction(async (tx) => {
      await inbox.once(tx, 'business', async () => {});
      await log.record(tx, half);
    });
    const error = await late.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(TransactionFencedError);
    expect(RocketMQError.is(error) && [error.code, error.outcome, error.retryable]).toEqual([
      'TRANSACTION_FENCED',
      'rejected',
      true,
    ]);
    expect(await rowsOf('rocketmq_inbox')).toEqual([]);
  });

  it('commits nothing after a fence, even when the error is swallowed', async () => {
    const log = new TransactionLog({ database: open() });
    await log.check({ ...half, signal: neverAborted });
    const late = open().transaction(async (tx) => {
      await new Inbox().once(tx, 'business', async () => {});
      await log.record(tx, half).catch(() => {});
    });
    await late.catch(() => {});
    expect(await rowsOf('rocketmq_inbox')).toEqual([]);
  });

  it('answers rollback when the local transaction was rolled back', async () => {
    const log = new TransactionLog({ database: open() });
    const failing = open().transaction(async (tx) => {
      await log.record(tx, half);
      throw new Error('out of paper');
    });
    await expect(failing).rejects.toThrow('out of paper');
    expect(await log.check({ ...half, signal: neverAborted })).toBe('rollback');
  });

  it('answers unknown while the local transaction is running, and the check that gave up writes no fence', async () => {
    const log = new TransactionLog({ database: open() });
    const controller = new AbortController();
    let check: Promise<string> | undefined;
    await open().transaction(async (tx) => {
      check = log.check({ ...half, signal: controller.signal });
      controller.abort(new Error('too late'));
      expect(await check).toBe('unknown');
      await tx.query('SELECT 1', []);
    });
    // Everything that waited for the connection has run when a later transaction ends.
    await open().transaction(async () => {});
    expect(await rowsOf('rocketmq_transaction_log')).toEqual([]);
    await open().transaction((tx) => log.record(tx, half));
    expect(await log.check({ ...half, signal: neverAborted })).toBe('commit');
  });

  it('rolls back a fence that was written after the timeout', async () => {
    const controller = new AbortController();
    const abortAfterInsert = (tx: SqlExecutor): SqlExecutor => ({
      query: async (text, parameters) => {
        const result = await tx.query(text, parameters);
        if (text.startsWith('INSERT')) controller.abort(new Error('too late'));
        return result;
      },
    });
    const slow: SqlDatabase = { transaction: (work) => open().transaction((tx) => work(abortAfterInsert(tx))) };
    expect(await new TransactionLog({ database: slow }).check({ ...half, signal: controller.signal })).toBe('unknown');
    await open().transaction(async () => {});
    expect(await rowsOf('rocketmq_transaction_log')).toEqual([]);
  });

  it('answers unknown when the row stays locked for too long', async () => {
    await database.exec(`CREATE FUNCTION locked() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'canceling statement due to lock timeout' USING ERRCODE = '55P03'; END $$;
      CREATE TRIGGER locked BEFORE INSERT ON rocketmq_transaction_log EXECUTE FUNCTION locked()`);
    try {
      expect(await new TransactionLog({ database: open() }).check({ ...half, signal: neverAborted })).toBe('unknown');
    } finally {
      await database.exec('DROP FUNCTION locked CASCADE');
    }
  });

  it('throws the errors of the database', async () => {
    const log = new TransactionLog({ database: open(), tableName: 'missing' });
    await expect(log.check({ ...half, signal: neverAborted })).rejects.toThrow();
  });

  it('deletes rows that are older than their retention, and counts them', async () => {
    const log = new TransactionLog({ database: open(), retentionMs: 2 * DAY_MS });
    await open().transaction((tx) => log.record(tx, half));
    await database.exec(`UPDATE rocketmq_transaction_log SET created_at = now() - interval '47 hours'`);
    expect(await log.purge()).toBe(0);
    await database.exec(`UPDATE rocketmq_transaction_log SET created_at = now() - interval '49 hours'`);
    expect(await log.purge()).toBe(1);
    expect(await rowsOf('rocketmq_transaction_log')).toEqual([]);
  });

  it('neither commits nor fences a half message whose row may have been dropped', async () => {
    const clock = new ManualClock();
    const log = new TransactionLog({ database: open(), retentionMs: 2 * DAY_MS, clock });
    const check = { ...half, message: { bornTimestampMs: clock.nowMs() }, signal: neverAborted };
    clock.advanceTo(clock.nowMs() + 2 * DAY_MS);
    expect(await log.check(check)).toBe('unknown');
    expect(await rowsOf('rocketmq_transaction_log')).toEqual([]);
  });
});

describe('TransactionLog.record', () => {
  it('is rejected outside of a transaction', async () => {
    const log = new TransactionLog({ database });
    await expect(database.transaction((tx) => log.record(tx))).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
  });
});

describe('the end of a local transaction', () => {
  const ports: [string, () => SqlDatabase, readonly string[]][] = [
    [
      'one statement, where the database runs one by itself',
      () => ({ transaction: (work) => database.transaction(work), queryAlone: (...args) => database.query(...args) }),
      ['queryAlone'],
    ],
    ['a transaction elsewhere', () => database, ['transaction']],
  ];
  it.each(ports)('is asked for with %s', async (_, open, asked) => {
    const calls: string[] = [];
    const port = open();
    const { queryAlone } = port;
    const counted: SqlDatabase = {
      transaction: (work) => {
        calls.push('transaction');
        return port.transaction(work);
      },
      ...(queryAlone === undefined
        ? {}
        : {
            queryAlone: (...args) => {
              calls.push('queryAlone');
              return queryAlone.apply(port, args);
            },
          }),
    };
    const log = new TransactionLog({ database: counted });
    let endFinder: ((wanted: 'commit' | 'rollback') => Promise<LocalEnd>) | undefined;
    const local = {
      ...half,
      findEndBy: (finder: typeof endFinder) => {
        endFinder = finder;
      },
    };
    await database.transaction((tx) => log.record(tx, local));
    expect(await endFinder?.('commit')).toEqual({ resolution: 'commit' });
    expect(calls).toEqual(asked);
  });
});

describe('TransactionLog', () => {
  it('rejects a retention that is shorter than the server may check, and states both times', () => {
    const make = (options: object) => () => new TransactionLog({ database, ...options });
    expect(make({ retentionMs: HOUR_MS })).toThrow(/retentionMs is 3600000 ms, but the last check .* is 4050000 ms/);
    expect(make({ retentionMs: 2 * HOUR_MS })).not.toThrow();
    expect(make({ retentionMs: 2 * HOUR_MS, transactionCheckMax: 1_000 })).toThrow(/is 33600000 ms/);
    expect(make({ transactionCheckIntervalMs: 0 })).toThrow('transactionCheckIntervalMs');
    expect(make({ lockTimeoutMs: 10_000 })).toThrow('lockTimeoutMs');
  });

  it('rolls back the message of a method after a fence, even when the error is swallowed', async () => {
    const log = new TransactionLog({ database });
    await log.check({ ...half, signal: neverAborted });
    const calls: string[] = [];
    const transaction = { ...half, rollback: () => void calls.push('rollback') };
    await database.transaction((tx) => log.record(tx, transaction).catch(() => {})).catch(() => {});
    expect(calls).toEqual(['rollback']);
  });
});

describe('TransactionLog on a single connection', () => {
  let broker: TestBroker;
  const ends: (() => unknown)[] = [];
  const delivered: string[] = [];

  beforeEach(async () => {
    // Enough checks that each of two processes gets one while a transaction is running.
    const checks = { transactionCheckIntervalMs: 2 * SECOND_MS, transactionCheckMax: 60 };
    broker = await TestBroker.start({ manualClock: true, ...checks });
    broker.declareTopic({ name: 'orders', type: 'transaction' });
    delivered.length = 0;
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    await broker.stop();
  });

  async function startProcess(log: TransactionLog): Promise<Producer> {
    const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    const producer = new Producer(connection, { transactionCheckers: { orders: (check) => log.check(check) } });
    const subscriptions = [{ topic: 'orders' }];
    const handler = ({ body }: { body: Buffer }): void => void delivered.push(body.toString());
    const consumer = new PushConsumer(connection, { consumerGroup: 'stock', subscriptions, handler });
    ends.push(
      () => connection.close(),
      () => producer.close(),
      () => consumer.close(),
    );
    await Promise.all([producer.start(), consumer.start()]);
    return producer;
  }

  it.each([8, 40])(
    'lets a local transaction of %s s commit, whichever process is checked meanwhile',
    async (seconds) => {
      const log = new TransactionLog({ database });
      const [placing] = await Promise.all([startProcess(log), startProcess(log)]);
      await placing.transact({ message: { topic: 'orders', body: 'slow' } }, () =>
        database.transaction(async (tx) => {
          await inbox.once(tx, 'slow', async () => {});
          await broker.advance(seconds * SECOND_MS, { duringWork: true });
          await log.record(tx);
        }),
      );
      // A check that takes long counts as unanswered, and is repeated.
      for (let round = 0; round < 10 && broker.halfMessages().length > 0; round++) await broker.advance(MINUTE_MS);
      await broker.idle();
      expect([new Set(delivered), broker.halfMessages()]).toEqual([new Set(['slow']), []]);
      expect(await rowsOf('rocketmq_inbox')).toMatchObject([{ key: 'slow' }]);
    },
  );

  it.each(['committed', 'rolled back'])('waits for a transaction around the method to be %s', async (end) => {
    const producer = await startProcess(new TransactionLog({ database }));
    const around = database.transaction(async (tx) => {
      // The only connection: the log asks on it how the transaction ended, which is still running.
      const log = new TransactionLog({ database: { transaction: (work) => work(tx) } });
      await producer.transact({ message: { topic: 'orders', body: 'trip' } }, async () => {
        await inbox.once(tx, 'trip', async () => {});
        await log.record(tx);
      });
      expect([broker.messages('orders'), broker.halfMessages().length]).toEqual([[], 1]);
      if (end === 'rolled back') throw new Error('no aeroplane');
    });
    await around.catch((error: Error) => expect(error.message).toBe('no aeroplane'));
    for (let round = 0; round < 10 && broker.halfMessages().length > 0; round++) await broker.advance(MINUTE_MS);
    await broker.idle();
    const kept = end === 'committed' ? ['trip'] : [];
    const keys = (await rowsOf('rocketmq_inbox')).map((row) => (row as { key: string }).key);
    expect([keys, delivered, broker.halfMessages()]).toEqual([kept, kept, []]);
  });
});

describe('Inbox', () => {
  it('does the work of a key once', async () => {
    let runs = 0;
    const step = () => database.transaction((tx) => inbox.once(tx, 'order-1:reserve', async () => ++runs));
    expect(await step()).toEqual({ first: true, result: 1 });
    expect(await step()).toEqual({ first: false });
    expect(runs).toBe(1);
  });

  it('frees the key when the work fails', async () => {
    const failing = database.transaction((tx) =>
      inbox.once(tx, 'order-1:reserve', () => Promise.reject(new Error('no stock row'))),
    );
    await expect(failing).rejects.toThrow('no stock row');
    const again = database.transaction((tx) => inbox.once(tx, 'order-1:reserve', async () => 'done'));
    expect(await again).toEqual({ first: true, result: 'done' });
  });

  it('works on a Drizzle transaction, among its own statements', async () => {
    const db = drizzle(database);
    const step = () => db.transaction((tx) => inbox.once(drizzleExecutor(tx, sql), 'order-2', async () => 'done'));
    expect(await step()).toEqual({ first: true, result: 'done' });
    expect(await step()).toEqual({ first: false });
  });

  it('accepts a message as its key, by group and message id', async () => {
    const step = (consumerGroup: string, messageId: string) =>
      database.transaction((tx) => inbox.once(tx, { consumerGroup, messageId }, async () => 'done'));
    expect(await step('inventory', 'A')).toEqual({ first: true, result: 'done' });
    expect(await step('inventory', 'A')).toEqual({ first: false });
    expect(await step('mailing', 'A')).toEqual({ first: true, result: 'done' });
    expect(await step('inventory', 'B')).toEqual({ first: true, result: 'done' });
  });

  it('rejects a database in place of its transaction, as the outbox does', async () => {
    const misused = [
      inbox.once(database, 'order-1', async () => 1),
      new Outbox().add(database, { topic: 't', body: 'x' }),
    ];
    for (const one of misused) await expect(one).rejects.toMatchObject({ code: 'NO_TRANSACTION', field: 'tx' });
    expect([await rowsOf('rocketmq_inbox'), await rowsOf('rocketmq_outbox')]).toEqual([[], []]);
  });

  it('rejects an empty key', async () => {
    const once = (key: string | InboxMessage) => database.transaction((tx) => inbox.once(tx, key, async () => 1));
    await expect(once('')).rejects.toBeInstanceOf(UsageError);
    await expect(once({ consumerGroup: 'inventory', messageId: '' })).rejects.toBeInstanceOf(UsageError);
  });

  it('deletes keys after its retention, in batches', async () => {
    const old = `now() - interval '8 days', 'old-' || n FROM generate_series(1, 2500) n`;
    await database.exec(`INSERT INTO rocketmq_inbox (created_at, key) SELECT ${old}`);
    await database.transaction((tx) => inbox.once(tx, 'order-1', async () => 1));
    expect(await inbox.purge(database)).toBe(2_500);
    expect(await rowsOf('rocketmq_inbox')).toMatchObject([{ key: 'order-1' }]);
  });

  it('rejects a retention that is shorter than a message may be redelivered, and states both times', () => {
    expect(() => new Inbox({ retentionMs: HOUR_MS })).toThrow(/retentionMs is 3600000 ms, but .* is 46745000 ms/);
    const retryPolicy = { maxAttempts: 3, backoff: 10 * SECOND_MS };
    expect(() => new Inbox({ retentionMs: HOUR_MS, retryPolicy })).not.toThrow();
    expect(() => new Inbox({ retentionMs: MINUTE_MS, retryPolicy })).toThrow(/is 110000 ms/);
    const group = new Inbox();
    expect(() => group.assertOutlives({ maxAttempts: 100, backoff: 12 * HOUR_MS }, 'listener slow')).toThrow(
      /a message of listener slow may be redelivered/,
    );
  });
});

describe('Outbox on Drizzle', () => {
  it('adds messages, relays them and reports its backlog', async () => {
    const [db, outbox, sent] = [drizzle(database), new Outbox(), [] as string[]];
    const send: OutboxSend = async ({ body }) => void sent.push(body.toString());
    await db.transaction((tx) => outbox.add(drizzleExecutor(tx, sql), { topic: 'o', body: 'a', messageGroup: 'g' }));
    expect(await new OutboxRelay({ outbox, database: drizzleDatabase(db, sql), send }).runOnce()).toBe(1);
    expect([sent, await outbox.retryParked(drizzleExecutor(db, sql), ['a', 'b'])]).toEqual([['a'], 0]);
  });
});

describe('retrySpanMs', () => {
  it('adds up the delays and the attempts', () => {
    expect(retrySpanMs({ maxAttempts: 1, backoff: HOUR_MS, attemptMs: 5 })).toBe(5);
    expect(retrySpanMs({ maxAttempts: 4, backoff: [1, 10], attemptMs: 100 })).toBe(421);
    const backoff = { kind: 'exponential', initialMs: 1, maxMs: 3, multiplier: 2 } as const;
    expect(retrySpanMs({ maxAttempts: 4, backoff, attemptMs: 100 })).toBe(406);
  });

  it('counts no delay beyond the limit of the server', () => {
    expect(retrySpanMs({ maxAttempts: 2, backoff: 24 * HOUR_MS, attemptMs: 1 })).toBe(12 * HOUR_MS + 2);
  });

  it('rejects an invalid policy', () => {
    expect(() => retrySpanMs({ maxAttempts: 0 })).toThrow('maxAttempts');
    expect(() => retrySpanMs({ attemptMs: 0 })).toThrow('attemptMs');
  });
});

describe('SqlCleanup', () => {
  it('purges all tables periodically, even when one fails, until it is stopped', async () => {
    const clock = new ManualClock();
    const purged: string[] = [];
    const table = (name: string, fails = false): Purgeable => ({
      purge: async () => {
        purged.push(name);
        if (fails) throw new Error('no such table');
        return 0;
      },
    });
    const tables = [table('broken', true), table('inbox')];
    const cleanup = new SqlCleanup({ database, tables, intervalMs: HOUR_MS, clock });
    cleanup.start();
    cleanup.start();
    const hour = async (): Promise<void> => {
      clock.advanceTo(clock.nowMs() + HOUR_MS);
      while (clock.activeWork().length > 0) await new Promise(setImmediate);
    };
    await hour();
    await hour();
    expect(purged).toEqual(['broken', 'inbox', 'broken', 'inbox']);
    await Promise.all([cleanup.stop(), cleanup.stop()]);
    await hour();
    expect(purged).toHaveLength(4);
    expect(() => cleanup.start()).toThrow('CLOSED');
  });
});
