import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { deliver, type FakeProducer, fakeProducer } from 'nestjs-rocketmq/testing';
import { OutOfStock, Stock, StockReserved } from './stock.js';

let fake: FakeProducer;
let app: TestingModule;

beforeEach(async () => {
  fake = fakeProducer();
  app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints: 'nowhere:8081' })],
    providers: [Stock],
  })
    .overrideProvider(RocketMQProducer)
    .useValue(fake)
    .compile();
  // Opens no connection, because the producer is a fake.
  await app.init();
});
afterEach(() => app.close());

it('reserves stock and announces it', async () => {
  expect(await deliver(app, Stock, 'reserve', { article: 'lamp', quantity: 1 })).toEqual({ outcome: 'acked' });
  expect(fake.sentTo(StockReserved)).toMatchObject([{ body: { article: 'lamp' }, keys: ['lamp'] }]);
});

it('dead-letters a request that is out of stock', async () => {
  const outcome = await deliver(app, Stock, 'reserve', { article: 'unicorn', quantity: 1 });
  expect(outcome).toMatchObject({
    outcome: 'dead-lettered',
    reason: 'not-retryable',
    error: new OutOfStock('unicorn'),
  });
});

it('retries when it cannot send', async () => {
  fake.failNext({ topic: StockReserved });
  const outcome = await deliver(app, Stock, 'reserve', { article: 'lamp', quantity: 1 }, { attempt: 3 });
  expect(outcome).toMatchObject({ outcome: 'retried', delayMs: 5_000 });
});

it('dead-letters a request for nothing', async () => {
  const outcome = await deliver(app, Stock, 'reserve', { article: 'lamp', quantity: 0 });
  expect(outcome).toMatchObject({ outcome: 'dead-lettered' });
  expect(fake.sent).toEqual([]);
});
