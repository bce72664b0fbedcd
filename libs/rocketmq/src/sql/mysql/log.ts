// The transaction log on MySQL. InnoDB does not say afterwards how a transaction ended, so the row itself is the proof.
//
// The fence holds under every isolation level: an INSERT reads the newest row, committed or not, whatever the snapshot of its transaction
// shows. Of two rows with one primary key the second waits for the first one's transaction to end, then fails if that was committed.

import type { Resolution } from '../../producer/transactions/transaction.js';
import type { LogRow, LogStatements, TransactionEnd, Written } from '../dialect.js';
import { notInTransaction } from '../log/transaction-log-errors.js';
import {
  conflictOf,
  isDuplicate,
  isInTransaction,
  isNoSavepoint,
  isNotPrepared,
  RowLockedError,
} from '../sql-errors.js';
import type { SqlDatabase, SqlExecutor } from '../sql-port.js';
import { quoted } from '../table-name.js';

export const log: LogStatements = {
  swallowed: 'after which MySQL had undone the transaction (a deadlock does that)',
  record,
  endOf,
  fence,
  resolutionOf,
  withdraw,
};

const SAVEPOINT = '`rocketmq_record`';

async function record(tx: SqlExecutor, { table, transactionId, topic }: LogRow): Promise<Written> {
  await assertInTransaction(tx);
  const text = `INSERT INTO ${quoted(table, '`')} (\`transaction_id\`, \`topic\`, \`resolution\`, \`created_at\`) VALUES (?, ?, 'commit', UTC_TIMESTAMP(3))`;
  try {
    await tx.query(text, [transactionId, topic]);
  } catch (error) {
    await preventCommit(tx);
    throw error;
  }
  return { number: undefined, isInSavepoint: true };
}

/**
 * Outside of a transaction a savepoint ends with the statement that sets it. Other signs of a transaction need privileges. Both statements are
 * queued at once: a release also ends the savepoints that were set in between.
 */
async function assertInTransaction(tx: SqlExecutor): Promise<void> {
  const failure = await adjacent(tx, `SAVEPOINT ${SAVEPOINT}`, `RELEASE SAVEPOINT ${SAVEPOINT}`);
  if (failure === undefined) return;
  const isOpen = isNotPrepared(failure) ? await rejectsCharacteristics(tx) : !isNoSavepoint(failure);
  if (!isOpen) throw notInTransaction();
  if (!isNotPrepared(failure)) throw failure;
}

/** Statements between which no other of this connection is run. @returns the error of the first one that failed */
async function adjacent(tx: SqlExecutor, ...statements: readonly string[]): Promise<unknown> {
  const results = await Promise.allSettled(statements.map((text) => tx.query(text, [])));
  return results.find((result) => result.status === 'rejected')?.reason;
}

/** Clients such as Prisma prepare each statement, and MySQL (unlike MariaDB) does not prepare savepoints. */
async function rejectsCharacteristics(tx: SqlExecutor): Promise<boolean> {
  try {
    await tx.query('SET TRANSACTION READ WRITE', []);
    return false;
  } catch (error) {
    if (isInTransaction(error)) return true;
    throw error;
  }
}

/**
 * Makes sure that nothing is committed, even if the caller swallows the error: a failed statement alone does not prevent a commit, and after a
 * deadlock each later statement would commit by itself. In a transaction that may only read, they fail. Where a client cannot begin one, or
 * would give the connection back in it, the connection ends.
 */
async function preventCommit(tx: SqlExecutor): Promise<void> {
  if (tx.isInSavepoint !== true) {
    const failure = await adjacent(tx, 'ROLLBACK', 'START TRANSACTION READ ONLY');
    // Every other error means that the connection is lost, and the transaction with it.
    if (!isNotPrepared(failure)) return;
  }
  await tx.query('KILL CONNECTION_ID()', []).catch(() => undefined);
}

async function endOf(
  database: SqlDatabase,
  { table, transactionId }: LogRow,
  _number: string | undefined,
  written: Written | undefined,
): Promise<TransactionEnd> {
  if (written === undefined) return { kind: 'unknown' };
  // Not a consistent read: that would not see whether somebody holds the row.
  const text = `SELECT \`resolution\` FROM ${quoted(table, '`')} WHERE \`transaction_id\` = ? FOR UPDATE NOWAIT`;
  try {
    const { rows } = await database.transaction((tx) => tx.query(text, [transactionId]));
    const [row] = rows as readonly { readonly resolution: Resolution }[];
    return row?.resolution === 'commit' ? { kind: 'committed', isProof: true } : { kind: 'lost' };
  } catch (error) {
    if (conflictOf(error) !== undefined) return { kind: 'running' };
    throw error;
  }
}

async function fence(tx: SqlExecutor, { table, transactionId, topic }: LogRow, timeoutMs: number): Promise<boolean> {
  const text = `INSERT INTO ${quoted(table, '`')} (\`transaction_id\`, \`topic\`, \`resolution\`, \`created_at\`) VALUES (?, ?, 'rollback', UTC_TIMESTAMP(3))`;
  return withLockWait(tx, timeoutMs, async () => {
    try {
      await tx.query(text, [transactionId, topic]);
      return true;
    } catch (error) {
      if (isDuplicate(error)) return false;
      if (conflictOf(error) === 'a lock wait timeout') throw new RowLockedError();
      throw error;
    }
  });
}

/** How long a statement waits for a row, and for an ALTER TABLE, in seconds. */
interface LockWait {
  readonly row: unknown;
  readonly table: unknown;
}

/** The settings belong to the connection, which others use afterwards. */
async function withLockWait<T>(tx: SqlExecutor, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const { rows } = await tx.query(
    'SELECT @@SESSION.innodb_lock_wait_timeout AS `row`, @@SESSION.lock_wait_timeout AS `table`',
    [],
  );
  const [before] = rows as readonly LockWait[];
  const set = ({ row, table }: LockWait) =>
    tx.query(`SET SESSION innodb_lock_wait_timeout = ${Number(row)}, SESSION lock_wait_timeout = ${Number(table)}`, []);
  const seconds = Math.max(1, Math.ceil(timeoutMs / 1_000));
  await set({ row: seconds, table: seconds });
  try {
    return await work();
  } finally {
    if (before !== undefined) await set(before);
  }
}

/** The snapshot of the transaction begins here: no statement before has read a table without locking it. */
async function resolutionOf(
  tx: SqlExecutor,
  { table, transactionId }: Pick<LogRow, 'table' | 'transactionId'>,
): Promise<Resolution | undefined> {
  const text = `SELECT \`resolution\` FROM ${quoted(table, '`')} WHERE \`transaction_id\` = ?`;
  const { rows } = await tx.query(text, [transactionId]);
  return (rows as readonly { readonly resolution: Resolution }[])[0]?.resolution;
}

async function withdraw(
  tx: SqlExecutor,
  { table, transactionId }: Pick<LogRow, 'table' | 'transactionId'>,
): Promise<void> {
  const text = `UPDATE ${quoted(table, '`')} SET \`resolution\` = 'rollback' WHERE \`transaction_id\` = ?`;
  await tx.query(text, [transactionId]);
}
