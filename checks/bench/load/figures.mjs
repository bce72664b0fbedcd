// What a try gave: latencies, whether the rate was sustained, what it cost. Numbers in, numbers out.

import { percentile } from '../lib/statistics.mjs';

/**
 * @typedef {{ p50: number, p90: number, p99: number, max: number }} Spread in milliseconds
 *
 * @typedef {object} Figures
 * @property {number} orders that were answered 201
 * @property {number} failed that were not
 * @property {number} perSecond orders done, from when the first was due to when the last was done
 * @property {Spread} postMs from when it was due to the answer
 * @property {Spread} reservedMs from when it was due to reserved
 * @property {Spread} doneMs from when it was due to reserved and its time-out scheduled
 * @property {Spread} lateMs the generator's own delay, which is in all of them
 * @property {boolean} isSustained
 */

/**
 * A rate is sustained when 99 of 100 orders are done in time. Where more come than are done, the later ones wait ever longer, and the
 * limit is passed after a while: so the try has to last longer than the limit.
 * @param {{ placed: readonly import('./arrivals.mjs').Placed[], endings: ReadonlyMap<string, import('../../../scripts/demo/demo-client.ts').Ending>, limitMs: number }} given
 * @returns {Figures}
 */
export function figuresOf({ placed, endings, limitMs }) {
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
function since(/** @type {number} */ startMs, /** @type {number} */ endMs) {
  return Math.max(0, endMs - startMs);
}

/** @param {readonly number[]} values @returns {Spread} NaN of none */
function spreadOf(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (/** @type {number} */ percent) => percentile(sorted, percent);
  return { p50: at(50), p90: at(90), p99: at(99), max: at(100) };
}

/**
 * CPU time until now, in microseconds: of our own processes, and of all there are on the machine.
 * @typedef {{ own: Readonly<Record<string, number>>, machine: number }} CpuTimes
 *
 * What a try took: CPU time of an order; cores that were busy with ours, and with what else runs on the machine.
 * @typedef {{ millisPerOrder: Record<string, number>, cores: Record<string, number>, otherCores: number }} Cost
 */

/**
 * @param {CpuTimes} before @param {CpuTimes} after @param {{ orders: number, elapsedMs: number }} extent
 * @returns {Cost}
 */
export function costOf(before, after, { orders, elapsedMs }) {
  const micros = Object.entries(after.own).map(
    ([name, value]) => /** @type {const} */ ([name, value - (before.own[name] ?? 0)]),
  );
  const own = micros.reduce((sum, [, value]) => sum + value, 0);
  const others = Math.max(0, after.machine - before.machine - own);
  return {
    otherCores: others / 1_000 / Math.max(1, elapsedMs),
    millisPerOrder: Object.fromEntries(micros.map(([name, value]) => [name, value / 1_000 / Math.max(1, orders)])),
    cores: Object.fromEntries(micros.map(([name, value]) => [name, value / 1_000 / Math.max(1, elapsedMs)])),
  };
}
