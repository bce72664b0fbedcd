// Validation of numeric options.

import { UsageError } from './errors.js';

/** @throws UsageError unless the option is a number above 0 */
export function positive(field: string, value: number): number {
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  throw new UsageError('ILLEGAL_OPTION', `option ${field} must be a number above 0, not ${String(value)}`, field);
}

/** @throws UsageError unless the option is an integer of at least 1 */
export function positiveInteger(field: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new UsageError(
    'ILLEGAL_OPTION',
    `option ${field} must be an integer of at least 1, not ${String(value)}`,
    field,
  );
}
