// Retries a database transaction after a conflict with another one.

import { type LocalTransaction, transactionHere } from '../../producer/transactions/transaction-scope.js';
import { abortReason, withAnySignal } from '../../support/abort.js';
import { backoffMs, withJitter } from '../../support/backoff.js';
import { SystemClock, sleep } from '../../support/clock.js';
import { RocketMQError } from '../../support/errors.js';
import { checkedPositiveInteger } from '../../support/options.js';
import { systemRandom } from '../../support/random.js';
import { backoffPolicyOf, type Waits } from '../retry-span.js';
import { conflictOf } from '../sql-errors.js';

/** The options of `retryTransaction()`. */
export interface RetryTransactionOptions {
  /** The maximum number of runs. Default 5. */
  readonly maxAttempts?: number;
  /**
   * The delays between the runs, in real time. Each is shortened at random by up to half, so that two conflicting transactions do not
   * conflict again. Default: 20 ms, doubled up to 1 s.
   */
  readonly backoff?: Waits;
  /** Aborts the wait between runs; a run in progress is not aborted. Default: none. */
  readonly signal?: AbortSignal;
}

const DEFAULT_MAX_ATTEMPTS = 5;
const DEFAULT_BACKOFF = { kind: 'exponential', initialMs: 20, maxMs: 1_000, multiplier: 2 } as const;

/**
 * Every run of the transaction conflicted with other transactions. Nothing of it was committed, and it can be retried later. The error
 * of the last run is the `cause`.
 */
export class TransactionConflictError extends RocketMQError {
  constructor(
    /** How often it ran. */
    readonly attempts: number,
    conflict: string,
    options?: ErrorOptions,
  ) {
    const text =
      `this transaction conflicted with others in all ${attempts} runs (${conflict} in the last one); ` +
      'nothing of it was committed; retry it later';
    super('TRANSACTION_CONFLICT', text, 'rejected', true, options);
  }
}

/**
 * Whether a transaction failed only because of a conflict: a serialization failure (40001) or a deadlock (40P01) of PostgreSQL, a deadlock
 * (1213), a lock wait timeout (1205) or a changed record (1020) of MySQL and MariaDB, by the code of the error or of what it wraps. Nothing of it
 * is committed when it is rolled back; a retry may succeed.
 */
export function isTransactionConflict(error: unknown): boolean {
  // A transaction that already reached its limit must not be retried by an outer call.
  if (RocketMQError.is(error)) return false;
  return conflictOf(error) !== undefined;
}

/**
 * Runs a whole database transaction, and repeats it while {@link isTransactionConflict} is true for its error. Everything in
 * `transaction` is repeated, so its other effects must be repeatable: reset the state that it collects.
 *
 * Inside the local transaction of a message, a run that has called `prepare()` or `rollback()` of the current transaction is not
 * repeated, because these cannot be undone; its error is thrown. A `record()` of a transaction log in a run that is repeated does not
 * count. The `signal` of the local transaction also aborts the wait.
 * @param transaction runs the whole transaction: `() => db.transaction(work)`
 * @throws errors of `transaction` that are not conflicts; TransactionConflictError after `maxAttempts` conflicts; the reason of a
 *   signal that fires before a run, and then nothing was committed; UsageError `ILLEGAL_OPTION` that names the option
 */
export async function retryTransaction<T>(
  transaction: () => Promise<T>,
  options: RetryTransactionOptions = {},
): Promise<T> {
  const maxAttempts = checkedPositiveInteger('maxAttempts', options.maxAttempts ?? DEFAULT_MAX_ATTEMPTS);
  const backoff = backoffPolicyOf(options.backoff ?? DEFAULT_BACKOFF);
  const message = transactionHere();
  const signals = [options.signal, message?.signal];
  for (let attempt = 1; ; attempt++) {
    const ended = signals.find((signal) => signal?.aborted);
    if (ended !== undefined) throw abortReason(ended);
    const before = decisionsOf(message);
    const endFinder = message?.endFinder;
    try {
      return await transaction();
    } catch (error) {
      if (!isTransactionConflict(error) || decisionsOf(message) !== before) throw error;
      if (attempt >= maxAttempts) {
        throw new TransactionConflictError(attempt, conflictOf(error) ?? '', { cause: error });
      }
      // The record of a lost run does not apply to the next one.
      if (message?.endFinder !== endFinder) message?.findEndBy(endFinder);
    }
    const waitMs = withJitter(backoffMs(backoff, attempt), systemRandom.next);
    await withAnySignal(signals, (signal) => sleep(new SystemClock(), waitMs, signal));
  }
}

/** How many irreversible decisions were made about the message. */
function decisionsOf(message: LocalTransaction | undefined): number {
  return Number(message?.isPrepared ?? false) + Number(message?.isRollback ?? false);
}
