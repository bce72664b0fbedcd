import { NestFactory } from '@nestjs/core';
import { Orders, OrdersModule } from './typeorm.js';

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(OrdersModule);
  app.enableShutdownHooks();
  await app.get(Orders).place({ id: 'order-1', article: 'lamp' });
}

void main();
