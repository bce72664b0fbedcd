// How often the handlers of a listener may begin. It knows no clock: callers pass monotonic business time.

import { DAY_MS, SECOND_MS } from '../../support/clock.js';
import { integerFrom, numberFrom, objectOf, oneOf } from '../../support/options.js';
import { type Limiter, MAX_POLLED } from './limiter.js';

/** A limit for the handlers of a listener. */
export interface RateLimit {
  /** How many messages may be given to the handler within any `perMs`, each attempt counted. 1 to 100 000. */
  readonly max: number;
  /** In milliseconds, 1 to 86 400 000 (a day); at least 1 000 with the scope `group`. */
  readonly perMs: number;
  /**
   * `group`: over all instances of the consumer group, which count in the `limitStore`. `process`: each process has a limit of its own.
   * Default `process`.
   */
  readonly scope?: 'process' | 'group';
}

const MAX_BEGINNINGS = 100_000;

/** The check of a limit. */
export const rateLimitCheck = objectOf({
  options: { max: integerFrom(1, MAX_BEGINNINGS), perMs: numberFrom(1, DAY_MS), scope: oneOf('process', 'group') },
  required: ['max', 'perMs'],
  together: ({ perMs, scope }: RateLimit) =>
    scope === 'group' && perMs < SECOND_MS
      ? { field: 'perMs', problem: `must be at least ${SECOND_MS} with the scope group, not ${perMs}` }
      : undefined,
});

/** The limit of a listener, for an operator. */
export function limitText(listener: string, { max, perMs }: RateLimit): string {
  return `limited: ${listener}, to ${max} messages per ${perMs} ms`;
}

/** What a poll should bring at a limit that allows it: so much of what may begin in this time, and no more than a poll asks for. */
const POLLED_PART = 1 / 20;
const POLLED_WITHIN_MS = 100;

/** Limits one process: remembers when the last `max` messages began, and how many may begin and have not. */
export class RateLimiter implements Limiter {
  readonly problem = undefined;
  readonly lost = undefined;
  /** A ring. */
  private readonly beganAtMs: Float64Array;
  private first = 0;
  private count = 0;
  private setAside = 0;
  private readonly worthPolling: number;

  constructor(readonly rate: RateLimit) {
    const { max, perMs } = rate;
    this.beganAtMs = new Float64Array(max);
    const fewAtOnce = Math.min(max * POLLED_PART, (max * POLLED_WITHIN_MS) / perMs, MAX_POLLED);
    this.worthPolling = Math.max(1, Math.floor(fewAtOnce));
  }

  take(nowMs: number): number {
    const waitMs = this.waitMs(nowMs);
    if (waitMs === 0) this.setAside++;
    return waitMs;
  }

  begin(nowMs: number): void {
    this.forget(nowMs);
    this.setAside--;
    this.beganAtMs[(this.first + this.count) % this.rate.max] = nowMs;
    this.count++;
  }

  giveBack(): void {
    this.setAside--;
  }

  end(): void {}

  waitMs(nowMs: number): number {
    return this.freeInMs(1, nowMs);
  }

  isUsedUp(nowMs: number): boolean {
    return this.waitMs(nowMs) > 0;
  }

  waiting(listener: string, nowMs: number): string[] {
    const waitMs = Math.ceil(this.waitMs(nowMs));
    return waitMs === 0 ? [] : [`${limitText(listener, this.rate)}, the next in ${waitMs} ms`];
  }

  startable(nowMs: number): number {
    this.forget(nowMs);
    const free = this.rate.max - this.count - this.setAside;
    return free < this.worthPolling ? 0 : free;
  }

  startableInMs(nowMs: number): number {
    return this.freeInMs(this.worthPolling, nowMs);
  }

  /** Time alone changes it. */
  watch(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}

  /** How long until so many may begin, in milliseconds. What is set aside begins now at the earliest, and counts for `perMs` then. */
  private freeInMs(wanted: number, nowMs: number): number {
    const { max, perMs } = this.rate;
    const lacking = wanted - (max - this.count - this.setAside);
    if (lacking > this.count) return perMs;
    return lacking <= 0 ? 0 : Math.max(0, this.endOf(lacking - 1) - nowMs);
  }

  private forget(nowMs: number): void {
    while (this.count > 0 && this.endOf(0) <= nowMs) {
      this.first = (this.first + 1) % this.rate.max;
      this.count--;
    }
  }

  /** When the oldest, or one after it, counts no longer. */
  private endOf(index: number): number {
    return (this.beganAtMs[(this.first + index) % this.rate.max] ?? 0) + this.rate.perMs;
  }
}
