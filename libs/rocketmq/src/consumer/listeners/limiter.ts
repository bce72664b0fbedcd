// What decides when the handlers of a listener may begin: one limit, or two together. Each limit has a file of its own.

import { type Abortable, onAbort, reasonOf } from '../../support/abort-source.js';
import type { Clock } from '../../support/clock.js';

/** The most that a poll should bring while it is not known how many may begin. */
export const MAX_POLLED = 32;

/** What decides when handlers may begin. */
export interface Limiter {
  /** Why it cannot decide; undefined while it can. */
  readonly problem: string | undefined;
  /**
   * Sets one aside, if one may begin: call {@link begin} or {@link giveBack} for it, however much later.
   * @returns 0, or how long to wait before the next try, in milliseconds; see {@link untilChanged}
   */
  take(nowMs: number): number;
  /** The handler gets one that was set aside. */
  begin(nowMs: number): void;
  /** No handler gets one that was set aside. */
  giveBack(): void;
  /** The handler of one that has begun has ended. */
  end(): void;
  /** Fires when what was set aside and has not ended may no longer run; another one for each time that it fires. Undefined: never. */
  readonly lost: Abortable | undefined;
  /** How long to wait before the next try, in milliseconds; 0 when one may begin. */
  waitMs(nowMs: number): number;
  /** Whether none may begin now. */
  isUsedUp(nowMs: number): boolean;
  /** For an operator; nothing while one may begin. */
  waiting(listener: string, nowMs: number): string[];
  /** How many messages may begin now; 0 while they are too few for a poll. */
  startable(nowMs: number): number;
  /** How long until {@link startable} is not 0, in milliseconds. */
  startableInMs(nowMs: number): number;
  /** Calls `changed` when the answers of the others are other ones than time alone would make them. @returns what ends that */
  watch(changed: () => void): () => void;
  /** Returns what others may have. Nothing may begin any more. */
  close(): Promise<void>;
}

/** Waits before the next {@link Limiter.take}. @throws the signal's reason */
export function untilChanged(limiter: Limiter, clock: Clock, signal: Abortable): Promise<void> {
  if (signal.aborted) return Promise.reject(reasonOf(signal));
  const waitMs = limiter.waitMs(clock.monotonicMs());
  if (waitMs === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const end = (then: () => void): void => {
      task.cancel();
      unwatch();
      unlisten();
      then();
    };
    const task = clock.schedule(Math.ceil(waitMs), () => end(resolve));
    const unwatch = limiter.watch(() => end(resolve));
    const unlisten = onAbort(signal, () => end(() => reject(reasonOf(signal))));
  });
}

/** Two limits, of which both must let a message begin. */
export class BothLimits implements Limiter {
  /** @param first gives back at no cost what the second one rejects */
  constructor(
    private readonly first: Limiter,
    private readonly second: Limiter,
  ) {}

  get problem(): string | undefined {
    return this.first.problem ?? this.second.problem;
  }

  get lost(): Abortable | undefined {
    return this.first.lost ?? this.second.lost;
  }

  take(nowMs: number): number {
    const firstMs = this.first.take(nowMs);
    if (firstMs > 0) return firstMs;
    const secondMs = this.second.take(nowMs);
    if (secondMs > 0) this.first.giveBack();
    return secondMs;
  }

  begin(nowMs: number): void {
    this.first.begin(nowMs);
    this.second.begin(nowMs);
  }

  giveBack(): void {
    this.first.giveBack();
    this.second.giveBack();
  }

  end(): void {
    this.first.end();
    this.second.end();
  }

  waitMs(nowMs: number): number {
    return Math.max(this.first.waitMs(nowMs), this.second.waitMs(nowMs));
  }

  isUsedUp(nowMs: number): boolean {
    return this.first.isUsedUp(nowMs) || this.second.isUsedUp(nowMs);
  }

  waiting(listener: string, nowMs: number): string[] {
    return [...this.first.waiting(listener, nowMs), ...this.second.waiting(listener, nowMs)];
  }

  startable(nowMs: number): number {
    return Math.min(this.first.startable(nowMs), this.second.startable(nowMs));
  }

  startableInMs(nowMs: number): number {
    return Math.max(this.first.startableInMs(nowMs), this.second.startableInMs(nowMs));
  }

  watch(changed: () => void): () => void {
    const ends = [this.first.watch(changed), this.second.watch(changed)];
    return () => {
      for (const end of ends) end();
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.first.close(), this.second.close()]);
  }
}
