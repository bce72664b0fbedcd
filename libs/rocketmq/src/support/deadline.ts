// How long a call may take: a time-out and the caller's AbortSignal as one. Always real time: I/O does not wait for a
// clock that a test moves.

import { performance } from 'node:perf_hooks';
import { abortReason } from './abort.js';
import { type ScheduledTask, SystemClock } from './clock.js';
import { TransportError } from './errors.js';

/** What every public asynchronous call accepts. */
export interface CallOptions {
  /** How long the call may take in all, its retries included. Default: the option `requestTimeoutMs` of the connection. */
  readonly timeoutMs?: number;
  /** Ends the call early with the signal's reason. What was already sent may still take effect. */
  readonly signal?: AbortSignal;
}

/** A moment by which something must have ended, with a signal that aborts then. Dispose it, or its timer stays behind. */
export class Deadline {
  private readonly controller = new AbortController();
  private readonly endsAtMs: number;
  private readonly timer: ScheduledTask;
  private readonly onAbort: () => void;
  private passed = false;

  /** @param what names the work in the error: "send to order-created" */
  constructor(
    readonly what: string,
    readonly timeoutMs: number,
    private readonly outer?: AbortSignal,
  ) {
    this.endsAtMs = performance.now() + timeoutMs;
    this.timer = new SystemClock().schedule(timeoutMs, () => {
      if (this.signal.aborted) return;
      this.passed = true;
      const message = `${what} did not end within ${timeoutMs} ms; it may have taken effect`;
      this.controller.abort(new TransportError('DEADLINE_EXCEEDED', message, 'unknown', true));
    });
    this.onAbort = () => this.controller.abort(abortReason(outer));
    if (outer?.aborted) this.onAbort();
    else outer?.addEventListener('abort', this.onAbort, { once: true });
  }

  /** Aborts when the time is over or the caller's signal aborts; its reason is the error to throw. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Whether time ended it, and not the caller. */
  get hasPassed(): boolean {
    return this.passed;
  }

  /** What is left in milliseconds, at least 0. */
  remainingMs(): number {
    return Math.max(0, this.endsAtMs - performance.now());
  }

  /** Forgets timer and caller. Repeating it does nothing. */
  dispose(): void {
    this.timer.cancel();
    this.outer?.removeEventListener('abort', this.onAbort);
  }
}

/** Runs `work` under a deadline and disposes it, however the work ends. */
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

/** The real moment `durationMs` from now, for interfaces that want a date; never the clock of a test. */
export function realTimeIn(durationMs: number): Date {
  return new Date(Date.now() + durationMs);
}
