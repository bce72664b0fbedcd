// Both demos over HTTP: what they reject, and what they show beside the order flow.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MINUTE_MS } from 'nestjs-rocketmq';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { TOPICS } from '../../libs/demo-kit/src/topics.js';
import { problemsOf } from '../fixtures/async-api.js';
import { DemoPair, request } from './support/demo-pair.js';

const PAYMENT_TIMEOUT_MS = 30 * MINUTE_MS;

let broker: TestBroker;
let demo: DemoPair;

beforeAll(async () => {
  const topics = TOPICS.map(({ name, type }) => ({ name, type }));
  const groups = [{ name: 'order-service' }, { name: 'inventory-service' }];
  broker = await TestBroker.start({ manualClock: true, strict: true, recallEnabled: true, topics, groups });
  const { endpoints, clock } = broker;
  demo = await DemoPair.start({ endpoints, clock, paymentTimeoutMs: PAYMENT_TIMEOUT_MS });
});

afterAll(async () => {
  await demo?.stop();
  await broker?.stop();
});

describe('order-demo and inventory-demo over HTTP', () => {
  it.each([
    [{ sku: 'book', quantity: 0 }, 'quantity'],
    [{ sku: 'book', quantity: 1.5 }, 'quantity'],
    [{ sku: 'book', quantity: '1' }, 'quantity'],
    [{ sku: 'book' }, 'quantity'],
    [{ sku: 'two words', quantity: 1 }, 'sku'],
    [{ sku: 'book', quantity: 1, price: 1 }, 'price'],
    [undefined, 'sku'],
  ])('reject %j with the field', async (body, field) => {
    const answer = await request(`${demo.orderUrl}/orders`, 'POST', body);
    expect(answer).toMatchObject({ status: 400, body: { statusCode: 400, field } });
  });

  it.each([
    ['a field', (deep: string) => `{"sku":${deep},"quantity":1}`, 'sku'],
    ['the body', (deep: string) => deep, 'body'],
  ])('reject JSON that is nested 50,000 deep, as %s', async (_, bodyOf, field) => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${demo.orderUrl}/orders`, { method: 'POST', headers, body: bodyOf(deep) });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ statusCode: 400, field, message: expect.stringMatching(/nested/) });
  });

  it('distinguish an unknown order from an invalid id', async () => {
    const unknown = `${demo.orderUrl}/orders/00000000-0000-4000-8000-000000000000`;
    for (const [path, method] of [
      ['', 'GET'],
      ['/pay', 'POST'],
      ['/cancel', 'POST'],
    ] as const) {
      expect((await request(`${unknown}${path}`, method)).status).toBe(404);
    }
    const answer = await request(`${demo.orderUrl}/orders/17/pay`, 'POST');
    expect(answer).toMatchObject({ status: 400, body: { field: 'id' } });
  });

  it('inject no fault and deliver nothing early on request, unless that is enabled', async () => {
    const { body } = await request(`${demo.orderUrl}/settings`, 'GET');
    expect(body).toEqual({ paymentTimeoutMs: PAYMENT_TIMEOUT_MS, canHurry: false, canBreak: false });
    const { body: order } = await demo.place('book', 1);
    await broker.idle();
    for (const path of ['time-out-now', 'deliver-again']) {
      const answer = await request(`${demo.orderUrl}/orders/${order.id}/${path}`, 'POST');
      expect(answer).toMatchObject({
        status: 404,
        body: { message: 'there is no control port: not with a real server' },
      });
    }
    const timeouts = broker.waiting().filter(({ topic, keys }) => topic === 'order-timeout' && keys.includes(order.id));
    expect([(await demo.order(order.id)).status, timeouts.length]).toEqual(['PENDING_PAYMENT', 1]);
    expect((await request(`${demo.orderUrl}/faults/stop-inventory`, 'POST')).status).toBe(404);
    expect((await request(`${demo.inventoryUrl}/faults/stop`, 'POST')).status).toBe(404);
  });

  it('serve health checks and descriptions of their HTTP and messaging APIs', async () => {
    for (const url of [demo.orderUrl, demo.inventoryUrl]) {
      const ready = { status: 'ok', info: { rocketmq: { status: 'up' }, database: { status: 'up' } } };
      expect(await request(`${url}/health/ready`, 'GET')).toMatchObject({ status: 200, body: ready });
      expect((await request(`${url}/health/live`, 'GET')).status).toBe(200);
      expect((await fetch(`${url}/docs`)).status).toBe(200);
      const { body: messaging } = await request<{ channels: object }>(`${url}/asyncapi`, 'GET');
      expect(await problemsOf(messaging)).toEqual([]);
      expect(Object.keys(messaging.channels)).toContain('order-created');
    }
    const { body } = await request<{ paths: object }>(`${demo.orderUrl}/docs-json`, 'GET');
    expect(Object.keys(body.paths)).toEqual(expect.arrayContaining(['/orders', '/orders/{id}/pay', '/health/ready']));
  });
});
