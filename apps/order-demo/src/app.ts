// Creates the application of order-demo, for main.ts and the tests. It does not listen yet.

import type { INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { rejectOtherSites } from 'demo-kit';
import { RocketMQAsyncApi } from 'nestjs-rocketmq';
import type { OrderDemoOptions } from './options.js';
import { OrderDemoModule } from './order-demo.module.js';

/** @param logger the logger for Nest. Default: Nest's own, on the console */
export async function createOrderDemo(
  options: OrderDemoOptions,
  logger?: NestApplicationOptions['logger'],
): Promise<INestApplication> {
  const app = await NestFactory.create(OrderDemoModule.register(options), {
    logger,
    abortOnError: false,
    // Idle keep-alive connections would delay the shutdown.
    forceCloseConnections: true,
  });
  // The host name of the service in compose.yaml.
  app.use(rejectOtherSites('order-demo', options.host));
  const document = new DocumentBuilder()
    .setTitle('order-demo')
    .setDescription('Orders that time out when they are not paid')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, document));
  RocketMQAsyncApi.setup(
    'asyncapi',
    app,
    RocketMQAsyncApi.createDocument(app, { title: 'order-demo', version: '1.0.0' }),
  );
  return app;
}
