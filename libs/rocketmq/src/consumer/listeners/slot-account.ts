// The account of a limit on concurrent handlers that the instances of a group share: who holds how many slots, and who waits for some. Pure:
// times are those of the store.

import { SECOND_MS } from '../../support/clock.js';

/** What an instance has, until when, how many it wants in total, and since when it has some or waits. */
export type SlotHolder = readonly [holder: string, slots: number, untilMs: number, wanted: number, sinceMs: number];

export interface SlotAccount {
  /** The time of the last change. */
  readonly atMs: number;
  readonly holders: readonly SlotHolder[];
}

export const NO_SLOTS: SlotAccount = { atMs: 0, holders: [] };

/** How long slots are held without a renewal: what an instance that dies takes with it. */
export const SLOT_LEASE_MS = 30 * SECOND_MS;
/** How old a lease is when it is renewed, and how soon an instance notices that others wait. */
export const SLOT_RENEWAL_MS = 5 * SECOND_MS;
/** How long an instance without slots counts as one that waits, unless it asks again. */
const NOTE_MS = 5 * SECOND_MS;
/** How long each may have a slot when there are more instances than slots. */
export const SLOT_TURN_MS = 10 * SECOND_MS;

/** What one instance has in use, and wants. */
interface SlotRequest {
  /** Identifies the instance. */
  readonly holder: string;
  /** Those that it does not give back now. */
  readonly kept: number;
  /** How many it wants in total; 0 for none but those that it keeps. */
  readonly wanted: number;
}

/** What one instance has. */
export interface GrantedSlots {
  readonly count: number;
  /** How many of them it may use; it gives the others back when their handlers have ended. */
  readonly allowed: number;
  readonly untilMs: number;
  /** Whether the store had forgotten what it keeps, so that others may use it. */
  readonly wasLost: boolean;
}

/**
 * Adds a request to an account. While instances have less than their share, the others have no more than theirs as soon as their handlers end; where there are more
 * instances than slots, each has one in turn.
 * @returns undefined for an account that need not change
 */
export function withSlots(
  account: SlotAccount,
  nowMs: number,
  most: number,
  { holder, kept, wanted }: SlotRequest,
): { readonly account: SlotAccount | undefined; readonly granted: GrantedSlots } {
  // A clock that was set back must not keep the slots of the dead for as long.
  const backMs = Math.max(0, account.atMs - nowMs);
  const live = account.holders
    .map(([id, slots, untilMs, wants, sinceMs]): SlotHolder => [id, slots, untilMs - backMs, wants, sinceMs - backMs])
    .filter(([, , untilMs]) => untilMs > nowMs);
  const others = live.filter(([id]) => id !== holder);
  const own = live.find(([id]) => id === holder);
  const [, before = 0, ownUntilMs = nowMs, wantedBefore, ownSinceMs = nowMs] = own ?? [];
  const allowed = wanted === 0 ? 0 : allowedTo([holder, before, nowMs, wanted, ownSinceMs], others, nowMs, most);
  const count = Math.max(kept, allowed);
  const wasLost = before < kept;
  const [lastsMs, renewedMs] = count > 0 ? [SLOT_LEASE_MS, SLOT_RENEWAL_MS] : [NOTE_MS, NOTE_MS];
  const isSame = own !== undefined && count === before && wanted === wantedBefore;
  const isFresh = isSame && ownUntilMs - nowMs > lastsMs - renewedMs / 2;
  const isNothing = own === undefined && count + wanted === 0;
  if (backMs === 0 && (isFresh || isNothing)) {
    return { account: undefined, granted: { count, allowed, untilMs: ownUntilMs, wasLost } };
  }
  const untilMs = nowMs + lastsMs;
  const sinceMs = before > 0 === count > 0 ? ownSinceMs : nowMs;
  const holders = count + wanted === 0 ? others : [...others, [holder, count, untilMs, wanted, sinceMs] as const];
  return { account: { atMs: nowMs, holders }, granted: { count, allowed, untilMs, wasLost } };
}

/** How many of the slots one instance may use that wants some. */
function allowedTo(own: SlotHolder, others: readonly SlotHolder[], nowMs: number, most: number): number {
  const [, before, , wanted, sinceMs] = own;
  const free = Math.max(0, most - others.reduce((sum, [, slots]) => sum + slots, 0));
  const share = Math.floor(most / (1 + others.filter(([, , , wants]) => wants > 0).length));
  const least = Math.max(1, share);
  const lacking = others.filter(([, slots, , wants]) => slots < Math.min(wants, least));
  if (lacking.length === 0) return Math.min(wanted, free);
  if (share === 0) {
    if (before > 0) return nowMs - sinceMs < SLOT_TURN_MS ? Math.min(1, free) : 0;
    return lacking.filter((other) => isBefore(other, own)).length < free ? 1 : 0;
  }
  const owed = lacking.reduce((sum, [, slots, , wants]) => sum + Math.min(wants, share) - slots, 0);
  return Math.min(wanted, free, Math.max(share, free - owed));
}

function isBefore([id, , , , sinceMs]: SlotHolder, [ownId, , , , ownSinceMs]: SlotHolder): boolean {
  return sinceMs === ownSinceMs ? id < ownId : sinceMs < ownSinceMs;
}
