// Errors for what a caller has to put right: a connection where a transaction must be, and tables that are not there.

import { StateError, UsageError } from '../support/errors.js';

/** @param what what was passed @param by what passes the right one to its callback @param field the argument */
export function noTransaction(what: string, by: string, field: string): UsageError {
  const text = `${what} does not belong to a transaction; use the one that ${by} passes to its callback`;
  return new UsageError('NO_TRANSACTION', text, field);
}

/** @param problem what is missing */
export function notReady(problem: string): StateError {
  const text =
    `${problem}; nothing was done. Run the statements of schemaSql() or schemaStatements() with the same names; they create what is ` +
    'missing, but do not change a table that is there: use ALTER TABLE for that';
  return new StateError('TABLE_NOT_READY', text);
}
