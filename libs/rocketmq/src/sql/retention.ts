// Dropping old rows, the same for both tables.

import type { SqlExecutor } from './sql-port.js';

/** Deletes the rows of a quoted table that were created before a date, and counts them. */
export async function deleteOlderThan(tx: SqlExecutor, table: string, date: Date): Promise<number> {
  const text =
    `WITH "deleted" AS (DELETE FROM ${table} WHERE "created_at" < $1::timestamptz RETURNING 1) ` +
    'SELECT count(*)::int AS "count" FROM "deleted"';
  const { rows } = await tx.query(text, [date.toISOString()]);
  return (rows as readonly { readonly count: number }[])[0]?.count ?? 0;
}
