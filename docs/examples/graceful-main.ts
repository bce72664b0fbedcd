import type { INestApplication, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServerRocketMQ } from 'nestjs-rocketmq';

export async function serve(appModule: Type, port: number): Promise<INestApplication> {
  const app = await NestFactory.create(appModule);
  // Without it Nest ends at once at SIGTERM, and what runs comes again when its lease ends.
  app.enableShutdownHooks();
  // Only for handlers with @EventPattern and @MessagePattern.
  app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
  await app.startAllMicroservices();
  await app.listen(port);
  return app;
}
