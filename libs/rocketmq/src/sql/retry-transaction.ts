// Running a database transaction again that the database has given up for the sake of another one.

import { type CurrentTransaction, transactionHere } from '../producer/transactions/transaction-scope.js';
import { abortReason, withAnySignal } from '../support/abort.js';
import { backoffMs, withJitter } from '../support/backoff.js';
import { SystemClock, sleep } from '../support/clock.js';
import { RocketMQError } from '../support/errors.js';
import { positiveInteger } from '../support/options.js';
import { systemRandom } from '../support/random.js';
import { backoffPolicyOf, type Waits } from './retry-span.js';
import { DEADLOCK_DETECTED, SERIALIZATION_FAILURE, sqlStateOf } from './sql-state.js';

/** The options of `retryTransaction()`. */
export interface RetryTransactionOptions {
  /** How often it runs in all. Default 5. */
  readonly maxAttempts?: number;
  /**
   * The waits between the runs, in real time. Each is cut at random by up to a half, so that two who met do not meet again.
   * Default: 20 ms, doubled up to 1 s.
   */
  readonly backoff?: Waits;
  /** Ends the waiting; a run that is under way is not cut short. Default: none. */
  readonly signal?: AbortSignal;
}

const DEFAULT_MAX_ATTEMPTS = 5;
const DEFAULT_BACKOFF = { kind: 'exponential', initialMs: 20, maxMs: 1_000, multiplier: 2 } as const;

/**
 * The database gave the transaction up for the sake of others, each time that it ran. Nothing of it was committed, and it may be tried
 * again later. The error of the last run is the `cause`.
 */
export class TransactionConflictError extends RocketMQError {
  constructor(
    /** How often it ran. */
    readonly attempts: number,
    sqlState: string,
    options?: ErrorOptions,
  ) {
    const text =
      `the database gave this transaction up for the sake of others, ${attempts} times (SQLSTATE ${sqlState} the last time); ` +
      'nothing of it was committed; try it again later';
    super('TRANSACTION_CONFLICT', text, 'rejected', true, options);
  }
}

/**
 * Whether a transaction failed only since it met another one: a serialization failure (40001) or a deadlock (40P01), by PostgreSQL's
 * SQLSTATE, of the error itself or of its `cause`, where Drizzle has it. Nothing of it was committed; the same may succeed now.
 */
export function isTransactionConflict(error: unknown): boolean {
  // One that was run often enough already is not for whoever stands around it to run again.
  if (RocketMQError.is(error)) return false;
  return sqlStateOf(error, CONFLICTS) !== undefined;
}

const CONFLICTS = [SERIALIZATION_FAILURE, DEADLOCK_DETECTED];

/**
 * Runs a whole database transaction, and again while {@link isTransactionConflict} is true of its error. Of `transaction` everything
 * is repeated, so whatever it does besides must bear that: reset what it has collected.
 *
 * Inside of a local transaction of a message: a run that has called `prepare()` or `rollback()` of `currentTransaction()` is not
 * repeated, since these cannot be taken back; its error is thrown. What `record()` of a
 * transaction log noted in a run that is repeated does not count. Its `signal` ends the waiting, too.
 * @param transaction begins the transaction and ends it: `() => db.transaction(work)`
 * @throws what `transaction` throws, when that is no conflict; TransactionConflictError after `maxAttempts` conflicts; the reason of a
 *   signal that fires before a run, and then nothing was committed; UsageError `ILLEGAL_OPTION` that names the option
 */
export async function retryTransaction<T>(
  transaction: () => Promise<T>,
  options: RetryTransactionOptions = {},
): Promise<T> {
  const maxAttempts = positiveInteger('maxAttempts', options.maxAttempts ?? DEFAULT_MAX_ATTEMPTS);
  const backoff = backoffPolicyOf(options.backoff ?? DEFAULT_BACKOFF);
  const message = transactionHere();
  const signals = [options.signal, message?.signal];
  for (let attempt = 1; ; attempt++) {
    const ended = signals.find((signal) => signal?.aborted);
    if (ended !== undefined) throw abortReason(ended);
    const before = decisionsOf(message);
    const proof = message?.proof;
    try {
      return await transaction();
    } catch (error) {
      if (!isTransactionConflict(error) || decisionsOf(message) !== before) throw error;
      if (attempt >= maxAttempts) {
        throw new TransactionConflictError(attempt, sqlStateOf(error, CONFLICTS) ?? '', { cause: error });
      }
      // What the lost run recorded says nothing about the next one.
      if (message?.proof !== proof) message?.proveBy(proof);
    }
    const waitMs = withJitter(backoffMs(backoff, attempt), systemRandom.next);
    await withAnySignal(signals, (signal) => sleep(new SystemClock(), waitMs, signal));
  }
}

/** How much was decided about a message that cannot be taken back. */
function decisionsOf(message: CurrentTransaction | undefined): number {
  return Number(message?.isPrepared ?? false) + Number(message?.isRollback ?? false);
}
