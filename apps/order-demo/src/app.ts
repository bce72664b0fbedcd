// The application of order-demo, not yet listening. main.ts and the tests make it.

import type { INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { refuseOtherSites } from 'demo-kit';
import type { OrderDemoOptions } from './options.js';
import { OrderDemoModule } from './order-demo.module.js';

/** @param logger as Nest takes it; default: Nest's own, on the console */
export async function createOrderDemo(
  options: OrderDemoOptions,
  logger?: NestApplicationOptions['logger'],
): Promise<INestApplication> {
  const app = await NestFactory.create(OrderDemoModule.register(options), {
    logger,
    abortOnError: false,
    // Idle keep-alive connections would hold the shutdown up.
    forceCloseConnections: true,
  });
  // Its own name is that by which it is asked in compose.yaml.
  app.use(refuseOtherSites('order-demo', options.host));
  const document = new DocumentBuilder()
    .setTitle('order-demo')
    .setDescription('Orders that time out when they are not paid')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, document));
  return app;
}
