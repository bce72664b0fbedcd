// Names of tables, which cannot be parameters of a statement.

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
