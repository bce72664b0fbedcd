// Timers for callbacks with the same due time: the leases of one poll are renewed at the same moment, and a timer for each would cost
// more than the rest of the lease.

import type { Clock, ScheduledTask } from '../../support/clock.js';

/** What is due at a moment. An object instead of a function, because every message has one. */
export interface Timed {
  /** The moment has come. */
  onTime(): void;
}

/** What is due at one time, and the timer of the clock for it. */
interface Moment {
  readonly atMs: number;
  readonly due: Set<Timed>;
  timer: ScheduledTask | undefined;
}

/** Calls each at its time, with one timer for each moment. */
export class SharedTimers {
  private readonly moments = new Map<number, Moment>();
  /** The moment that has come, while its due ones are called. What is added for the same time then is due at the next turn. */
  private passing: Moment | undefined;

  constructor(private readonly clock: Clock) {}

  /** Calls `timed` once at `atMs` of the clock's monotonic time; at its next turn when that has passed. */
  at(atMs: number, timed: Timed): void {
    const moment = this.moments.get(atMs) ?? this.begin(atMs);
    moment.due.add(timed);
  }

  /** Does nothing when it was called or canceled before. @param atMs as it was given to {@link at} */
  cancel(atMs: number, timed: Timed): void {
    if (this.passing?.atMs === atMs) this.passing.due.delete(timed);
    const moment = this.moments.get(atMs);
    if (moment === undefined || !moment.due.delete(timed) || moment.due.size > 0) return;
    this.moments.delete(atMs);
    moment.timer?.cancel();
  }

  private begin(atMs: number): Moment {
    const moment: Moment = { atMs, due: new Set(), timer: undefined };
    moment.timer = this.clock.schedule(atMs - this.clock.monotonicMs(), () => this.pass(moment));
    this.moments.set(atMs, moment);
    return moment;
  }

  private pass(moment: Moment): void {
    this.moments.delete(moment.atMs);
    this.passing = moment;
    try {
      // One that another of the same moment cancels is not called.
      for (const timed of moment.due) {
        moment.due.delete(timed);
        timed.onTime();
      }
    } finally {
      this.passing = undefined;
    }
  }
}
