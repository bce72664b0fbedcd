// Probes, metrics and log fields of a demo. Import it once.

import {
  type DynamicModule,
  type InjectionToken,
  type MiddlewareConsumer,
  Module,
  type NestModule,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { RocketMQHealthIndicator } from 'nestjs-rocketmq/terminus';
import { HEALTH_DATABASE, HealthController } from './health.controller.js';
import { shareLogFields } from './log-fields.js';
import { METRICS_SOURCE, MetricsController, type MetricsSource } from './metrics.controller.js';
import { OrderTrailInterceptor } from './order-trail.interceptor.js';

interface ObservabilityOptions {
  /** The injection token of the `DemoDatabase`, which a global module provides. */
  readonly database: InjectionToken;
  /** The source of `/metrics`; without it there is no such path. */
  readonly metrics?: MetricsSource;
}

@Module({})
export class ObservabilityModule implements NestModule {
  static register({ database, metrics }: ObservabilityOptions): DynamicModule {
    const measured = metrics !== undefined;
    return {
      module: ObservabilityModule,
      // A failing probe is called every few seconds, so it is not logged as well.
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController, ...(measured ? [MetricsController] : [])],
      providers: [
        RocketMQHealthIndicator,
        { provide: HEALTH_DATABASE, useExisting: database },
        { provide: APP_INTERCEPTOR, useClass: OrderTrailInterceptor },
        ...(measured ? [{ provide: METRICS_SOURCE, useValue: metrics }] : []),
      ],
    };
  }

  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(shareLogFields).forRoutes('{*path}');
  }
}
