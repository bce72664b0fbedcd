// The error for a connection where a transaction must be.

import { UsageError } from '../support/errors.js';

/** @param what what was passed @param by what passes the right one to its callback @param field the argument */
export function noTransaction(what: string, by: string, field: string): UsageError {
  const text = `${what} does not belong to a transaction; use the one that ${by} passes to its callback`;
  return new UsageError('NO_TRANSACTION', text, field);
}
