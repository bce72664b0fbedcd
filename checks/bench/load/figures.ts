// What a try gave: latencies, whether the rate was sustained, what it cost. Numbers in, numbers out.

import type { Ending } from '../../../scripts/demo/demo-client.js';
import { percentile } from '../lib/statistics.mjs';
import type { Placed } from './arrivals.js';

/** In milliseconds. */
interface Spread {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

export interface Figures {
  /** That were answered 201. */
  orders: number;
  /** That were not. */
  failed: number;
  /** Orders done, from when the first was due to when the last was done. */
  perSecond: number;
  /** From when it was due to the answer. */
  postMs: Spread;
  /** From when it was due to reserved. */
  reservedMs: Spread;
  /** From when it was due to reserved and its time-out scheduled. */
  doneMs: Spread;
  /** The generator's own delay, which is in all of them. */
  lateMs: Spread;
  isSustained: boolean;
}

/**
 * A rate is sustained when 99 of 100 orders are done in time. Where more come than are done, the later ones wait ever longer, and the
 * limit is passed after a while: so the try has to last longer than the limit.
 */
export function figuresOf({
  placed,
  endings,
  limitMs,
}: {
  placed: readonly Placed[];
  endings: ReadonlyMap<string, Ending>;
  limitMs: number;
}): Figures {
  const done = placed.flatMap(({ id, dueAtMs }) => {
    const ending = id === undefined ? undefined : endings.get(id);
    return ending === undefined ? [] : [{ dueAtMs, ...ending }];
  });
  const failed = placed.filter(({ id }) => id === undefined).length;
  const doneMs = spreadOf(done.map(({ dueAtMs, doneAtMs }) => since(dueAtMs, doneAtMs)));
  const firstDueAt = Math.min(...placed.map(({ dueAtMs }) => dueAtMs));
  const lastDoneAt = Math.max(...done.map(({ doneAtMs }) => doneAtMs));
  return {
    orders: placed.length - failed,
    failed,
    perSecond: done.length === 0 ? 0 : (done.length * 1_000) / Math.max(1, lastDoneAt - firstDueAt),
    postMs: spreadOf(placed.map(({ postMs }) => postMs)),
    reservedMs: spreadOf(done.map(({ dueAtMs, reservedAtMs }) => since(dueAtMs, reservedAtMs))),
    doneMs,
    lateMs: spreadOf(placed.map(({ lateMs }) => lateMs)),
    isSustained: failed === 0 && done.length === placed.length && doneMs.p99 <= limitMs,
  };
}

/** The times of the demos are whole milliseconds, rounded down. */
function since(startMs: number, endMs: number): number {
  return Math.max(0, endMs - startMs);
}

/** @returns NaN of none */
function spreadOf(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const at = (percent: number) => percentile(sorted, percent);
  return { p50: at(50), p90: at(90), p99: at(99), max: at(100) };
}

/**
 * CPU time until now, in microseconds: of our own processes, and of all there are on the machine. What a try took: CPU time of an order; cores that were busy with ours, and with what else runs on the machine.
 */
export interface CpuTimes {
  own: Readonly<Record<string, number>>;
  machine: number;
}

export interface Cost {
  millisPerOrder: Record<string, number>;
  cores: Record<string, number>;
  otherCores: number;
}

export function costOf(
  before: CpuTimes,
  after: CpuTimes,
  { orders, elapsedMs }: { orders: number; elapsedMs: number },
): Cost {
  const micros = Object.entries(after.own).map(([name, value]) => [name, value - (before.own[name] ?? 0)] as const);
  const own = micros.reduce((sum, [, value]) => sum + value, 0);
  const others = Math.max(0, after.machine - before.machine - own);
  return {
    otherCores: others / 1_000 / Math.max(1, elapsedMs),
    millisPerOrder: Object.fromEntries(micros.map(([name, value]) => [name, value / 1_000 / Math.max(1, orders)])),
    cores: Object.fromEntries(micros.map(([name, value]) => [name, value / 1_000 / Math.max(1, elapsedMs)])),
  };
}
