// An application that ends while browsers look at the console.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { RocketMQModule } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { RocketMQConsoleModule } from './module.js';

let broker: TestBroker;
beforeEach(async () => {
  broker = await TestBroker.start({ strict: true, nameServerPort: 0, topics: [{ name: 'orders' }] });
});
afterEach(() => broker.stop());

describe('an application with an open tab', () => {
  it.each([
    ['express', () => new ExpressAdapter()],
    ['fastify', () => new FastifyAdapter()],
  ])(
    'ends on %s, and so does the stream',
    async (_, adapter) => {
      const compiled = await Test.createTestingModule({
        imports: [
          RocketMQModule.forRoot({ endpoints: broker.endpoints, nameServer: broker.nameServerEndpoint }),
          RocketMQConsoleModule.forRoot(),
        ],
      }).compile();
      const app = compiled.createNestApplication(adapter(), { logger: false });
      await app.listen(0, '127.0.0.1');
      const response = await fetch(`${await app.getUrl()}/rocketmq/api/events?follow=orders`);
      const reader = response.body?.getReader();
      await reader?.read();
      const ended = (async () => {
        while ((await reader?.read())?.done === false);
      })();
      await Promise.all([app.close(), ended]);
      expect(response.status).toBe(200);
    },
    10_000,
  );
});
