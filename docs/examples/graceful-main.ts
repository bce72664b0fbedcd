import type { INestApplication, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServerRocketMQ } from 'nestjs-rocketmq';

export async function serve(appModule: Type, port: number): Promise<INestApplication> {
  const app = await NestFactory.create(appModule);
  // Without it, SIGTERM ends Nest immediately, and unfinished messages are redelivered when their leases end.
  app.enableShutdownHooks();
  // Only for handlers with @EventPattern and @MessagePattern.
  app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
  await app.startAllMicroservices();
  await app.listen(port);
  return app;
}
