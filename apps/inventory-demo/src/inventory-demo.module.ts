// The root module of inventory-demo.

import { type DynamicModule, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { INVENTORY_SERVICE, MESSAGING_TIMES, ObservabilityModule, StockResult, withFaultPoint } from 'demo-kit';
import { RocketMQModule, type RocketMQModuleOptions } from 'nestjs-rocketmq';
import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';
import { Inbox, TransactionLog } from 'nestjs-rocketmq/sql';
import { DatabaseModule } from './database/database.module.js';
import { INVENTORY_DATABASE } from './database/inventory-database.js';
import { FaultsController } from './faults.controller.js';
import { INVENTORY_DEMO_OPTIONS, type InventoryDemoOptions } from './options.js';
import { ReservationStore } from './stock/reservation-store.js';
import { StockController } from './stock/stock.controller.js';
import { StockFlow } from './stock/stock-flow.js';
import { StockHistory } from './stock/stock-history.js';
import { StockStore } from './stock/stock-store.js';
import { StockMetrics } from './stock-metrics.js';

@Module({})
export class InventoryDemoModule {
  static register(options: InventoryDemoOptions): DynamicModule {
    const { faults, metrics } = options;
    return {
      module: InventoryDemoModule,
      imports: [
        DatabaseModule.register(options),
        ObservabilityModule.register({ database: INVENTORY_DATABASE, metrics }),
        RocketMQModule.forRootAsync({
          inject: [INVENTORY_DEMO_OPTIONS, TransactionLog, Inbox],
          useFactory: (
            { endpoints, clock, checkpoint }: InventoryDemoOptions,
            transactionLog: TransactionLog,
            inbox: Inbox,
          ): Promise<RocketMQModuleOptions> =>
            withFaultPoint(
              {
                endpoints,
                clock,
                transactionLog,
                inbox,
                consumerGroup: INVENTORY_SERVICE,
                topics: [StockResult],
                ...MESSAGING_TIMES,
                telemetry: openTelemetry(),
              },
              checkpoint,
            ),
        }),
      ],
      controllers: [StockController, ...(faults === undefined ? [] : [FaultsController])],
      providers: [
        StockMetrics,
        StockStore,
        StockHistory,
        ReservationStore,
        StockFlow,
        ...(faults === undefined ? [] : [{ provide: APP_INTERCEPTOR, useValue: faults }]),
      ],
    };
  }
}
