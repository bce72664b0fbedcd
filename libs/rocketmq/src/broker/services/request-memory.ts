// The memory of requests that have begun to arrive and are not whole, over all connections of a port. What a request is, is not
// known here.

import type { Clock } from '../../support/clock.js';

/** A request that is not whole. */
export interface UnfinishedRequest {
  /** Ends it, and lets go of what came of it. @param why for its sender: what became of it, and what to do */
  giveWay(why: string): void;
}

export interface RequestMemoryOptions {
  /** Real time. */
  readonly clock: Clock;
  /** What all of them may hold together. */
  readonly mostBytes: number;
}

interface Holding {
  bytes: number;
  readonly sinceMs: number;
}

/**
 * Bounds that memory. When there is too much of it, the oldest requests give way: whoever sends a request as
 * a good client does is done long before it is the oldest, however much others hold.
 */
export class RequestMemory {
  /** The oldest first. */
  private readonly holdings = new Map<UnfinishedRequest, Holding>();
  private heldBytes = 0;

  constructor(private readonly options: RequestMemoryOptions) {}

  /** Says how much a request holds by now. It may have to give way before this returns. */
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

  /** The request is whole, or over. Repeating it is harmless. */
  release(request: UnfinishedRequest): void {
    const holding = this.holdings.get(request);
    if (holding === undefined) return;
    this.holdings.delete(request);
    this.heldBytes -= holding.bytes;
  }

  /** Ends the requests that have taken so long. */
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
