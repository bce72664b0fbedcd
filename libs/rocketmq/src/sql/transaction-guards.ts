// Errors for what a caller has to put right: a connection where a transaction must be, and tables that are not there.

import { StateError, UsageError } from '../support/errors.js';
import { describe } from '../support/options.js';
import type { SqlExecutor } from './sql-port.js';

/** @param what what was passed @param by what passes the right one to its callback @param field the argument */
export function noTransaction(what: string, by: string, field: string): UsageError {
  const text = `${what} does not belong to a transaction; use the one that ${by} passes to its callback`;
  return new UsageError('NO_TRANSACTION', text, field);
}

/**
 * @param tx where a transaction must be
 * @throws UsageError `NO_TRANSACTION` for a database, a pool or a client that is in none: each of its statements would be committed by itself
 */
export function assertTransaction(tx: SqlExecutor): void {
  if (typeof Object(tx).query !== 'function') {
    const text = `tx must be what a transaction of the database passes to its callback, not ${describe(tx)}; nothing was done`;
    throw new UsageError('NO_TRANSACTION', text, 'tx');
  }
  if (tx.hasTransaction === true) return;
  if (tx.hasTransaction === false) throw noTransaction('this client', 'the transaction() of its library', 'tx');
  const { transaction, totalCount } = tx as { readonly transaction?: unknown; readonly totalCount?: unknown };
  if (transaction === undefined && totalCount === undefined) return;
  const what = transaction === undefined ? 'this pool' : 'this database';
  throw noTransaction(what, transaction === undefined ? 'poolDatabase(pool).transaction()' : 'its transaction()', 'tx');
}

/** Runs `work` with a transaction whose statements are rejected afterwards: the connection may be in somebody else's transaction by then. */
export async function untilEnded<T>(executor: SqlExecutor, work: (tx: SqlExecutor) => Promise<T>): Promise<T> {
  let hasEnded = false;
  const query: SqlExecutor['query'] = async (text, parameters) => {
    if (!hasEnded) return executor.query(text, parameters);
    const why =
      'the transaction has ended; the statement was not run; await all work that belongs to a transaction inside of its callback';
    throw new StateError('TRANSACTION_ENDED', why);
  };
  try {
    return await work({ ...(executor.dialect === undefined ? {} : { dialect: executor.dialect }), query });
  } finally {
    hasEnded = true;
  }
}

/** @param problem what is missing */
export function notReady(problem: string): StateError {
  const text =
    `${problem}; nothing was done. Add a migration with the statements of schemaStatements(), or of "npx nestjs-rocketmq sql", and the ` +
    'same names of tables; if the tables are of an older version, set fromVersion (--from) to it. They create what is missing, but do not change ' +
    'a table that is there otherwise: use ALTER TABLE for that';
  return new StateError('TABLE_NOT_READY', text);
}
