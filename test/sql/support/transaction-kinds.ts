// Transactions with savepoints in each database library.

import { sql } from 'drizzle-orm';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import {
  drizzleDatabase,
  drizzleExecutor,
  type SqlDatabase,
  type SqlExecutor,
  typeormDatabase,
  typeormExecutor,
} from 'nestjs-rocketmq/sql';
import type { DataSource, EntityManager } from 'typeorm';

/** Runs `work` in a savepoint, which is rolled back if it throws. */
export type Nested = (work: (tx: SqlExecutor) => Promise<void>) => Promise<void>;

export interface TransactionKind {
  readonly database: SqlDatabase;
  /** A connection outside a transaction. */
  readonly outside: SqlExecutor;
  transaction(work: (tx: SqlExecutor, nested: Nested) => Promise<void>): Promise<void>;
}

/** Savepoints with SQL, for clients without an API for them. */
export function bySavepoint(database: SqlDatabase, outside: SqlExecutor): TransactionKind {
  return {
    database,
    outside,
    transaction: (work) =>
      database.transaction((tx) =>
        work(tx, async (inner) => {
          await tx.query('SAVEPOINT attempt', []);
          try {
            await inner(tx);
          } catch (error) {
            await tx.query('ROLLBACK TO SAVEPOINT attempt', []);
            throw error;
          }
          await tx.query('RELEASE SAVEPOINT attempt', []);
        }),
      ),
  };
}

/** For any driver of Drizzle. */
export function byDrizzle(database: PgDatabase<PgQueryResultHKT>): TransactionKind {
  return {
    database: drizzleDatabase(database, sql),
    outside: drizzleExecutor(database, sql),
    transaction: (work) =>
      database.transaction((tx) =>
        work(drizzleExecutor(tx, sql), (inner) => tx.transaction((nested) => inner(drizzleExecutor(nested, sql)))),
      ),
  };
}

export function byTypeorm(dataSource: DataSource, outside: EntityManager): TransactionKind {
  return {
    database: typeormDatabase(dataSource),
    outside: typeormExecutor(outside),
    transaction: (work) =>
      dataSource.transaction((manager) =>
        work(typeormExecutor(manager), (inner) => manager.transaction((nested) => inner(typeormExecutor(nested)))),
      ),
  };
}
