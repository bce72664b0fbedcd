// The database throws these errors itself, so they are realistic. Real conflicts between transactions are in test/sql.

import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createPglite } from 'demo-kit';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/pglite';
import { type LocalTransaction, runInTransaction } from '../../producer/transactions/transaction-scope.js';
import { UsageError } from '../../support/errors.js';
import { Outbox } from '../outbox/outbox.js';
import { OutboxRelay } from '../outbox/outbox-relay.js';
import { drizzleDatabase } from '../ports/drizzle.js';
import { schemaSql } from '../schema.js';
import { isTransactionConflict, retryTransaction, TransactionConflictError } from './retry-transaction.js';
import { TransactionLog } from './transaction-log.js';

let database: PGlite;

beforeAll(async () => {
  database = await createPglite();
  await database.exec(`${schemaSql()} CREATE TABLE booking (seat text)`);
});
beforeEach(async () => {
  await database.exec('DELETE FROM booking; DELETE FROM rocketmq_outbox; DELETE FROM rocketmq_transaction_log');
});
afterAll(() => database.close());

const CONFLICTS = [
  ['a serialization failure', '40001'],
  ['a deadlock', '40P01'],
] as const;
const atOnce = { backoff: 0 };

/** A transaction that books a seat, and whose first runs the database ends by an error. */
function failing(times: number, sqlState: string, port = drizzleDatabase(drizzle(database), sql)) {
  let runs = 0;
  const run = () =>
    port.transaction(async (tx) => {
      runs++;
      await tx.query('INSERT INTO booking VALUES ($1)', [`run ${runs}`]);
      if (runs <= times)
        await tx.query(`DO $$ BEGIN RAISE EXCEPTION 'ended' USING ERRCODE = '${sqlState}'; END $$`, []);
      return runs;
    });
  return { run, runs: () => runs };
}

async function seats(): Promise<unknown[]> {
  return (await database.query<{ seat: string }>('SELECT seat FROM booking')).rows.map(({ seat }) => seat);
}

/** Lets the database end the next `times` statements on a table by a conflict. */
async function conflictsOn(table: string, event: string, times: number): Promise<void> {
  await database.exec(`
    CREATE SEQUENCE counted;
    CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('counted') <= ${times} THEN RAISE EXCEPTION 'ended' USING ERRCODE = '40001'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER conflict BEFORE ${event} ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION conflict();`);
}

const conflictsOver = (table: string) =>
  database.exec(`DROP TRIGGER conflict ON ${table}; DROP FUNCTION conflict; DROP SEQUENCE counted`);

/** What `retryTransaction` looks at of a transaction message. */
const localTransaction = () => {
  const overdue = new AbortController();
  const state = { isPrepared: false, isRollback: false, signal: overdue.signal };
  return { state, overdue, transaction: state as LocalTransaction };
};

describe('retryTransaction', () => {
  it.each(CONFLICTS)(
    'repeats a transaction that failed with %s, and nothing of the lost runs is left',
    async (_, sqlState) => {
      const { run } = failing(2, sqlState);
      expect(await retryTransaction(run, atOnce)).toBe(3);
      expect(await seats()).toEqual(['run 3']);
    },
  );

  it('recognizes the unwrapped error of the driver, too', async () => {
    expect(await retryTransaction(failing(1, '40001', database).run, atOnce)).toBe(2);
  });

  it('waits between two runs by default', async () => {
    expect(await retryTransaction(failing(1, '40001').run)).toBe(2);
  });

  it('gives up after the fifth run, with an accurate error', async () => {
    const { run, runs } = failing(5, '40P01');
    const error: unknown = await retryTransaction(run, atOnce).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TransactionConflictError);
    expect(error).toMatchObject({ code: 'TRANSACTION_CONFLICT', outcome: 'rejected', retryable: true, attempts: 5 });
    expect(String(error)).toContain('all 5 runs (a deadlock in the last one); nothing of it was committed');
    expect((error as Error).cause).toBeInstanceOf(Error);
    expect([runs(), await seats()]).toEqual([5, []]);
  });

  it('runs as often as configured, and does not repeat a nested one that has given up', async () => {
    const { run, runs } = failing(9, '40001');
    const inner = () => retryTransaction(run, { ...atOnce, maxAttempts: 3 });
    await expect(retryTransaction(inner, atOnce)).rejects.toMatchObject({ attempts: 3 });
    expect(runs()).toBe(3);
  });

  it.each(['23505', '57014', '40003'])('does not repeat what failed for another reason (%s)', async (sqlState) => {
    const { run, runs } = failing(1, sqlState);
    const error: unknown = await retryTransaction(run, atOnce).catch((reason: unknown) => reason);
    expect(isTransactionConflict(error)).toBe(false);
    expect(String(error)).not.toContain('TRANSACTION_CONFLICT');
    expect(runs()).toBe(1);
  });

  it('passes on an error that is its own cause', async () => {
    const error = new Error('round and round');
    error.cause = error;
    await expect(retryTransaction(() => Promise.reject(error), atOnce)).rejects.toBe(error);
  });

  it('does not start when its signal has already fired', async () => {
    const { run, runs } = failing(0, '40001');
    await expect(retryTransaction(run, { signal: AbortSignal.abort(new Error('closing')) })).rejects.toThrow('closing');
    expect(runs()).toBe(0);
  });

  it('aborts its wait when its signal fires', async () => {
    const { run, runs } = failing(9, '40001');
    const ending = new AbortController();
    const waiting = retryTransaction(
      () =>
        run().finally(() => {
          setImmediate(() => ending.abort(new Error('closing')));
        }),
      { signal: ending.signal, backoff: 3_600_000 },
    );
    await expect(waiting).rejects.toThrow('closing');
    expect(runs()).toBe(1);
  });

  it.each([
    [{ maxAttempts: 0 }, 'maxAttempts'],
    [{ backoff: -1 }, 'backoff'],
  ])('rejects %j', async (options, field) => {
    const { run, runs } = failing(0, '40001');
    const error: unknown = await retryTransaction(run, options).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ field });
    expect(runs()).toBe(0);
  });
});

describe('retryTransaction inside the local transaction of a message', () => {
  it.each(['isPrepared', 'isRollback'] as const)(
    'does not repeat a run that cannot be undone: %s',
    async (decision) => {
      const { state, transaction } = localTransaction();
      const { run, runs } = failing(1, '40001');
      const deciding = (): Promise<number> => {
        state[decision] = true;
        return run();
      };
      const ended = runInTransaction(transaction, () => retryTransaction(deciding, atOnce));
      expect(isTransactionConflict(await ended.catch((reason: unknown) => reason))).toBe(true);
      expect(runs()).toBe(1);
    },
  );

  it('repeats one whose message was prepared before', async () => {
    const { state, transaction } = localTransaction();
    state.isPrepared = true;
    const { run } = failing(1, '40001');
    expect(await runInTransaction(transaction, () => retryTransaction(run, atOnce))).toBe(2);
  });

  it('does not run again when the local transaction has timed out', async () => {
    const { overdue, transaction } = localTransaction();
    const { run, runs } = failing(1, '40001');
    const late = (): Promise<number> => run().finally(() => overdue.abort(new Error('overdue')));
    await expect(runInTransaction(transaction, () => retryTransaction(late, atOnce))).rejects.toThrow('overdue');
    expect(runs()).toBe(1);
  });
});

describe('transactions of the library itself', () => {
  it('mark what a relay has sent despite conflicts, so that it is not sent again', async () => {
    const outbox = new Outbox();
    await database.transaction((tx) => outbox.add(tx, { topic: 'seats', body: 'A' }));
    const sent: unknown[] = [];
    const relay = new OutboxRelay({
      outbox,
      database,
      send: async ({ body }) => {
        sent.push(body.toString());
        await conflictsOn('rocketmq_outbox', 'UPDATE', 2);
      },
    });
    await relay.runOnce();
    await conflictsOver('rocketmq_outbox');
    expect(await relay.metrics()).toMatchObject({ unsent: 0, sent: 1, failed: 0 });
    await relay.runOnce();
    expect(sent).toEqual(['A']);
    await relay.stop();
  });

  it('answer a check despite conflicts', async () => {
    const log = new TransactionLog({ database });
    await conflictsOn('rocketmq_transaction_log', 'INSERT', 2);
    const { signal } = new AbortController();
    expect(await log.check({ transactionId: 'T1', topic: 'seats', signal })).toBe('rollback');
    await conflictsOver('rocketmq_transaction_log');
  });
});
