// The number of orders in each state, at /metrics.

import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { registerDatabaseGauge } from 'demo-kit';
import { count } from 'drizzle-orm';
import { ORDER_DATABASE, type OrderDatabase } from './database/order-database.js';
import { orders } from './database/schema.js';
import { ORDER_STATUSES } from './orders/order-status.js';

@Injectable()
export class OrderMetrics implements OnModuleInit, OnModuleDestroy {
  private unregister = (): void => {};

  constructor(@Inject(ORDER_DATABASE) private readonly database: OrderDatabase) {}

  onModuleInit(): void {
    this.unregister = registerDatabaseGauge({
      name: 'demo_orders',
      description: 'Orders by their state',
      unit: '{order}',
      read: async () => {
        const { status } = orders;
        const rows = await this.database.db.select({ status, orders: count() }).from(orders).groupBy(status);
        return ORDER_STATUSES.map((one) => ({
          value: rows.find((row) => row.status === one)?.orders ?? 0,
          labels: { status: one },
        }));
      },
    });
  }

  onModuleDestroy(): void {
    this.unregister();
  }
}
