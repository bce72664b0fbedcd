// Timers for the deadlines of I/O: always real time, and cheap enough for one a call. Business time is clock.ts.

/** A timer that runs. */
export type IoTimer = ReturnType<typeof setTimeout>;

/** Calls `callback` with `subject` once, after `delayMs`. No closure is needed for what the callback must know. */
export function startIoTimer<T>(delayMs: number, callback: (subject: T) => void, subject: T): IoTimer {
  return setTimeout(callback, delayMs, subject);
}

/** Forgets the callback; harmless after it ran. */
export function stopIoTimer(timer: IoTimer | undefined): void {
  clearTimeout(timer);
}
