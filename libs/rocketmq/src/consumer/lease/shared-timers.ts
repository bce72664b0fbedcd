// Timers for callbacks with the same due time: the leases of one poll are renewed at the same moment, and a timer for each would cost
// more than the rest of the lease.

import type { Clock, ScheduledTask } from '../../support/clock.js';

/** One timer of the clock, and its callbacks. */
interface Moment {
  readonly tasks: Set<Task>;
  readonly timer: ScheduledTask;
}

interface Task extends ScheduledTask {
  run(): void;
}

/** Runs callbacks at their times, with one timer for each moment. */
export class SharedTimers {
  private readonly moments = new Map<number, Moment>();

  constructor(private readonly clock: Clock) {}

  /** Runs `callback` once at `atMs` of the clock's monotonic time; at its next turn when that has passed. */
  at(atMs: number, callback: () => void): ScheduledTask {
    const moment = this.moments.get(atMs) ?? this.begin(atMs);
    const task: Task = { run: callback, cancel: () => this.cancel(atMs, moment, task) };
    moment.tasks.add(task);
    return task;
  }

  private begin(atMs: number): Moment {
    const tasks = new Set<Task>();
    const timer = this.clock.schedule(atMs - this.clock.monotonicMs(), () => {
      this.moments.delete(atMs);
      // A callback that another one of the same moment cancels does not run.
      for (const task of tasks) {
        tasks.delete(task);
        task.run();
      }
    });
    const moment = { tasks, timer };
    this.moments.set(atMs, moment);
    return moment;
  }

  private cancel(atMs: number, { tasks, timer }: Moment, task: Task): void {
    if (!tasks.delete(task) || tasks.size > 0 || this.moments.get(atMs)?.tasks !== tasks) return;
    this.moments.delete(atMs);
    timer.cancel();
  }
}
