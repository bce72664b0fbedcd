// Lets the engine's time pass: one task on the clock, for whatever is due next.

import type { Clock, ScheduledTask } from '../support/clock.js';
import type { Engine } from './engine/engine.js';

type TickerState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'idle' }
  | { readonly kind: 'firing' }
  | { readonly kind: 'armed'; readonly atMs: number; readonly task: ScheduledTask };

/** Calls `tick` when something is due. */
export class Ticker {
  private state: TickerState = { kind: 'stopped' };
  private fires = 0;

  constructor(
    private readonly clock: Clock,
    private readonly engine: Engine,
  ) {}

  /** How often it was time for something. */
  get fired(): number {
    return this.fires;
  }

  start(): void {
    if (this.state.kind !== 'stopped') return;
    this.state = { kind: 'idle' };
    this.engine.nextDueAtMs();
    this.rearm();
  }

  /** To be called whenever something may be due earlier than what was due next. */
  rearm(): void {
    if (this.state.kind === 'stopped' || this.state.kind === 'firing') return;
    const atMs = this.engine.nextLookAtMs;
    if (this.state.kind === 'armed') {
      if (this.state.atMs === atMs) return;
      this.state.task.cancel();
      this.state = { kind: 'idle' };
    }
    if (atMs === undefined) return;
    const task = this.clock.schedule(atMs - this.clock.nowMs(), () => this.fire());
    this.state = { kind: 'armed', atMs, task };
  }

  stop(): void {
    if (this.state.kind === 'armed') this.state.task.cancel();
    this.state = { kind: 'stopped' };
  }

  private fire(): void {
    if (this.state.kind === 'stopped') return;
    this.fires++;
    this.state = { kind: 'firing' };
    try {
      this.engine.tick(this.clock.nowMs());
    } finally {
      // Unless the tick found the store failed, and with it this was stopped.
      if (this.isFiring()) this.state = { kind: 'idle' };
      this.rearm();
    }
  }

  private isFiring(): boolean {
    return this.state.kind === 'firing';
  }
}
