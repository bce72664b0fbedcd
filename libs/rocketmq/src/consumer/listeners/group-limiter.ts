// How often the handlers of a listener may begin over all instances of its group. It takes blocks from the account of the group, which a store
// keeps, and knows of nothing else: what it has no block for does not begin.

import { onAbort } from '../../support/abort-source.js';
import { DAY_MS, type ScheduledTask } from '../../support/clock.js';
import { describeError, type Logger } from '../../support/logger.js';
import { type LimitStateParts, STORE_RETRY_MS, STORE_TIMEOUT_MS } from './limit-state.js';
import { type Limiter, MAX_POLLED } from './limiter.js';
import { blockMs, largestBlock, reportEarlyMs } from './rate-account.js';
import { limitText, type RateLimit } from './rate-limiter.js';
import { SharedAccount } from './shared-account.js';

/** What a limiter over a group needs of its consumer. */
export interface GroupLimiterParts extends LimitStateParts {
  /** Identifies this process. */
  readonly holder: string;
  readonly logger: Logger;
  /** Fires when the consumer closes. */
  readonly closing: AbortSignal;
}

/** What is received while the store fails is released. */
export const NOT_SOON_MS = DAY_MS;
/** How long before a block polls begin, and which part of `perMs` at most. */
const POLLED_AHEAD_MS = 100;
const POLLED_AHEAD = 1 / 20;
/** The parts of `perMs` between which a block should be used up. */
const SOON_USED_UP = 1 / 20;
const LATE_USED_UP = 1 / 10;

type State =
  /** It has asked for nothing, since there was nothing to begin. */
  | { readonly kind: 'idle' }
  /** `error`: the last request failed. */
  | { readonly kind: 'asking'; readonly error: string | undefined }
  /** It may set `left` messages aside from one time until another, by the clock of the consumer. */
  | { readonly kind: 'block'; readonly fromMs: number; readonly untilMs: number; readonly count: number; left: number }
  | { readonly kind: 'failing'; readonly error: string; readonly againAtMs: number }
  | { readonly kind: 'closed' };

/** Limits the handlers of one listener together with those of other instances. */
export class GroupLimiter implements Limiter {
  readonly lost = undefined;
  private state: State = { kind: 'idle' };
  private setAside = 0;
  /** Until when those that are set aside are counted if they begin. */
  private countedUntilMs = Number.POSITIVE_INFINITY;
  /** When messages began, by the clock of the consumer, until the store has it. */
  private began: number[] = [];
  private offsetMs = 0;
  private wanted = 1;
  /** Whether the group had used up its limit when this instance last asked. */
  private isGroupUsedUp = false;
  private task: ScheduledTask | undefined;
  private readonly watchers = new Set<() => void>();
  private readonly account: SharedAccount;

  constructor(
    readonly rate: RateLimit,
    private readonly parts: GroupLimiterParts,
  ) {
    this.account = new SharedAccount(rate, parts);
    onAbort(parts.closing, () => {
      this.task?.cancel();
      this.become({ kind: 'closed' });
    });
  }

  /** Why the store does not answer; undefined while it does. */
  get problem(): string | undefined {
    return this.state.kind === 'failing' || this.state.kind === 'asking' ? this.state.error : undefined;
  }

  take(nowMs: number): number {
    const waitMs = this.waitMs(nowMs);
    const { state } = this;
    if (waitMs === 0 && state.kind === 'block') {
      if (this.setAside++ === 0) this.countedUntilMs = state.untilMs + reportEarlyMs(this.rate);
      state.left--;
      if (state.left === 0) this.usedUp(nowMs - state.fromMs);
    } else if (state.kind === 'idle') void this.ask(this.wanted);
    return waitMs;
  }

  begin(nowMs: number): void {
    this.setAside--;
    this.began.push(nowMs);
  }

  giveBack(): void {
    this.setAside--;
  }

  end(): void {}

  /** Also above 0 while nobody has asked: {@link take} does. */
  waitMs(nowMs: number): number {
    const { state } = this;
    if (this.problem !== undefined) return NOT_SOON_MS;
    switch (state.kind) {
      case 'block':
        if (nowMs < state.fromMs) return state.fromMs - nowMs;
        return state.left > 0 && nowMs < state.untilMs ? 0 : STORE_TIMEOUT_MS;
      default:
        return STORE_TIMEOUT_MS;
    }
  }

  isUsedUp(nowMs: number): boolean {
    const { state } = this;
    if (this.problem !== undefined) return true;
    if (state.kind === 'block' && nowMs < state.fromMs) return true;
    const hasNone = state.kind === 'asking' || (state.kind === 'block' && state.left === 0);
    return hasNone && this.isGroupUsedUp;
  }

  waiting(listener: string, nowMs: number): string[] {
    if (!this.isUsedUp(nowMs)) return [];
    const { state, problem } = this;
    const next =
      state.kind === 'block' && nowMs < state.fromMs ? `in ${Math.ceil(state.fromMs - nowMs)} ms` : 'unknown';
    const why = problem === undefined ? '' : `, since the store of limits does not answer: ${problem}`;
    return [`${limitText(listener, this.rate)} in the group, the next ${next}${why}`];
  }

  /** Without a block a poll asks for a few, so that it is known whether there is anything to begin. With one, for what may begin when it has answered. */
  startable(nowMs: number): number {
    const { state } = this;
    if (state.kind === 'idle') return Math.min(this.wanted, MAX_POLLED);
    return state.kind === 'block' && this.startableInMs(nowMs) === 0 ? state.left : 0;
  }

  startableInMs(nowMs: number): number {
    if (this.state.kind === 'idle') return 0;
    const waitMs = this.waitMs(nowMs);
    const isAhead = this.state.kind === 'block' && nowMs < this.state.fromMs;
    const polledMs = isAhead ? Math.min(POLLED_AHEAD_MS, this.rate.perMs * POLLED_AHEAD) : 0;
    return Math.max(0, Math.min(waitMs, STORE_TIMEOUT_MS) - polledMs);
  }

  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    return () => void this.watchers.delete(changed);
  }

  /** The signal of the consumer's end has done it. A block counts on. */
  async close(): Promise<void> {}

  /** A larger block needs fewer requests. One that lasts for long keeps from others what it has not begun. */
  private usedUp(withinMs: number): void {
    const { perMs } = this.rate;
    if (withinMs < perMs * SOON_USED_UP) this.wanted = Math.min(this.wanted * 2, largestBlock(this.rate));
    else if (withinMs > perMs * LATE_USED_UP) this.wanted = Math.ceil(this.wanted / 2);
    // When the last one has begun: it need not be counted as one that has not.
    this.later(0, () => this.ask(this.wanted));
  }

  /** Wakes up when a block ends, and when what is set aside must be reported because it is not counted for much longer. */
  private watchTime(state: State): void {
    const { clock } = this.parts;
    const nowMs = clock.monotonicMs();
    if (state.kind === 'failing') this.later(state.againAtMs - nowMs, () => this.ask(0));
    else if (state.kind === 'block') {
      const nextMs = this.setAside > 0 ? Math.min(state.untilMs, this.reportAtMs) : state.untilMs;
      this.later(nextMs - nowMs, () => this.check(state));
    } else if (state.kind === 'idle' && this.setAside > 0) this.later(this.reportAtMs - nowMs, () => this.ask(0));
  }

  private check(block: State & { kind: 'block' }): void {
    const nowMs = this.parts.clock.monotonicMs();
    if (nowMs < block.untilMs) {
      if (this.setAside > 0) void this.ask(block.left);
      else this.watchTime(block);
      return;
    }
    const used = block.count - block.left;
    this.wanted = Math.max(1, Math.min(this.wanted, used));
    // Without any use there is nothing to begin. Others have the rest.
    void this.ask(used === 0 ? 0 : this.wanted);
  }

  /** When what is set aside must be reported. */
  private get reportAtMs(): number {
    return this.countedUntilMs - reportEarlyMs(this.rate);
  }

  private later(inMs: number, then: () => unknown): void {
    this.task?.cancel();
    this.task = this.parts.clock.schedule(Math.ceil(inMs), () => void then());
  }

  private async ask(wanted: number): Promise<void> {
    const { clock, holder, key, logger, closing } = this.parts;
    const { state, began } = this;
    if (state.kind === 'asking' || state.kind === 'closed') return;
    this.task?.cancel();
    const before = this.problem;
    this.become({ kind: 'asking', error: before });
    const reported = began.length;
    const kept = this.setAside;
    try {
      const atStore = began.map((atMs) => [atMs + this.offsetMs, 1] as const);
      const granted = await this.account.request({ holder, began: atStore, kept, wanted }, closing);
      if (closing.aborted) return;
      this.began = began.slice(reported);
      this.offsetMs = granted.offsetMs;
      this.countedUntilMs = granted.sentAtMs + blockMs(this.rate);
      this.isGroupUsedUp = granted.isLater;
      if (before !== undefined) logger.info('the store of limits answers again', { key });
      const { block } = granted;
      this.become(block.count === 0 ? { kind: 'idle' } : { kind: 'block', ...block, left: block.count });
    } catch (cause) {
      if (closing.aborted) return;
      const error = describeError(cause);
      if (before === undefined) {
        const line = 'the store of limits does not answer; the listener handles nothing until it does';
        logger.error(line, { key, error });
      }
      this.become({ kind: 'failing', error, againAtMs: clock.monotonicMs() + STORE_RETRY_MS });
    }
  }

  private become(state: State): void {
    if (this.state.kind === 'closed') return;
    this.state = state;
    this.watchTime(state);
    for (const changed of [...this.watchers]) changed();
  }
}
