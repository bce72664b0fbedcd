// Limits the memory of unfinished calls over all connections of a port: of incomplete requests, and of answers that their clients do not
// read. It is independent of what a call is.

import type { Clock } from '../../support/clock.js';

/** A call whose request is incomplete, or whose answer is unread. */
export interface UnfinishedCall {
  /** Ends the call and frees its memory. @param why for the sender of an incomplete request: what happened, and what to do */
  giveWay(why: string): void;
}

interface CallMemoryOptions {
  /** Real time. */
  readonly clock: Clock;
  /** The maximum bytes of all unfinished calls together. */
  readonly maxBytes: number;
}

interface Holding {
  bytes: number;
  readonly sinceMs: number;
}

/**
 * Limits that memory. Beyond the limit the oldest calls are ended: a well-behaved client completes a request, and reads an answer, long
 * before the call is the oldest, however much others hold.
 */
export class CallMemory {
  /** The oldest first. */
  private readonly holdings = new Map<UnfinishedCall, Holding>();
  private heldBytes = 0;

  constructor(private readonly options: CallMemoryOptions) {}

  /** Reports the current size of a call, which may be ended before this returns. */
  hold(call: UnfinishedCall, bytes: number): void {
    const holding = this.holdings.get(call);
    if (holding === undefined) this.holdings.set(call, { bytes, sinceMs: this.options.clock.nowMs() });
    this.heldBytes += bytes - (holding?.bytes ?? 0);
    if (holding !== undefined) holding.bytes = bytes;
    for (const oldest of this.holdings.keys()) {
      if (this.heldBytes <= this.options.maxBytes) return;
      this.giveUp(oldest, 'too many incomplete requests at a time; nothing was done; send it again');
    }
  }

  /** The call holds nothing any more. Idempotent. */
  release(call: UnfinishedCall): void {
    const holding = this.holdings.get(call);
    if (holding === undefined) return;
    this.holdings.delete(call);
    this.heldBytes -= holding.bytes;
  }

  /** Ends the calls that have been unfinished for too long. */
  endAfter(maxMs: number): void {
    const nowMs = this.options.clock.nowMs();
    for (const [call, { sinceMs }] of this.holdings) {
      if (nowMs - sinceMs < maxMs) return;
      this.giveUp(call, `the request was incomplete after ${maxMs} ms; nothing was done`);
    }
  }

  private giveUp(call: UnfinishedCall, why: string): void {
    this.release(call);
    call.giveWay(why);
  }
}
