// Patience with a wait, for runs that must end.

import { setTimeout as sleep } from 'node:timers/promises';

/** What a wait gives, or an error that names it when it lasts too long. */
export async function within<T>(work: Promise<T>, patienceMs: number, what: string): Promise<T> {
  const over = new AbortController();
  const patience = sleep(patienceMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(`${what} did not end within ${patienceMs / 1_000} s`);
  });
  patience.catch(() => {});
  try {
    return await Promise.race([work, patience]);
  } finally {
    over.abort();
  }
}
