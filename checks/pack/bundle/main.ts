// An application for a bundler that writes no metadata of decorators: what is injected is named, bodies have schemas. It sends
// itself a message and prints what its handler got.

import 'reflect-metadata';
import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type BodyOf, defineTopic, RocketMQListener, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { z } from 'zod';

const Greeted = defineTopic('greeted', {
  type: 'normal',
  schema: z.object({ name: z.string(), at: z.coerce.date<string>() }),
});

let greeted: (text: string) => void = () => {};
const greeting = new Promise<string>((resolve) => {
  greeted = resolve;
});

@Injectable()
class Greeter {
  constructor(@Inject(RocketMQProducer) readonly producer: RocketMQProducer) {}

  @RocketMQListener(Greeted)
  async handle({ name, at }: BodyOf<typeof Greeted>): Promise<void> {
    greeted(`hello ${name} in ${at.getUTCFullYear()}`);
  }
}

@Module({
  imports: [RocketMQModule.forRoot({ endpoints: 'embedded:', consumerGroup: 'greeters' })],
  providers: [Greeter],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  await app.get(Greeter).producer.send(Greeted, { name: 'Ada', at: '2026-01-01T00:00:00Z' });
  process.stdout.write(`${await greeting}\n`);
  await app.close();
}

void main();
