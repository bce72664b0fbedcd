// Customers: in a closed loop, which waits for each answer and so never asks for more than there is; and in an open one, which comes
// when it is time, whatever became of those before.

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A placed order, or one that may have been.
 * @typedef {object} Placed
 * @property {string} sku
 * @property {number} dueAtMs when its customer wanted to order, by the wall clock
 * @property {number} lateMs how long after that the request began: the fault of the generator
 * @property {number} postMs from `dueAtMs` to the answer
 * @property {string} [id] undefined when it was not answered 201
 * @property {string} [error] then
 */

/**
 * @typedef {{ place: (sku: string) => Promise<string>, nextSku: () => string, signal: AbortSignal }} Till
 */

/**
 * Clients that order again as soon as they are answered.
 * @param {{ clients: number, seconds: number }} extent @param {Till} till @returns {Promise<Placed[]>}
 */
export async function orderInLoops({ clients, seconds }, till) {
  /** @type {Placed[]} */
  const placed = [];
  const endsAt = performance.now() + seconds * 1_000;
  const client = async () => {
    while (performance.now() < endsAt) {
      till.signal.throwIfAborted();
      placed.push(await orderOnce(till, performance.now()));
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return placed;
}

/**
 * Orders at even distances. What comes late, here or at the till, is counted from when it was due: else a server that stands still
 * would be asked less just then, and would look quick.
 * @param {{ rate: number, seconds: number }} extent @param {Till} till @returns {Promise<Placed[]>}
 */
export async function orderAtRate({ rate, seconds }, till) {
  const beganAt = performance.now();
  const orders = [];
  const count = Math.max(1, Math.round(rate * seconds));
  for (let index = 0; index < count; index++) {
    const dueAt = beganAt + (index * 1_000) / rate;
    const aheadMs = dueAt - performance.now();
    if (aheadMs > 0) await sleep(aheadMs, undefined, { signal: till.signal });
    till.signal.throwIfAborted();
    orders.push(orderOnce(till, dueAt));
  }
  return Promise.all(orders);
}

/** @param {Till} till @param {number} dueAt by `performance.now()` @returns {Promise<Placed>} */
async function orderOnce({ place, nextSku }, dueAt) {
  const sku = nextSku();
  const lateMs = performance.now() - dueAt;
  const dueAtMs = Date.now() - lateMs;
  try {
    const id = await place(sku);
    return { sku, id, dueAtMs, lateMs, postMs: performance.now() - dueAt };
  } catch (error) {
    return {
      sku,
      error: error instanceof Error ? error.message : String(error),
      dueAtMs,
      lateMs,
      postMs: performance.now() - dueAt,
    };
  }
}
