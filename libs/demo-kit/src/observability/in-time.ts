// Limits how long a caller waits.

import { setTimeout as pause } from 'node:timers/promises';

/** Returns the result of `work`, or `late` if it takes longer; the work itself continues. Throws if `work` throws in time. */
export async function inTime<T>(work: Promise<T>, timeoutMs: number, late: T): Promise<T> {
  const timer = new AbortController();
  const over = pause(timeoutMs, late, { signal: timer.signal }).catch(() => late);
  try {
    return await Promise.race([work, over]);
  } finally {
    timer.abort();
  }
}
