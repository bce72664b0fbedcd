// What became of orders: read from their time lines when they are done, so that nobody asks while it is measured.

import { setTimeout as sleep } from 'node:timers/promises';
import { endingOf } from '../../../scripts/demo/demo-client.ts';

/** Nothing takes longer: a lease of 10 s that ran out, and the server's question about a transaction. */
const PATIENCE_MS = 60_000;
const POLL_MS = 50;
const READERS = 8;
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
 * @returns {Promise<Map<string, import('../../../scripts/demo/demo-client.ts').Ending>>} without those that did not end while nothing else did either, for a minute
 */
export async function endingsOf(ids, shop, signal) {
  /** @type {Map<string, import('../../../scripts/demo/demo-client.ts').Ending>} */
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
