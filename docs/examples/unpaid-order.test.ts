import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { MINUTE_MS, RocketMQModule, SECOND_MS } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { Orders } from './unpaid-order.js';

let broker: TestBroker;
let app: TestingModule;
let orders: Orders;

beforeEach(async () => {
  broker = await TestBroker.start({ manualClock: true });
  const { endpoints, clock } = broker;
  app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints, clock })],
    providers: [Orders],
  }).compile();
  await app.init();
  orders = app.get(Orders);
});
afterEach(async () => {
  await app.close();
  await broker.stop();
});

it('cancels an order that is not paid within thirty minutes', async () => {
  await orders.place('order-1');
  const dueAtMs = broker.clock.nowMs() + 30 * MINUTE_MS;
  expect(broker.pending()).toMatchObject([{ kind: 'delayed', topic: 'payment-due', keys: ['order-1'], dueAtMs }]);
  await broker.advance(30 * MINUTE_MS - 1);
  expect(orders.states.get('order-1')).toBe('open');
  await broker.advance(1);
  expect(orders.states.get('order-1')).toBe('cancelled');
  expect(broker.messages('order-cancelled').map((message) => message.json())).toEqual([{ orderId: 'order-1' }]);
});

it('leaves a paid order alone', async () => {
  await orders.place('order-1');
  orders.pay('order-1');
  await broker.advance(30 * MINUTE_MS);
  expect(broker.messages('order-cancelled')).toEqual([]);
  expect(broker.pending()).toEqual([]);
});

it('retries after ten seconds when it cannot send', async () => {
  await orders.place('order-1');
  broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' } });
  await broker.advance(30 * MINUTE_MS);
  expect(orders.states.get('order-1')).toBe('open');
  expect(broker.pending()).toMatchObject([{ kind: 'retry', group: 'orders', attempt: 1 }]);
  await broker.advance(10 * SECOND_MS);
  expect(orders.states.get('order-1')).toBe('cancelled');
});

it('dead-letters the timeout when it can never send', async () => {
  await orders.place('order-1');
  broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' }, times: 3 });
  await broker.advance(31 * MINUTE_MS);
  expect(broker.deadLetters('orders')).toMatchObject([{ originTopic: 'payment-due', keys: ['order-1'] }]);
  expect(broker.pending()).toEqual([]);
});
