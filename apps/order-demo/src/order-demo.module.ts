// The root module of order-demo.

import { type DynamicModule, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import {
  MESSAGING_TIMES,
  ObservabilityModule,
  ORDER_SERVICE,
  OrderCreated,
  OrderPaid,
  OrderTimeout,
  StockReturn,
  withFaultPoint,
} from 'demo-kit';
import { RocketMQModule, type RocketMQModuleOptions } from 'nestjs-rocketmq';
import { openTelemetry } from 'nestjs-rocketmq/opentelemetry';
import { Inbox, TransactionLog } from 'nestjs-rocketmq/sql';
import { RocketMQConsoleModule } from 'nestjs-rocketmq-console';
import { DatabaseModule } from './database/database.module.js';
import { ORDER_DATABASE } from './database/order-database.js';
import { ORDER_DEMO_OPTIONS, type OrderDemoOptions } from './options.js';
import { OrderMetrics } from './order-metrics.js';
import { OrderFlow } from './orders/order-flow.js';
import { OrdersController } from './orders/orders.controller.js';
import { TransactionJournal } from './orders/transaction-journal.js';
import { ControlController } from './page/control.controller.js';
import { Control } from './page/control.js';
import { EventsController } from './page/events.controller.js';
import { FaultsController } from './page/faults.controller.js';
import { InventoryClient } from './page/inventory.client.js';
import { PageController } from './page/page.controller.js';
import { Timeline } from './page/timeline.js';

@Module({})
export class OrderDemoModule {
  static register(options: OrderDemoOptions): DynamicModule {
    const { faults, metrics, nameServer, controlEndpoint } = options;
    const control = controlEndpoint === undefined ? undefined : { endpoint: controlEndpoint };
    return {
      module: OrderDemoModule,
      imports: [
        DatabaseModule.register(options),
        ObservabilityModule.register({ database: ORDER_DATABASE, metrics }),
        RocketMQModule.forRootAsync({
          inject: [ORDER_DEMO_OPTIONS, TransactionLog, Inbox, TransactionJournal],
          useFactory: (
            { endpoints, clock, checkpoint, nameServer }: OrderDemoOptions,
            transactionLog: TransactionLog,
            inbox: Inbox,
            events: TransactionJournal,
          ): Promise<RocketMQModuleOptions> =>
            withFaultPoint(
              {
                endpoints,
                nameServer,
                clock,
                transactionLog,
                inbox,
                consumerGroup: ORDER_SERVICE,
                topics: [OrderCreated, OrderTimeout, OrderPaid, StockReturn],
                events,
                ...MESSAGING_TIMES,
                // Brokers of 4.x delay by levels: an order there may be paid for a little longer.
                producer: { ...MESSAGING_TIMES.producer, delayLevels: 'round-up' },
                telemetry: openTelemetry(),
              },
              checkpoint,
            ),
        }),
        ...(nameServer === undefined ? [] : [RocketMQConsoleModule.forRoot({ control, title: 'order-demo' })]),
      ],
      controllers: [
        OrdersController,
        PageController,
        EventsController,
        ControlController,
        ...(faults === undefined ? [] : [FaultsController]),
      ],
      providers: [
        OrderFlow,
        OrderMetrics,
        InventoryClient,
        Timeline,
        Control,
        ...(faults === undefined ? [] : [{ provide: APP_INTERCEPTOR, useValue: faults }]),
      ],
    };
  }
}
