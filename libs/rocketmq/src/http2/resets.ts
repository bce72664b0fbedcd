// Streams that were reset: which of them may be followed by late frames, and how many a client may make a server lose.

import { HTTP2_CODE, Http2Error } from './frames.js';

/** How many streams are remembered. */
const MAX_IDS = 1_000;

/** Streams that were reset before their peer ended them, so that more of them may be on its way. */
export class RecentResets {
  private readonly ids = new Set<number>();
  /** Streams up to this one may be among those that are not remembered any more. */
  private forgottenId = 0;

  add(streamId: number): void {
    this.ids.add(streamId);
    if (this.ids.size <= MAX_IDS) return;
    const [oldest = 0] = this.ids;
    this.ids.delete(oldest);
    this.forgottenId = Math.max(this.forgottenId, oldest);
  }

  /** Whether a frame of a stream that does not exist may be a late one. */
  mayHave(streamId: number): boolean {
    return streamId <= this.forgottenId || this.ids.has(streamId);
  }

  /** Nothing more of the stream is on its way. @returns whether it was remembered */
  delete(streamId: number): boolean {
    return this.ids.delete(streamId);
  }
}

/** How many streams may be reset at once, and how many more each second. */
export interface ResetLimit {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * Counts the streams that a client resets, or makes its server reset: both cost a server more than the client (CVE-2023-44487,
 * CVE-2025-8671).
 */
export class ResetBudget {
  private left: number;
  private atMs: number;

  constructor(
    private readonly limit: ResetLimit,
    private readonly monotonicMs: () => number,
  ) {
    this.left = limit.burst;
    this.atMs = monotonicMs();
  }

  /** @throws Http2Error ENHANCE_YOUR_CALM when there are too many */
  spend(): void {
    const { burst, perSecond } = this.limit;
    const nowMs = this.monotonicMs();
    this.left = Math.min(burst, this.left + ((nowMs - this.atMs) / 1_000) * perSecond);
    this.atMs = nowMs;
    if (--this.left < 0) throw new Http2Error(HTTP2_CODE.enhanceYourCalm, 'too many streams were reset');
  }
}
