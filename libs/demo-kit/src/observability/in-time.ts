// Answers that somebody waits for who must not be kept waiting.

import { setTimeout as pause } from 'node:timers/promises';

/** What `work` gives, or `late` when it takes longer. The work itself goes on. @throws what it throws in time */
export async function inTime<T>(work: Promise<T>, timeoutMs: number, late: T): Promise<T> {
  const timer = new AbortController();
  const over = pause(timeoutMs, late, { signal: timer.signal }).catch(() => late);
  try {
    return await Promise.race([work, over]);
  } finally {
    timer.abort();
  }
}
