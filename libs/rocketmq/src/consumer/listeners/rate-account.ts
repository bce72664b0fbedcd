// The account of a rate limit that the instances of a group share: what each may begin, and when. Pure: times are those of the store.

import type { RateLimit } from './rate-limiter.js';

/** How many messages count until when. */
export type Counted = readonly [untilMs: number, count: number];

/** What counts: messages that began, and for each instance what it may still begin. */
export interface RateAccount {
  /** The time of the last request. */
  readonly atMs: number;
  readonly began: readonly Counted[];
  readonly open: readonly (readonly [holder: string, ...Counted])[];
}

export const EMPTY_ACCOUNT: RateAccount = { atMs: 0, began: [], open: [] };

/** What one instance reports and wants. Its earlier blocks end with it. */
export interface BlockRequest {
  /** Identifies the instance. */
  readonly holder: string;
  /** The messages that began since its last request: when at the latest, and how many. */
  readonly began: readonly (readonly [atMs: number, count: number])[];
  /** Those of earlier blocks that have not begun and will. */
  readonly kept: number;
  /** How many more it wants; 0 to report only. */
  readonly wanted: number;
}

/** Messages that may begin within a time. */
export interface Block {
  readonly fromMs: number;
  readonly untilMs: number;
  /** 0 for a request that wanted none. */
  readonly count: number;
}

/** The parts of `perMs` in which messages began are counted together. */
const GRAINS = 100;
/** The part of `perMs` for which a block lasts: long enough for a process that stands still for a moment. */
const BLOCK_TIME = 1 / 4;
/** The most that one block may have: what an instance that dies takes with it. */
const BLOCK_PART = 1 / 10;

/** How long a block lasts. */
export function blockMs({ perMs }: RateLimit): number {
  return perMs * BLOCK_TIME;
}

/** How long before the end of its count something that has not begun is reported: time for the request. */
export function reportEarlyMs(rate: RateLimit): number {
  return blockMs(rate) / 4;
}

/** The largest block. */
export function largestBlock({ max }: RateLimit): number {
  return Math.max(1, Math.floor(max * BLOCK_PART));
}

/**
 * Adds a request to an account. Every block counts until `perMs` after its end, and a message that began until `perMs` after that, so no window
 * of `perMs` has more than `max`. A block may begin later: instances then wait in the order of their requests, and ask once. What was kept counts on, but a
 * later block that others have already been given does not move: as many as were kept may be too many.
 */
export function withRequest(
  account: RateAccount,
  nowMs: number,
  rate: RateLimit,
  request: BlockRequest,
): { readonly account: RateAccount; readonly block: Block } {
  const { max, perMs } = rate;
  const lastsMs = blockMs(rate);
  const began = begunOf(account, nowMs, rate, request);
  // A clock that was set back must not keep the group waiting for as long.
  const backMs = Math.max(0, account.atMs - nowMs);
  const others = account.open
    .map(([holder, untilMs, count]) => [holder, untilMs - backMs, count] as const)
    .filter(([holder, untilMs]) => holder !== request.holder && untilMs > nowMs);
  const share = Math.floor(max / (2 * (others.length + 1)));
  if (request.kept > 0) others.push([request.holder, nowMs + lastsMs + perMs, request.kept]);
  const count = Math.min(request.wanted, largestBlock(rate), Math.max(1, share));
  const fromMs = count === 0 ? nowMs : freeAtMs([...began, ...others.map(([, ...one]) => one)], nowMs, max - count);
  const untilMs = fromMs + lastsMs;
  if (count > 0) others.push([request.holder, untilMs + perMs, count]);
  return { account: { atMs: nowMs, began, open: others }, block: { fromMs, untilMs, count } };
}

function begunOf(account: RateAccount, nowMs: number, { perMs }: RateLimit, request: BlockRequest): Counted[] {
  const grainMs = perMs / GRAINS;
  const counts = new Map<number, number>();
  const add = (untilMs: number, count: number): void => {
    if (untilMs > nowMs) counts.set(untilMs, (counts.get(untilMs) ?? 0) + count);
  };
  for (const [untilMs, count] of account.began) add(Math.min(untilMs, nowMs + perMs + grainMs), count);
  for (const [atMs, count] of request.began) add(Math.ceil(atMs / grainMs) * grainMs + perMs, count);
  return [...counts].sort(([one], [other]) => one - other);
}

/** When no more than `most` count any longer. */
function freeAtMs(counted: readonly Counted[], nowMs: number, most: number): number {
  let sum = counted.reduce((total, [, count]) => total + count, 0);
  let atMs = nowMs;
  for (const [untilMs, count] of [...counted].sort(([one], [other]) => one - other)) {
    if (sum <= most) break;
    sum -= count;
    atMs = untilMs;
  }
  return atMs;
}
