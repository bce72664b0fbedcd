// A clock that stands still until a test moves it. It runs due tasks in order of time, then of scheduling.

import type { Clock, ScheduledTask } from './clock.js';
import { nextTurn } from './deadline.js';

interface Task {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A {@link Clock} that moves only when {@link ManualClock.advanceTo} is called. Share one between the broker and the clients of a test. */
export class ManualClock implements Clock {
  private currentMs: number;
  private nextOrder = 0;
  private readonly tasks = new Set<Task>();
  private ran = 0;
  private hasTracked = false;
  private readonly work = new Map<number, readonly { toString(): string }[]>();

  /** @param startMs the initial time; default: the real time, so that the limits of a server with a real clock hold */
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
    // A task that is due now must not wait until the clock moves: the real clock would run it in the next turn.
    if (delayMs <= 0) void nextTurn().then(() => this.run(task));
    return { cancel: () => this.tasks.delete(task) };
  }

  track(...name: [label: string, subject?: { toString(): string }]): () => void {
    const id = this.nextOrder++;
    this.hasTracked = true;
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

  /** Whether work was ever tracked: somebody works by this clock, and does not only wait. */
  get knowsWork(): boolean {
    return this.hasTracked;
  }

  /** How many tasks have run. */
  get ranTasks(): number {
    return this.ran;
  }

  /** When the next scheduled task is due; undefined if there is none. */
  nextDueAtMs(): number | undefined {
    let earliest: number | undefined;
    for (const { atMs } of this.tasks) if (earliest === undefined || atMs < earliest) earliest = atMs;
    return earliest;
  }

  /** Moves time forward to `atMs` and runs the tasks that become due, each at its own time. Never moves back. */
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
