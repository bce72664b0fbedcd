// How large the bodies of messages are likely to be, learned from those that came.

import { LIMITS } from '../../protocol/model/limits.js';

/** How much a smaller size counts against what was known before. */
const FORGETTING = 1 / 8;

/** Large ones count at once, and are forgotten slowly: what a poll brings beyond a limit costs each message an attempt. */
export class ExpectedSize {
  private isLearned = false;
  private expectedBytes = LIMITS.bodyBytes / 2;

  /** Before the first, half of what a server takes. At least 1. */
  get bytes(): number {
    return Math.max(1, this.expectedBytes);
  }

  /** @param largestBytes of those that came together */
  learn(largestBytes: number): void {
    const decayedBytes = this.isLearned ? this.expectedBytes + (largestBytes - this.expectedBytes) * FORGETTING : 0;
    this.expectedBytes = Math.max(largestBytes, decayedBytes);
    this.isLearned = true;
  }

  /** How many messages fit. At least 1. */
  countIn(roomBytes: number): number {
    return Math.max(1, Math.floor(roomBytes / this.bytes));
  }
}
