// The names of the tables, and the statements that create them. Nothing here runs them.

import { dialectOf, type TableNames } from './dialect.js';
import type { DialectName } from './sql-port.js';
import { tableName } from './table-name.js';

export const DEFAULT_TABLES: TableNames = {
  log: 'rocketmq_transaction_log',
  inbox: 'rocketmq_inbox',
  outbox: 'rocketmq_outbox',
};

/** The database, and the names of the tables, `name` or `schema.name`. */
export interface SchemaOptions {
  /** The kind of database. Default `postgresql`. */
  readonly dialect?: DialectName;
  /** The name of the transaction log's table. Default `rocketmq_transaction_log`. */
  readonly transactionLogTable?: string;
  /** The name of the inbox's table. Default `rocketmq_inbox`. */
  readonly inboxTable?: string;
  /** The name of the outbox's table. Default `rocketmq_outbox`; on MySQL it is followed by a table of locks, `rocketmq_outbox_lock`. */
  readonly outboxTable?: string;
}

/**
 * The DDL of all tables, for a migration, one statement after another. Running it again changes nothing.
 * @throws UsageError `ILLEGAL_TABLE_NAME`
 */
export function schemaSql(options: SchemaOptions = {}): string {
  return schemaStatements(options)
    .map((statement) => `${statement};\n`)
    .join('');
}

/**
 * Each statement of {@link schemaSql}, for clients that run one at a time, as those of MySQL do.
 * @throws UsageError `ILLEGAL_TABLE_NAME`
 */
export function schemaStatements(options: SchemaOptions = {}): readonly string[] {
  return dialectOf(options).schema({
    log: tableName(options.transactionLogTable ?? DEFAULT_TABLES.log),
    inbox: tableName(options.inboxTable ?? DEFAULT_TABLES.inbox),
    outbox: tableName(options.outboxTable ?? DEFAULT_TABLES.outbox),
  });
}
