// Checks of numbers and flags in options, declarations and requests.

import { UsageError } from './errors.js';

/** Whether it is an integer from `least` to `most`, both included. Default of `most`: the largest safe integer. */
export function isIntegerFrom(value: unknown, least: number, most: number = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** @throws UsageError unless the option is a number above 0 */
export function positive(field: string, value: number): number {
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  throw new UsageError('ILLEGAL_OPTION', `option ${field} must be a number above 0, not ${String(value)}`, field);
}

/** @throws UsageError unless the option is true or false */
export function assertFlag(field: string, value: unknown): void {
  if (typeof value === 'boolean') return;
  throw new UsageError('ILLEGAL_OPTION', `option ${field} must be true or false, not ${String(value)}`, field);
}

/** @throws UsageError unless the option is an integer of at least 1 */
export function positiveInteger(field: string, value: number): number {
  if (isIntegerFrom(value, 1)) return value;
  throw new UsageError(
    'ILLEGAL_OPTION',
    `option ${field} must be an integer of at least 1, not ${String(value)}`,
    field,
  );
}
