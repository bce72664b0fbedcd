// The periodic background tasks of a client.

import type { Clock, ScheduledTask } from '../support/clock.js';
import { describeError, type Logger } from '../support/logger.js';

/** Repeats tasks, each at its own interval and never concurrently. A failure is logged and does not stop the task. */
export class PeriodicWork {
  private readonly timers = new Map<string, ScheduledTask>();
  private readonly running = new Set<Promise<void>>();
  private stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** Runs `work` for the first time after `everyMs`, then `everyMs` after each run, until it returns `done`. */
  every(name: string, everyMs: number, work: () => Promise<unknown>): void {
    if (this.stopped) return;
    const round = (): void => {
      const run = work()
        .catch((error) => this.logger.debug(`${name} failed`, { error: describeError(error) }))
        .then((result) => {
          this.running.delete(run);
          if (result !== 'done') this.every(name, everyMs, work);
        });
      this.running.add(run);
    };
    this.timers.set(name, this.clock.schedule(everyMs, round));
  }

  /** Starts no further runs, and waits for the current ones. Abort them, or they end at their own deadlines. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers.values()) timer.cancel();
    this.timers.clear();
    await Promise.allSettled(this.running);
  }
}
