// What the failed attempts of one send mean together.

import type { Deadline } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';

/** Remembers failures in order to tell the worst that may be true, and the one that says most. */
export class SendFailures {
  /** The latest attempt that may have been stored: no later failure makes that undone. */
  private doubtful: RocketMQError | undefined;
  private latest: RocketMQError | undefined;
  private added = 0;

  constructor(private readonly deadline: Deadline) {}

  get count(): number {
    return this.added;
  }

  /** @returns what the send fails with if it is not tried again */
  add(error: unknown): unknown {
    this.added++;
    // A caller who gives up gets the own reason.
    if (!RocketMQError.is(error)) return error;
    if (error.outcome === 'unknown') this.doubtful = error;
    // Time was over before the attempt reached anybody: what went wrong earlier says more.
    const isOnlyLate = this.deadline.hasPassed && error.code === 'DEADLINE_EXCEEDED' && error.outcome === 'not-sent';
    if (!isOnlyLate) this.latest = error;
    return this.doubtful ?? this.latest ?? error;
  }
}
