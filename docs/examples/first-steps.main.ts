import { NestFactory } from '@nestjs/core';
import { Shop, ShopModule } from './first-steps.js';

async function bootstrap(): Promise<void> {
  const app = await NestFactory.create(ShopModule);
  // On SIGTERM and Ctrl-C, running handlers finish before the process exits.
  app.enableShutdownHooks();
  await app.listen(process.env.PORT ?? 3000);

  await app.get(Shop).place('order-1', 2);
}

void bootstrap();
