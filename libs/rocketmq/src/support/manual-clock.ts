// A clock that stands still until a test moves it. It fires what is due in order of time, then of scheduling.

import type { Clock, ScheduledTask } from './clock.js';

interface Task {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A {@link Clock} that moves only by {@link ManualClock.advanceTo}. Share one between broker and clients of a test. */
export class ManualClock implements Clock {
  private currentMs: number;
  private nextOrder = 0;
  private readonly tasks = new Set<Task>();
  private ran = 0;
  private readonly work = new Map<number, readonly { toString(): string }[]>();

  /** @param startMs the time at the beginning; default: the real time, so that limits of a server's clock hold */
  constructor(startMs: number = Date.now()) {
    this.currentMs = startMs;
  }

  nowMs(): number {
    return this.currentMs;
  }

  monotonicMs(): number {
    return this.currentMs;
  }

  schedule(delayMs: number, callback: () => void): ScheduledTask {
    const task: Task = { atMs: this.currentMs + Math.max(0, delayMs), order: this.nextOrder++, callback };
    this.tasks.add(task);
    // What is due now must not wait for a move of the clock: the real one would run it at the next turn.
    if (delayMs <= 0) setImmediate(() => this.run(task));
    return { cancel: () => this.tasks.delete(task) };
  }

  track(...name: [label: string, subject?: { toString(): string }]): () => void {
    const id = this.nextOrder++;
    this.work.set(
      id,
      name.filter((part) => part !== undefined),
    );
    return () => this.work.delete(id);
  }

  /** The labels of tracked work that has not ended. */
  activeWork(): string[] {
    return [...this.work.values()].map((name) => name.join(' '));
  }

  /** How many tasks have run. */
  get ranTasks(): number {
    return this.ran;
  }

  /** When the next scheduled task is due; undefined when there is none. */
  nextDueAtMs(): number | undefined {
    let earliest: number | undefined;
    for (const { atMs } of this.tasks) if (earliest === undefined || atMs < earliest) earliest = atMs;
    return earliest;
  }

  /** Moves time forward to `atMs` and runs what is due on the way, each task at its own time. Never moves back. */
  advanceTo(atMs: number): void {
    for (let task = this.firstDue(atMs); task !== undefined; task = this.firstDue(atMs)) {
      this.currentMs = Math.max(this.currentMs, task.atMs);
      this.run(task);
    }
    this.currentMs = Math.max(this.currentMs, atMs);
  }

  private run(task: Task): void {
    if (!this.tasks.delete(task)) return;
    this.ran++;
    task.callback();
  }

  private firstDue(untilMs: number): Task | undefined {
    let first: Task | undefined;
    for (const task of this.tasks) {
      if (task.atMs > untilMs) continue;
      if (first === undefined || task.atMs < first.atMs || (task.atMs === first.atMs && task.order < first.order)) {
        first = task;
      }
    }
    return first;
  }
}
