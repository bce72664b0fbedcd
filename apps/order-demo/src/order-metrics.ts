// The number of orders in each state, at /metrics.

import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { registerDatabaseGauge } from 'demo-kit';
import { ORDER_DATABASE, type OrderDatabase } from './database/order-database.js';
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
        const orders = this.database.db.selectFrom('orders');
        const rows = await orders
          .select(({ fn }) => ['status', fn.countAll().as('count')])
          .groupBy('status')
          .execute();
        return ORDER_STATUSES.map((one) => ({
          // Drivers return counts as numbers, bigints or strings.
          value: Number(rows.find((row) => row.status === one)?.count ?? 0),
          labels: { status: one },
        }));
      },
    });
  }

  onModuleDestroy(): void {
    this.unregister();
  }
}
