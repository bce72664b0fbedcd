// What a handler throws to say more than "failed". The classes carry a brand, since an application may load this package
// twice (as ESM and as CommonJS) and `instanceof` then fails.

import { UsageError } from '../../support/errors.js';

const RETRY_LATER = Symbol.for('nestjs-rocketmq.retry-later');
const DEAD_LETTER = Symbol.for('nestjs-rocketmq.dead-letter');

/** What a {@link RetryLaterError} is made of. */
export interface RetryLaterOptions {
  /** When the message is to come again, counted from now. The server's limit is 12 h; more is cut to that. */
  readonly delayMs: number;
  /** Of the error. Default: a sentence that names the wait. */
  readonly message?: string;
  /** Of the error. Default: none. */
  readonly cause?: unknown;
}

/**
 * A handler throws it to have the message again after a time of its choice. It counts as a failed attempt. In an ordered group
 * the message group waits for it, and with it the queue.
 */
export class RetryLaterError extends Error {
  /** @internal */
  readonly [RETRY_LATER] = true;
  readonly delayMs: number;

  /** @throws UsageError when `delayMs` is not a number of at least 0 */
  constructor({ delayMs, message, cause }: RetryLaterOptions) {
    super(message ?? `to be retried in ${delayMs} ms`, cause === undefined ? undefined : { cause });
    if (!(delayMs >= 0)) {
      throw new UsageError('ILLEGAL_OPTION', `delayMs must be a number of at least 0, not ${delayMs}`, 'delayMs');
    }
    this.name = 'RetryLaterError';
    this.delayMs = delayMs;
  }

  /** Like `instanceof`, and also true for an error of another copy of this package. */
  static is(error: unknown): error is RetryLaterError {
    return hasBrand(error, RETRY_LATER);
  }
}

/** A handler throws it when no retry can help: the message goes to the dead letters of the consumer group at once. */
export class DeadLetterError extends Error {
  /** @internal */
  readonly [DEAD_LETTER] = true;

  constructor(message = 'the handler gave the message up', options?: ErrorOptions) {
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
