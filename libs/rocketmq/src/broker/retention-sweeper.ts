// Runs retention periodically on the broker's clock.

import { type Clock, HOUR_MS, type ScheduledTask, SECOND_MS } from '../support/clock.js';
import type { Engine } from './engine/engine.js';
import type { RetentionLimits } from './engine/retention.js';
import type { ClientTime } from './time/client-time.js';

/** How much later than its age limit a message may be deleted, as a fraction of that limit. */
const LATENESS = 1 / 72;
/** How often the size is checked. */
const SIZE_INTERVAL_MS = 10 * SECOND_MS;

/** Runs from `start` to `stop`; never when there is no limit. */
export class RetentionSweeper {
  private task: ScheduledTask | undefined;
  private readonly intervalMs: number;

  private readonly maxAgeMs: number;

  /**
   * @param clock on a broker that travels in time, real time: moving the time ages no message
   * @param time converts from that clock to the broker's
   */
  constructor(
    private readonly clock: Clock,
    private readonly engine: Engine,
    { maxAgeMs, maxBytes }: RetentionLimits,
    private readonly time: ClientTime,
  ) {
    this.maxAgeMs = maxAgeMs ?? 0;
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
    const keptFromMs = this.time.toBroker(this.clock.nowMs() - this.maxAgeMs);
    const isMore = this.engine.sweep(keptFromMs + this.maxAgeMs);
    this.task = this.clock.schedule(isMore ? 0 : this.intervalMs, () => this.sweep());
  }
}
