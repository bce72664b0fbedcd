// The database of inventory-demo. It is a separate module because RocketMQModule injects it for the transaction log and the inbox.

import { type DynamicModule, Module } from '@nestjs/common';
import { BusinessClock } from 'demo-kit';
import { Inbox, TransactionLog } from 'nestjs-rocketmq/sql';
import { INVENTORY_DEMO_OPTIONS, type InventoryDemoOptions } from '../options.js';
import { databaseProviders, INVENTORY_DATABASE } from './inventory-database.js';

@Module({})
export class DatabaseModule {
  static register(options: InventoryDemoOptions): DynamicModule {
    const settings = { provide: INVENTORY_DEMO_OPTIONS, useValue: options };
    const clock = { provide: BusinessClock, useValue: new BusinessClock(options.clock) };
    return {
      module: DatabaseModule,
      global: true,
      providers: [settings, clock, ...databaseProviders],
      exports: [INVENTORY_DEMO_OPTIONS, BusinessClock, INVENTORY_DATABASE, Inbox, TransactionLog],
    };
  }
}
