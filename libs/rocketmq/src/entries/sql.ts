// What `nestjs-rocketmq/sql` exports.

export { type CleanupOptions, type Purgeable, SqlCleanup } from '../sql/cleanup.js';
export {
  type ClsAdapter,
  type ClsTransactionHost,
  ClsTransactions,
  type ClsTransactionsOptions,
} from '../sql/cls-transactions.js';
export {
  type DrizzleDatabase,
  type DrizzleExecutor,
  type DrizzleSqlTag,
  drizzleDatabase,
  drizzleExecutor,
} from '../sql/drizzle.js';
export { Inbox, type InboxMessage, type InboxOptions, type InboxResult } from '../sql/inbox.js';
export { type KnexDatabase, type KnexTransaction, knexDatabase, knexExecutor } from '../sql/knex.js';
export {
  type KyselyDatabase,
  type KyselySqlTag,
  type KyselyTransaction,
  kyselyDatabase,
  kyselyExecutor,
} from '../sql/kysely.js';
export { type MikroOrmDatabase, type MikroOrmManager, mikroOrmDatabase, mikroOrmExecutor } from '../sql/mikro-orm.js';
export {
  type Mysql2Connection,
  type Mysql2Pool,
  type Mysql2PooledConnection,
  mysql2Database,
  mysql2Executor,
} from '../sql/mysql2.js';
export { type ClientPool, type PooledClient, poolDatabase } from '../sql/node-postgres.js';
export { Outbox, type OutboxLag, type OutboxOptions, type ParkedMessage } from '../sql/outbox.js';
export { OUTBOX_ID_PROPERTY, type OutboxMessage } from '../sql/outbox-message.js';
export { type OutboxMetrics, OutboxRelay } from '../sql/outbox-relay.js';
export type {
  OutboxEvents,
  OutboxRelayOptions,
  OutboxSend,
  RelayedMessage,
} from '../sql/outbox-relay-options.js';
export { type PrismaDatabase, type PrismaTransaction, prismaDatabase, prismaExecutor } from '../sql/prisma.js';
export { type RetryPolicy, retrySpanMs, type Waits } from '../sql/retry-span.js';
export {
  isTransactionConflict,
  type RetryTransactionOptions,
  retryTransaction,
  TransactionConflictError,
} from '../sql/retry-transaction.js';
export {
  type PendingEntry,
  Schedule,
  type ScheduleEntry,
  type ScheduleLag,
  type ScheduleOptions,
} from '../sql/schedule.js';
export { SCHEDULE_TICK_PROPERTY } from '../sql/schedule-tick.js';
export { type SchemaOptions, schemaSql, schemaStatements } from '../sql/schema.js';
export {
  type SequelizeDatabase,
  type SequelizeTransaction,
  sequelizeDatabase,
  sequelizeExecutor,
} from '../sql/sequelize.js';
export type { DialectName, SqlDatabase, SqlExecutor } from '../sql/sql-port.js';
export type { SqlTelemetry } from '../sql/sql-telemetry.js';
export { TransactionLog } from '../sql/transaction-log.js';
export { RecordRolledBackError, TransactionFencedError } from '../sql/transaction-log-errors.js';
export type { TransactionLogOptions } from '../sql/transaction-log-options.js';
export { type TypeormDataSource, type TypeormManager, typeormDatabase, typeormExecutor } from '../sql/typeorm.js';
