import { Test } from '@nestjs/testing';
import { MINUTE_MS, RocketMQModule } from 'nestjs-rocketmq';
import { withTestBroker } from 'nestjs-rocketmq/testing/vitest';
import { expect, test } from 'vitest';
import { OrderCanceled, Orders, PaymentDue } from './unpaid-order.js';

const it = withTestBroker(test, { manualClock: true }).extend<{ orders: Orders }>({
  orders: async ({ broker }, use) => {
    const { endpoints, clock } = broker;
    const app = await Test.createTestingModule({
      imports: [RocketMQModule.forRoot({ endpoints, clock })],
      providers: [Orders],
    }).compile();
    broker.closeLater(app);
    await app.init();
    await use(app.get(Orders));
  },
});

it('cancels an order that is not paid within thirty minutes', async ({ broker, orders }) => {
  await orders.place('order-1');
  await broker.advance(30 * MINUTE_MS - 1);
  await expect(broker).not.toHaveDelivered(PaymentDue);
  await broker.advance(1);
  expect(orders.states.get('order-1')).toBe('canceled');
  await expect(broker).toHaveSent(OrderCanceled, { body: { orderId: 'order-1' }, keys: ['order-1'], times: 1 });
});

it('dead-letters the timeout when it can never send', async ({ broker, orders }) => {
  await orders.place('order-1');
  broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'FORBIDDEN' }, times: 3 });
  await broker.advance(31 * MINUTE_MS);
  await expect(broker).toHaveDeadLettered(PaymentDue, { group: 'orders', body: { orderId: 'order-1' } });
});
