// The console in an application, by each of Nest's adapters.

import assert from 'node:assert/strict';
import { type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { RocketMQConsoleModule } from 'nestjs-rocketmq-console';
import type { StandaloneOptions } from 'nestjs-rocketmq-console/standalone';

/** What both ways to mount it take. */
const SHARED: Pick<StandaloneOptions, 'bodies'> = { bodies: 'shown' };

@Module({
  imports: [
    RocketMQModule.forRoot({ endpoints: 'embedded:' }),
    RocketMQConsoleModule.forRoot({ title: 'Shop', ...SHARED }),
  ],
})
class Shop {}

export async function consoleOnExpress(): Promise<void> {
  await open(await NestFactory.create(Shop, new ExpressAdapter(), { logger: false }));
}

export async function consoleOnFastify(): Promise<void> {
  await open(await NestFactory.create(Shop, new FastifyAdapter(), { logger: false }));
}

async function open(app: INestApplication): Promise<void> {
  app.setGlobalPrefix('internal');
  try {
    await app.listen(0, '127.0.0.1');
    const { messageId } = await app.get(RocketMQProducer).send({ topic: 'orders', body: 'hello' });
    const base = `${await app.getUrl()}/internal/rocketmq`;
    const get = async (path: string): Promise<string> => {
      const response = await fetch(base + path);
      assert.equal(response.status, 200, path);
      return response.text();
    };
    const [, asset = ''] = /(assets\/[\w.-]+\.js)/.exec(await get('/topics/orders')) ?? [];
    assert.ok((await get(`/${asset}`)).length > 0);
    const { messages } = JSON.parse(await get('/api/topics/orders/messages'));
    assert.deepEqual([messages.length, messages[0].messageId, messages[0].body.text], [1, messageId, 'hello']);
  } finally {
    await app.close();
  }
}
