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
export const ITEMS = 3;
export const RACE_ORDERS = 'race-orders';
/** A check of a transaction that is older may find that it cannot commit any more. */
export const LOCAL_TRANSACTION_TIMEOUT_MS = 600;
