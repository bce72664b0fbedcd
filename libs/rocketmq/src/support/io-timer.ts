// Timers for I/O deadlines: always in real time, and cheap enough for one per call. Business time is in clock.ts.

import { clearImmediate, clearTimeout, setImmediate, setTimeout } from 'node:timers';

/** The longest delay of a timer: Node fires longer ones at once, so they are shortened to it. */
export const MAX_IO_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `callback` with `subject` once, after `delayMs`, unless it is stopped before. What has arrived by then is read first: after a handler
 * that blocked the event loop, or in a process that was suspended, Node runs timers before it looks at sockets, and an answer in one of them
 * would count for nothing. Passing `subject` avoids a closure per call.
 */
export class IoTimer<T = never> {
  private readonly timeout: NodeJS.Timeout;
  private turn: NodeJS.Immediate | undefined;

  constructor(
    delayMs: number,
    private readonly callback: (subject: T) => void,
    private readonly subject: T,
  ) {
    this.timeout = setTimeout(IoTimer.lapse, Math.min(delayMs, MAX_IO_TIMER_MS), this);
  }

  /** Cancels the callback; has no effect after it ran. */
  stop(): void {
    clearTimeout(this.timeout);
    clearImmediate(this.turn);
  }

  private static lapse<T>(timer: IoTimer<T>): void {
    timer.turn = setImmediate(IoTimer.end<T>, timer);
  }

  private static end<T>(timer: IoTimer<T>): void {
    timer.callback(timer.subject);
  }
}
