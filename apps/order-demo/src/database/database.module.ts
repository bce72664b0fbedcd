// The database of order-demo and the orders in it. It is a separate module because RocketMQModule injects it for the transaction log
// and the inbox.

import { type DynamicModule, Module } from '@nestjs/common';
import { BusinessClock } from 'demo-kit';
import { Inbox, TransactionLog } from 'nestjs-rocketmq/sql';
import { ORDER_DEMO_OPTIONS, type OrderDemoOptions } from '../options.js';
import { OrderStore } from '../orders/order-store.js';
import { TransactionJournal } from '../orders/transaction-journal.js';
import { databaseProviders, ORDER_DATABASE } from './order-database.js';

@Module({})
export class DatabaseModule {
  static register(options: OrderDemoOptions): DynamicModule {
    const settings = { provide: ORDER_DEMO_OPTIONS, useValue: options };
    const clock = { provide: BusinessClock, useValue: new BusinessClock(options.clock) };
    return {
      module: DatabaseModule,
      global: true,
      providers: [settings, clock, ...databaseProviders, OrderStore, TransactionJournal],
      exports: [
        ORDER_DEMO_OPTIONS,
        BusinessClock,
        ORDER_DATABASE,
        Inbox,
        TransactionLog,
        OrderStore,
        TransactionJournal,
      ],
    };
  }
}
