// A clock whose wall time can be set, as NTP and administrators do, without affecting its monotonic time.

import { type Clock, type ScheduledTask, SystemClock } from '../../libs/rocketmq/src/support/clock.js';

export class SteppedClock implements Clock {
  private offsetMs = 0;

  /** @param base default: the system clock */
  constructor(private readonly base: Clock = new SystemClock()) {}

  /** Moves the wall time forward, or back with a negative number. */
  step(byMs: number): void {
    this.offsetMs += byMs;
  }

  nowMs(): number {
    return this.base.nowMs() + this.offsetMs;
  }

  monotonicMs(): number {
    return this.base.monotonicMs();
  }

  schedule(delayMs: number, callback: () => void): ScheduledTask {
    return this.base.schedule(delayMs, callback);
  }

  track(label: string, subject?: { toString(): string }): () => void {
    return this.base.track(label, subject);
  }
}
