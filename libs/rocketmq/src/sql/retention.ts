// How long rows are kept: the check of it, and dropping what is older, a bounded batch at a time.

import { UsageError } from '../support/errors.js';
import type { SqlDatabase } from './sql-port.js';

/** Rows of one statement, so that dropping a week's rows holds no lock for long and blocks no single connection. */
const BATCH_ROWS = 1_000;

/** How long something is kept, and what must not be outlived by anything. */
export interface RetentionBound {
  readonly retentionMs: number;
  readonly leastMs: number;
  /** What takes `leastMs`, for the error. */
  readonly leastIs: string;
}

/** @throws UsageError `RETENTION_TOO_SHORT` that says both times */
export function assertRetention({ retentionMs, leastMs, leastIs }: RetentionBound): number {
  if (Number.isFinite(retentionMs) && retentionMs >= leastMs) return retentionMs;
  const text =
    `option retentionMs is ${retentionMs} ms, but ${leastIs} is ${leastMs} ms: a row that is dropped before would be taken ` +
    'for one that never was; keep rows at least that long';
  throw new UsageError('RETENTION_TOO_SHORT', text, 'retentionMs');
}

/** Which rows are old: `table` and `condition` are texts of this folder, never of a caller. */
export interface OldRows {
  readonly table: string;
  /** The time since which a row is of no more use. */
  readonly column: string;
  readonly condition?: string;
  readonly retentionMs: number;
}

/**
 * Drops old rows, each batch in a transaction of its own. Age is by the database's clock, which also stamped the rows.
 * @returns how many there were
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
