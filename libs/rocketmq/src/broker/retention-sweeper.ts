// Lets retention look at the store again and again, on the clock of the broker's business.

import { type Clock, HOUR_MS, type ScheduledTask, SECOND_MS } from '../support/clock.js';
import type { Engine } from './engine/engine.js';
import type { RetentionLimits } from './engine/retention.js';

/** How late by age a message may go, as a part of what it may reach. */
const LATENESS = 1 / 72;
/** How often size is looked at. */
const SIZE_INTERVAL_MS = 10 * SECOND_MS;

/** Sweeps from `start` to `stop`; never when nothing is limited. */
export class RetentionSweeper {
  private task: ScheduledTask | undefined;
  private readonly intervalMs: number;

  constructor(
    private readonly clock: Clock,
    private readonly engine: Engine,
    { maxAgeMs, maxBytes }: RetentionLimits,
  ) {
    const forAgeMs = maxAgeMs === undefined ? Number.POSITIVE_INFINITY : Math.min(maxAgeMs * LATENESS, HOUR_MS);
    this.intervalMs = Math.ceil(maxBytes === undefined ? forAgeMs : Math.min(forAgeMs, SIZE_INTERVAL_MS));
  }

  start(): void {
    if (Number.isFinite(this.intervalMs)) this.task ??= this.clock.schedule(0, () => this.sweep());
  }

  stop(): void {
    this.task?.cancel();
    this.task = undefined;
  }

  private sweep(): void {
    const isMore = this.engine.sweep(this.clock.nowMs());
    this.task = this.clock.schedule(isMore ? 0 : this.intervalMs, () => this.sweep());
  }
}
