// What `nestjs-rocketmq/sql` exports.

export { type CleanupOptions, type Purgeable, SqlCleanup } from '../sql/cleanup.js';
export {
  type ClsAdapter,
  type ClsTransactionHost,
  ClsTransactions,
  type ClsTransactionsOptions,
} from '../sql/cls-transactions.js';
export { Inbox, type InboxMessage, type InboxOptions, type InboxResult } from '../sql/inbox.js';
export { LimitStore, type LimitStoreOptions } from '../sql/limit-store.js';
export {
  isTransactionConflict,
  type RetryTransactionOptions,
  retryTransaction,
  TransactionConflictError,
} from '../sql/log/retry-transaction.js';
export { TransactionLog } from '../sql/log/transaction-log.js';
export { RecordRolledBackError, TransactionFencedError } from '../sql/log/transaction-log-errors.js';
export type { TransactionLogOptions } from '../sql/log/transaction-log-options.js';
export { Outbox, type OutboxLag, type OutboxOptions, type ParkedMessage } from '../sql/outbox/outbox.js';
export { type OutboxMetrics, OutboxRelay } from '../sql/outbox/outbox-relay.js';
export type {
  OutboxEvents,
  OutboxRelayOptions,
  OutboxSend,
  RelayedMessage,
} from '../sql/outbox/outbox-relay-options.js';
export { OUTBOX_ID_PROPERTY, type OutboxMessage } from '../sql/outbox-message.js';
export {
  type DrizzleDatabase,
  type DrizzleExecutor,
  type DrizzleSqlTag,
  drizzleDatabase,
  drizzleExecutor,
} from '../sql/ports/drizzle.js';
export { type KnexDatabase, type KnexTransaction, knexDatabase, knexExecutor } from '../sql/ports/knex.js';
export {
  type KyselyDatabase,
  type KyselySqlTag,
  type KyselyTransaction,
  kyselyDatabase,
  kyselyExecutor,
} from '../sql/ports/kysely.js';
export {
  type MikroOrmDatabase,
  type MikroOrmManager,
  mikroOrmDatabase,
  mikroOrmExecutor,
} from '../sql/ports/mikro-orm.js';
export {
  type Mysql2Connection,
  type Mysql2Pool,
  type Mysql2PooledConnection,
  mysql2Database,
  mysql2Executor,
} from '../sql/ports/mysql2.js';
export { type ClientPool, type PooledClient, poolDatabase } from '../sql/ports/node-postgres.js';
export { type PrismaDatabase, type PrismaTransaction, prismaDatabase, prismaExecutor } from '../sql/ports/prisma.js';
export {
  type SequelizeDatabase,
  type SequelizeTransaction,
  sequelizeDatabase,
  sequelizeExecutor,
} from '../sql/ports/sequelize.js';
export { type TypeormDataSource, type TypeormManager, typeormDatabase, typeormExecutor } from '../sql/ports/typeorm.js';
export { type RetryPolicy, retrySpanMs, type Waits } from '../sql/retry-span.js';
export type { PendingEntry, PendingOptions, PendingPage } from '../sql/schedule/pending-entries.js';
export { Schedule, type ScheduleLag, type ScheduleOptions } from '../sql/schedule/schedule.js';
export type { ScheduleEntry } from '../sql/schedule/schedule-entry.js';
export { SCHEDULE_TICK_PROPERTY } from '../sql/schedule/schedule-tick.js';
export { type SchemaOptions, schemaSql, schemaStatements } from '../sql/schema.js';
export type { DialectName, SqlDatabase, SqlExecutor } from '../sql/sql-port.js';
export type { SqlTelemetry } from '../sql/sql-telemetry.js';
