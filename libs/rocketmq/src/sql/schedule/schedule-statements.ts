// The rows of a schedule, and its statements, of which each database has its own.

import type { OutboxColumns } from '../outbox-message.js';
import type { SqlExecutor } from '../sql-port.js';
import type { CronRule } from './cron.js';

/**
 * A paused entry is due so much later: after the year 9999, in which all others are due. So relays leave it alone, those of older releases too, and
 * neither it nor an index has to be looked at for each poll.
 */
export const PAUSE_MS = Date.UTC(10_000, 0, 1);

/** An entry to write. */
export interface ScheduleRow {
  readonly key: string;
  /** Another one at each `set`. */
  readonly id: string;
  /** With {@link PAUSE_MS} where it is paused. */
  readonly dueAtMs: number;
  /** Until when a row with the same rule may be due and stay so: a later time was written by a wrong clock. */
  readonly latestDueMs: number;
  /** Undefined for an entry that is sent once. */
  readonly rule: CronRule | undefined;
  readonly columns: OutboxColumns;
}

/** An entry that waits. */
export interface ScheduledRow
  extends Omit<ScheduleRow, 'columns' | 'latestDueMs'>,
    Pick<OutboxColumns, 'topic' | 'messageGroup'> {}

/** An entry that is locked. Only what is repeated has its fields: those of an entry that is sent once stay in the database. */
export type LockedRow = Omit<ScheduledRow, 'rule'> &
  (
    | { readonly rule: undefined; readonly fields: null }
    | { readonly rule: CronRule; readonly fields: OutboxColumns['fields'] }
  );

/** What happened to an entry, in a table of its own: null for what did not. */
export interface EntryState {
  /** The last tick that was handed over, of a repeated entry. */
  readonly lastTickMs: number | null;
  readonly pausedAtMs: number | null;
  /** Why it is paused. */
  readonly reason: string | null;
}

/** An entry of a list. */
export interface ListedRow extends ScheduledRow, EntryState {}

/** Which entries to list. */
export interface ListOptions {
  readonly limit: number;
  /** Only this one. */
  readonly key: string | undefined;
  /** The entry before the first one. */
  readonly after: Pick<ScheduledRow, 'key' | 'dueAtMs'> | undefined;
}

/** A schedule as a whole. */
export interface ScheduleLagRow {
  readonly scheduled: number;
  /** Null without an entry. */
  readonly earliestMs: number | null;
}

/** What distinguishes one message of a repeated entry from the others. */
export interface RepeatedMessage {
  readonly id: string;
  /** JSON. */
  readonly fields: string;
}

/** An entry that becomes a message of the outbox. */
export interface HandedRow {
  readonly key: string;
  /** Undefined for an entry that is sent once: it has what its message needs, and is removed. */
  readonly tick: (RepeatedMessage & { readonly dueAtMs: number; readonly nextMs: number }) | undefined;
}

/** The statements of the schedule. A transaction locks a row before it changes its state. */
export interface ScheduleStatements {
  /**
   * Inserts the row, or replaces that with its key, which stays paused. A row with the same rule stays due when it was, unless that is after
   * `latestDueMs`.
   */
  set(tx: SqlExecutor, table: string, row: ScheduleRow): Promise<void>;
  /** Deletes the row and its state, after a wait for a relay that hands it over. @returns whether it was there */
  cancel(tx: SqlExecutor, table: string, key: string): Promise<boolean>;
  /** Locks the row, after a wait for a relay that hands it over. */
  find(tx: SqlExecutor, table: string, key: string): Promise<LockedRow | undefined>;
  /** Adds a copy of a row that is locked, to send it once. Its body does not leave the database. */
  addOnce(
    tx: SqlExecutor,
    table: string,
    from: string,
    message: RepeatedMessage & Pick<ScheduledRow, 'key' | 'dueAtMs'>,
  ): Promise<void>;
  /** Writes these fields of the state of a row that is locked. */
  remember(tx: SqlExecutor, table: string, key: string, state: Partial<EntryState>): Promise<void>;
  /** Removes the state of a row that is locked. */
  forget(tx: SqlExecutor, table: string, key: string): Promise<void>;
  /** The rows that are due first, with their states. It locks none. */
  list(tx: SqlExecutor, table: string, options: ListOptions): Promise<readonly ListedRow[]>;
  /** The rows that are due first. It locks none. */
  earliest(tx: SqlExecutor, table: string, limit: number): Promise<readonly ScheduledRow[]>;
  lag(tx: SqlExecutor, table: string): Promise<ScheduleLagRow>;
  /** Locks those of the rows that are due, and that no other transaction has locked. */
  lock(tx: SqlExecutor, table: string, keys: readonly string[], nowMs: number): Promise<readonly LockedRow[]>;
  /** Moves locked rows to the outbox, in the order in which they are due. Their bodies do not leave the database. */
  move(tx: SqlExecutor, table: string, outbox: string, rows: readonly HandedRow[]): Promise<void>;
  /** Says when a locked row is due. */
  postpone(tx: SqlExecutor, table: string, key: string, dueAtMs: number): Promise<void>;
}
