// The parts of order-demo's page: time lines, live steps, "time out now", and the faults that visitors can inject.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MINUTE_MS } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import type { TimelineEntry } from '../../apps/order-demo/src/page/timeline.js';
import { endingOf } from '../../scripts/demo/demo-client.js';
import { until } from '../../tools/until.js';
import { DemoPair, type OrderView, openOrders, request, stockViolations } from './support/demo-pair.js';
import { EventReader } from './support/event-reader.js';

let broker: TestBroker;
let demo: DemoPair;
const steps = async (id: string) =>
  (await request<{ entries: TimelineEntry[]; isComplete: boolean }>(`${demo.orderUrl}/orders/${id}/timeline`, 'GET'))
    .body;
const whats = async (id: string) => (await steps(id)).entries.map(({ what }) => what);
/** The end of a transaction is reported, and recorded, after it. */
const hasSteps = (id: string, ...wanted: readonly string[]) =>
  until(async () => {
    const found = await whats(id);
    return wanted.every((what) => found.includes(what));
  });
const post = <T>(path: string, body?: unknown) => request<T>(`${demo.orderUrl}${path}`, 'POST', body);

beforeAll(async () => {
  broker = await TestBroker.start({ manualClock: true, recallEnabled: true, controlPort: 0 });
  const { endpoints, clock, controlEndpoint } = broker;
  demo = await DemoPair.start({
    endpoints,
    clock,
    controlEndpoint,
    canBreak: true,
    paymentTimeoutMs: 30 * MINUTE_MS,
  });
});
afterAll(async () => {
  await demo?.stop();
  await broker?.stop();
});

async function payableOrder(sku = 'book'): Promise<OrderView> {
  const { body } = await demo.place(sku, 1);
  await broker.idle();
  return demo.order(body.id);
}

describe('the time line of an order', () => {
  it('has the steps of both services with message ids and attempts, from the half message to the sale', async () => {
    const { id } = await payableOrder();
    await demo.pay(id);
    await broker.idle();
    await hasSteps(id, 'order-created: committed', 'order-paid: committed');
    const { entries, isComplete } = await steps(id);
    expect(isComplete).toBe(true);
    expect(entries.slice(0, 2).map(({ what }) => what)).toEqual(['half message sent', 'created']);
    const created = entries[0]?.messageId;
    const find = (what: string) => entries.find((entry) => entry.what === what);
    expect(find('order-created received')).toMatchObject({ messageId: created, attempt: 1 });
    expect(find('order-created: committed')).toMatchObject({ service: 'order-demo', messageId: created });
    expect(find('reserved')).toMatchObject({ service: 'inventory-demo', messageId: created, attempt: 1 });
    expect(find('stock reserved')).toMatchObject({ service: 'order-demo', attempt: 1 });
    expect(find('time-out recalled')).toMatchObject({ messageId: find('time-out scheduled')?.messageId });
    expect(find('sold')?.messageId).toBe(find('paid')?.messageId);
  });

  it('shows that the check resolved the commit when its answer was lost', async () => {
    broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' } });
    const { body } = await demo.place('book', 1);
    await broker.advance(MINUTE_MS);
    await hasSteps(body.id, 'order-created: check answered: commit');
    const found = await whats(body.id);
    expect(found).not.toContain('order-created: committed');
    expect(found).toContain('order-created: the commit may be lost: left to the check');
    expect(found).toContain('reserved');
    await demo.cancel(body.id);
    await broker.idle();
    await hasSteps(body.id, 'stock-return: committed');
    expect(await whats(body.id)).toContain('returned');
  });
});

describe('the history of an order', () => {
  it('has the format that the load test reads', async () => {
    const order = await payableOrder();
    expect(endingOf(order)).toMatchObject({ outcome: 'reserved', doneAtMs: expect.any(Number) });
    await demo.cancel(order.id);
    await broker.idle();
    const { body } = await demo.place('chair', 1_000);
    await broker.idle();
    expect(endingOf(await demo.order(body.id))).toMatchObject({ outcome: 'rejected' });
  });
});

describe('the history of the stock', () => {
  it.each(['99999999999', '-1', 'x', '1&after=2'])('rejects after=%s, and names the field', async (after) => {
    const answer = await request(`${demo.inventoryUrl}/stock/history?after=${after}`, 'GET');
    expect(answer).toMatchObject({ status: 400, body: { field: 'after' } });
  });
});

describe('the live steps', () => {
  it('are sent as they happen, and continue after Last-Event-ID without a gap', async () => {
    const first = await EventReader.open(demo.orderUrl);
    const one = await payableOrder();
    const seen = await first.until((entries) =>
      entries.some(({ what, orderId }) => what === 'reserved' && orderId === one.id),
    );
    expect(seen.filter(({ orderId }) => orderId !== one.id)).toEqual([]);
    const lastEventId = await first.close();
    await demo.cancel(one.id);
    await broker.idle();
    await hasSteps(one.id, 'returned', 'order-created: committed', 'stock-return: committed');
    const name = ({ service, id }: TimelineEntry) => `${service} ${id}`;
    const wanted = (await steps(one.id)).entries.map(name);
    const second = await EventReader.open(demo.orderUrl, lastEventId);
    const rest = await second.until((entries) => seen.length + entries.length >= wanted.length);
    await second.close();
    // Each exactly once.
    expect([...seen, ...rest].map(name).sort()).toEqual([...wanted].sort());
  });

  it('are sent to a limited number of concurrent watchers', async () => {
    const readers = await Promise.all(Array.from({ length: 32 }, () => EventReader.open(demo.orderUrl)));
    expect((await fetch(`${demo.orderUrl}/events`)).status).toBe(503);
    await Promise.all(readers.map((reader) => reader.close()));
  });
});

describe('the actions on an order', () => {
  it('"time out now" cancels it at once and returns its stock, without moving the clock', async () => {
    const before = await demo.stock();
    const { id } = await payableOrder();
    const nowMs = broker.clock.nowMs();
    expect((await post(`/orders/${id}/time-out-now`)).status).toBe(202);
    await broker.idle();
    expect(broker.clock.nowMs()).toBe(nowMs);
    expect((await demo.order(id)).status).toBe('CANCELED');
    expect(await demo.stock()).toEqual(before);
    expect(await post(`/orders/${id}/time-out-now`)).toMatchObject({ status: 409 });
  });

  it('"deliver twice" redelivers its message, and nothing is reserved twice', async () => {
    const { id } = await payableOrder();
    const before = await demo.stock();
    expect((await post(`/orders/${id}/deliver-again`)).status).toBe(202);
    await broker.idle();
    expect(await whats(id)).toContain('redelivered: nothing to reserve');
    expect(await demo.stock()).toEqual(before);
    await demo.cancel(id);
    await broker.idle();
  });
});

describe('the faults', () => {
  it('a handler that fails twice succeeds at the third attempt', async () => {
    expect((await post('/faults/fail-twice')).status).toBe(202);
    const { body } = await demo.place('chair', 1);
    await broker.advance(MINUTE_MS);
    const reserved = (await steps(body.id)).entries.find(({ what }) => what === 'reserved');
    expect(reserved).toMatchObject({ attempt: 3 });
    await demo.pay(body.id);
    await broker.idle();
  });

  it('a return before the reservation does not change the stock', async () => {
    const before = await demo.stock();
    const { status, body } = await post<OrderView>('/faults/return-before-reservation');
    expect(status).toBe(201);
    await broker.idle();
    const found = await whats(body.id);
    expect(found).toContain('returned before the reservation');
    expect(found).toContain('not reserved: returned before');
    expect(await demo.stock()).toEqual(before);
    expect((await demo.order(body.id)).status).toBe('CANCELED');
  });
});

describe('the page', () => {
  it('is served with its style sheet and script, and cannot load anything else', async () => {
    const page = await fetch(demo.orderUrl);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    const html = await page.text();
    expect(html).not.toMatch(/https?:\/\/|<script>|\son\w+=|style=/);
    const types = await Promise.all(
      ['page.css', 'page.js'].map(async (name) =>
        (await fetch(`${demo.orderUrl}/${name}`)).headers.get('content-type'),
      ),
    );
    expect(types).toEqual(['text/css; charset=utf-8', 'text/javascript; charset=utf-8']);
  });

  it('shows the products of inventory-demo and the available actions', async () => {
    const { body } = await request<{ sku: string; total: number }[]>(`${demo.orderUrl}/products`, 'GET');
    expect(body).toEqual(await demo.stock());
    expect(body.map(({ sku, total }) => [sku, total])).toEqual([
      ['book', 100],
      ['chair', 10],
      ['lamp', 25],
    ]);
    const settings = { paymentTimeoutMs: 30 * MINUTE_MS, canHurry: true, canBreak: true };
    expect((await request(`${demo.orderUrl}/settings`, 'GET')).body).toEqual(settings);
  });

  it('is the only page that can order: requests of other sites are rejected', async () => {
    const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'cross-site' };
    const body = '{"sku":"book","quantity":1}';
    expect((await fetch(`${demo.orderUrl}/orders`, { method: 'POST', headers, body })).status).toBe(403);
  });
});

it('finally all orders have ended, and no stock was created or lost', async () => {
  await broker.advance(60 * MINUTE_MS);
  expect(openOrders(await demo.orders())).toEqual([]);
  expect(stockViolations(await demo.stock())).toEqual([]);
});
