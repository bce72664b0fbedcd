// What numeric options have in common: the check at the door.

import { UsageError } from './errors.js';

/** @throws UsageError unless the option is a number above 0 */
export function positive(field: string, value: number): number {
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  throw new UsageError('ILLEGAL_OPTION', `option ${field} must be a number above 0, not ${String(value)}`, field);
}

/** @throws UsageError unless the option is a whole number from 1 on */
export function positiveInteger(field: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new UsageError(
    'ILLEGAL_OPTION',
    `option ${field} must be a whole number from 1 on, not ${String(value)}`,
    field,
  );
}
