// Repeating something that is safe to repeat, within a deadline.

import { type BackoffPolicy, backoffMs, withJitter } from './backoff.js';
import { type Clock, sleep } from './clock.js';
import type { Deadline } from './deadline.js';
import { RocketMQError } from './errors.js';
import type { Random } from './random.js';

/** How a repetition is paced. The clock is the real one: what is repeated is I/O. */
export interface RetryPace {
  readonly clock: Clock;
  readonly random: Random;
  readonly policy: BackoffPolicy;
}

/**
 * Repeats `attempt` until it succeeds or fails for good.
 * @throws the first error that is not retryable; when the time is over, the last error, or the deadline's if there is none
 */
export async function retryUntil<T>(deadline: Deadline, pace: RetryPace, attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    if (deadline.signal.aborted) throw deadline.signal.reason;
    let failure: unknown;
    try {
      return await attempt();
    } catch (error) {
      if (!RocketMQError.is(error) || !error.retryable) throw error;
      failure = error;
    }
    const waitMs = withJitter(backoffMs(pace.policy, attempts), () => pace.random.next());
    if (waitMs >= deadline.remainingMs()) throw failure;
    await sleep(pace.clock, waitMs, deadline.signal);
  }
}
