// The schedule of the application: what waits in its database.

import { RocketMQError } from 'nestjs-rocketmq/admin';
import { type PendingEntry, retryTransaction, type Schedule, type SqlExecutor } from 'nestjs-rocketmq/sql';
import { ConsoleRejection } from '../http/exchange.js';
import { MAX_ITEMS, type PageContext } from './context.js';
import { Query } from './queries.js';

/** How long the database may take. */
const DATABASE_MS = 10_000;

export async function schedule(context: PageContext): Promise<object> {
  const query = new Query(context.request);
  const [after, key] = [query.text('after'), query.text('key')];
  const limit = query.count('limit', MAX_ITEMS, MAX_ITEMS);
  const wanted = { limit, ...(after !== undefined && { after }), ...(key !== undefined && { key }) };
  const read = async (own: Schedule, tx: SqlExecutor) => [await own.pending(tx, wanted), await own.lag(tx)] as const;
  const [{ entries, next }, lag] = await inSchedule(context, context.request.signal, 'nothing was read', read);
  return { entries: entries.map(shownEntry), next, ...lag };
}

export function shownEntry({ dueAt, lastTickAt, paused, ...entry }: PendingEntry) {
  return {
    ...entry,
    dueAtMs: dueAt.getTime(),
    lastTickAtMs: lastTickAt?.getTime(),
    paused: paused && { sinceMs: paused.since.getTime(), reason: paused.reason },
  };
}

/**
 * Runs `work` in a transaction.
 * @param otherwise what holds when the database fails, or does not answer
 * @throws ConsoleRejection without a schedule, and for errors of the database, of which only the log has the texts: they name hosts and users
 */
export async function inSchedule<T>(
  { source }: PageContext,
  caller: AbortSignal,
  otherwise: string,
  work: (own: Schedule, tx: SqlExecutor) => Promise<T>,
): Promise<T> {
  if (source.schedule === undefined) {
    const text = 'this console has no schedule; give it one with the option schedule of RocketMQConsoleModule';
    throw new ConsoleRejection(404, 'NO_SCHEDULE', text);
  }
  const { schedule: own, database } = source.schedule();
  const signal = AbortSignal.any([caller, AbortSignal.timeout(DATABASE_MS)]);
  const ended = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    const done = retryTransaction(() => database.transaction((tx) => work(own, tx)), { signal });
    return await Promise.race([done, ended]);
  } catch (error) {
    if (error instanceof ConsoleRejection || RocketMQError.is(error)) throw error;
    if (!caller.aborted)
      source.log(`console: the database of the schedule failed: ${(error as Error)?.stack ?? String(error)}`);
    const problem = signal.aborted ? `did not answer within ${DATABASE_MS / 1_000} s` : 'failed, the log says why';
    throw new ConsoleRejection(502, 'DATABASE_FAILED', `the database of the schedule ${problem}; ${otherwise}`);
  }
}
