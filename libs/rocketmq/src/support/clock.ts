// The injectable clock: the real one, and sleeping on any clock. The clock that tests move is in manual-clock.ts.

import { performance } from 'node:perf_hooks';
import { type Abortable, onAbort, reasonOf } from './abort-source.js';

/** A callback scheduled on a {@link Clock}. */
export interface ScheduledTask {
  /** Cancels the callback. Has no effect after it ran. */
  cancel(): void;
}

/** Where time comes from. Business time only (delays, leases, backoffs): deadlines of I/O are always real, see `Deadline`. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. It can jump forward or back (NTP), so use it only for timestamps that others read. */
  nowMs(): number;
  /** Milliseconds since an arbitrary fixed moment. It never jumps: measure durations with it. */
  monotonicMs(): number;
  /** Runs `callback` once, `delayMs` from now; in the next turn of the event loop for 0 or less. */
  schedule(delayMs: number, callback: () => void): ScheduledTask;
  /**
   * Registers work that must end before time moves. A real clock ignores it; a clock that a test moves waits for it, and names it
   * when it does not end.
   * @param subject follows the label in the name; converted to a string only when the name is read
   * @returns a function to call when the work has ended; later calls do nothing
   */
  track(label: string, subject?: { toString(): string }): () => void;
}

/** The longest delay that Node's timers accept; a longer one would fire immediately. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const NOTHING_TO_END = (): void => {};

/** The system clock. */
export class SystemClock implements Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  schedule(delayMs: number, callback: () => void): ScheduledTask {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(Math.max(leftMs, 0), MAX_TIMER_MS);
      timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : callback()), stepMs);
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(timer) };
  }

  track(): () => void {
    return NOTHING_TO_END;
  }
}

/**
 * Sleeps on a clock.
 * @throws the signal's reason when it aborts first; the timer is then canceled
 */
export function sleep(clock: Clock, durationMs: number, signal?: Abortable): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(reasonOf(signal));
    const task = clock.schedule(durationMs, () => {
      unlisten();
      resolve();
    });
    const unlisten = onAbort(signal, () => {
      task.cancel();
      reject(reasonOf(signal));
    });
  });
}

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
