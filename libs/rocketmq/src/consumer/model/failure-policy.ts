// What becomes of a message whose handler has failed. Pure: it decides, others do it.

import { LIMITS } from '../../protocol/model/limits.js';
import type { MessageView } from '../../protocol/model/message.js';
import { type BackoffPolicy, backoffMs } from '../../support/backoff.js';
import { RocketMQError } from '../../support/errors.js';
import { DeadLetterError, RetryLaterError } from './outcome-errors.js';

/**
 * Why a message becomes a dead letter.
 * - `handler-decided`: the handler threw a DeadLetterError
 * - `attempts-exhausted`: the last attempt that the listener or the server allows has failed
 * - `not-retryable`: `retryOn` or `deadLetterOn` says that no retry helps against the handler's error
 * - `corrupt-body`: its body is not what was sent; no handler has seen it
 */
export type DeadLetterReason = 'handler-decided' | 'attempts-exhausted' | 'not-retryable' | 'corrupt-body';

/** How a delivery is settled with the server. */
export type Settlement =
  | { readonly kind: 'ack' }
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'deadLetter'; readonly reason: DeadLetterReason };

/** Which errors: their classes, or a function. An error for which the function throws is retried. */
// biome-ignore lint/suspicious/noExplicitAny: what an error is made of does not matter here
export type ErrorTest = readonly (abstract new (...args: any[]) => unknown)[] | ((error: unknown) => boolean);

/** A message that no retry will be tried for. */
export interface DeadLetter {
  readonly message: MessageView;
  readonly consumerGroup: string;
  readonly reason: DeadLetterReason;
  /** What the handler threw last, or why no handler was asked. */
  readonly error: unknown;
}

/** What the failures of a listener lead to. */
export interface FailurePolicy {
  /** The waits between attempts. Default: what the server holds for the group. */
  readonly backoff?: BackoffPolicy;
  /**
   * Attempts before a message is a dead letter. Those count that a handler of this process has finished: not deliveries that no
   * handler saw, and not attempts that a shutdown, a lost lease or the end of the process interrupted. Where several processes share a group,
   * each counts its own, up to the deliveries that the server allows. Default, and most: those deliveries, every one of which counts.
   */
  readonly maxAttempts?: number;
  /**
   * Only these errors are retried, and those of this library that say so themselves (`retryable`: a time-out, a server that is
   * away); others are dead letters at once. Default: all are retried.
   */
  readonly retryOn?: ErrorTest;
  /** These errors are dead letters at once, whatever `retryOn` says. Default: none. */
  readonly deadLetterOn?: ErrorTest;
  /**
   * Keeps dead letters instead of the broker's dead letter queue; resolves when the message is safe. When it rejects or takes over 30 s,
   * the message is retried, or goes to that queue if it can have no further attempt, or if the error is a UsageError,
   * which a repetition does not fix. It may be called twice for one message. Not asked for a message whose body is corrupt.
   * Default: the queue keeps them.
   */
  readonly deadLetterTo?: (deadLetter: DeadLetter) => Promise<void>;
  /** Awaited before the message goes there. Best effort, as `events.onDeadLetter`; waited for up to 30 s. Default: nothing. */
  readonly onDeadLetter?: (deadLetter: DeadLetter) => void | Promise<void>;
}

/** A failed attempt, and what is allowed. */
export interface FailedAttempt {
  readonly error: unknown;
  /** The attempt that failed; the first is 1. The server counts every delivery. */
  readonly attempt: number;
  /** Deliveries after which the server moves the message to the dead letters. */
  readonly attemptsOfServer: number;
  /** How many attempts a handler has finished, this one included unless it was interrupted. */
  readonly finished: number;
  /** How many of these the listener allows. */
  readonly maxAttempts?: number | undefined;
  /** Which wait of the backoff is due; the first is 1. */
  readonly wait: number;
  readonly backoff: BackoffPolicy;
  readonly retryOn?: ErrorTest | undefined;
  readonly deadLetterOn?: ErrorTest | undefined;
  /** The handler was told to end, so its error says nothing about the message. */
  readonly wasInterrupted?: boolean;
}

/** Never an ack: a failed message is retried or kept as a dead letter. */
export type FailureSettlement = Exclude<Settlement, { readonly kind: 'ack' }>;

/** Decides by what the handler asked for, then by the attempts that are left, by the kind of error, by the backoff in force. */
export function settlementAfterFailure(failed: FailedAttempt): FailureSettlement {
  const { error, wait, backoff, wasInterrupted } = failed;
  if (DeadLetterError.is(error)) return { kind: 'deadLetter', reason: 'handler-decided' };
  if (!wasInterrupted && areExhausted(failed)) return { kind: 'deadLetter', reason: 'attempts-exhausted' };
  if (RetryLaterError.is(error)) return retryIn(error.delayMs);
  // Nothing is wrong with the message: others may have it at once. The server alone ends what is interrupted again and again.
  if (wasInterrupted) return retryIn(0);
  return isRetryable(failed) ? retryIn(backoffMs(backoff, wait)) : { kind: 'deadLetter', reason: 'not-retryable' };
}

function areExhausted({ attempt, attemptsOfServer, finished, maxAttempts }: FailedAttempt): boolean {
  return attempt >= attemptsOfServer || (maxAttempts !== undefined && finished >= maxAttempts);
}

function retryIn(wantedMs: number): FailureSettlement {
  return { kind: 'retry', delayMs: Math.min(Math.max(0, wantedMs), LIMITS.invisibleDurationMaxMs) };
}

function isRetryable({ error, retryOn, deadLetterOn }: FailedAttempt): boolean {
  try {
    return isWanted(error, retryOn, deadLetterOn);
  } catch {
    // A test that fails on an error which it did not expect knows nothing about it; a retry loses nothing.
    return true;
  }
}

function isWanted(error: unknown, retryOn: ErrorTest | undefined, deadLetterOn: ErrorTest | undefined): boolean {
  if (deadLetterOn !== undefined && passes(deadLetterOn, error)) return false;
  return retryOn === undefined || (RocketMQError.is(error) && error.retryable) || passes(retryOn, error);
}

function passes(test: ErrorTest, error: unknown): boolean {
  return typeof test === 'function' ? test(error) : test.some((type) => error instanceof type);
}
