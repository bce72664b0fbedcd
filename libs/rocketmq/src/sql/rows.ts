// The rows in what a database library returns.

import { StateError } from '../support/errors.js';
import type { LimitRow } from './dialect.js';
import type { EntryState, ListedRow, LockedRow, ScheduledRow } from './schedule/schedule-statements.js';
import type { DialectName } from './sql-port.js';

/**
 * The rows that a statement returned. Anything else would look like "no rows", which is an answer: that a key is in the inbox, or that
 * nothing is to be sent.
 * @throws StateError `UNEXPECTED_ROWS`
 */
export function rowsOf(answer: unknown, dialect: DialectName, text: string): readonly object[] {
  if (Array.isArray(answer)) return answer;
  // What a change did, which each library describes in its own way.
  if (dialect === 'mysql' && !/^\s*SELECT\b/i.test(text)) return [];
  throw unexpectedRows(`the database library returned ${nameOf(answer)} instead of a list of rows`);
}

/**
 * Rows with a column `name`.
 * @throws StateError `UNEXPECTED_ROWS` for rows that are no objects with that column
 */
export function namedRows<T extends { readonly name: string }>(rows: readonly object[]): readonly T[] {
  return rows.map((row) => {
    if (typeof (row as { readonly name?: unknown }).name === 'string') return row as T;
    throw unexpectedRows(
      'the rows that the database library returns are no objects with the columns of the statement and strings in them, which ' +
        'rowsAsArray, nestTables and typeCast: false of mysql2 cause',
    );
  });
}

/**
 * The columns of the only row of an aggregate as numbers, which drivers return as numbers, bigints or strings. Null where the database has null.
 * @throws StateError `UNEXPECTED_ROWS` for anything but one row with these columns
 */
export function numbersOf<T extends object>(rows: readonly object[], columns: readonly (keyof T & string)[]): T {
  const [row] = rows as readonly Readonly<Record<string, unknown>>[];
  const numbers = columns.map((column) => {
    const value = row?.[column];
    if (value === undefined)
      throw unexpectedRows(`the row of an aggregate that the database library returns has no column "${column}"`);
    return [column, value === null ? null : Number(value)];
  });
  return Object.fromEntries(numbers) as T;
}

/** The columns of a scheduled row, with the strings decoded. */
export interface StoredEntry extends Omit<ScheduledRow, 'rule'> {
  readonly cron: string | null;
  readonly timeZone: string | null;
}

/** Drivers return the time as a number, bigint or string. */
export function scheduledRowOf({ key, id, topic, messageGroup, dueAtMs, cron, timeZone }: StoredEntry): ScheduledRow {
  const rule = cron === null ? undefined : { key, cron, timeZone: String(timeZone) };
  return { key, id, topic, messageGroup, dueAtMs: Number(dueAtMs), rule };
}

/** The same with its fields, which only what is repeated has. */
export function lockedRowOf(row: StoredEntry & { readonly fields: string | null }): LockedRow {
  const { rule, ...entry } = scheduledRowOf(row);
  return rule === undefined ? { ...entry, rule, fields: null } : { ...entry, rule, fields: String(row.fields) };
}

/** The same with its state, of which the strings are decoded. */
export function listedRowOf(row: StoredEntry & EntryState): ListedRow {
  const { lastTickMs, pausedAtMs, reason } = row;
  const numberOf = (value: number | null): number | null => (value === null ? null : Number(value));
  return { ...scheduledRowOf(row), lastTickMs: numberOf(lastTickMs), pausedAtMs: numberOf(pausedAtMs), reason };
}

/** The only row of a limit and its time. @throws StateError `UNEXPECTED_ROWS` */
export function storedLimitOf(rows: readonly object[]): LimitRow {
  const { nowMs, version } = numbersOf<{ nowMs: number; version: number | null }>(rows, ['nowMs', 'version']);
  const [{ state }] = rows as readonly [{ readonly state: string | null }];
  return { nowMs, version: version ?? 0, state: state ?? undefined };
}

/** @param problem what was returned */
function unexpectedRows(problem: string): StateError {
  const text =
    `${problem}. Let this error pass, so that the transaction is rolled back. A setting, hook or plugin of the library changes what its ` +
    'statements return; give the kit a client without it';
  return new StateError('UNEXPECTED_ROWS', text);
}

function nameOf(answer: unknown): string {
  return answer === null ? 'null' : typeof answer;
}
