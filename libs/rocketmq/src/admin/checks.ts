// Arguments that several calls have in common, checked before anything is sent.

import { UsageError } from '../support/errors.js';

/** @throws UsageError `ILLEGAL_NAME` */
export function checkName(kind: string, name: string, problem: string | undefined): void {
  if (problem !== undefined) throw new UsageError('ILLEGAL_NAME', `${kind} "${name}" ${problem}`);
}

/** @throws UsageError `ILLEGAL_LIMIT` */
export function checkLimit(limit: number, most: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return;
  throw new UsageError('ILLEGAL_LIMIT', `limit is ${limit}; it must be a whole number from 1 to ${most}`, 'limit');
}
