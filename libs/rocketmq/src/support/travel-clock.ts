// A clock that can jump forward, and otherwise runs at the speed of another one, or stands still. Tasks that a jump makes due run in order
// of time.

import type { Clock, ScheduledTask } from './clock.js';

interface Task {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
  timer: ScheduledTask;
}

/** A moment on both clocks. */
export interface TravelPoint {
  readonly realMs: number;
  readonly movedMs: number;
}

/** Called before each jump takes effect. When it throws, the clock has not jumped. */
type JumpListener = (from: TravelPoint, to: TravelPoint) => void;

const NO_TIMER: ScheduledTask = { cancel() {} };

/** A {@link Clock} that is ahead of the real one by what it has jumped, or of the moment at which it stands. It never jumps back. */
export class TravelClock implements Clock {
  private aheadMs = 0;
  private readonly stood: { readonly nowMs: number; readonly monotonicMs: number } | undefined;
  private nextOrder = 0;
  private ran = 0;
  private readonly tasks = new Set<Task>();

  constructor(
    private readonly realClock: Clock,
    private readonly jumps: JumpListener = () => {},
    stands = false,
  ) {
    if (stands) this.stood = { nowMs: realClock.nowMs(), monotonicMs: realClock.monotonicMs() };
  }

  nowMs(): number {
    return (this.stood?.nowMs ?? this.realClock.nowMs()) + this.aheadMs;
  }

  /** Includes the jumps: what they pass counts as time on this clock. */
  monotonicMs(): number {
    return (this.stood?.monotonicMs ?? this.realClock.monotonicMs()) + this.aheadMs;
  }

  schedule(delayMs: number, callback: () => void): ScheduledTask {
    const atMs = this.nowMs() + Math.max(0, delayMs);
    const task: Task = { atMs, order: this.nextOrder++, callback, timer: this.timerOf(() => task, delayMs) };
    this.tasks.add(task);
    return {
      cancel: () => {
        this.tasks.delete(task);
        task.timer.cancel();
      },
    };
  }

  track(): () => void {
    return () => {};
  }

  /** Only a clock that clients share knows their work. */
  activeWork(): string[] {
    return [];
  }

  /** Sets how far this clock is ahead, without a jump. For a start, before anything is scheduled. */
  resume(aheadMs: number): void {
    this.aheadMs = aheadMs;
  }

  /** Whether it moves by jumps only. */
  get stands(): boolean {
    return this.stood !== undefined;
  }

  /** How far this clock has jumped. */
  get offsetMs(): number {
    return this.aheadMs;
  }

  /** How many tasks have run. */
  get ranTasks(): number {
    return this.ran;
  }

  /** When the next scheduled task is due; undefined if there is none. */
  nextDueAtMs(): number | undefined {
    return this.firstUntil(Number.POSITIVE_INFINITY, this.nextOrder)?.atMs;
  }

  /**
   * Jumps to `atMs`, unless that has passed, and runs the tasks that become due, each when the clock shows its time. A task that one of
   * them schedules without a delay runs in a later turn of the event loop, as on any clock.
   */
  advanceTo(atMs: number): void {
    const immediateFrom = this.nextOrder;
    for (;;) {
      const task = this.firstUntil(atMs, immediateFrom);
      if (task === undefined) break;
      this.jumpTo(task.atMs);
      this.run(task);
    }
    this.jumpTo(atMs);
    for (const task of this.tasks) {
      task.timer.cancel();
      task.timer = this.timerOf(() => task, task.atMs - this.nowMs());
    }
  }

  private jumpTo(atMs: number): void {
    const realMs = this.realClock.nowMs();
    const movedMs = (this.stood?.nowMs ?? realMs) + this.aheadMs;
    // Due times may have fractions of a millisecond; this clock has none.
    const targetMs = Math.ceil(atMs);
    if (targetMs <= movedMs) return;
    this.jumps({ realMs, movedMs }, { realMs, movedMs: targetMs });
    this.aheadMs += targetMs - movedMs;
  }

  private run(task: Task): void {
    if (!this.tasks.delete(task)) return;
    task.timer.cancel();
    this.ran++;
    task.callback();
  }

  private timerOf(task: () => Task, delayMs: number): ScheduledTask {
    if (this.stands && delayMs > 0) return NO_TIMER;
    return this.realClock.schedule(Math.max(0, delayMs), () => this.run(task()));
  }

  /** @param immediateFrom tasks from this number on are left out if they were scheduled for the current moment */
  private firstUntil(untilMs: number, immediateFrom: number): Task | undefined {
    let first: Task | undefined;
    for (const task of this.tasks) {
      if (task.atMs > untilMs || (task.order >= immediateFrom && task.atMs <= this.nowMs())) continue;
      if (first === undefined || task.atMs < first.atMs || (task.atMs === first.atMs && task.order < first.order)) {
        first = task;
      }
    }
    return first;
  }
}
