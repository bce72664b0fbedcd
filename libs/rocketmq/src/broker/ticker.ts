// Advances the engine: one task on the clock, for the next thing that is due.

import type { Clock, ScheduledTask } from '../support/clock.js';
import type { Engine } from './engine/engine.js';

/** The most events that are performed before other tasks of the event loop run. */
const MAX_AT_ONCE = 1_024;

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

  /** How often something was due. */
  get fired(): number {
    return this.fires;
  }

  start(): void {
    if (this.state.kind !== 'stopped') return;
    this.state = { kind: 'idle' };
    this.engine.nextDueAtMs();
    this.rearm();
  }

  /** Call this when something may be due earlier than before. */
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
      this.engine.tick(this.clock.nowMs(), MAX_AT_ONCE);
    } finally {
      // The tick may have found that the store failed, which stops this ticker.
      if (this.isFiring()) this.state = { kind: 'idle' };
      this.rearm();
    }
  }

  private isFiring(): boolean {
    return this.state.kind === 'firing';
  }
}
