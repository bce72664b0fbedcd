// What `nestjs-rocketmq/sql` exports.

export { type CurrentTransaction, currentTransaction } from '../producer/transactions/transaction-scope.js';
export { type CleanupOptions, type Purgeable, SqlCleanup } from './cleanup.js';
export {
  type DrizzleDatabase,
  type DrizzleExecutor,
  type DrizzleSqlTag,
  drizzleDatabase,
  drizzleExecutor,
} from './drizzle.js';
export { Inbox, type InboxMessage, type InboxOptions, type InboxResult } from './inbox.js';
export { type ClientPool, type PooledClient, poolDatabase } from './node-postgres.js';
export { Outbox, type OutboxLag, type OutboxOptions, type ParkedMessage } from './outbox.js';
export { OUTBOX_ID_PROPERTY, type OutboxMessage } from './outbox-message.js';
export { type OutboxMetrics, OutboxRelay } from './outbox-relay.js';
export type {
  OutboxCheckpoint,
  OutboxEvents,
  OutboxRelayOptions,
  OutboxSend,
  RelayedMessage,
} from './outbox-relay-options.js';
export { type RetryPolicy, retrySpanMs, type Waits } from './retry-span.js';
export {
  isTransactionConflict,
  type RetryTransactionOptions,
  retryTransaction,
  TransactionConflictError,
} from './retry-transaction.js';
export { type SchemaOptions, schemaSql } from './schema.js';
export type { SqlDatabase, SqlExecutor } from './sql-port.js';
export {
  RecordRolledBackError,
  TransactionFencedError,
  TransactionLog,
  type TransactionLogOptions,
} from './transaction-log.js';
export { type TypeormDataSource, type TypeormManager, typeormDatabase, typeormExecutor } from './typeorm.js';
