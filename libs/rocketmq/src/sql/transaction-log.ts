// How each transaction ended, kept in the database of the local transaction, and the fence by which a check finds out.

import type { Resolution } from '../producer/transaction.js';
import type { TransactionCheck } from '../producer/transaction-check.js';
import type { CurrentTransaction } from '../producer/transaction-scope.js';
import { currentTransaction } from '../producer/transaction-scope.js';
import { abortReason, raceAbort } from '../support/abort.js';
import { RocketMQError } from '../support/errors.js';
import { deleteOlderThan } from './retention.js';
import { DEFAULT_TRANSACTION_LOG_TABLE, quoteTable } from './schema.js';
import type { SqlDatabase, SqlExecutor } from './sql-port.js';
import { hasSqlState, LOCK_NOT_AVAILABLE, UNIQUE_VIOLATION } from './sql-state.js';

export interface TransactionLogOptions {
  /** Where checks are answered from: the database in which the local transactions run. */
  readonly database: SqlDatabase;
  /** Default `rocketmq_transaction_log`. */
  readonly tableName?: string;
}

/** How long a check waits for a local transaction that holds its row. Below the 10 s that a check has in all. */
const LOCK_TIMEOUT_MS = 3_000;

/**
 * The server's check came first and declared the transaction rolled back, for instance since the process had stalled. Nothing
 * was committed and no message is visible: it may be repeated as a new transaction.
 */
export class TransactionFencedError extends RocketMQError {
  constructor(
    readonly transactionId: string,
    options?: ErrorOptions,
  ) {
    const text =
      `transaction ${transactionId} already has an end in the log, so the local transaction fails: a check has declared ` +
      'it rolled back (repeat it as a new transaction), or record() was called twice';
    super('TRANSACTION_FENCED', text, 'rejected', true, options);
  }
}

/**
 * Answers the server's checks from the database. A transaction that committed has its row; for any other the check inserts
 * a row itself, which the local transaction, should it still come, runs into.
 */
export class TransactionLog {
  private readonly database: SqlDatabase;
  private readonly table: string;

  /** @throws UsageError `ILLEGAL_TABLE_NAME` */
  constructor(options: TransactionLogOptions) {
    this.database = options.database;
    this.table = quoteTable(options.tableName ?? DEFAULT_TRANSACTION_LOG_TABLE);
  }

  /**
   * Notes the transaction as committed, in `tx`, the local database transaction: both are committed or neither. Do not call
   * it when the transaction is to be rolled back; that needs no row.
   * @throws TransactionFencedError when a check came first; let it pass, the database transaction cannot commit any more
   * @throws StateError outside of a transaction, or before its half message was sent
   */
  async record(
    tx: SqlExecutor,
    transaction: Pick<CurrentTransaction, 'transactionId' | 'topic'> = currentTransaction(),
  ): Promise<void> {
    const { transactionId, topic } = transaction;
    try {
      // No ON CONFLICT: the failed statement keeps PostgreSQL from committing, even if the caller swallows the error.
      const text = `INSERT INTO ${this.table} ("transaction_id", "topic", "resolution") VALUES ($1, $2, 'commit')`;
      await tx.query(text, [transactionId, topic]);
    } catch (error) {
      if (hasSqlState(error, UNIQUE_VIOLATION)) throw new TransactionFencedError(transactionId, { cause: error });
      throw error;
    }
  }

  /**
   * How a transaction ended; a `TransactionChecker`. `rollback` is final: from then on the local transaction cannot commit.
   * `unknown` while the local transaction holds its row, or when the check's time is over.
   * @throws what the database throws; the producer takes it as `unknown`
   */
  async check(check: Pick<TransactionCheck, 'transactionId' | 'topic' | 'signal'>): Promise<Resolution | 'unknown'> {
    try {
      return await raceAbort(
        this.database.transaction((tx) => this.fence(tx, check)),
        check.signal,
      );
    } catch (error) {
      if (check.signal.aborted || hasSqlState(error, LOCK_NOT_AVAILABLE)) return 'unknown';
      throw error;
    }
  }

  /**
   * Drops old rows. The server asks about a half message for as long as it keeps messages (72 h by default): keep a
   * transaction's row for longer, or its late check would take it for rolled back.
   * @returns how many rows there were
   */
  async deleteOlderThan(date: Date): Promise<number> {
    return await this.database.transaction((tx) => deleteOlderThan(tx, this.table, date));
  }

  private async fence(
    tx: SqlExecutor,
    { transactionId, topic, signal }: Pick<TransactionCheck, 'transactionId' | 'topic' | 'signal'>,
  ): Promise<Resolution | 'unknown'> {
    await tx.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`, []);
    // On a single connection this began only after others had ended. Nobody waits any more: a fence would only do harm.
    if (signal.aborted) throw abortReason(signal);
    const insert =
      `INSERT INTO ${this.table} ("transaction_id", "topic", "resolution") VALUES ($1, $2, 'rollback') ` +
      'ON CONFLICT DO NOTHING RETURNING "resolution"';
    const inserted = await tx.query(insert, [transactionId, topic]);
    if (signal.aborted) throw abortReason(signal);
    if (inserted.rows.length > 0) return 'rollback';
    const select = `SELECT "resolution" FROM ${this.table} WHERE "transaction_id" = $1`;
    const [row] = (await tx.query(select, [transactionId])).rows as readonly { readonly resolution: Resolution }[];
    // A row that was there and is gone was deleted this moment: the next check starts afresh.
    return row?.resolution ?? 'unknown';
  }
}
