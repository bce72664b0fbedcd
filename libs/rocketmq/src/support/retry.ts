// Retries an operation that is safe to repeat, within a deadline.

import { type BackoffPolicy, backoffMs, withJitter } from './backoff.js';
import { type Clock, sleep } from './clock.js';
import type { Deadline } from './deadline.js';
import { RocketMQError } from './errors.js';
import type { Random } from './random.js';

/** How retries are paced. The clock is the real one, because the operation is I/O. */
export interface RetryPace {
  readonly clock: Clock;
  readonly random: Random;
  readonly policy: BackoffPolicy;
}

/**
 * Repeats `attempt` until it succeeds or fails permanently.
 * @param mayRepeat which failures to retry; default: the retryable ones, whatever their outcome
 * @throws the first error that is not retried; when the deadline passes, the last failure that the deadline itself did not
 *   cause, or the deadline's error if there is none; when the caller aborts, the caller's reason
 */
export async function retryUntil<T>(
  deadline: Deadline,
  pace: RetryPace,
  attempt: () => Promise<T>,
  mayRepeat: (error: RocketMQError) => boolean = (error) => error.retryable,
): Promise<T> {
  let failure: unknown;
  for (let attempts = 1; ; attempts++) {
    if (deadline.signal.aborted) throw failureOr(failure, deadline);
    try {
      return await attempt();
    } catch (error) {
      if (!RocketMQError.is(error) || !mayRepeat(error)) throw error;
      // Only the deadline ended this attempt: the earlier failure explains more.
      failure = error === deadline.signal.reason ? failureOr(failure, deadline) : error;
    }
    const waitMs = withJitter(backoffMs(pace.policy, attempts), () => pace.random.next());
    if (waitMs >= deadline.remainingMs()) throw failure;
    await sleep(pace.clock, waitMs, deadline.signal).catch(() => {});
  }
}

function failureOr(failure: unknown, deadline: Deadline): unknown {
  return deadline.hasPassed ? (failure ?? deadline.signal.reason) : deadline.signal.reason;
}
