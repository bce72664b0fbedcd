// The account of a rate limit in its store, and what it says by the clock of this process.

import { LimitState, type LimitStateParts, STORE_TIMEOUT_MS } from './limit-state.js';
import {
  type Block,
  type BlockRequest,
  EMPTY_ACCOUNT,
  type RateAccount,
  reportEarlyMs,
  withRequest,
} from './rate-account.js';
import type { RateLimit } from './rate-limiter.js';

/** A block by the clock of the consumer. */
interface Granted {
  /** Its end is when nothing of it may be set aside any more, though it counts for longer. */
  readonly block: Block;
  /** Whether the group has used up its limit until the block begins. */
  readonly isLater: boolean;
  readonly sentAtMs: number;
  /** What the clock of the store shows at most when that of the consumer shows 0. */
  readonly offsetMs: number;
}

/** The account of one listener. */
export class SharedAccount {
  private readonly state: LimitState<RateAccount>;

  constructor(
    private readonly rate: RateLimit,
    private readonly parts: LimitStateParts,
  ) {
    this.state = new LimitState(EMPTY_ACCOUNT, parts);
  }

  /** Repeated when the answer is too late to begin anything. @param outer ends it early */
  request(request: BlockRequest, outer: AbortSignal): Promise<Granted> {
    return this.state.within(STORE_TIMEOUT_MS, outer, (signal) => this.granted(request, signal));
  }

  private async granted(request: BlockRequest, signal: AbortSignal): Promise<Granted> {
    const { rate, state } = this;
    for (let reported = request; ; ) {
      const { result, nowMs, sentAtMs, readAtMs } = await state.change(signal, (before, atMs) => {
        const { account, block } = withRequest(before, atMs, rate, reported);
        return { state: account, result: block };
      });
      reported = { ...reported, began: [] };
      const { count } = result;
      // Whatever the store's clock showed in between, it is neither too early nor too late.
      const fromMs = readAtMs + result.fromMs - nowMs;
      const untilMs = sentAtMs + result.untilMs - nowMs - reportEarlyMs(rate);
      if (count > 0 && this.parts.clock.monotonicMs() >= untilMs) continue;
      const isLater = result.fromMs > nowMs;
      return { block: { fromMs, untilMs, count }, isLater, sentAtMs, offsetMs: nowMs - sentAtMs };
    }
  }
}
