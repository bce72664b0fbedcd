// The retries of one message, which its sender asks for in properties. Only consumers of this library know them.

import { LIMITS } from '../../protocol/model/limits.js';
import { type BackoffPolicy, delays } from '../../support/backoff.js';
import { assertOptions, describe, notNegative, type OptionChecks, positiveInteger } from '../../support/options.js';
import type { FailurePolicy } from './failure-policy.js';

/** How often and when a message is tried again. */
export interface MessageRetries {
  /** Attempts before it is dead-lettered, as `maxAttempts` of a listener; the listener or server may allow fewer. Default: theirs. */
  readonly maxAttempts?: number;
  /** The delays between its attempts in milliseconds: one, or up to 32 of which the last one repeats, each of 12 h at most. Default: those of the listener. */
  readonly backoff?: number | readonly number[];
}

const MAX_ATTEMPTS = 'RETRY_MAX_ATTEMPTS';
const BACKOFF = 'RETRY_BACKOFF_MS';
const MAX_DELAYS = 32;
/** Of what comes from the wire: 32 delays of 12 h. */
const MAX_TEXT = 320;

const CHECKS: OptionChecks<MessageRetries> = {
  maxAttempts: positiveInteger,
  backoff: (value) => {
    if (typeof value === 'number') return notNegative(value) ?? tooLong([value]);
    if (!Array.isArray(value)) return `must be milliseconds or a list of them, not ${describe(value)}`;
    return delays(value) ?? tooLong(value as readonly number[]);
  },
};

function tooLong(nextMs: readonly number[]): string | undefined {
  if (nextMs.length > MAX_DELAYS) return `must have at most ${MAX_DELAYS} delays, not ${nextMs.length}`;
  const long = nextMs.find((delayMs) => delayMs > LIMITS.invisibleDurationMaxMs);
  return long === undefined ? undefined : `must be at most ${LIMITS.invisibleDurationMaxMs} (12 h), not ${long}`;
}

/**
 * Properties for a message that is to be retried otherwise than its listeners do it: `{ properties: retryProperties({ maxAttempts: 2 }) }`. Consumers of this
 * library go by them, other clients do not.
 * @throws UsageError that names the field
 */
export function retryProperties(retries: MessageRetries): Readonly<Record<string, string>> {
  assertOptions(retries, { options: CHECKS }, 'retryProperties: ');
  const { maxAttempts, backoff } = retries;
  return {
    ...(maxAttempts !== undefined && { [MAX_ATTEMPTS]: String(maxAttempts) }),
    ...(backoff !== undefined && { [BACKOFF]: [backoff].flat().map(Math.round).join(',') }),
  };
}

/** What the sender asked for; what cannot be read counts as nothing. */
export function retriesOf(
  properties: Readonly<Record<string, string>>,
): Pick<FailurePolicy, 'maxAttempts'> & { readonly backoff?: BackoffPolicy } {
  const { [MAX_ATTEMPTS]: attempts, [BACKOFF]: backoff } = properties;
  const maxAttempts = attempts !== undefined && /^\d{1,9}$/.test(attempts) ? Number(attempts) : 0;
  const isReadable = backoff !== undefined && backoff.length <= MAX_TEXT;
  const nextMs = isReadable
    ? backoff.split(',').map((text) => (/^\d{1,8}$/.test(text) ? Number(text) : Number.NaN))
    : [];
  const isList = nextMs.length > 0 && !nextMs.some(Number.isNaN) && tooLong(nextMs) === undefined;
  return {
    ...(maxAttempts > 0 && { maxAttempts }),
    ...(isList && { backoff: { kind: 'customized', nextMs } }),
  };
}
