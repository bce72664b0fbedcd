// Creates the application of inventory-demo, for main.ts and the tests. It does not listen yet.

import type { INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { rejectOtherSites } from 'demo-kit';
import { RocketMQAsyncApi } from 'nestjs-rocketmq';
import { InventoryDemoModule } from './inventory-demo.module.js';
import type { InventoryDemoOptions } from './options.js';

/** @param logger the logger for Nest. Default: Nest's own, on the console */
export async function createInventoryDemo(
  options: InventoryDemoOptions,
  logger?: NestApplicationOptions['logger'],
): Promise<INestApplication> {
  const app = await NestFactory.create(InventoryDemoModule.register(options), {
    logger,
    abortOnError: false,
    // Idle keep-alive connections would delay the shutdown.
    forceCloseConnections: true,
  });
  // The host name of the service in compose.yaml.
  app.use(rejectOtherSites('inventory-demo', options.host));
  const document = new DocumentBuilder()
    .setTitle('inventory-demo')
    .setDescription('What is in stock, reserved by orders, and sold')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, document));
  RocketMQAsyncApi.setup(
    'asyncapi',
    app,
    RocketMQAsyncApi.createDocument(app, { title: 'inventory-demo', version: '1.0.0' }),
  );
  return app;
}
