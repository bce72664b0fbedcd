// A clock that a process finds after it was suspended: time has passed, and none of its timers has run.

import { SystemClock } from '../../libs/rocketmq/src/support/clock.js';

export class StandstillClock extends SystemClock {
  private skippedMs = 0;

  /** The process stood still for so long. */
  skip(durationMs: number): void {
    this.skippedMs += durationMs;
  }

  override monotonicMs(): number {
    return super.monotonicMs() + this.skippedMs;
  }
}
