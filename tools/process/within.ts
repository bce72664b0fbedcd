// Limits a wait, for runs that must end.

import { setTimeout as sleep } from 'node:timers/promises';

/** What a wait gives, or an error that names it when it lasts too long. */
export async function within<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const over = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: over.signal }).then(() => {
    throw new Error(`${what} did not end within ${timeoutMs / 1_000} s`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}
