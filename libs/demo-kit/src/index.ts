// The code that the two demos share: topics, database, settings, process lifecycle. No business rules.

export { Batches } from './batches.js';
export { BusinessClock } from './business-clock.js';
export { createPglite } from './create-pglite.js';
export { DemoDatabase } from './database.js';
export { ConfigurationError, durationOf, type Environment, portOf, requiredText, textOf } from './environment.js';
export { faultCheckpoint, withFaultPoint } from './fault-point.js';
export { Faults, faultsOf, killThisProcess } from './faults.js';
export { FolderLockedError, lockFolder } from './folder-lock.js';
export { type Received, receivedFrom, type Trace } from './history.js';
export { BrokerErrorFilter, badField, requestValidation } from './http.js';
export { launch } from './launch.js';
export { registerDatabaseGauge } from './observability/database-gauge.js';
export type { MetricsSource } from './observability/metrics.controller.js';
export { ObservabilityModule } from './observability/observability.module.js';
export type { DatabaseOptions } from './opened-database.js';
export { rejectOtherSites } from './other-sites.js';
export { MESSAGING_TIMES } from './times.js';
export {
  INVENTORY_SERVICE,
  ORDER_SERVICE,
  OrderCreated,
  type OrderCreatedBody,
  OrderPaid,
  type OrderReference,
  OrderTimeout,
  STOCK_REJECTED,
  STOCK_RESERVED,
  StockResult,
  StockReturn,
  TOPICS,
} from './topics.js';
