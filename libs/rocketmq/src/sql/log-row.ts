// The row that marks a local transaction as committed: it is written only if it commits or rolls back with that transaction. Also
// the status of the transaction afterwards.

import { UsageError } from '../support/errors.js';
import type { SqlDatabase, SqlExecutor } from './sql-port.js';

/** The number of the transaction that `tx` is in. Outside of one, each statement is its own transaction, including this one. */
export async function transactionNumber(tx: SqlExecutor): Promise<string> {
  const { rows } = await tx.query('SELECT txid_current()::text AS "number"', []);
  return (rows as readonly { readonly number: string }[])[0]?.number ?? '';
}

/**
 * Whether the rows of the table show which savepoint wrote them; those of a partitioned table do not.
 * @param table quoted
 */
export async function isTraceable(tx: SqlExecutor, table: string): Promise<boolean> {
  const text = `SELECT "relkind" = 'r' AS "isTable" FROM pg_catalog.pg_class WHERE "oid" = $1::regclass`;
  const { rows } = await tx.query(text, [table]);
  return (rows as readonly { readonly isTable: boolean }[])[0]?.isTable ?? false;
}

/** A row of the log to write. */
interface LogRow {
  /** Quoted. */
  readonly table: string;
  readonly transactionId: string;
  readonly topic: string;
  /** The {@link transactionNumber} of its transaction. */
  readonly number: string;
  readonly isTraceable: boolean;
}

/**
 * Writes the row, unless `tx` is no longer in a transaction: then the row would commit by itself.
 * @returns whether it was written in a savepoint, so that its transaction may commit without it
 * @throws UsageError `NO_TRANSACTION`, and nothing was written; errors of the database
 */
export async function insertRow(tx: SqlExecutor, row: LogRow): Promise<{ readonly isInSavepoint: boolean }> {
  // A savepoint has its own transaction number. `xmin` contains the lower 32 bits of it.
  const isInSavepoint = row.isTraceable ? `"xmin"::text <> (txid_current() % 4294967296)::text` : 'true';
  // No ON CONFLICT: the failed statement prevents PostgreSQL from committing, even if the caller swallows the error.
  const text =
    `INSERT INTO ${row.table} ("transaction_id", "topic", "resolution") SELECT $1::text, $2::text, 'commit' ` +
    `WHERE txid_current_if_assigned()::text = $3 RETURNING ${isInSavepoint} AS "isInSavepoint"`;
  const { rows } = await tx.query(text, [row.transactionId, row.topic, row.number]);
  const [written] = rows as readonly { readonly isInSavepoint: boolean }[];
  if (written !== undefined) return written;
  throw new UsageError(
    'NO_TRANSACTION',
    'record() got a connection that is not in a database transaction: the row would be committed by itself, independently of ' +
      'the rest. Nothing was written. Pass the object that the transaction passes to its callback: ' +
      'database.transaction((tx) => log.record(tx))',
    'tx',
  );
}

/** The status of a database transaction, by its number. Undefined for one so old that PostgreSQL no longer knows it. */
export async function statusOf(
  database: SqlDatabase,
  number: string,
): Promise<'in progress' | 'committed' | 'aborted' | undefined> {
  const text = 'SELECT txid_status($1::bigint) AS "status"';
  const { rows } = await database.transaction((tx) => tx.query(text, [number]));
  return (
    (rows as readonly { readonly status: 'in progress' | 'committed' | 'aborted' | null }[])[0]?.status ?? undefined
  );
}
