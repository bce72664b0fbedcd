// The names of the tables, and the statements that create them, version by version. Nothing here runs them.

import { UsageError } from '../support/errors.js';
import { isIntegerFrom } from '../support/options.js';
import type { TableNames } from './dialect.js';
import { dialectOf } from './dialects.js';
import type { DialectName } from './sql-port.js';
import { tableName } from './table-name.js';

export const DEFAULT_TABLES: TableNames = {
  log: 'rocketmq_transaction_log',
  inbox: 'rocketmq_inbox',
  outbox: 'rocketmq_outbox',
  schedule: 'rocketmq_schedule',
  limit: 'rocketmq_limit',
};

/** The database, the names of the tables, `name` or `schema.name`, and their version. */
export interface SchemaOptions {
  /** The kind of database. Default `postgresql`. */
  readonly dialect?: DialectName;
  /** The name of the transaction log's table. Default `rocketmq_transaction_log`. */
  readonly transactionLogTable?: string;
  /** The name of the inbox's table. Default `rocketmq_inbox`. */
  readonly inboxTable?: string;
  /** The name of the outbox's table. Default `rocketmq_outbox`; on MySQL it is followed by a table of locks, `rocketmq_outbox_lock`. */
  readonly outboxTable?: string;
  /** The name of the schedule's table, of version 2. Default `rocketmq_schedule`; version 3 has one beside it, `rocketmq_schedule_state`. */
  readonly scheduleTable?: string;
  /** The name of the table of limits, of version 3. Default `rocketmq_limit`. */
  readonly limitTable?: string;
  /** The version of the tables that are there already. Default 0: there are none. */
  readonly fromVersion?: number;
  /**
   * The version of the tables that the statements lead to. Default: the newest, which a later release may raise. A migration sets it:
   * the statements between two versions are the same in each release.
   */
  readonly toVersion?: number;
}

/**
 * The DDL of all tables, one statement after another. Running it again changes nothing.
 * @throws UsageError `ILLEGAL_TABLE_NAME`, `ILLEGAL_OPTION` for a version that does not exist
 */
export function schemaSql(options: SchemaOptions = {}): string {
  return schemaStatements(options)
    .map((statement) => `${statement};\n`)
    .join('');
}

/**
 * Each statement of {@link schemaSql}, for clients that run one at a time, as those of MySQL do.
 * @throws UsageError `ILLEGAL_TABLE_NAME`, `ILLEGAL_OPTION` for a version that does not exist
 */
export function schemaStatements(options: SchemaOptions = {}): readonly string[] {
  const versions = dialectOf(options).schema({
    log: tableName(options.transactionLogTable ?? DEFAULT_TABLES.log),
    inbox: tableName(options.inboxTable ?? DEFAULT_TABLES.inbox),
    outbox: tableName(options.outboxTable ?? DEFAULT_TABLES.outbox),
    schedule: tableName(options.scheduleTable ?? DEFAULT_TABLES.schedule),
    limit: tableName(options.limitTable ?? DEFAULT_TABLES.limit),
  });
  const { fromVersion = 0, toVersion = versions.length } = options;
  requireVersion('toVersion', toVersion, 0, versions.length);
  requireVersion('fromVersion', fromVersion, 0, toVersion);
  return versions.slice(fromVersion, toVersion).flat();
}

function requireVersion(field: string, version: number, least: number, most: number): void {
  if (isIntegerFrom(version, least, most)) return;
  const text = `option ${field} must be a version of the tables, from ${least} to ${most}, not ${String(version)}`;
  throw new UsageError('ILLEGAL_OPTION', text, field);
}
