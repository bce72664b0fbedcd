// The provider of inventory-demo's database, with the library's transaction log and inbox.

import { fileURLToPath } from 'node:url';
import type { Provider } from '@nestjs/common';
import { DemoDatabase } from 'demo-kit';
import type { Transaction } from 'kysely';
import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';
import { Inbox, SqlCleanup, TransactionLog } from 'nestjs-rocketmq/sql';
import { INVENTORY_DEMO_OPTIONS, type InventoryDemoOptions } from '../options.js';
import type { InventoryTables } from './tables.js';

export type InventoryTransaction = Transaction<InventoryTables>;
export type InventoryDatabase = DemoDatabase<InventoryTables>;
/** The injection token of the {@link InventoryDatabase}. */
export const INVENTORY_DATABASE = Symbol('inventory database');

export const databaseProviders: Provider[] = [
  { provide: Inbox, useFactory: () => new Inbox({ telemetry: openTelemetry() }) },
  {
    provide: INVENTORY_DATABASE,
    inject: [INVENTORY_DEMO_OPTIONS],
    useFactory: ({ databaseUrl, dataFolder }: InventoryDemoOptions): Promise<InventoryDatabase> => {
      const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url));
      return DemoDatabase.open({ name: 'inventory-demo', url: databaseUrl, folder: dataFolder, migrationsFolder });
    },
  },
  {
    provide: TransactionLog,
    inject: [INVENTORY_DATABASE],
    useFactory: (database: InventoryDatabase) => new TransactionLog({ database: database.port }),
  },
  {
    provide: SqlCleanup,
    inject: [INVENTORY_DATABASE, Inbox, TransactionLog],
    useFactory: (database: InventoryDatabase, inbox: Inbox, log: TransactionLog) =>
      new SqlCleanup({ database: database.port, tables: [inbox, log] }),
  },
];
