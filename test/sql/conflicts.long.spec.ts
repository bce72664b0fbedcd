// Conflicting transactions in a real PostgreSQL, with each supported client: one is aborted and retried.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'drizzle-orm';
import {
  drizzleDatabase,
  isTransactionConflict,
  poolDatabase,
  retryTransaction,
  type SqlDatabase,
  type SqlExecutor,
  typeormDatabase,
} from 'nestjs-rocketmq/sql';
import { describeWithPostgres } from '../fixtures/postgres.js';
import { PostgresClients } from './support/postgres-clients.js';

describeWithPostgres('retryTransaction on PostgreSQL', () => {
  let clients: PostgresClients;
  const pool = () => clients.pool;
  beforeAll(async () => {
    clients = await PostgresClients.start({ tables: 'CREATE TABLE shelf (name text PRIMARY KEY, pieces int)' });
  });
  afterAll(() => clients?.stop());
  beforeEach(async () => {
    await pool().query(`TRUNCATE shelf; INSERT INTO shelf VALUES ('left', 10), ('right', 10)`);
  });

  const shelves = async (): Promise<unknown> =>
    Object.fromEntries((await pool().query('SELECT name, pieces FROM shelf')).rows.map((row) => Object.values(row)));

  const kinds: [string, () => SqlDatabase][] = [
    ['Drizzle', () => drizzleDatabase(clients.drizzle, sql)],
    ['TypeORM', () => typeormDatabase(clients.dataSource)],
    ['pg', () => poolDatabase(pool())],
  ];

  describe.each(kinds)('with %s', (_, open) => {
    /** Two concurrent transactions. The first run of each waits until both have done their first half. */
    async function meet(halves: readonly ((tx: SqlExecutor, side: number) => Promise<unknown>)[]) {
      const failures: unknown[] = [];
      let runs = 0;
      let arrive = (): void => {};
      const bothAreHalfway = new Promise<void>((resolve) => {
        let arrived = 0;
        arrive = () => {
          arrived++;
          if (arrived === 2) resolve();
        };
      });
      const side = (number: number) =>
        retryTransaction(() => {
          runs++;
          const run = open().transaction(async (tx) => {
            await halves[0]?.(tx, number);
            arrive();
            await bothAreHalfway;
            await halves[1]?.(tx, number);
          });
          return run.catch((error: unknown) => {
            failures.push(error);
            throw error;
          });
        });
      await Promise.all([side(0), side(1)]);
      return { runs, failures };
    }

    it('retries the transaction that PostgreSQL aborts because of a deadlock', async () => {
      const names = ['left', 'right'];
      const add = (tx: SqlExecutor, index: number) =>
        tx.query('UPDATE shelf SET pieces = pieces + 1 WHERE name = $1', [names[index % 2]]);
      const { runs, failures } = await meet([add, (tx, side) => add(tx, side + 1)]);
      // They may conflict more than once.
      expect(failures.length).toBeGreaterThan(0);
      expect([runs, failures.every(isTransactionConflict)]).toEqual([2 + failures.length, true]);
      expect(await shelves()).toEqual({ left: 12, right: 12 });
    });

    it('retries a transaction with a serialization failure', async () => {
      // Each takes stock from its own shelf if both shelves together have enough; without serialization both would.
      const look = async (tx: SqlExecutor) => {
        await tx.query('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE', []);
        await tx.query('SELECT sum(pieces) FROM shelf', []);
      };
      const take = async (tx: SqlExecutor, side: number) => {
        const name = ['left', 'right'][side];
        const { rows } = await tx.query('SELECT sum(pieces)::int AS "all" FROM shelf', []);
        if ((rows as readonly { readonly all: number }[])[0]?.all !== 20) return;
        await tx.query('UPDATE shelf SET pieces = 0 WHERE name = $1', [name]);
      };
      const { failures } = await meet([look, take]);
      expect(failures.map(isTransactionConflict)).toEqual([true]);
      expect(Object.values((await shelves()) as Record<string, number>).sort()).toEqual([0, 10]);
    });
  });
});
