// The order flow of both demos on the embedded broker, with a manual clock: the cases, for databases of any kind.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { MINUTE_MS, SECOND_MS } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { TOPICS } from '../../../libs/demo-kit/src/topics.js';
import { Barriers } from './barriers.js';
import { type DemoDatabases, DemoPair, type OrderView } from './demo-pair.js';
import { Resender } from './resender.js';

const PAYMENT_TIMEOUT_MS = 30 * MINUTE_MS;
/** Includes the start of a database server. */
const START_MS = 60_000;

/** @param open creates a database for each demo */
export function orderFlowCases(open: () => Promise<DemoDatabases>): void {
  let broker: TestBroker;
  let demo: DemoPair;
  let resender: Resender;
  const barriers = new Barriers();

  beforeAll(async () => {
    const topics = TOPICS.map(({ name, type }) => ({ name, type }));
    const groups = [{ name: 'order-service' }, { name: 'inventory-service' }];
    broker = await TestBroker.start({ manualClock: true, strict: true, recallEnabled: true, topics, groups });
    const { endpoints, clock } = broker;
    demo = await DemoPair.start({
      endpoints,
      clock,
      barriers,
      paymentTimeoutMs: PAYMENT_TIMEOUT_MS,
      databases: await open(),
    });
    resender = new Resender(endpoints, clock);
    await resender.start();
  }, START_MS);

  afterAll(async () => {
    await resender?.close();
    await demo?.stop();
    await broker?.stop();
  });

  afterEach(async () => {
    await broker.advance(PAYMENT_TIMEOUT_MS);
    expect(await demo.violations()).toEqual([]);
    expect(broker.inFlight()).toEqual([]);
    // No time-out and no failed message is left.
    expect(broker.waiting()).toEqual([]);
    expect(broker.halfMessages()).toEqual([]);
  });

  /** An order whose stock is reserved. */
  async function payableOrder(sku: string, quantity: number): Promise<OrderView> {
    const { body } = await demo.place(sku, quantity);
    await broker.idle();
    const order = await demo.order(body.id);
    expect(order.status).toBe('PENDING_PAYMENT');
    return order;
  }

  /** The visible messages of a topic that belong to an order. */
  function messagesFor(topic: string, orderId: string) {
    return broker.messages(topic).filter(({ keys }) => keys.includes(orderId));
  }

  /** The pending time-outs of an order. */
  function timeoutsFor(orderId: string) {
    return broker.waiting().filter(({ topic, keys }) => topic === 'order-timeout' && keys.includes(orderId));
  }

  describe('the order flow', () => {
    it('answers a new order at once, and reserves its stock', async () => {
      const before = await demo.stockOf('book');
      const { status, body } = await demo.place('book', 2);
      expect(status).toBe(201);
      const expiresAt = new Date(broker.clock.nowMs() + PAYMENT_TIMEOUT_MS).toISOString();
      expect(body).toEqual({ id: expect.any(String), sku: 'book', quantity: 2, status: 'PENDING_STOCK', expiresAt });
      await broker.idle();
      expect(await demo.order(body.id)).toMatchObject({ status: 'PENDING_PAYMENT' });
      expect(await demo.stockOf('book')).toEqual({
        ...before,
        available: before.available - 2,
        reserved: before.reserved + 2,
      });
    });

    it('recalls the time-out of a paid order', async () => {
      const order = await payableOrder('book', 1);
      expect(timeoutsFor(order.id)).toHaveLength(1);
      await demo.pay(order.id);
      expect(timeoutsFor(order.id)).toEqual([]);
    });

    it('sells the stock of a paid order, and keeps it sold if the time-out cannot be recalled', async () => {
      broker.faults.add({ rpc: 'recallMessage', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' } });
      const before = await demo.stockOf('lamp');
      const order = await payableOrder('lamp', 3);
      expect(await demo.pay(order.id)).toMatchObject({ status: 200, body: { id: order.id, status: 'PAID' } });
      await broker.idle();
      const sold = { ...before, available: before.available - 3, sold: before.sold + 3 };
      expect(await demo.stockOf('lamp')).toEqual(sold);
      await broker.advance(PAYMENT_TIMEOUT_MS);
      const { history } = await demo.order(order.id);
      expect(history).toContainEqual(expect.objectContaining({ what: 'time-out came too late', status: 'PAID' }));
      expect(await demo.stockOf('lamp')).toEqual(sold);
      expect(messagesFor('stock-return', order.id)).toEqual([]);
      expect(await demo.pay(order.id)).toMatchObject({ status: 409, body: { status: 'PAID' } });
      expect(await demo.cancel(order.id)).toMatchObject({ status: 409, body: { status: 'PAID' } });
    });

    it('cancels an unpaid order after 30 minutes, not before, and returns its stock', async () => {
      const before = await demo.stockOf('chair');
      const order = await payableOrder('chair', 4);
      await broker.advance(PAYMENT_TIMEOUT_MS - 1);
      expect(await demo.order(order.id)).toMatchObject({ status: 'PENDING_PAYMENT' });
      await broker.advance(1);
      const canceled = await demo.order(order.id);
      expect(canceled.status).toBe('CANCELED');
      expect(await demo.stockOf('chair')).toEqual(before);
      const { messageId } = broker.messages('order-timeout').find(({ keys }) => keys.includes(order.id)) ?? {};
      const [sent] = messagesFor('stock-return', order.id);
      expect(canceled.history.map(({ what }) => what)).toEqual(
        expect.arrayContaining(['created', 'stock reserved', 'time-out scheduled']),
      );
      const inTime = { at: order.expiresAt, status: 'CANCELED' };
      const wanted = [
        { ...inTime, what: 'canceled: not paid in time', messageId, attempt: 1 },
        { ...inTime, what: 'stock return sent', messageId: sent?.messageId, attempt: null },
      ];
      expect(canceled.history).toEqual(expect.arrayContaining(wanted));
      expect(await demo.pay(order.id)).toMatchObject({ status: 409, body: { status: 'CANCELED' } });
    });

    it('cancels an order on request', async () => {
      const before = await demo.stockOf('chair');
      const order = await payableOrder('chair', 1);
      expect(await demo.cancel(order.id)).toMatchObject({ status: 200, body: { status: 'CANCELED' } });
      await broker.idle();
      expect(await demo.stockOf('chair')).toEqual(before);
    });

    it.each(['chair', 'no-such-product'])('rejects an order for more than there is of "%s"', async (sku) => {
      const before = await demo.stock();
      const { body } = await demo.place(sku, 1_000);
      await broker.idle();
      expect(await demo.order(body.id)).toMatchObject({ status: 'REJECTED' });
      expect(await demo.stock()).toEqual(before);
      expect(await demo.pay(body.id)).toMatchObject({ status: 409, body: { status: 'REJECTED' } });
      await broker.advance(PAYMENT_TIMEOUT_MS);
      expect(await demo.order(body.id)).toMatchObject({ status: 'REJECTED' });
      expect(messagesFor('stock-return', body.id)).toEqual([]);
    });
  });

  describe('payment and time-out at the same moment', () => {
    it('let the payment win when it changes the state first', async () => {
      const order = await payableOrder('book', 1);
      await broker.advance(PAYMENT_TIMEOUT_MS - SECOND_MS);
      const cancelling = barriers.hold('half-sent', 'stock-return');
      const passing = broker.advance(SECOND_MS);
      await cancelling.reached;
      expect(await demo.pay(order.id)).toMatchObject({ status: 200, body: { status: 'PAID' } });
      cancelling.release();
      await passing;
      const { status, history } = await demo.order(order.id);
      expect(status).toBe('PAID');
      expect(history).toContainEqual(expect.objectContaining({ what: 'time-out came too late', attempt: 1 }));
      expect(messagesFor('stock-return', order.id)).toEqual([]);
      expect(messagesFor('order-paid', order.id)).toHaveLength(1);
    });

    it('let the time-out win when it changes the state first', async () => {
      const order = await payableOrder('book', 1);
      await broker.advance(PAYMENT_TIMEOUT_MS - SECOND_MS);
      const paying = barriers.hold('half-sent', 'order-paid');
      const answer = demo.pay(order.id);
      await paying.reached;
      await broker.advance(SECOND_MS);
      expect(await demo.order(order.id)).toMatchObject({ status: 'CANCELED' });
      paying.release();
      expect(await answer).toMatchObject({ status: 409, body: { status: 'CANCELED' } });
      expect(messagesFor('order-paid', order.id)).toEqual([]);
      expect(messagesFor('stock-return', order.id)).toHaveLength(1);
    });
  });

  describe('messages that are redelivered or out of order', () => {
    it('have no further effect when each is redelivered, with its own id and with new ones', async () => {
      const paid = await payableOrder('book', 2);
      await demo.pay(paid.id);
      const canceled = await payableOrder('chair', 2);
      const { body: rejected } = await demo.place('chair', 999);
      await broker.advance(PAYMENT_TIMEOUT_MS);
      const stock = await demo.stock();
      const ids = [paid.id, canceled.id, rejected.id];
      const isOurs = ({ keys }: { readonly keys: readonly string[] }) => ids.some((id) => keys.includes(id));
      const messages = TOPICS.flatMap(({ name }) => broker.messages(name).filter(isOurs));
      expect(new Set(messages.map(({ topic }) => topic)).size).toBe(TOPICS.length);
      await resender.resend(messages);
      await broker.idle();
      expect(await demo.stock()).toEqual(stock);
      const after = await Promise.all(ids.map((id) => demo.order(id)));
      expect(after.map(({ status }) => status)).toEqual(['PAID', 'CANCELED', 'REJECTED']);
      for (const topic of ['stock-result', 'stock-return', 'order-paid']) {
        const found = messages.filter((message) => message.topic === topic).length;
        // The messages that were sent again exist three times; no further message was sent because of them.
        expect(broker.messages(topic).filter(isOurs)).toHaveLength(3 * found);
      }
    });

    it('do not change the stock when the return arrives before the reservation', async () => {
      const before = await demo.stock();
      const placing = barriers.hold('local-transaction-done', 'order-created');
      const answer = demo.place('lamp', 5);
      await placing.reached;
      const [order] = await demo.orders();
      const id = order?.id ?? '';
      expect(await demo.cancel(id)).toMatchObject({ status: 200, body: { status: 'CANCELED' } });
      await broker.idle();
      expect(messagesFor('stock-return', id)).toHaveLength(1);
      expect(messagesFor('order-created', id)).toEqual([]);
      placing.release();
      expect((await answer).status).toBe(201);
      await broker.idle();
      expect(messagesFor('order-created', id)).toHaveLength(1);
      expect(messagesFor('stock-result', id)).toEqual([]);
      expect(await demo.stock()).toEqual(before);
      expect(await demo.order(id)).toMatchObject({ status: 'CANCELED' });
    });

    it('cancel an order during its reservation, and return the reserved stock', async () => {
      const before = await demo.stock();
      const reserving = barriers.hold('local-transaction-done', 'stock-result');
      const { body } = await demo.place('lamp', 5);
      await reserving.reached;
      expect(await demo.cancel(body.id)).toMatchObject({ status: 200, body: { status: 'CANCELED' } });
      reserving.release();
      await broker.idle();
      expect(await demo.stock()).toEqual(before);
      const { status, history } = await demo.order(body.id);
      expect(status).toBe('CANCELED');
      expect(history.map(({ what }) => what)).toContain('stock reserved, too late');
    });
  });
}
