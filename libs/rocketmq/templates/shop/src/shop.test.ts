import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Test } from '@nestjs/testing';
import { MINUTE_MS, RocketMQModule, RocketMQProducer } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { OrdersService, PAYMENT_TIMEOUT_MS } from './orders/orders.service.js';
import { StockService } from './stock/stock.service.js';
import { type OrderEvent, OrderEvents } from './topics.js';

// Both services on a real broker in this process. Its time stands still until
// the test moves it, so half an hour takes milliseconds.
async function openShop(context: TestContext) {
  const broker = await TestBroker.start({
    manualClock: true,
    groups: [{ name: 'stock', fifo: true }],
  });
  const { endpoints, clock } = broker;
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints, clock })],
    providers: [OrdersService, StockService],
  }).compile();
  context.after(async () => {
    await app.close();
    await broker.stop();
  });
  await app.init();
  const producer = app.get(RocketMQProducer);
  return {
    broker,
    /** Sends an event of an order again, as if it was delivered twice. */
    repeat: (event: OrderEvent) =>
      producer.send(OrderEvents, event, { messageGroup: event.orderId }),
    orders: app.get(OrdersService),
    stock: app.get(StockService),
  };
}

test('an order that is not paid in time returns its stock', async (context) => {
  const { broker, orders, stock } = await openShop(context);
  const order = await orders.place('tea');
  await broker.idle();
  assert.equal(order.status, 'reserved');
  assert.equal(stock.all().tea, 9);

  await broker.advance(PAYMENT_TIMEOUT_MS - MINUTE_MS);
  assert.equal(order.status, 'reserved');
  await broker.advance(MINUTE_MS);
  assert.equal(order.status, 'canceled');
  assert.equal(stock.all().tea, 10);
});

test('an order that is paid keeps its stock', async (context) => {
  const { broker, orders, stock } = await openShop(context);
  const order = await orders.place('tea');
  await broker.idle();
  orders.pay(order.id);
  await broker.advance(PAYMENT_TIMEOUT_MS);
  assert.equal(order.status, 'paid');
  assert.equal(stock.all().tea, 9);
});

test('an order without stock reserves nothing', async (context) => {
  const { broker, orders, stock } = await openShop(context);
  const order = await orders.place('gold');
  await broker.idle();
  assert.equal(order.status, 'out of stock');
  await broker.advance(PAYMENT_TIMEOUT_MS);
  assert.deepEqual(stock.all(), { tea: 10, coffee: 3 });
});

test('an event that is delivered again changes nothing', async (context) => {
  const { broker, orders, stock, repeat } = await openShop(context);
  const tea = await orders.place('tea');
  await broker.advance(PAYMENT_TIMEOUT_MS);
  await repeat({ kind: 'placed', orderId: tea.id, item: 'tea' });
  await broker.idle();
  assert.equal(stock.all().tea, 10);

  for (let count = 0; count < 3; count += 1) await orders.place('coffee');
  await broker.idle();
  const late = await orders.place('coffee');
  await broker.idle();
  assert.equal(late.status, 'out of stock');
  await broker.advance(PAYMENT_TIMEOUT_MS);
  assert.equal(stock.all().coffee, 3);
  await repeat({ kind: 'placed', orderId: late.id, item: 'coffee' });
  await broker.idle();
  assert.equal(stock.all().coffee, 3);
});
