// Checks of arguments that several calls share, before anything is sent.

import { UsageError } from '../support/errors.js';
import { type Check, describe, isIntegerFrom, rejected } from '../support/options.js';

/** @throws UsageError `ILLEGAL_NAME` */
export function checkName(kind: string, name: string, problem: string | undefined): void {
  if (problem !== undefined) throw new UsageError('ILLEGAL_NAME', `${kind} ${describe(name)} ${problem}`);
}

/** Checks fields of what a call is about; it may have others. @throws UsageError `ILLEGAL_OPTION` */
export function checkFields(given: unknown, checks: Readonly<Record<string, Check>>): void {
  for (const [field, check] of Object.entries(checks)) {
    const problem = check((Object(given) as Readonly<Record<string, unknown>>)[field]);
    if (problem !== undefined) throw rejected(field, `${problem}; nothing was changed`);
  }
}

/** @param sought a message id or key. @throws UsageError `ILLEGAL_QUERY` */
export function checkSought(field: 'messageId' | 'key', sought: string): void {
  if (typeof sought === 'string' && sought.trim() !== '') return;
  const problem = typeof sought === 'string' ? 'is blank' : `must be a string, not ${describe(sought)}`;
  throw new UsageError('ILLEGAL_QUERY', `${field} ${problem}; nothing was sent`, field);
}

/** @throws UsageError `ILLEGAL_LIMIT` */
export function checkLimit(limit: number, most: number, name = 'limit'): void {
  if (isIntegerFrom(limit, 1, most)) return;
  throw new UsageError('ILLEGAL_LIMIT', `${name} is ${describe(limit)}; it must be an integer from 1 to ${most}`, name);
}

/** @param field the option that has the time, when that is another one. @throws UsageError `ILLEGAL_TIME` */
export function checkTime(name: string, time: Date | undefined, field = name): void {
  // Callers without types pass texts.
  const atMs = typeof time?.getTime === 'function' ? time.getTime() : Number.NaN;
  if (time === undefined || atMs >= 0) return;
  const isValid = Number.isFinite(atMs);
  throw new UsageError(
    'ILLEGAL_TIME',
    `${name} must be a date from 1970 on${isValid ? '' : '; it is no valid date'}`,
    field,
  );
}
