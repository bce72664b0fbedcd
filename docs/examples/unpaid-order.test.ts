import { beforeEach, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { MINUTE_MS, RocketMQModule, SECOND_MS } from 'nestjs-rocketmq';
import { useTestBroker } from 'nestjs-rocketmq/testing/jest-globals';
import { OrderCanceled, Orders, PaymentDue } from './unpaid-order.js';

const broker = useTestBroker({ manualClock: true });
let orders: Orders;

beforeEach(async () => {
  const { endpoints, clock } = broker();
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints, clock })],
    providers: [Orders],
  }).compile();
  broker().closeLater(app);
  await app.init();
  orders = app.get(Orders);
});

it('cancels an order that is not paid within thirty minutes', async () => {
  await orders.place('order-1');
  const dueAtMs = broker().clock.nowMs() + 30 * MINUTE_MS;
  expect(broker().pending()).toMatchObject([{ kind: 'delayed', topic: 'payment-due', keys: ['order-1'], dueAtMs }]);
  await broker().advance(30 * MINUTE_MS - 1);
  await expect(broker()).not.toHaveDelivered(PaymentDue);
  await broker().advance(1);
  expect(orders.states.get('order-1')).toBe('canceled');
  await expect(broker()).toHaveSent(OrderCanceled, { body: { orderId: 'order-1' }, keys: ['order-1'], times: 1 });
});

it('leaves a paid order alone', async () => {
  await orders.place('order-1');
  orders.pay('order-1');
  await broker().advance(30 * MINUTE_MS);
  await expect(broker()).toHaveDelivered(PaymentDue, { group: 'orders' });
  await expect(broker()).not.toHaveSent(OrderCanceled);
  expect(broker().pending()).toEqual([]);
});

it('retries after ten seconds when it cannot send', async () => {
  await orders.place('order-1');
  broker().faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' } });
  await broker().advance(30 * MINUTE_MS);
  expect(orders.states.get('order-1')).toBe('open');
  expect(broker().pending()).toMatchObject([{ kind: 'retry', group: 'orders', attempt: 1 }]);
  await broker().advance(10 * SECOND_MS);
  expect(orders.states.get('order-1')).toBe('canceled');
});

it('dead-letters the timeout when it can never send', async () => {
  await orders.place('order-1');
  broker().faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' }, times: 3 });
  await broker().advance(31 * MINUTE_MS);
  await expect(broker()).toHaveDeadLettered(PaymentDue, { group: 'orders', body: { orderId: 'order-1' } });
  expect(broker().pending()).toEqual([]);
});
