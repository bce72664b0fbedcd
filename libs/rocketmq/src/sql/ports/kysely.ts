// The port on Kysely with PostgreSQL, MySQL or MariaDB. Structurally typed, so that Kysely is not a dependency of this package.

import { rowsOf } from '../rows.js';
import { alone, type DialectName, type SqlDatabase, type SqlExecutor } from '../sql-port.js';
import { noTransaction } from '../transaction-guards.js';
import { tagged, templateOf } from './placeholders.js';

/** Kysely's `sql` tag. */
export type KyselySqlTag = (
  strings: TemplateStringsArray,
  ...parameters: never[]
) => { execute(database: never): Promise<{ readonly rows: readonly unknown[] }> };

/** A Kysely transaction. */
export interface KyselyTransaction {
  readonly isTransaction: boolean;
  withoutPlugins(): KyselyTransaction;
  getExecutor(): { readonly adapter: { readonly supportsReturning: boolean } };
}

/** A Kysely database. */
export interface KyselyDatabase extends KyselyTransaction {
  transaction(): { execute<T>(work: (trx: KyselyTransaction) => Promise<T>): Promise<T> };
}

/**
 * A Kysely transaction as the port. Pass Kysely's own `sql`.
 * @throws UsageError `NO_TRANSACTION` for a database: its statements would run on any connection
 */
export function kyselyExecutor(trx: KyselyTransaction, sql: KyselySqlTag): SqlExecutor {
  if (!trx.isTransaction) throw noTransaction('this Kysely database', 'db.transaction().execute()', 'trx');
  return executorOf(trx, sql);
}

function executorOf(trx: KyselyTransaction, sql: KyselySqlTag): SqlExecutor {
  const dialect = dialectOf(trx);
  // They are for the statements of the application: one that parses JSON would change texts which only look like it.
  const plain = trx.withoutPlugins();
  return {
    dialect,
    query: async (text, parameters) => {
      const { rows } = await tagged(sql, templateOf(text, parameters, dialect)).execute(plain as never);
      return { rows: rowsOf(rows, dialect, text) };
    },
  };
}

/** A Kysely database as the port. Pass Kysely's own `sql`. */
export function kyselyDatabase(database: KyselyDatabase, sql: KyselySqlTag): SqlDatabase {
  const { dialect, query } = executorOf(database, sql);
  return {
    dialect,
    transaction: (work) => database.transaction().execute((trx) => work(kyselyExecutor(trx, sql))),
    ...alone(dialect, query),
  };
}

/** MySQL is the one of them that cannot return what it changed. */
function dialectOf(database: KyselyTransaction): DialectName {
  return database.getExecutor().adapter.supportsReturning ? 'postgresql' : 'mysql';
}
