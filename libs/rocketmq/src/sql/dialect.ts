// What differs between databases: the statements of the log, the inbox, the outbox, the schedule and the limits. Each dialect has a folder.

import type { Resolution } from '../producer/transactions/transaction.js';
import type { OutboxColumns, StoredColumns } from './outbox-message.js';
import type { ScheduleStatements } from './schedule/schedule-statements.js';
import type { SqlDatabase, SqlExecutor } from './sql-port.js';

/** The names of the tables, not quoted. */
export interface TableNames {
  readonly log: string;
  readonly inbox: string;
  readonly outbox: string;
  readonly schedule: string;
  readonly limit: string;
}

/** The statements of one kind of database. Tables are given by their names, which are checked but not quoted. */
export interface Dialect {
  /**
   * The DDL of all tables by version: the statements at index n lead from version n to version n + 1. What was released never changes,
   * since migrations of applications run it; a change of a table is a further version.
   */
  schema(tables: TableNames): readonly (readonly string[])[];
  /** What the catalogs say of a table; undefined if there is no such table. */
  inspect(tx: SqlExecutor, table: string): Promise<TableFacts | undefined>;
  /** How many rows the schema inserts into which table beside the outbox; undefined for none. */
  locksOf(outbox: string): { readonly table: string; readonly rows: number } | undefined;
  /** Called first in a transaction that only reads: its reads then wait for nobody, at any isolation level. */
  readsOnly(tx: SqlExecutor): Promise<void>;
  readonly log: LogStatements;
  readonly outbox: OutboxStatements;
  readonly schedule: ScheduleStatements;
  readonly limits: LimitStatements;
  /**
   * Inserts the key, after a wait for an open transaction that has inserted it.
   * @returns whether it was not there
   */
  insertKey(tx: SqlExecutor, table: string, key: string): Promise<boolean>;
  /** Deletes old rows, at most so many. @returns how many */
  deleteOld(database: SqlDatabase, old: OldRows, limit: number): Promise<number>;
}

/** What the catalogs say of a table. */
export interface TableFacts {
  readonly columns: ReadonlyMap<string, ColumnFacts>;
  /** The storage engine if it is not the one that the kit needs. */
  readonly wrongEngine?: string | undefined;
}

/** What the catalogs say of a column. */
export interface ColumnFacts {
  /** The number of columns in the smallest unique index with this one; undefined without one. */
  readonly uniqueWith?: number | undefined;
  /** The collation if it takes different strings for equal. */
  readonly looseCollation?: string | undefined;
}

/** Which rows are old. All texts come from this folder, never from a caller. */
export interface OldRows {
  readonly table: string;
  /** The column with the time since which a row is no longer needed. */
  readonly column: 'created_at' | 'settled_at';
  /** The primary key. */
  readonly key: 'transaction_id' | 'key' | 'position';
  /** The state that a row must have; undefined for tables without states. */
  readonly state?: 'sent';
  readonly retentionMs: number;
}

/** A row of the log. */
export interface LogRow {
  readonly table: string;
  readonly transactionId: string;
  readonly topic: string;
}

/** What is known of a row that was written with its transaction. */
export interface Written {
  /** Identifies the database transaction, where the database can say afterwards how it ended. */
  readonly number: string | undefined;
  /** Whether the transaction may commit without the row, since it was written in a savepoint. */
  readonly isInSavepoint: boolean;
}

/** How the database transaction of a row ended, and whether that says all about the row. */
export type TransactionEnd =
  | { readonly kind: 'running' }
  /** `isProof`: the row is committed, too. */
  | { readonly kind: 'committed'; readonly isProof: boolean }
  | { readonly kind: 'aborted' }
  /** The row was rolled back, with a savepoint or with the whole transaction. */
  | { readonly kind: 'lost' }
  /** The database no longer knows; the row itself is the answer. */
  | { readonly kind: 'unknown' };

/** The statements of the transaction log. */
export interface LogStatements {
  /** What the database does with a transaction whose error was swallowed, for the error NOT_COMMITTED. */
  readonly swallowed: string;
  /**
   * Writes the row with `commit`, only if it commits or rolls back with the transaction of `tx`. When it fails, that transaction cannot
   * commit any more, whatever the caller does with the error.
   * @param begun called before the row is written, with the number of the transaction
   * @throws UsageError `NO_TRANSACTION`, and nothing was written; errors of the database
   */
  record(tx: SqlExecutor, row: LogRow, begun: (number: string | undefined) => void): Promise<Written>;
  /** How the transaction of a row ended. It does not wait for it. @param written undefined when the row could not be written */
  endOf(
    database: SqlDatabase,
    row: LogRow,
    number: string | undefined,
    written: Written | undefined,
  ): Promise<TransactionEnd>;
  /**
   * Writes the row with `rollback` unless there is a row.
   * @returns whether it was written
   * @throws an error that `isRowLocked` knows, when an open transaction held the row for `timeoutMs`
   */
  fence(tx: SqlExecutor, row: LogRow, timeoutMs: number): Promise<boolean>;
  /** The committed row, or that of `tx` itself. */
  resolutionOf(tx: SqlExecutor, row: Pick<LogRow, 'table' | 'transactionId'>): Promise<Resolution | undefined>;
  /** Changes the row to `rollback`. */
  withdraw(tx: SqlExecutor, row: Pick<LogRow, 'table' | 'transactionId'>): Promise<void>;
}

/** What a relay claims. */
export interface ClaimOptions {
  /** The unique name of the claim. */
  readonly claim: string;
  readonly nowMs: number;
  /** When the rows become available again. */
  readonly endsAtMs: number;
  readonly limit: number;
  /** The most rows of one message group. */
  readonly groupRows: number;
  /** The most bytes of all bodies; the first row may have more. */
  readonly bytes: number;
}

/** A claimed row. */
export interface ClaimedRow extends StoredColumns {
  /** The primary key, by which the row is settled. */
  readonly position: number;
  readonly id: string;
  readonly attempts: number;
}

/** A failed attempt. */
export interface FailedRow {
  readonly position: number;
  readonly error: string;
  /** The attempts that count, with this one if it does. */
  readonly attempts: number;
  /** When it may be retried; undefined parks it. */
  readonly retryAtMs: number | undefined;
}

/** The backlog of an outbox. */
export interface LagRow {
  readonly unsent: number;
  readonly parked: number;
  /** The age of the oldest unsent row in milliseconds; null without one. */
  readonly oldest: number | null;
}

/** A parked row. */
export interface ParkedRow {
  readonly id: string;
  readonly topic: string;
  readonly messageGroup: string | null;
  readonly attempts: number;
  readonly lastError: string | null;
}

/** The statements of the outbox. */
export interface OutboxStatements {
  /**
   * Locks the message group until the transaction ends. Without it, a row could become visible after a later one of its group was
   * sent: positions are assigned before the commit.
   */
  lockGroup(tx: SqlExecutor, table: string, messageGroup: string): Promise<void>;
  /** The same without waiting. @returns those that no other transaction has locked */
  tryLockGroups(tx: SqlExecutor, table: string, messageGroups: readonly string[]): Promise<ReadonlySet<string>>;
  insert(tx: SqlExecutor, table: string, id: string, columns: OutboxColumns): Promise<void>;
  lag(tx: SqlExecutor, table: string): Promise<LagRow>;
  parked(tx: SqlExecutor, table: string, limit: number): Promise<readonly ParkedRow[]>;
  /** @param ids undefined: all @returns how many */
  retryParked(tx: SqlExecutor, table: string, ids: readonly string[] | undefined): Promise<number>;
  /**
   * Claims rows that are due, in the order of their positions. In a message group, only the first unsent row can start a claim, and the
   * following rows are claimed with it up to the first that is not due, so no other relay can claim rows of the group until these are sent.
   * Nothing is locked while the rows are chosen: a row that another relay has claimed meanwhile is not claimed, nor is what follows it in its group.
   */
  take(database: SqlDatabase, table: string, claim: ClaimOptions): Promise<readonly ClaimedRow[]>;
  /** Marks rows as sent, even if another relay has claimed them meanwhile. */
  sent(database: SqlDatabase, table: string, positions: readonly number[]): Promise<void>;
  /** Records a failed attempt and releases the row, unless another relay has claimed it meanwhile. @returns whether it did */
  failed(tx: SqlExecutor, table: string, claim: string, row: FailedRow): Promise<boolean>;
  /** Releases rows that were not tried, unless another relay has claimed them meanwhile. */
  release(tx: SqlExecutor, table: string, claim: string, positions: readonly number[]): Promise<void>;
}

/** What is stored for a listener. */
export interface LimitRow {
  /** By the clock of the database. */
  readonly nowMs: number;
  /** 0 without a row. */
  readonly version: number;
  readonly state: string | undefined;
}

/** The statements of the limits. Each commits by itself. */
export interface LimitStatements {
  read(database: SqlDatabase, table: string, key: string): Promise<LimitRow>;
  /**
   * Changes the row if it still has this version, or inserts it for version 0. @param state ASCII
   * @returns whether it did; errors of the database, which also has conflicts with others
   */
  write(
    database: SqlDatabase,
    table: string,
    key: string,
    row: { readonly version: number; readonly state: string },
  ): Promise<boolean>;
}
