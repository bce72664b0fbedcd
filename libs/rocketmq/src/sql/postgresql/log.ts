// The transaction log on PostgreSQL, which knows for each transaction number how that transaction ended.

import type { Resolution } from '../../producer/transactions/transaction.js';
import type { LogRow, LogStatements, TransactionEnd, Written } from '../dialect.js';
import { notInTransaction } from '../log/transaction-log-errors.js';
import { runAlone, type SqlDatabase, type SqlExecutor } from '../sql-port.js';
import { quoted } from '../table-name.js';

export const log: LogStatements = {
  swallowed: 'so that PostgreSQL answered COMMIT with ROLLBACK',
  record,
  endOf,
  fence,
  resolutionOf,
  withdraw,
};

async function record(
  tx: SqlExecutor,
  { table: name, transactionId, topic }: LogRow,
  begun: (number: string) => void,
): Promise<Written> {
  const table = quoted(name, '"');
  // Not in the INSERT itself, because a failed statement returns nothing. The rows of a partitioned table do not show their savepoint.
  const before =
    'SELECT txid_current()::text AS "number", ' +
    `(SELECT "relkind" = 'r' FROM pg_catalog.pg_class WHERE "oid" = $1::regclass) AS "isTraceable"`;
  const [here] = (await tx.query(before, [table])).rows as readonly Before[];
  const number = here?.number ?? '';
  begun(number);
  // A savepoint has its own transaction number. `xmin` contains the lower 32 bits of it.
  const isInSavepoint = here?.isTraceable === true ? `"xmin"::text <> (txid_current() % 4294967296)::text` : 'true';
  // No ON CONFLICT: the failed statement prevents PostgreSQL from committing, even if the caller swallows the error.
  const text =
    `INSERT INTO ${table} ("transaction_id", "topic", "resolution") SELECT $1::text, $2::text, 'commit' ` +
    `WHERE txid_current_if_assigned()::text = $3 RETURNING ${isInSavepoint} AS "isInSavepoint"`;
  const { rows } = await tx.query(text, [transactionId, topic, number]);
  const [written] = rows as readonly { readonly isInSavepoint: boolean }[];
  if (written === undefined) throw notInTransaction();
  return { number, isInSavepoint: written.isInSavepoint };
}

interface Before {
  /** Outside of a transaction, each statement is its own transaction, including this one. */
  readonly number: string;
  readonly isTraceable: boolean | null;
}

async function endOf(
  database: SqlDatabase,
  _row: LogRow,
  number: string | undefined,
  written: Written | undefined,
): Promise<TransactionEnd> {
  if (number === undefined) return { kind: 'unknown' };
  const text = 'SELECT txid_status($1::bigint) AS "status"';
  const { rows } = await runAlone(database, text, [number]);
  switch ((rows as readonly { readonly status: string | null }[])[0]?.status) {
    case 'in progress':
      return { kind: 'running' };
    case 'committed':
      return { kind: 'committed', isProof: written?.isInSavepoint === false };
    case 'aborted':
      return { kind: 'aborted' };
    default:
      return { kind: 'unknown' };
  }
}

async function fence(tx: SqlExecutor, { table, transactionId, topic }: LogRow, timeoutMs: number): Promise<boolean> {
  await tx.query(`SET LOCAL lock_timeout = ${timeoutMs}`, []);
  const text =
    `INSERT INTO ${quoted(table, '"')} ("transaction_id", "topic", "resolution") VALUES ($1, $2, 'rollback') ` +
    'ON CONFLICT DO NOTHING RETURNING "resolution"';
  const { rows } = await tx.query(text, [transactionId, topic]);
  return rows.length > 0;
}

async function resolutionOf(
  tx: SqlExecutor,
  { table, transactionId }: Pick<LogRow, 'table' | 'transactionId'>,
): Promise<Resolution | undefined> {
  const text = `SELECT "resolution" FROM ${quoted(table, '"')} WHERE "transaction_id" = $1`;
  const { rows } = await tx.query(text, [transactionId]);
  return (rows as readonly { readonly resolution: Resolution }[])[0]?.resolution;
}

async function withdraw(
  tx: SqlExecutor,
  { table, transactionId }: Pick<LogRow, 'table' | 'transactionId'>,
): Promise<void> {
  const text = `UPDATE ${quoted(table, '"')} SET "resolution" = 'rollback' WHERE "transaction_id" = $1`;
  await tx.query(text, [transactionId]);
}
