// Names of tables, which cannot be parameters of a statement.

import { createHash } from 'node:crypto';
import { UsageError } from '../support/errors.js';

/**
 * A table's name that is safe in a statement.
 * @throws UsageError `ILLEGAL_TABLE_NAME`: only plain names are allowed
 */
export function tableName(name: string): string {
  const parts = name.split('.');
  if (parts.length <= 2 && parts.every((part) => /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(part))) return name;
  const text = `tableName ${JSON.stringify(name)} must be "name" or "schema.name" of letters, digits and "_"`;
  throw new UsageError('ILLEGAL_TABLE_NAME', text, 'tableName');
}

/** The name between quotes, each part for itself. */
export function quoted(name: string, quote: '"' | '`'): string {
  return name
    .split('.')
    .map((part) => `${quote}${part}${quote}`)
    .join('.');
}

/** The table beside that of a schedule, with what happened to its entries. */
export function entryStatesOf(schedule: string): string {
  const parts = schedule.split('.');
  const name = parts.pop() ?? '';
  return [...parts, nameFor(name, 'state')].join('.');
}

/** A name that begins with that of a table. PostgreSQL cuts names after 63 bytes, so a long one is cut here and has a hash. */
export function nameFor(table: string, what: string): string {
  const whole = `${table}_${what}`;
  if (whole.length <= MAX_NAME_LENGTH) return whole;
  const end = `_${createHash('sha256').update(table).digest('hex').slice(0, 8)}_${what}`;
  return `${table.slice(0, MAX_NAME_LENGTH - end.length)}${end}`;
}

const MAX_NAME_LENGTH = 63;
