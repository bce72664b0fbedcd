// What `nestjs-rocketmq/sql` exports.

export { type CurrentTransaction, currentTransaction } from '../producer/transaction-scope.js';
export {
  type DrizzleDatabase,
  type DrizzleExecutor,
  type DrizzleSqlTag,
  drizzleDatabase,
  drizzleExecutor,
} from './drizzle.js';
export { Inbox, type InboxOptions, type InboxResult } from './inbox.js';
export { type SchemaOptions, schemaSql } from './schema.js';
export type { SqlDatabase, SqlExecutor } from './sql-port.js';
export { TransactionFencedError, TransactionLog, type TransactionLogOptions } from './transaction-log.js';
