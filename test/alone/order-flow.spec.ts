// The basic order flow of both demos on a real Apache RocketMQ, in real time: in this process, and by `npm start`. Runs with
// `npm run test:rocketmq` only.

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SECOND_MS } from 'nestjs-rocketmq';
import { INVENTORY_SERVICE, ORDER_SERVICE, TOPICS } from '../../libs/demo-kit/src/topics.js';
import { eventually } from '../../tools/until.js';
import { DemoPair, type OrderView } from '../e2e/support/demo-pair.js';
import { withAdmin } from '../fixtures/real-server.js';
import { copyTree, DemoRun, removeTree, until } from '../processes/demo-tree.js';

const PAYMENT_TIMEOUT_MS = 6 * SECOND_MS;
const TEST_MS = 300_000;
const endpoints = process.env.ROCKETMQ_TEST_ENDPOINTS ?? '';

beforeAll(async () => {
  await withAdmin(async (admin) => {
    for (const { name, type } of TOPICS) await admin.createTopic({ topic: name, type: type ?? 'normal' });
    for (const consumerGroup of [ORDER_SERVICE, INVENTORY_SERVICE]) await admin.createGroup({ consumerGroup });
  });
}, 60_000);

describe('the order flow on a real server', () => {
  let demo: DemoPair;

  beforeAll(async () => {
    demo = await DemoPair.start({ endpoints, paymentTimeoutMs: PAYMENT_TIMEOUT_MS });
  }, TEST_MS);

  afterAll(() => demo?.stop());

  function orderIn(status: OrderView['status'], id: string): Promise<OrderView> {
    return eventually(
      () => demo.order(id),
      (order) => order.status === status,
    );
  }

  it('sells paid orders, returns unpaid ones, rejects those without stock', async () => {
    const before = await demo.stockOf('book');
    const [paid, unpaid, rejected] = await Promise.all([
      demo.place('book', 2),
      demo.place('book', 3),
      demo.place('book', 1_000),
    ]);
    expect([paid, unpaid, rejected].map(({ status }) => status)).toEqual([201, 201, 201]);

    expect(await orderIn('PENDING_PAYMENT', paid.body.id)).toMatchObject({ status: 'PENDING_PAYMENT' });
    expect(await demo.pay(paid.body.id)).toMatchObject({ status: 200, body: { status: 'PAID' } });
    expect(await orderIn('REJECTED', rejected.body.id)).toMatchObject({ status: 'REJECTED' });

    const canceled = await orderIn('CANCELED', unpaid.body.id);
    expect(canceled.status).toBe('CANCELED');
    const [end] = canceled.history.filter(({ what }) => what === 'canceled: not paid in time');
    expect(end).toMatchObject({ messageId: expect.any(String), attempt: 1 });
    // The server's timer rounds down to a whole second.
    expect(Date.parse(end?.at ?? '')).toBeGreaterThan(Date.parse(canceled.expiresAt) - SECOND_MS);

    const wanted = { available: before.available - 2, reserved: 0, sold: before.sold + 2 };
    const after = await eventually(
      () => demo.stockOf('book'),
      ({ reserved }) => reserved === 0,
    );
    expect(after).toEqual(wanted);
    expect(await demo.pay(unpaid.body.id)).toMatchObject({ status: 409, body: { status: 'CANCELED' } });
    expect(await demo.violations()).toEqual([]);
  }, 60_000);
});

describe('npm start', () => {
  let copy: string;
  let run: DemoRun | undefined;

  beforeAll(async () => {
    copy = await copyTree();
  }, TEST_MS);

  afterAll(async () => {
    await run?.end();
    removeTree(copy);
  }, TEST_MS);

  it(
    'uses the server of ROCKETMQ_ENDPOINTS: an order gets its stock and is paid',
    async () => {
      run = await DemoRun.start(copy, { DEMO_DATA_DIR: join(copy, 'data'), ROCKETMQ_ENDPOINTS: endpoints });
      await run.ready();
      expect(run.output).toContain(`the RocketMQ cluster at ${endpoints}`);
      const orders = `${run.orderUrl}/orders`;
      const headers = { 'content-type': 'application/json' };
      const placed = await fetch(orders, { method: 'POST', headers, body: '{"sku":"book","quantity":2}' });
      const { id } = (await placed.json()) as { id: string };
      const status = async () => ((await (await fetch(`${orders}/${id}`)).json()) as { status: string }).status;
      await until('the stock is reserved', async () => (await status()) === 'PENDING_PAYMENT');
      expect((await fetch(`${orders}/${id}/pay`, { method: 'POST' })).status).toBe(200);
      const stock = `${run.inventoryUrl}/stock`;
      await until('the stock is sold', async () => {
        const products = (await (await fetch(stock)).json()) as { sku: string; sold: number }[];
        return products.find(({ sku }) => sku === 'book')?.sold === 2;
      });
    },
    TEST_MS,
  );
});
