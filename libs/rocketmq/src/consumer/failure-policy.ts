// What becomes of a message whose handler has failed. Pure: it decides, others do it.

import { LIMITS } from '../protocol/limits.js';
import { type BackoffPolicy, backoffMs } from '../support/backoff.js';
import { DeadLetterError, RetryLaterError } from './outcome-errors.js';

/**
 * Why a message becomes a dead letter.
 * - `handler-decided`: the handler threw a DeadLetterError
 * - `attempts-exhausted`: its last allowed attempt failed
 * - `corrupt-body`: its body is not what was sent; no handler has seen it
 */
export type DeadLetterReason = 'handler-decided' | 'attempts-exhausted' | 'corrupt-body';

/** How a delivery is settled with the server. */
export type Settlement =
  | { readonly kind: 'ack' }
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'deadLetter'; readonly reason: DeadLetterReason };

/** A failed attempt, and what its group allows. */
export interface FailedAttempt {
  readonly error: unknown;
  /** The attempt that failed; the first is 1. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly backoff: BackoffPolicy;
}

/** Never an ack: a failed message is retried or kept as a dead letter. */
export type FailureSettlement = Exclude<Settlement, { readonly kind: 'ack' }>;

/** Decides by the error first, then by the attempts that are left, then by the backoff in force. */
export function settlementAfterFailure({ error, attempt, maxAttempts, backoff }: FailedAttempt): FailureSettlement {
  if (DeadLetterError.is(error)) return { kind: 'deadLetter', reason: 'handler-decided' };
  if (attempt >= maxAttempts) return { kind: 'deadLetter', reason: 'attempts-exhausted' };
  const wantedMs = RetryLaterError.is(error) ? error.delayMs : backoffMs(backoff, attempt);
  return { kind: 'retry', delayMs: Math.min(Math.max(0, wantedMs), LIMITS.invisibleDurationMaxMs) };
}
