// The port on Knex with PostgreSQL, MySQL or MariaDB. Structurally typed, so that Knex is not a dependency of this package.

import { rowsOf } from '../rows.js';
import { alone, type DialectName, type SqlDatabase, type SqlExecutor } from '../sql-port.js';
import { noTransaction } from '../transaction-guards.js';
import { MYSQL2_ROWS } from './mysql2.js';
import { templateOf } from './placeholders.js';

/** A Knex transaction, as Knex passes it to the callback of `knex.transaction()`. */
export interface KnexTransaction {
  readonly isTransaction?: boolean;
  raw(text: string, bindings: never): PromiseLike<unknown>;
}

/** What `raw` returns. */
interface KnexRaw extends PromiseLike<unknown> {
  options(options: object): unknown;
  on(event: 'query-response', listener: (processed: unknown, query: { readonly response?: unknown }) => void): unknown;
}

/** A Knex instance. */
export interface KnexDatabase {
  transaction<T>(work: (trx: KnexTransaction) => Promise<T>): Promise<T>;
  raw(text: string, bindings: never): PromiseLike<unknown>;
}

/**
 * A Knex transaction as the port.
 * @throws UsageError `NO_TRANSACTION` for a Knex instance: its statements would run on any connection
 */
export function knexExecutor(trx: KnexTransaction): SqlExecutor {
  if (trx.isTransaction !== true) throw noTransaction('this Knex instance', 'knex.transaction()', 'trx');
  return executorOf(trx);
}

function executorOf(trx: Pick<KnexTransaction, 'raw'>): SqlExecutor {
  const dialect = dialectOf(trx);
  return {
    dialect,
    query: async (text, parameters) => {
      const { strings, values } = templateOf(text, parameters, dialect);
      const query = trx.raw(strings.join('?'), values as never) as KnexRaw;
      if (dialect === 'mysql') query.options(MYSQL2_ROWS);
      let response: unknown;
      // The driver's own answer, not what `postProcessResponse` of the application makes of it.
      query.on('query-response', (_processed, answered) => {
        response = answered.response;
      });
      await query;
      // pg returns an object with the rows; mysql2 the rows, or what a change did, beside a description of the columns.
      const { 0: first, rows = first } = (response ?? {}) as { readonly 0?: unknown; readonly rows?: unknown };
      return { rows: rowsOf(rows, dialect, text) };
    },
  };
}

/** A Knex instance as the port. */
export function knexDatabase(knex: KnexDatabase): SqlDatabase {
  const { dialect, query } = executorOf(knex);
  return {
    dialect,
    transaction: (work) => knex.transaction((trx) => work(knexExecutor(trx))),
    ...alone(dialect, query),
  };
}

function dialectOf(knex: object): DialectName {
  const { client } = knex as { readonly client?: { readonly dialect?: string } };
  return client?.dialect === 'mysql' ? 'mysql' : 'postgresql';
}
