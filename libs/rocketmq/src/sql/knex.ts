// The port on Knex with PostgreSQL, MySQL or MariaDB. Structurally typed, so that Knex is not a dependency of this package.

import { noTransaction } from './misuse.js';
import { templateOf } from './placeholders.js';
import type { DialectName, SqlDatabase, SqlExecutor } from './sql-port.js';

/** A Knex transaction, as Knex passes it to the callback of `knex.transaction()`. */
export interface KnexTransaction {
  readonly isTransaction?: boolean;
  raw(text: string, bindings: never): PromiseLike<unknown>;
}

/** A Knex instance. */
export interface KnexDatabase {
  transaction<T>(work: (trx: KnexTransaction) => Promise<T>): Promise<T>;
}

/**
 * A Knex transaction as the port.
 * @throws UsageError `NO_TRANSACTION` for a Knex instance: its statements would run on any connection
 */
export function knexExecutor(trx: KnexTransaction): SqlExecutor {
  if (trx.isTransaction !== true) throw noTransaction('this Knex instance', 'knex.transaction()', 'trx');
  const dialect = dialectOf(trx);
  return {
    dialect,
    query: async (text, parameters) => {
      const { strings, values } = templateOf(text, parameters, dialect);
      const result = await trx.raw(strings.join('?'), values as never);
      // pg returns an object with the rows; mysql2 the rows, or what a change did, beside a description of the columns.
      const rows =
        dialect === 'mysql' ? (result as readonly unknown[])[0] : (result as { readonly rows: unknown }).rows;
      return { rows: Array.isArray(rows) ? rows : [] };
    },
  };
}

/** A Knex instance as the port. */
export function knexDatabase(knex: KnexDatabase): SqlDatabase {
  return { dialect: dialectOf(knex), transaction: (work) => knex.transaction((trx) => work(knexExecutor(trx))) };
}

function dialectOf(knex: object): DialectName {
  const { client } = knex as { readonly client?: { readonly dialect?: string } };
  return client?.dialect === 'mysql' ? 'mysql' : 'postgresql';
}
