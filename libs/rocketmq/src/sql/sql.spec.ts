import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/pglite';
import { HOUR_MS } from '../support/clock.js';
import { realTimeIn } from '../support/deadline.js';
import { RocketMQError, UsageError } from '../support/errors.js';
import { drizzleDatabase, drizzleExecutor } from './drizzle.js';
import { Inbox } from './inbox.js';
import { schemaSql } from './schema.js';
import type { SqlDatabase, SqlExecutor } from './sql-port.js';
import { TransactionFencedError, TransactionLog } from './transaction-log.js';

// One database for all that this folder promises of one: starting it is what these tests cost.
let database: PGlite;

beforeAll(async () => {
  database = await PGlite.create();
  await database.exec(schemaSql());
});

beforeEach(async () => {
  await database.exec('DELETE FROM rocketmq_transaction_log; DELETE FROM rocketmq_inbox');
});

afterAll(async () => {
  await database.close();
});

const half = { transactionId: 'T1', topic: 'order-created' };
const neverAborted = new AbortController().signal;

async function rowsOf(table: string): Promise<unknown[]> {
  return (await database.query(`SELECT * FROM ${table}`)).rows;
}

describe('schemaSql', () => {
  it('may run again', async () => {
    await database.exec(schemaSql());
    expect(await rowsOf('rocketmq_inbox')).toEqual([]);
  });

  it('takes other names, and refuses what is not a plain name', () => {
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
    const inbox = new Inbox();
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

  it('answers unknown while the local transaction runs, and the check that gave up fences nothing', async () => {
    const log = new TransactionLog({ database: open() });
    const controller = new AbortController();
    let check: Promise<string> | undefined;
    await open().transaction(async (tx) => {
      check = log.check({ ...half, signal: controller.signal });
      controller.abort(new Error('too late'));
      expect(await check).toBe('unknown');
      await tx.query('SELECT 1', []);
    });
    // What waited for the connection has had its turn when a later transaction ends.
    await open().transaction(async () => {});
    expect(await rowsOf('rocketmq_transaction_log')).toEqual([]);
    await open().transaction((tx) => log.record(tx, half));
    expect(await log.check({ ...half, signal: neverAborted })).toBe('commit');
  });

  it('takes back a fence that was set when the time was over', async () => {
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

  it('throws what the database throws', async () => {
    const log = new TransactionLog({ database: open(), tableName: 'missing' });
    await expect(log.check({ ...half, signal: neverAborted })).rejects.toThrow();
  });

  it('drops old rows and counts them', async () => {
    const log = new TransactionLog({ database: open() });
    await open().transaction((tx) => log.record(tx, half));
    expect(await log.deleteOlderThan(realTimeIn(-HOUR_MS))).toBe(0);
    expect(await log.deleteOlderThan(realTimeIn(HOUR_MS))).toBe(1);
    expect(await rowsOf('rocketmq_transaction_log')).toEqual([]);
  });
});

describe('TransactionLog.record', () => {
  it('is refused outside of a transaction', async () => {
    const log = new TransactionLog({ database });
    await expect(database.transaction((tx) => log.record(tx))).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
  });
});

describe('Inbox', () => {
  const inbox = new Inbox();

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

  it('refuses an empty key', async () => {
    await expect(inbox.once(database, '', async () => 1)).rejects.toBeInstanceOf(UsageError);
  });

  it('drops old keys and counts them', async () => {
    await inbox.once(database, 'order-1', async () => 1);
    expect(await inbox.deleteOlderThan(database, realTimeIn(HOUR_MS))).toBe(1);
  });
});
