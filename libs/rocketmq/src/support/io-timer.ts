// Timers for I/O deadlines: always in real time, and cheap enough for one per call. Business time is in clock.ts.

/** Node fires longer timers at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** A running timer. */
export type IoTimer = ReturnType<typeof setTimeout>;

/** Calls `callback` with `subject` once, after `delayMs`. Passing `subject` avoids a closure per call. */
export function startIoTimer<T>(delayMs: number, callback: (subject: T) => void, subject: T): IoTimer {
  return setTimeout(callback, Math.min(delayMs, LONGEST_MS), subject);
}

/** Cancels the callback; has no effect after it ran. */
export function stopIoTimer(timer: IoTimer | undefined): void {
  clearTimeout(timer);
}
