// The two tables of this folder: their names and their DDL. Nothing here runs it.

import { UsageError } from '../support/errors.js';

export const DEFAULT_TRANSACTION_LOG_TABLE = 'rocketmq_transaction_log';
export const DEFAULT_INBOX_TABLE = 'rocketmq_inbox';

/** Names of the tables, `name` or `schema.name`. Default: `rocketmq_transaction_log` and `rocketmq_inbox`. */
export interface SchemaOptions {
  readonly transactionLogTable?: string;
  readonly inboxTable?: string;
}

/**
 * The DDL of both tables, one statement after the other, for a migration. Running it again changes nothing.
 * @throws UsageError `ILLEGAL_TABLE_NAME`
 */
export function schemaSql(options: SchemaOptions = {}): string {
  const log = quoteTable(options.transactionLogTable ?? DEFAULT_TRANSACTION_LOG_TABLE);
  const inbox = quoteTable(options.inboxTable ?? DEFAULT_INBOX_TABLE);
  return `CREATE TABLE IF NOT EXISTS ${log} (
  "transaction_id" text PRIMARY KEY,
  "topic" text NOT NULL,
  "resolution" text NOT NULL CHECK ("resolution" IN ('commit', 'rollback')),
  "created_at" timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS ${inbox} (
  "key" text PRIMARY KEY,
  "created_at" timestamptz NOT NULL DEFAULT now()
);
`;
}

/**
 * A table's name, quoted for a statement.
 * @throws UsageError `ILLEGAL_TABLE_NAME`: a name cannot be a parameter, so nothing but plain names gets into the text
 */
export function quoteTable(name: string): string {
  const parts = name.split('.');
  if (parts.length > 2 || !parts.every((part) => /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(part))) {
    const text = `tableName ${JSON.stringify(name)} must be "name" or "schema.name" of letters, digits and "_"`;
    throw new UsageError('ILLEGAL_TABLE_NAME', text, 'tableName');
  }
  return parts.map((part) => `"${part}"`).join('.');
}
