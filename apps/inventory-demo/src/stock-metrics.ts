// The stock of each product by state, at /metrics.

import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { registerDatabaseGauge } from 'demo-kit';
import { StockStore } from './stock/stock-store.js';

@Injectable()
export class StockMetrics implements OnModuleInit, OnModuleDestroy {
  private unregister = (): void => {};

  constructor(private readonly stock: StockStore) {}

  onModuleInit(): void {
    this.unregister = registerDatabaseGauge({
      name: 'demo_stock_pieces',
      description: 'Pieces of each product that are available, reserved and sold',
      unit: '{piece}',
      read: async () => {
        const rows = await this.stock.list();
        return rows.flatMap(({ sku, available, reserved, sold }) =>
          Object.entries({ available, reserved, sold }).map(([place, value]) => ({ value, labels: { sku, place } })),
        );
      },
    });
  }

  onModuleDestroy(): void {
    this.unregister();
  }
}
