// Time as an injected thing: the real clock, and sleeping on any clock. The clock that tests move is in manual-clock.ts.

import { performance } from 'node:perf_hooks';
import { type Abortable, onAbort, reasonOf } from './abort-source.js';

/** A callback that waits for its time on a {@link Clock}. */
export interface ScheduledTask {
  /** Forgets the callback. Harmless after it ran. */
  cancel(): void;
}

/** Where time comes from. Business time only (delays, leases, backoffs): deadlines of I/O are always real, see `Deadline`. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. It may be set forward or back (NTP): only what others read as a time comes from it. */
  nowMs(): number;
  /** Milliseconds since some fixed moment, never set: durations are measured on it. */
  monotonicMs(): number;
  /** Runs `callback` once, `delayMs` from now; at the next turn for 0 or less. */
  schedule(delayMs: number, callback: () => void): ScheduledTask;
  /**
   * Says that work is under way which must end before time moves. A clock that runs by itself ignores it; a clock that is
   * moved by a test waits for it, and names it when it does not end.
   * @param subject stands after the label in the name; made a text only when somebody reads it
   * @returns what to call when the work has ended; later calls do nothing
   */
  track(label: string, subject?: { toString(): string }): () => void;
}

/** The longest delay that Node's timers take; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const NOTHING_TO_END = (): void => {};

/** The clock of the machine. */
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
      const stepMs = Math.min(Math.max(leftMs, 0), LONGEST_TIMER_MS);
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
 * Waits on a clock.
 * @throws the signal's reason when it aborts first; the wait is then forgotten
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
