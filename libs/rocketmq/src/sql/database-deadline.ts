// How long a database may take to answer. Always real time, because no driver follows a clock that a test moves.

import { raceAbort } from '../support/abort.js';
import { onAbort } from '../support/abort-source.js';
import { SECOND_MS } from '../support/clock.js';
import { Deadline, waitWithin, withDeadline, withNotedEffects } from '../support/deadline.js';
import { describeError, type Logger } from '../support/logger.js';
import { retryTransaction } from './log/retry-transaction.js';

/** How long `stop()` waits for a database that does not answer. */
export const STOP_GRACE_MS = 5 * SECOND_MS;

/**
 * Runs a transaction and repeats it after conflicts.
 * @param abandoned ends the wait at once
 * @throws TransportError `DEADLINE_EXCEEDED`: the driver still waits for an answer, and the transaction may be committed; the reason of
 *   `abandoned`, and then the same holds
 */
export function databaseWithin<T>(
  what: string,
  timeoutMs: number,
  transaction: () => Promise<T>,
  abandoned?: AbortSignal,
): Promise<T> {
  return withDeadline(what, timeoutMs, abandoned, ({ signal }) =>
    raceAbort(retryTransaction(transaction, { signal }), signal),
  );
}

/** Like {@link databaseWithin}, for a transaction that only reads. */
export function databaseReadWithin<T>(what: string, timeoutMs: number, transaction: () => Promise<T>): Promise<T> {
  return withNotedEffects(what, timeoutMs, undefined, ({ signal }) =>
    raceAbort(retryTransaction(transaction, { signal }), signal),
  );
}

/** Runs `work` with a signal that aborts {@link STOP_GRACE_MS} after `stopping`. */
export async function withGrace<T>(
  what: string,
  stopping: AbortSignal | undefined,
  work: (abandoned: AbortSignal) => Promise<T>,
): Promise<T> {
  const abandoning = new AbortController();
  let grace: Deadline | undefined;
  const begin = (): void => {
    grace = new Deadline(what, STOP_GRACE_MS);
    const { signal } = grace;
    signal.addEventListener('abort', () => abandoning.abort(signal.reason), { once: true });
  };
  const unlisten = onAbort(stopping, begin);
  try {
    return await work(abandoning.signal);
  } finally {
    unlisten();
    grace?.dispose();
  }
}

/** Waits for work that was asked to end. @returns whether it has; if not, that is logged */
export async function endsWithin(
  what: string,
  timeoutMs: number,
  ended: Promise<void>,
  logger: Logger,
): Promise<boolean> {
  try {
    await waitWithin(what, timeoutMs, undefined, ended);
    return true;
  } catch (error) {
    const line = `${what}: the database does not answer, so what was under way is abandoned and may still take effect`;
    logger.error(line, { error: describeError(error) });
    return false;
  }
}
