// The application of inventory-demo, not yet listening. main.ts and the tests make it.

import type { INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { refuseOtherSites } from 'demo-kit';
import { InventoryDemoModule } from './inventory-demo.module.js';
import type { InventoryDemoOptions } from './options.js';

/** @param logger as Nest takes it; default: Nest's own, on the console */
export async function createInventoryDemo(
  options: InventoryDemoOptions,
  logger?: NestApplicationOptions['logger'],
): Promise<INestApplication> {
  const app = await NestFactory.create(InventoryDemoModule.register(options), {
    logger,
    abortOnError: false,
    // Idle keep-alive connections would hold the shutdown up.
    forceCloseConnections: true,
  });
  // Its own name is that by which it is asked in compose.yaml.
  app.use(refuseOtherSites('inventory-demo', options.host));
  const document = new DocumentBuilder()
    .setTitle('inventory-demo')
    .setDescription('What is in stock, reserved by orders, and sold')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, document));
  return app;
}
