// The state of a limit over a group in its store, which all instances change.

import { raceAbort } from '../../support/abort.js';
import { type Clock, SECOND_MS } from '../../support/clock.js';
import { withDeadline } from '../../support/deadline.js';

/** What a store has under a key, and its own time. */
export interface StoredLimit {
  /** Milliseconds since 1970 by the clock of the store: one clock for all instances. */
  readonly nowMs: number;
  /** 0 where nothing is stored. */
  readonly version: number;
  /** Undefined where nothing is stored. */
  readonly state: string | undefined;
}

/** What keeps the limits over all instances of a group: `LimitStore` of `nestjs-rocketmq/sql`. */
export interface LimitPort {
  read(key: string): Promise<StoredLimit>;
  /** Stores a state in place of that with this version, which then has the next one. @returns false if another one is stored meanwhile */
  write(key: string, version: number, state: string): Promise<boolean>;
}

/** How long the store may take to answer, in real time. */
export const STORE_TIMEOUT_MS = 5 * SECOND_MS;
/** From a failure of the store to the next request. */
export const STORE_RETRY_MS = SECOND_MS;

/** Where a state is. */
export interface LimitStateParts {
  readonly store: LimitPort;
  /** Identifies it in the store. */
  readonly key: string;
  readonly clock: Clock;
}

/** A change that is stored, with the times of the consumer's clock around the read. */
interface Changed<R> {
  readonly result: R;
  /** By the clock of the store. */
  readonly nowMs: number;
  readonly sentAtMs: number;
  readonly readAtMs: number;
}

/** One state. */
export class LimitState<S> {
  constructor(
    private readonly empty: S,
    private readonly parts: LimitStateParts,
  ) {}

  /**
   * Repeated while others change the state.
   * @param next computes the new state; undefined to leave it as it is
   */
  async change<R>(
    signal: AbortSignal,
    next: (state: S, nowMs: number) => { readonly state: S | undefined; readonly result: R },
  ): Promise<Changed<R>> {
    const { store, key, clock } = this.parts;
    for (;;) {
      const sentAtMs = clock.monotonicMs();
      const { nowMs, version, state: stored } = await store.read(key);
      const readAtMs = clock.monotonicMs();
      const { state, result } = next(stored === undefined ? this.empty : (JSON.parse(stored) as S), nowMs);
      // What was given up must not change the state later: the next request counts on its own.
      signal.throwIfAborted();
      const isDone = state === undefined || (await store.write(key, version, JSON.stringify(state)));
      if (isDone) return { result, nowMs, sentAtMs, readAtMs };
    }
  }

  /** Work with this state under a deadline; a clock that a test moves waits for it. */
  async within<T>(
    timeoutMs: number,
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { clock, key } = this.parts;
    const done = clock.track('request to the store of limits for', key);
    try {
      return await withDeadline(`request to the store of limits for ${key}`, timeoutMs, outer, ({ signal }) =>
        raceAbort(work(signal), signal),
      );
    } finally {
      done();
    }
  }
}
