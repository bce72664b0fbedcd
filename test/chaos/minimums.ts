// What a run has to show at least, in each of its rounds.

import type { Status } from './facts.js';

/** Faults of each kind. */
export const LEAST_FAULTS = 2;

/** Orders that ended so. */
export const LEAST_ENDS = { PAID: 8, CANCELLED: 20, REJECTED: 3 } as const satisfies Partial<Record<Status, number>>;

/** The ends of which there are too few, each with how many are wanted. */
export function tooFewEnds(
  statuses: Iterable<Status>,
  rounds: number,
): { status: string; count: number; least: number }[] {
  const all = [...statuses];
  return Object.entries(LEAST_ENDS)
    .map(([status, least]) => ({ status, count: all.filter((one) => one === status).length, least: least * rounds }))
    .filter(({ count, least }) => count < least);
}
