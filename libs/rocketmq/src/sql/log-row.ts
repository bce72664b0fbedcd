// The row by which a local transaction says that it commits: written only where it stands and falls with that transaction, and
// what is known of the transaction afterwards.

import { UsageError } from '../support/errors.js';
import type { SqlDatabase, SqlExecutor } from './sql-port.js';

/** Numbers the transaction that `tx` is in. Outside of one each statement is a transaction of its own, and so is this one. */
export async function transactionNumber(tx: SqlExecutor): Promise<string> {
  const { rows } = await tx.query('SELECT txid_current()::text AS "number"', []);
  return (rows as readonly { readonly number: string }[])[0]?.number ?? '';
}

/**
 * Whether rows of the table say which savepoint wrote them; those of a partitioned table cannot.
 * @param table quoted
 */
export async function isTraceable(tx: SqlExecutor, table: string): Promise<boolean> {
  const text = `SELECT "relkind" = 'r' AS "isTable" FROM pg_catalog.pg_class WHERE "oid" = $1::regclass`;
  const { rows } = await tx.query(text, [table]);
  return (rows as readonly { readonly isTable: boolean }[])[0]?.isTable ?? false;
}

/** A row of the log that is to be written. */
export interface LogRow {
  /** Quoted. */
  readonly table: string;
  readonly transactionId: string;
  readonly topic: string;
  /** The transaction that it belongs to, by {@link transactionNumber}. */
  readonly number: string;
  readonly isTraceable: boolean;
}

/**
 * Writes the row, unless `tx` is in no transaction any more: then it would commit by itself.
 * @returns whether it was written in a savepoint, so that its transaction may commit without it
 * @throws UsageError `NO_TRANSACTION`, and nothing was written; what the database throws
 */
export async function insertRow(tx: SqlExecutor, row: LogRow): Promise<{ readonly isInSavepoint: boolean }> {
  // A savepoint writes under a number of its own. `xmin` holds the lower 32 bits of it.
  const isInSavepoint = row.isTraceable ? `"xmin"::text <> (txid_current() % 4294967296)::text` : 'true';
  // No ON CONFLICT: the failed statement keeps PostgreSQL from committing, even if the caller swallows the error.
  const text =
    `INSERT INTO ${row.table} ("transaction_id", "topic", "resolution") SELECT $1::text, $2::text, 'commit' ` +
    `WHERE txid_current_if_assigned()::text = $3 RETURNING ${isInSavepoint} AS "isInSavepoint"`;
  const { rows } = await tx.query(text, [row.transactionId, row.topic, row.number]);
  const [written] = rows as readonly { readonly isInSavepoint: boolean }[];
  if (written !== undefined) return written;
  throw new UsageError(
    'NO_TRANSACTION',
    'record() got a connection that is in no database transaction: the row would be committed by itself, whatever becomes of ' +
      'the rest. Nothing was written. Pass what the transaction hands to its callback: ' +
      'database.transaction((tx) => log.record(tx))',
    'tx',
  );
}

/** How a database transaction stands, by its number. Undefined for one so old that PostgreSQL has forgotten it. */
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
