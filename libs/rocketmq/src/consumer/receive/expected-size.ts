// Estimates the size of message bodies from those that were received.

import { LIMITS } from '../../protocol/model/limits.js';

/** The weight of a smaller size against the previous estimate. */
const FORGETTING = 1 / 8;

/** Large bodies count at once, and are forgotten slowly: each message that a poll receives beyond a limit loses an attempt. */
export class ExpectedSize {
  private isLearned = false;
  private expectedBytes = LIMITS.bodyBytes / 2;

  /** Before the first message, half of what a server accepts. At least 1. */
  get bytes(): number {
    return Math.max(1, this.expectedBytes);
  }

  /** @param largestBytes the largest of those that arrived together */
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
