// The manual clock of a test broker as clients get it: what waits or works by it shows that they have it.

import type { Clock, ScheduledTask } from '../support/clock.js';
import type { ManualClock } from '../support/manual-clock.js';

export class ClientClock implements Clock {
  /** Whether something waits or works by it. */
  isInUse = false;

  constructor(private readonly clock: ManualClock) {}

  nowMs(): number {
    return this.clock.nowMs();
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  schedule(delayMs: number, callback: () => void): ScheduledTask {
    this.isInUse = true;
    return this.clock.schedule(delayMs, callback);
  }

  track(label: string, subject?: { toString(): string }): () => void {
    this.isInUse = true;
    return this.clock.track(label, subject);
  }
}
