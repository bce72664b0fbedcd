// What a process of the race does. The process is race-program.ts, the race itself is race.ts.

import type { DatabasePlace } from '../../tools/servers/sql-databases.js';

/** Local transactions, some of which end with the process. */
export interface RaceJob {
  readonly endpoints: string;
  readonly place: DatabasePlace;
  /** Begins the names of its orders. */
  readonly name: string;
  readonly seed: number;
  readonly transactions: number;
}

/** How many rows of `stock` there are. */
export const ITEMS = 5;
export const RACE_ORDERS = 'race-orders';
/** A check of a transaction that is older may find that it cannot commit any more. */
export const LOCAL_TRANSACTION_TIMEOUT_MS = 600;

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
