// Errors by which a handler decides about its message. The classes carry a brand, since an application may load this package
// twice (as ESM and as CommonJS), where `instanceof` fails.

import { UsageError } from '../../support/errors.js';
import { assertFlag } from '../../support/options.js';

const RETRY_LATER = Symbol.for('nestjs-rocketmq.retry-later');
const DEAD_LETTER = Symbol.for('nestjs-rocketmq.dead-letter');

/** The options of a {@link RetryLaterError}. */
export interface RetryLaterOptions {
  /** When the message is redelivered, in milliseconds from now. At most 12 h, the server's limit; more is cut to that. */
  readonly delayMs: number;
  /**
   * False for "not now": the message keeps its number of attempts, however often it is postponed. Servers before 5.5.0 count every delivery
   * of an ordinary group, so the attempts of the group limit it there. In an ordered group the message waits in this process, uncounted; the
   * server counts when another process gets it, for example after a shutdown. Default true.
   */
  readonly countsAsAttempt?: boolean;
  /** The message of the error. Default: a sentence with the delay. */
  readonly message?: string;
  /** The cause of the error. Default: none. */
  readonly cause?: unknown;
}

/**
 * Throw it in a handler to retry the message after a delay of your choice. It counts as a failed attempt, unless you set
 * `countsAsAttempt: false`. In an ordered group the message group waits for it, and so does the queue.
 */
export class RetryLaterError extends Error {
  /** @internal */
  readonly [RETRY_LATER] = true;
  readonly delayMs: number;
  readonly countsAsAttempt: boolean;

  /** @throws UsageError when `delayMs` is not a number of at least 0, or `countsAsAttempt` is not a boolean */
  constructor({ delayMs, countsAsAttempt = true, message, cause }: RetryLaterOptions) {
    super(message ?? `to be retried in ${delayMs} ms`, cause === undefined ? undefined : { cause });
    if (!(delayMs >= 0)) {
      throw new UsageError('ILLEGAL_OPTION', `delayMs must be a number of at least 0, not ${delayMs}`, 'delayMs');
    }
    assertFlag('countsAsAttempt', countsAsAttempt);
    this.name = 'RetryLaterError';
    this.delayMs = delayMs;
    this.countsAsAttempt = countsAsAttempt;
  }

  /** Like `instanceof`, and also true for an error of another copy of this package. */
  static is(error: unknown): error is RetryLaterError {
    return hasBrand(error, RETRY_LATER);
  }
}

/** Throw it in a handler when no retry can help: the message is dead-lettered at once. */
export class DeadLetterError extends Error {
  /** @internal */
  readonly [DEAD_LETTER] = true;

  constructor(message = 'the handler has dead-lettered the message', options?: ErrorOptions) {
    super(message, options);
    this.name = 'DeadLetterError';
  }

  /** Like `instanceof`, and also true for an error of another copy of this package. */
  static is(error: unknown): error is DeadLetterError {
    return hasBrand(error, DEAD_LETTER);
  }
}

function hasBrand(error: unknown, brand: symbol): boolean {
  return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[brand] === true;
}
