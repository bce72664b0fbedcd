// What the failed attempts of one send say together.

import type { Deadline } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';
import { MIN_SEND_MS } from './send-turns.js';

/** With less, the outcome would be unknown. A caller with a shorter timeout wants its send to be tried. */
export function hasTimeForAnswer(deadline: Deadline): boolean {
  return deadline.remainingMs() >= Math.min(MIN_SEND_MS, deadline.timeoutMs / 2);
}

/** Remembers failures to report the worst possible outcome, and the most informative error. */
export class SendFailures {
  /** The error of the latest attempt that may have stored the message: no later failure can undo that. */
  private doubtful: RocketMQError | undefined;
  private latest: RocketMQError | undefined;
  private added = 0;

  constructor(private readonly deadline: Deadline) {}

  get count(): number {
    return this.added;
  }

  /** @returns the error of the send if it is not retried */
  add(error: unknown): unknown {
    this.added++;
    // A caller that aborts gets its own reason.
    if (!RocketMQError.is(error)) return error;
    if (error.outcome === 'unknown') this.doubtful = error;
    if (error.outcome === 'stored') return error;
    // The attempt timed out before it reached a server: the earlier failure says more.
    const isOver = this.deadline.hasPassed || !hasTimeForAnswer(this.deadline);
    const isOnlyLate = isOver && error.code === 'DEADLINE_EXCEEDED' && error.outcome === 'not-sent';
    if (!isOnlyLate) this.latest = error;
    return this.doubtful ?? this.latest ?? error;
  }
}
