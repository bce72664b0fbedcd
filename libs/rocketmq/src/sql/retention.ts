// How long rows are kept: validating the option, and deleting older rows in bounded batches.

import { HOUR_MS, MINUTE_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import { databaseWithin, withGrace } from './database-deadline.js';
import type { OldRows } from './dialect.js';
import { dialectOf } from './dialects.js';
import type { SqlDatabase } from './sql-port.js';

/**
 * Rows per statement, so that deleting a week's rows holds no lock for long and does not block a single connection. MariaDB scans the table for a
 * list of 1000 keys or more.
 */
const BATCH_ROWS = 500;

/** 500 years. */
const MAX_RETENTION_MS = 500 * 365 * 24 * HOUR_MS;

/** How long one batch may take. */
const BATCH_TIMEOUT_MS = MINUTE_MS;

/** How long rows are kept, and the time that they must outlive. */
interface RetentionBound {
  readonly retentionMs: number;
  readonly minMs: number;
  /** A description of `minMs`, for the error. */
  readonly minDescription: string;
}

/** @throws UsageError `RETENTION_TOO_SHORT`, with both times */
export function assertRetention({ retentionMs, minMs, minDescription }: RetentionBound): number {
  if (Number.isFinite(retentionMs) && retentionMs >= minMs) return retentionMs;
  const text =
    `option retentionMs is ${retentionMs} ms, but ${minDescription} is ${minMs} ms: a row that is deleted earlier would look as if ` +
    'it had never existed; keep rows at least that long';
  throw new UsageError('RETENTION_TOO_SHORT', text, 'retentionMs');
}

/**
 * Deletes old rows, each batch in its own transaction. Their age is measured by the database's clock, which also set the timestamps.
 * @returns how many were deleted
 */
export async function purge(database: SqlDatabase, old: OldRows, signal?: AbortSignal): Promise<number> {
  // Such a time is no date for a database: rows are kept for ever.
  if (old.retentionMs > MAX_RETENTION_MS) return 0;
  const { deleteOld } = dialectOf(database);
  const what = `purge of ${old.table}`;
  return withGrace(what, signal, async (abandoned) => {
    let total = 0;
    while (signal?.aborted !== true) {
      // Above READ COMMITTED, two purges conflict.
      const batch = () => deleteOld(database, old, BATCH_ROWS);
      const count = await databaseWithin(what, BATCH_TIMEOUT_MS, batch, abandoned);
      total += count;
      if (count < BATCH_ROWS) break;
    }
    return total;
  });
}
