// The account of a rate limit in its store, and what it says by the clock of this process.

import type { Clock } from '../../support/clock.js';
import {
  type Block,
  type BlockRequest,
  EMPTY_ACCOUNT,
  type RateAccount,
  reportEarlyMs,
  withRequest,
} from './rate-account.js';
import type { RateLimit } from './rate-limiter.js';

/** What a store has under a key, and its own time. */
export interface StoredLimit {
  /** Milliseconds since 1970 by the clock of the store: one clock for all instances. */
  readonly nowMs: number;
  /** 0 where nothing is stored. */
  readonly version: number;
  /** Undefined where nothing is stored. */
  readonly state: string | undefined;
}

/** What keeps the accounts of limits over all instances of a group: `LimitStore` of `nestjs-rocketmq/sql`. */
export interface LimitPort {
  read(key: string): Promise<StoredLimit>;
  /** Stores a state in place of that with this version, which then has the next one. @returns false if another one is stored meanwhile */
  write(key: string, version: number, state: string): Promise<boolean>;
}

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
  constructor(
    private readonly rate: RateLimit,
    private readonly parts: { readonly store: LimitPort; readonly key: string; readonly clock: Clock },
  ) {}

  /**
   * Repeated while others change the account, and when the answer is too late to begin anything. What was given up must not change the account later:
   * the next request counts on its own.
   */
  async request(request: BlockRequest, signal: AbortSignal): Promise<Granted> {
    const { store, key, clock } = this.parts;
    for (let reported = request; ; ) {
      const sentAtMs = clock.monotonicMs();
      const { nowMs, version, state } = await store.read(key);
      const readAtMs = clock.monotonicMs();
      const before = state === undefined ? EMPTY_ACCOUNT : (JSON.parse(state) as RateAccount);
      const { account, block } = withRequest(before, nowMs, this.rate, reported);
      signal.throwIfAborted();
      if (!(await store.write(key, version, JSON.stringify(account)))) continue;
      reported = { ...reported, began: [] };
      const { count } = block;
      // Whatever the store's clock showed in between, it is neither too early nor too late.
      const fromMs = readAtMs + block.fromMs - nowMs;
      const untilMs = sentAtMs + block.untilMs - nowMs - reportEarlyMs(this.rate);
      if (count > 0 && clock.monotonicMs() >= untilMs) continue;
      const isLater = block.fromMs > nowMs;
      return { block: { fromMs, untilMs, count }, isLater, sentAtMs, offsetMs: nowMs - sentAtMs };
    }
  }
}
