// Ports for a run: a block that no other run has. What listens on them is not known here.

import { closed, isFree, listen } from '../libs/rocketmq/src/cli/server/local-ports.js';

export { accepts, isFree } from '../libs/rocketmq/src/cli/server/local-ports.js';

/** Below the ephemeral ranges of Linux and macOS, so that no outgoing connection sits on one of them. */
const FIRST = 20_000;
const LAST = 30_000;
const BLOCK = 10;

/**
 * Takes a block of free ports. The lock is a listening socket on its last port: the kernel lets go of it when this process
 * ends, however it ends.
 * @returns nine ports from `first` on
 */
export async function takePortBlock(): Promise<{ first: number; release: () => Promise<void> }> {
  const start = Math.floor((Math.random() * (LAST - FIRST)) / BLOCK) * BLOCK;
  const blocks = (LAST - FIRST) / BLOCK;
  for (let step = 0; step < blocks; step++) {
    const first = FIRST + ((start + step * BLOCK) % (LAST - FIRST));
    const lock = await listen(first + BLOCK - 1);
    if (lock === undefined) continue;
    const free = await Promise.all(Array.from({ length: BLOCK - 1 }, (_, index) => isFree(first + index)));
    if (free.every(Boolean)) return { first, release: () => closed(lock) };
    await closed(lock);
  }
  throw new Error(`no ${BLOCK} free ports in a row between ${FIRST} and ${LAST}`);
}
