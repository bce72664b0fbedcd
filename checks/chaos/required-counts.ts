// The minimum that each round of a run must achieve.

import type { Status } from './facts.js';

/** The number of faults of each kind. */
export const MIN_FAULTS = 2;

/** The number of orders with each final state. */
export const MIN_ENDS = { PAID: 8, CANCELED: 20, REJECTED: 3 } as const satisfies Partial<Record<Status, number>>;

/** The final states with too few orders, with the required number. */
export function tooFewEnds(
  statuses: Iterable<Status>,
  rounds: number,
): { status: string; count: number; least: number }[] {
  const all = [...statuses];
  return Object.entries(MIN_ENDS)
    .map(([status, least]) => ({ status, count: all.filter((one) => one === status).length, least: least * rounds }))
    .filter(({ count, least }) => count < least);
}
