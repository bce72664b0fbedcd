// Lets the engine's time pass: one task on the clock, for whatever is due next.

import type { Clock, ScheduledTask } from '../support/clock.js';
import type { Engine } from './engine/engine.js';

type TickerState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'idle' }
  | { readonly kind: 'armed'; readonly atMs: number; readonly task: ScheduledTask };

/** Calls `tick` when something is due. */
export class Ticker {
  private state: TickerState = { kind: 'stopped' };

  constructor(
    private readonly clock: Clock,
    private readonly engine: Engine,
  ) {}

  start(): void {
    if (this.state.kind !== 'stopped') return;
    this.state = { kind: 'idle' };
    this.rearm();
  }

  /** To be called whenever what is due next may have changed. */
  rearm(): void {
    if (this.state.kind === 'stopped') return;
    const atMs = this.engine.nextDueAtMs();
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
    this.state = { kind: 'idle' };
    this.engine.tick(this.clock.nowMs());
    this.rearm();
  }
}
