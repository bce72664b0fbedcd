// The examples of docs/guide/microservices.md, run.

import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplicationContext, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { RocketMQModule, RocketMQProducer, ServerRocketMQ } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { PriceCache } from '../../docs/examples/price-cache.js';
import { Offers, Shopper } from '../../docs/examples/price-contract.js';
import { until } from '../../tools/until.js';
import { recordingLogger } from '../fixtures/nest-bench.js';

describe('the examples of microservices', () => {
  const apps: INestApplicationContext[] = [];
  let broker: TestBroker;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    broker = await TestBroker.start({ nameServerPort: 0 });
    process.env.ROCKETMQ_ENDPOINTS = broker.endpoints;
    process.env.ROCKETMQ_NAME_SERVER = broker.nameServerEndpoint;
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

  it('price contract: requests and answers are typed and validated', async () => {
    const { endpoints, nameServerEndpoint: nameServer } = broker;
    const options = { endpoints, nameServer, consumerGroup: 'offers', requests: { application: 'shopper' } };
    const rocketmq = RocketMQModule.forRoot({ ...options, logger: recordingLogger() });
    const compiled = Test.createTestingModule({ imports: [rocketmq], controllers: [Offers], providers: [Shopper] });
    const app = (await compiled.compile()).createNestApplication({ logger: false });
    apps.push(app);
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
    await app.startAllMicroservices();
    await app.init();
    await expect(app.get(Shopper).cheapest(['tea', 'milk'])).resolves.toBe('milk for 90');
    await expect(app.get(Shopper).cheapest([])).rejects.toMatchObject({ code: 'INVALID_BODY', outcome: 'not-sent' });
    // Infinity is not in the schema of answers.
    const unpriced = app.get(Shopper).cheapest(['gold']);
    await expect(unpriced).rejects.toThrow(/INVALID_REPLY.*cents: .*the request took effect/);
    const invalid = app.get(RocketMQProducer).request('cheapest-requests', { items: 'tea' });
    await expect(invalid).rejects.toMatchObject({
      name: 'InvalidBodyError',
      message: expect.stringMatching(/items: /),
    });
  });

  it('price cache: filled in every instance', async () => {
    const start = async () => {
      const { endpoints, nameServerEndpoint: nameServer } = broker;
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
