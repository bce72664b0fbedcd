// Timers for I/O deadlines: always in real time, and cheap enough for one per call. Business time is in clock.ts.

/** The longest delay of a timer: Node fires longer ones at once, so they are shortened to it. */
export const LONGEST_IO_TIMER_MS = 2 ** 31 - 1;

/** A running timer. */
export type IoTimer = ReturnType<typeof setTimeout>;

/** Calls `callback` with `subject` once, after `delayMs`. Passing `subject` avoids a closure per call. */
export function startIoTimer<T>(delayMs: number, callback: (subject: T) => void, subject: T): IoTimer {
  return setTimeout(callback, Math.min(delayMs, LONGEST_IO_TIMER_MS), subject);
}

/** Cancels the callback; has no effect after it ran. */
export function stopIoTimer(timer: IoTimer | undefined): void {
  clearTimeout(timer);
}
