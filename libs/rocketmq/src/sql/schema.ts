// The names and the DDL of the tables. Nothing here runs the DDL.

import { UsageError } from '../support/errors.js';

export const DEFAULT_TRANSACTION_LOG_TABLE = 'rocketmq_transaction_log';
export const DEFAULT_INBOX_TABLE = 'rocketmq_inbox';
export const DEFAULT_OUTBOX_TABLE = 'rocketmq_outbox';

/** Names of the tables, `name` or `schema.name`. Default: `rocketmq_transaction_log`, `rocketmq_inbox` and `rocketmq_outbox`. */
export interface SchemaOptions {
  /** The name of the transaction log's table. Default `rocketmq_transaction_log`. */
  readonly transactionLogTable?: string;
  /** The name of the inbox's table. Default `rocketmq_inbox`. */
  readonly inboxTable?: string;
  /** The name of the outbox's table. Default `rocketmq_outbox`. */
  readonly outboxTable?: string;
}

/**
 * The DDL of all tables, for a migration. Running it again changes nothing.
 * @throws UsageError `ILLEGAL_TABLE_NAME`
 */
export function schemaSql(options: SchemaOptions = {}): string {
  const log = options.transactionLogTable ?? DEFAULT_TRANSACTION_LOG_TABLE;
  const inbox = options.inboxTable ?? DEFAULT_INBOX_TABLE;
  return `CREATE TABLE IF NOT EXISTS ${quoteTable(log)} (
  "transaction_id" text PRIMARY KEY,
  "topic" text NOT NULL,
  "resolution" text NOT NULL CHECK ("resolution" IN ('commit', 'rollback')),
  "created_at" timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS ${quoteTable(inbox)} (
  "key" text PRIMARY KEY,
  "created_at" timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS ${indexName(log, 'created_at')} ON ${quoteTable(log)} ("created_at");
CREATE INDEX IF NOT EXISTS ${indexName(inbox, 'created_at')} ON ${quoteTable(inbox)} ("created_at");
${outboxSql(options.outboxTable ?? DEFAULT_OUTBOX_TABLE)}`;
}

/** `due_at` is the end of a claim, or the time of the next attempt: no relay claims the row before it. */
function outboxSql(name: string): string {
  const table = quoteTable(name);
  return `CREATE TABLE IF NOT EXISTS ${table} (
  "position" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  "id" text NOT NULL UNIQUE,
  "topic" text NOT NULL,
  "message_group" text,
  "fields" jsonb NOT NULL,
  "body" bytea NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT now(),
  "state" text NOT NULL DEFAULT 'unsent' CHECK ("state" IN ('unsent', 'sent', 'parked')),
  "due_at" timestamptz NOT NULL DEFAULT '-infinity',
  "claim" text,
  "attempts" integer NOT NULL DEFAULT 0,
  "last_error" text,
  "settled_at" timestamptz
);
CREATE INDEX IF NOT EXISTS ${indexName(name, 'unsent')} ON ${table} ("position") WHERE "state" = 'unsent';
CREATE INDEX IF NOT EXISTS ${indexName(name, 'group')} ON ${table} ("message_group", "position") WHERE "state" = 'unsent';
CREATE INDEX IF NOT EXISTS ${indexName(name, 'sent')} ON ${table} ("settled_at") WHERE "state" = 'sent';
CREATE INDEX IF NOT EXISTS ${indexName(name, 'parked')} ON ${table} ("position") WHERE "state" = 'parked';
`;
}

/** An index is in the schema of its table. PostgreSQL truncates names to 63 bytes, so the distinguishing suffix must fit. */
function indexName(table: string, what: string): string {
  const name = table.slice(table.indexOf('.') + 1);
  return `"${name.slice(0, 62 - what.length)}_${what}"`;
}

/**
 * A table's name, quoted for a statement.
 * @throws UsageError `ILLEGAL_TABLE_NAME`: a name cannot be a parameter, so only plain names are allowed in a statement
 */
export function quoteTable(name: string): string {
  const parts = name.split('.');
  if (parts.length > 2 || !parts.every((part) => /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(part))) {
    const text = `tableName ${JSON.stringify(name)} must be "name" or "schema.name" of letters, digits and "_"`;
    throw new UsageError('ILLEGAL_TABLE_NAME', text, 'tableName');
  }
  return parts.map((part) => `"${part}"`).join('.');
}
