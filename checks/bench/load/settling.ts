// What became of orders: read from their time lines when they are done, so that nobody asks while it is measured.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Ending, endingOf } from '../../../scripts/demo/demo-client.js';
import type { Placed } from './arrivals.js';
import type { Shop } from './shop.js';

/** Nothing takes longer: a lease of 10 s that ran out, and the server's question about a transaction. */
const TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const READERS = 8;
/** Waits for the order that was placed last, so that the others are not asked about before they have had their time. */
export async function lastIsDone(placed: readonly Placed[], shop: Shop, signal: AbortSignal): Promise<void> {
  const last = placed.findLast(({ id }) => id !== undefined);
  const lastTryAt = performance.now() + TIMEOUT_MS;
  while (last?.id !== undefined && endingOf(await shop.order(last.id)) === undefined) {
    if (performance.now() > lastTryAt) return;
    await sleep(POLL_MS, undefined, { signal });
  }
}

/**
 * The endings of orders, asked for until there are no more to come.
 * @returns without those that did not end while nothing else did either, for a minute
 */
export async function endingsOf(ids: readonly string[], shop: Shop, signal: AbortSignal): Promise<Map<string, Ending>> {
  const endings = new Map<string, Ending>();
  let lastTryAt = performance.now() + TIMEOUT_MS;
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
    if (endings.size > known) lastTryAt = performance.now() + TIMEOUT_MS;
    else if (performance.now() > lastTryAt) break;
    else await sleep(POLL_MS, undefined, { signal });
  }
  return endings;
}
