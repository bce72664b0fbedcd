// Decides what happens to a message whose handler has failed. Pure: others carry it out.

import { LIMITS } from '../../protocol/model/limits.js';
import type { MessageView } from '../../protocol/model/message.js';
import { type BackoffPolicy, backoffMs, validBackoff } from '../../support/backoff.js';
import { RocketMQError } from '../../support/errors.js';
import {
  anyFunction,
  type Check,
  describe,
  functions,
  type OptionChecks,
  positiveInteger,
} from '../../support/options.js';
import { DeadLetterError, RetryLaterError } from './outcome-errors.js';

/**
 * Why a message is dead-lettered.
 * - `handler-decided`: the handler threw a DeadLetterError
 * - `attempts-exhausted`: the last attempt that the listener or the server allows has failed
 * - `not-retryable`: `retryOn` or `deadLetterOn` excludes the handler's error from retries
 * - `corrupt-body`: its body is not what was sent; no handler was called
 */
export type DeadLetterReason = 'handler-decided' | 'attempts-exhausted' | 'not-retryable' | 'corrupt-body';

/** How a delivery is settled. */
export type Settlement =
  | { readonly kind: 'ack' }
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'deadLetter'; readonly reason: DeadLetterReason };

/** A test for errors: their classes, or a function. An error for which the function throws is retried. */
// biome-ignore lint/suspicious/noExplicitAny: what an error is made of does not matter here
export type ErrorTest = readonly (abstract new (...args: any[]) => unknown)[] | ((error: unknown) => boolean);

/** A message that is no longer retried. */
export interface DeadLetter {
  readonly message: MessageView;
  readonly consumerGroup: string;
  readonly reason: DeadLetterReason;
  /** The handler's last error, or why no handler was called. */
  readonly error: unknown;
}

/** What happens when a listener fails. */
export interface FailurePolicy {
  /** The delays between attempts. Default: those of the group on the server. */
  readonly backoff?: BackoffPolicy;
  /**
   * Attempts before a message is dead-lettered. It counts attempts that a handler of this process has finished: not deliveries without a
   * handler call or with `countsAsAttempt: false`, and not attempts that a shutdown, a lost lease or the end of the process interrupted. Where several processes share a group,
   * each counts its own, up to the deliveries that the server allows. Default: the deliveries that the server allows, which are also the maximum; every one of them counts then,
   * as it does of a message to which its client gave no id.
   */
  readonly maxAttempts?: number;
  /**
   * Only these errors are retried, and those of this library with `retryable` (a timeout, an unreachable server); others are
   * dead-lettered at once. Default: all are retried.
   */
  readonly retryOn?: ErrorTest;
  /** These errors are dead-lettered at once, even if `retryOn` matches. Default: none. */
  readonly deadLetterOn?: ErrorTest;
  /**
   * Stores dead letters instead of the broker's dead letter queue; resolves when the message is stored. When it rejects or takes over 30 s,
   * the message is retried, or moved to the dead letter queue if it has no further attempt or if the error is a UsageError,
   * which a retry does not fix. When it rejects with a UsageError for a message with labels that no send accepts, which other clients can
   * store, it is called again with labels that can be sent. When it rejects with `MESSAGE_PROPERTIES_TOO_LARGE`, because of what it or an interceptor of the producer
   * adds, it is called again with fewer labels, and at last with none; properties that are left out are named in `originPropertiesLeftOut`. It may be called twice for
   * one message for other reasons, too, and is not called for a message whose body is corrupt.
   * Default: the dead letter queue stores them.
   */
  readonly deadLetterTo?: (deadLetter: DeadLetter) => Promise<void>;
  /** Called and awaited before the message is dead-lettered. Best effort, as `events.onDeadLetter`; waits up to 30 s. Default: none. */
  readonly onDeadLetter?: (deadLetter: DeadLetter) => void | Promise<void>;
}

/** Checks the classes of errors, or the function that tests them. */
const errorTest: Check = (value) =>
  anyFunction(value) === undefined || functions(value) === undefined
    ? undefined
    : `must be a list of error classes or a function, not ${describe(value)}`;

/** @internal */
export const FAILURE_CHECKS: OptionChecks<FailurePolicy> = {
  backoff: validBackoff,
  maxAttempts: positiveInteger,
  retryOn: errorTest,
  deadLetterOn: errorTest,
  deadLetterTo: anyFunction,
  onDeadLetter: anyFunction,
};

/** A failed attempt, and the limits. */
export interface FailedAttempt {
  readonly error: unknown;
  /** The delivery that failed; the first is 1. The server counts every delivery. */
  readonly attempt: number;
  /** Deliveries after which the server dead-letters the message. */
  readonly attemptsOfServer: number;
  /** How many attempts a handler has finished, this one included unless it was interrupted. */
  readonly finished: number;
  /** How many of these the listener allows. */
  readonly maxAttempts?: number | undefined;
  /** The index of the delay in the backoff; the first is 1. */
  readonly wait: number;
  readonly backoff: BackoffPolicy;
  readonly retryOn?: ErrorTest | undefined;
  readonly deadLetterOn?: ErrorTest | undefined;
  /** Whether the server counts the delivery even if the handler asks it not to. Default false. */
  readonly isCountedAnyway?: boolean;
  /** The handler's signal had fired, so its error need not concern the message. */
  readonly wasInterrupted?: boolean;
}

/** Never an ack: a failed message is retried or dead-lettered. */
export type FailureSettlement = Exclude<Settlement, { readonly kind: 'ack' }>;

/** Decides by what the handler requested, then by the remaining attempts, the kind of error, and the backoff. */
export function settlementAfterFailure(failed: FailedAttempt): FailureSettlement {
  const { error, wait, backoff, wasInterrupted } = failed;
  if (DeadLetterError.is(error)) return { kind: 'deadLetter', reason: 'handler-decided' };
  if (!wasInterrupted && areExhausted(failed)) return { kind: 'deadLetter', reason: 'attempts-exhausted' };
  if (RetryLaterError.is(error)) return retryIn(error.delayMs);
  // Nothing is wrong with the message: others may have it at once. Only the server limits how often it can be interrupted.
  if (wasInterrupted) return retryIn(0);
  return isRetryable(failed) ? retryIn(backoffMs(backoff, wait)) : { kind: 'deadLetter', reason: 'not-retryable' };
}

/** Whether the handler asked that its delivery does not count. An error of an older copy of this package cannot. */
export function isUncounted(error: unknown): boolean {
  return RetryLaterError.is(error) && error.countsAsAttempt === false;
}

function areExhausted(failed: FailedAttempt): boolean {
  const { error, attempt, attemptsOfServer, finished, maxAttempts, isCountedAnyway = false } = failed;
  if (isUncounted(error)) return isCountedAnyway && attempt >= attemptsOfServer;
  return attempt >= attemptsOfServer || (maxAttempts !== undefined && finished >= maxAttempts);
}

function retryIn(wantedMs: number): FailureSettlement {
  return { kind: 'retry', delayMs: Math.min(Math.max(0, wantedMs), LIMITS.invisibleDurationMaxMs) };
}

function isRetryable({ error, retryOn, deadLetterOn }: FailedAttempt): boolean {
  try {
    return isWanted(error, retryOn, deadLetterOn);
  } catch {
    // A test that throws for an unexpected error has not decided; a retry loses nothing.
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
