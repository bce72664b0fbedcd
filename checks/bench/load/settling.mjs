// What became of orders: read from their time lines when they are done, so that nobody asks while it is measured.

import { setTimeout as sleep } from 'node:timers/promises';

/** Nothing takes longer: a lease of 10 s that ran out, and the server's question about a transaction. */
const PATIENCE_MS = 60_000;
const POLL_MS = 50;
const READERS = 8;
/** As order-demo writes it down: test/e2e/page.long.spec.ts asks this module about an order of the demo. */
const SCHEDULED = 'time-out scheduled';

/**
 * When an order was done, by the clock of order-demo.
 * @typedef {{ outcome: 'reserved' | 'rejected', reservedAtMs: number, doneAtMs: number }} Ending `doneAtMs`: reserved and its
 *   time-out scheduled
 */

/** @param {import('./shop.mjs').OrderView} order @returns {Ending | undefined} undefined while something is to come */
export function endingOf({ history }) {
  const answered = history.find(({ status }) => status === 'PENDING_PAYMENT' || status === 'REJECTED');
  if (answered === undefined) return undefined;
  const reservedAtMs = Date.parse(answered.at);
  // An order that was rejected needs no time-out, but may have got one before.
  if (answered.status === 'REJECTED') return { outcome: 'rejected', reservedAtMs, doneAtMs: reservedAtMs };
  const scheduled = history.find(({ what }) => what === SCHEDULED);
  if (scheduled === undefined) return undefined;
  return { outcome: 'reserved', reservedAtMs, doneAtMs: Math.max(reservedAtMs, Date.parse(scheduled.at)) };
}

/**
 * Waits for the order that was placed last, so that the others are not asked about before they have had their time.
 * @param {readonly import('./arrivals.mjs').Placed[]} placed
 * @param {import('./shop.mjs').Shop} shop @param {AbortSignal} signal
 */
export async function lastIsDone(placed, shop, signal) {
  const last = placed.findLast(({ id }) => id !== undefined);
  const lastTryAt = performance.now() + PATIENCE_MS;
  while (last?.id !== undefined && endingOf(await shop.order(last.id)) === undefined) {
    if (performance.now() > lastTryAt) return;
    await sleep(POLL_MS, undefined, { signal });
  }
}

/**
 * The endings of orders, asked for until there are no more to come.
 * @param {readonly string[]} ids
 * @param {import('./shop.mjs').Shop} shop @param {AbortSignal} signal
 * @returns {Promise<Map<string, Ending>>} without those that did not end while nothing else did either, for a minute
 */
export async function endingsOf(ids, shop, signal) {
  /** @type {Map<string, Ending>} */
  const endings = new Map();
  let lastTryAt = performance.now() + PATIENCE_MS;
  for (let open = ids; open.length > 0; open = open.filter((id) => !endings.has(id))) {
    const known = endings.size;
    const queue = open.values();
    const reader = async () => {
      for (const id of queue) {
        signal.throwIfAborted();
        const ending = endingOf(await shop.order(id));
        if (ending !== undefined) endings.set(id, ending);
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    if (endings.size > known) lastTryAt = performance.now() + PATIENCE_MS;
    else if (performance.now() > lastTryAt) break;
    else await sleep(POLL_MS, undefined, { signal });
  }
  return endings;
}
