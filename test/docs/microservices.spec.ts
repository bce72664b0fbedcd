// The examples of docs/guide/microservices.md, run.

import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplicationContext, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { PriceCache } from '../../docs/examples/price-cache.js';
import { recordingLogger } from '../support/nest-bench.js';
import { until } from '../support/until.js';

describe('the examples of microservices', () => {
  const apps: INestApplicationContext[] = [];
  let broker: TestBroker;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    broker = await TestBroker.start({ adminPort: 0 });
    process.env.ROCKETMQ_ENDPOINTS = broker.endpoints;
    process.env.ROCKETMQ_NAME_SERVER = broker.adminEndpoint;
  });
  afterEach(async () => {
    for (const app of apps.splice(0).reverse()) await app.close();
    await broker.stop();
    delete process.env.ROCKETMQ_ENDPOINTS;
    delete process.env.ROCKETMQ_NAME_SERVER;
  });

  it('prices: changes prices, answers requests, and dead-letters an invalid change', async () => {
    // The modules of the examples read their options when they are loaded.
    const { Till, TillModule } = await import('../../docs/examples/price-client.js');
    const { startPrices } = await import('../../docs/examples/price-service.js');
    const prices = await startPrices();
    apps.push(prices);
    const till = await NestFactory.createApplicationContext(TillModule, { logger: false });
    apps.push(till);
    const desk = till.get(Till);
    await expect(desk.priceOf('tea')).resolves.toEqual({ cents: 250 });
    await desk.change('milk', 90);
    await desk.change('gold', -1);
    while ((await desk.priceOf('milk').catch(() => undefined)) === undefined) await new Promise(setImmediate);
    await expect(desk.cheaper('tea', 'milk')).resolves.toBe('milk');
    await expect(desk.priceOf('gold')).rejects.toMatchObject({ name: 'RangeError', message: 'no price for gold' });
    await broker.idle();
    expect(broker.messages('%DLQ%prices')).toHaveLength(1);
  });

  it('price cache: filled in every instance', async () => {
    const start = async () => {
      const { endpoints, adminEndpoint: nameServer } = broker;
      const rocketmq = RocketMQModule.forRoot({ endpoints, nameServer, logger: recordingLogger() });
      const app = await Test.createTestingModule({ imports: [rocketmq], providers: [PriceCache] }).compile();
      apps.push(app);
      return app.init();
    };
    const instances = [await start(), await start()];
    const body = { item: 'tea', cents: 240 };
    await instances[0]?.get(RocketMQProducer).send({ topic: 'prices', tag: 'changed', body });
    const known = () => instances.map((one) => one.get(PriceCache).cents.get('tea'));
    await until(() => !known().includes(undefined));
    expect(known()).toEqual([240, 240]);
  });
});
