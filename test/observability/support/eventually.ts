// Waits for other processes.

import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 50;

/** The first value of `look` that is not undefined. The test's own time-out bounds it. */
export async function eventually<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(POLL_MS);
  }
}
