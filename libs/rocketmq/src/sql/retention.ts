// How long rows are kept: validating the option, and deleting older rows in bounded batches.

import { UsageError } from '../support/errors.js';
import type { SqlDatabase } from './sql-port.js';

/** Rows per statement, so that deleting a week's rows holds no lock for long and does not block a single connection. */
const BATCH_ROWS = 1_000;

/** How long rows are kept, and the time that they must outlive. */
interface RetentionBound {
  readonly retentionMs: number;
  readonly leastMs: number;
  /** A description of `leastMs`, for the error. */
  readonly leastIs: string;
}

/** @throws UsageError `RETENTION_TOO_SHORT`, with both times */
export function assertRetention({ retentionMs, leastMs, leastIs }: RetentionBound): number {
  if (Number.isFinite(retentionMs) && retentionMs >= leastMs) return retentionMs;
  const text =
    `option retentionMs is ${retentionMs} ms, but ${leastIs} is ${leastMs} ms: a row that is deleted earlier would look as if ` +
    'it had never existed; keep rows at least that long';
  throw new UsageError('RETENTION_TOO_SHORT', text, 'retentionMs');
}

/** Which rows are old: `table` and `condition` come from this folder, never from a caller. */
interface OldRows {
  readonly table: string;
  /** The column with the time since which a row is no longer needed. */
  readonly column: string;
  readonly condition?: string;
  readonly retentionMs: number;
}

/**
 * Deletes old rows, each batch in its own transaction. Their age is measured by the database's clock, which also set the timestamps.
 * @returns how many were deleted
 */
export async function purge(database: SqlDatabase, old: OldRows, signal?: AbortSignal): Promise<number> {
  const condition = old.condition === undefined ? '' : ` AND ${old.condition}`;
  const text =
    `WITH "old" AS (SELECT "ctid" FROM ${old.table} WHERE "${old.column}" < now() - make_interval(secs => $1::float8)` +
    `${condition} LIMIT ${BATCH_ROWS} FOR UPDATE SKIP LOCKED), ` +
    `"deleted" AS (DELETE FROM ${old.table} WHERE "ctid" = ANY(ARRAY(SELECT "ctid" FROM "old")) RETURNING 1) ` +
    'SELECT count(*)::int AS "count" FROM "deleted"';
  let total = 0;
  while (signal?.aborted !== true) {
    const { rows } = await database.transaction((tx) => tx.query(text, [old.retentionMs / 1000]));
    const count = (rows as readonly { readonly count: number }[])[0]?.count ?? 0;
    total += count;
    if (count < BATCH_ROWS) break;
  }
  return total;
}
