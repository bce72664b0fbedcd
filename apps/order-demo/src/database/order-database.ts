// The provider of order-demo's database, with the library's transaction log and inbox.

import { fileURLToPath } from 'node:url';
import type { Provider } from '@nestjs/common';
import { DemoDatabase } from 'demo-kit';
import type { Transaction } from 'kysely';
import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';
import { Inbox, SqlCleanup, TransactionLog } from 'nestjs-rocketmq/sql';
import { ORDER_DEMO_OPTIONS, type OrderDemoOptions } from '../options.js';
import type { OrderTables } from './tables.js';

export type OrderTransaction = Transaction<OrderTables>;
export type OrderDatabase = DemoDatabase<OrderTables>;
/** The injection token of the {@link OrderDatabase}. */
export const ORDER_DATABASE = Symbol('order database');

export const databaseProviders: Provider[] = [
  { provide: Inbox, useFactory: () => new Inbox({ telemetry: openTelemetry() }) },
  {
    provide: ORDER_DATABASE,
    inject: [ORDER_DEMO_OPTIONS],
    useFactory: ({ databaseUrl, dataFolder }: OrderDemoOptions): Promise<OrderDatabase> => {
      const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url));
      return DemoDatabase.open({ name: 'order-demo', url: databaseUrl, folder: dataFolder, migrationsFolder });
    },
  },
  {
    provide: TransactionLog,
    inject: [ORDER_DATABASE],
    useFactory: (database: OrderDatabase) => new TransactionLog({ database: database.port }),
  },
  {
    provide: SqlCleanup,
    inject: [ORDER_DATABASE, Inbox, TransactionLog],
    useFactory: (database: OrderDatabase, inbox: Inbox, log: TransactionLog) =>
      new SqlCleanup({ database: database.port, tables: [inbox, log] }),
  },
];
