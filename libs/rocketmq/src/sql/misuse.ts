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
    `${problem}; nothing was done. Add a migration with the statements of schemaStatements(), or of "npx nestjs-rocketmq sql", and the ` +
    'same names of tables; if the tables are of an older version, set fromVersion (--from) to it. They create what is missing, but do not change ' +
    'a table that is there otherwise: use ALTER TABLE for that';
  return new StateError('TABLE_NOT_READY', text);
}
