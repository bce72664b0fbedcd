// Limits the memory of incomplete requests over all connections of a port. It is independent of what a request is.

import type { Clock } from '../../support/clock.js';

/** An incomplete request. */
export interface UnfinishedRequest {
  /** Ends the request and frees its memory. @param why for its sender: what happened, and what to do */
  giveWay(why: string): void;
}

interface RequestMemoryOptions {
  /** Real time. */
  readonly clock: Clock;
  /** The maximum bytes of all incomplete requests together. */
  readonly mostBytes: number;
}

interface Holding {
  bytes: number;
  readonly sinceMs: number;
}

/**
 * Limits that memory. Beyond the limit the oldest requests are ended: a well-behaved client completes a request long before it is
 * the oldest, however much others hold.
 */
export class RequestMemory {
  /** The oldest first. */
  private readonly holdings = new Map<UnfinishedRequest, Holding>();
  private heldBytes = 0;

  constructor(private readonly options: RequestMemoryOptions) {}

  /** Reports the current size of a request, which may be ended before this returns. */
  hold(request: UnfinishedRequest, bytes: number): void {
    const holding = this.holdings.get(request);
    if (holding === undefined) this.holdings.set(request, { bytes, sinceMs: this.options.clock.nowMs() });
    this.heldBytes += bytes - (holding?.bytes ?? 0);
    if (holding !== undefined) holding.bytes = bytes;
    for (const oldest of this.holdings.keys()) {
      if (this.heldBytes <= this.options.mostBytes) return;
      this.giveUp(oldest, 'too many incomplete requests at a time; nothing was done; send it again');
    }
  }

  /** The request is complete, or over. Idempotent. */
  release(request: UnfinishedRequest): void {
    const holding = this.holdings.get(request);
    if (holding === undefined) return;
    this.holdings.delete(request);
    this.heldBytes -= holding.bytes;
  }

  /** Ends the requests that have been incomplete for too long. */
  endAfter(longestMs: number): void {
    const nowMs = this.options.clock.nowMs();
    for (const [request, { sinceMs }] of this.holdings) {
      if (nowMs - sinceMs < longestMs) return;
      this.giveUp(request, `the request was incomplete after ${longestMs} ms; nothing was done`);
    }
  }

  private giveUp(request: UnfinishedRequest, why: string): void {
    this.release(request);
    request.giveWay(why);
  }
}
