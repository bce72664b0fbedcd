// How long a call may take: a timeout and the caller's AbortSignal combined. Always in real time, because I/O does not follow a
// clock that a test moves.

import { setMaxListeners } from 'node:events';
import { performance } from 'node:perf_hooks';
import { setImmediate, setTimeout } from 'node:timers';
import { abortReason, raceAbort } from './abort.js';
import { type ScheduledTask, SystemClock } from './clock.js';
import { TransportError } from './errors.js';

/** The options of every public asynchronous call. */
export interface CallOptions {
  /** How long the call may take in total, including retries, in milliseconds. Default: the option `requestTimeoutMs` of the connection. */
  readonly timeoutMs?: number;
  /** Aborts the call with the signal's reason. What was already sent may still take effect. Default: none. */
  readonly signal?: AbortSignal;
}

/**
 * A moment by which something must have ended, with a signal that aborts then. Timer and signal are created when the signal is
 * first read; dispose the deadline afterwards, or its timer leaks.
 */
export class Deadline {
  private controller: AbortController | undefined;
  /** By {@link monotonicMs}. */
  readonly endsAtMs: number;
  private timer: ScheduledTask | undefined;
  private onAbort: (() => void) | undefined;
  private passed = false;
  private disposed = false;

  /**
   * @param what names the work in the error: "send to order-created"
   * @param caller the caller's signal
   */
  constructor(
    readonly what: string,
    readonly timeoutMs: number,
    readonly caller?: AbortSignal,
  ) {
    this.endsAtMs = performance.now() + timeoutMs;
  }

  /** Aborts when the deadline passes or the caller's signal aborts; its reason is the error to throw. */
  get signal(): AbortSignal {
    this.controller ??= this.arm();
    return this.controller.signal;
  }

  /** Whether the deadline passed before the caller aborted. */
  get hasPassed(): boolean {
    return this.passed || (this.controller === undefined && !this.caller?.aborted && this.isDue());
  }

  /** Whether the deadline has passed or the caller has aborted. Creates no signal. */
  get isOver(): boolean {
    return this.controller?.signal.aborted ?? (this.caller?.aborted === true || this.isDue());
  }

  /** The remaining time in milliseconds, at least 0. */
  remainingMs(): number {
    return Math.max(0, this.endsAtMs - performance.now());
  }

  /** Clears the timer and detaches from the caller's signal. Idempotent. */
  dispose(): void {
    this.disposed = true;
    this.timer?.cancel();
    if (this.onAbort !== undefined) this.caller?.removeEventListener('abort', this.onAbort);
  }

  private arm(): AbortController {
    const { caller } = this;
    const controller = new AbortController();
    // A start makes many consumers at once, and a batch many requests: each listens, and removes its listener. Not a leak.
    setMaxListeners(0, controller.signal);
    if (caller !== undefined) setMaxListeners(0, caller);
    if (caller?.aborted) {
      controller.abort(abortReason(caller));
      return controller;
    }
    if (this.isDue()) {
      this.pass(controller);
      return controller;
    }
    if (this.disposed) return controller;
    this.timer = new SystemClock().schedule(this.remainingMs(), () => this.pass(controller));
    this.onAbort = () => controller.abort(abortReason(caller));
    caller?.addEventListener('abort', this.onAbort, { once: true });
    return controller;
  }

  private pass(controller: AbortController): void {
    if (controller.signal.aborted) return;
    this.passed = true;
    const message = `${this.what} did not finish within ${this.timeoutMs} ms; it may have taken effect`;
    controller.abort(new TransportError('DEADLINE_EXCEEDED', message, 'unknown', true));
  }

  /** A timer can fire slightly early. */
  private isDue(): boolean {
    return this.remainingMs() < 1;
  }
}

/** Runs `work` under a deadline, and disposes the deadline whether the work succeeds or fails. */
export async function withDeadline<T>(
  what: string,
  timeoutMs: number,
  outer: AbortSignal | undefined,
  work: (deadline: Deadline) => Promise<T>,
): Promise<T> {
  const deadline = new Deadline(what, timeoutMs, outer);
  try {
    return await work(deadline);
  } finally {
    deadline.dispose();
  }
}

/** Waits for `ended` under a deadline. The work that it waits for continues after the deadline. */
export function waitWithin<T>(
  what: string,
  timeoutMs: number,
  outer: AbortSignal | undefined,
  ended: Promise<T>,
): Promise<T> {
  return withDeadline(what, timeoutMs, outer, ({ signal }) => raceAbort(ended, signal));
}

/** Taken before a test can replace them: what is here must pass while the time of the application stands still. */
const real = { now: performance.now.bind(performance), setImmediate, setTimeout };

/** Monotonic real time in milliseconds. */
export function monotonicMs(): number {
  return real.now();
}

/** Waits in real time. */
export function realSleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    real.setTimeout(resolve, durationMs);
  });
}

/** Lets the event loop make a turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    real.setImmediate(resolve);
  });
}

/** The real time `durationMs` from now, for interfaces that want a date; never the clock of a test. */
export function realTimeIn(durationMs: number): Date {
  return new Date(Date.now() + durationMs);
}
