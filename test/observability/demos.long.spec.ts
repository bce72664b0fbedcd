// Operating the demos: two processes, a collector, and an order from its POST to the return of its stock.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { StockResult } from 'demo-kit';
import { ControlClient, EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { boardMetrics, servedMetrics } from '../../tools/dashboard-metrics.js';
import { DemoProcess } from './support/demo-process.js';
import { eventually } from './support/eventually.js';
import { OtlpReceiver } from './support/otlp-receiver.js';

const START_MS = 120_000;
/** A short export interval, so that the test need not wait for spans. */
const SPANS_DUE_MS = '100';

/** The services and names of the spans of an unpaid order. A handler that ran twice has two spans. */
const EXPECTED = [
  'order-demo: POST /orders',
  'order-demo: transact order-created',
  'order-demo: send order-created',
  'order-demo: commit order-created',
  'order-demo: process order-created',
  'order-demo: send order-timeout',
  'inventory-demo: process order-created',
  'inventory-demo: transact',
  'inventory-demo: send stock-result',
  'inventory-demo: commit stock-result',
  'order-demo: process stock-result',
  'order-demo: process order-timeout',
  'order-demo: transact stock-return',
  'order-demo: send stock-return',
  'order-demo: commit stock-return',
  'inventory-demo: process stock-return',
];

describe('observing the demos', () => {
  let collector: OtlpReceiver;
  let broker: EmbeddedBroker;
  let inventory: DemoProcess;
  let order: DemoProcess;
  let folder: string;
  const urls = { order: '', inventory: '' };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-watched-'));
    collector = await OtlpReceiver.start();
    broker = new EmbeddedBroker({ controlPort: 0, recallEnabled: true });
    await broker.start();
    const common = {
      ROCKETMQ_ENDPOINTS: broker.endpoints,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: SPANS_DUE_MS,
      LOG_FORMAT: 'json',
      DEMO_FAULTS: 'on',
    };
    inventory = new DemoProcess('inventory-demo', { ...common, DATA_DIR: join(folder, 'inventory') });
    order = new DemoProcess('order-demo', {
      ...common,
      DATA_DIR: join(folder, 'order'),
      CONTROL_ENDPOINT: broker.controlEndpoint,
      ORDER_PAYMENT_TIMEOUT: '10m',
    });
    [urls.inventory, urls.order] = await Promise.all([inventory.url, order.url]);
  }, START_MS);

  afterAll(async () => {
    await Promise.all([order?.stop(), inventory?.stop()]);
    await broker?.stop();
    await collector?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }, START_MS);

  const post = async (path: string, body: object = {}, url = urls.order): Promise<Response> =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify(body),
    });
  const get = async (url: string): Promise<Response> => fetch(url, { headers: { connection: 'close' } });
  const place = async (sku: string): Promise<string> => {
    const placed = (await (await post('/orders', { sku, quantity: 1 })).json()) as { id: string };
    return placed.id;
  };
  /** Places an order that times out, and waits until its stock is returned. */
  const timedOut = async (sku: string): Promise<string> => {
    const id = await place(sku);
    for (const topic of ['order-created', 'stock-result']) await eventually(() => handled(order, topic, id));
    expect((await post(`/orders/${id}/time-out-now`)).status).toBe(202);
    await eventually(() => handled(order, 'order-timeout', id));
    await eventually(() => handled(inventory, 'stock-return', id));
    return id;
  };

  it('log the ids of order and message in each line about an order', async () => {
    const id = await timedOut('book');
    const messages = [
      [order, 'order-created'],
      [order, 'stock-result'],
      [order, 'order-timeout'],
      [inventory, 'order-created'],
      [inventory, 'stock-return'],
    ] as const;
    const traces = new Set<unknown>();
    for (const [app, topic] of messages) {
      const line = await eventually(() => handled(app, topic, id));
      expect(line).toMatchObject({ context: 'Messages', messageId: expect.stringMatching(/^[0-9A-F]+$/), attempt: 1 });
      traces.add(line.traceId);
    }
    const requested = order.lines.find((line) => line.orderId === id && line.message === 'answered POST /orders: 201');
    traces.add(requested?.traceId);
    expect([...traces]).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
    const about = [...order.lines, ...inventory.lines].filter((line) => JSON.stringify(line).includes(id));
    expect(about.filter(({ orderId }) => orderId !== id)).toEqual([]);
  });

  it('serve the metrics that the dashboard queries', async () => {
    await post('/faults/fail-twice', {}, urls.inventory);
    const failed = await place('chair');
    await eventually(() => inventory.lines.find((line) => line.orderId === failed && line.level !== 'log'));
    await deadLetter(broker, failed);
    const twice = await timedOut('lamp');
    expect((await post(`/orders/${twice}/deliver-again`)).status).toBe(202);
    await eventually(
      async () => (await text(inventory)).match(/^rocketmq_client_inbox_hits_total\S* [1-9]/m) ?? undefined,
    );
    await eventually(async () => (await text(order)).match(/^rocketmq_client_dead_letters_total\S* 1$/m) ?? undefined);

    const orders = await text(order);
    expect(orders).toMatch(/^demo_orders\{status="CANCELED"\} [1-9]\d*$/m);
    expect(orders).toMatch(/^http_server_request_duration_seconds_count\{[^}]*http_route="\/orders"[^}]*\} \d+$/m);
    expect(orders).not.toContain(failed);
    expect(await text(inventory)).toMatch(/^demo_stock_pieces\{sku="lamp",place="available"\} 25$/m);
    const ofBroker = await new ControlClient({ endpoint: broker.controlEndpoint }).metrics();
    const served = servedMetrics(orders, await text(inventory), ofBroker);
    const shown = boardMetrics(readFileSync('docker/grafana/dashboards/demos.json', 'utf8'));
    expect(shown.length).toBeGreaterThan(10);
    expect(shown.filter((name) => !served.has(name))).toEqual([]);
  });

  it('are live but not ready while the broker is unavailable, and ready again when it returns', async () => {
    const probe = async (what: 'live' | 'ready'): Promise<number[]> =>
      Promise.all([urls.order, urls.inventory].map(async (url) => (await get(`${url}/health/${what}`)).status));
    const are = (status: number): Promise<true> =>
      eventually(async () => ((await probe('ready')).every((one) => one === status) ? true : undefined));
    await are(200);
    await broker.stop();
    await are(503);
    expect(await probe('live')).toEqual([200, 200]);
    await broker.start();
    await are(200);
    expect(await probe('live')).toEqual([200, 200]);
  });

  it('record one trace of an order over both services, from its POST to the return of its stock', async () => {
    const id = await timedOut('book');
    const spans = await eventually(() => {
      const posted = collector.spans.find(
        ({ name, attributes }) => name === 'POST /orders' && attributes['order.id'] === id,
      );
      const found = collector.spans.filter(({ traceId }) => traceId === posted?.traceId);
      return new Set(found.map(({ service, name }) => `${service}: ${name}`)).size < EXPECTED.length
        ? undefined
        : found;
    });
    expect([...new Set(spans.map(({ service, name }) => `${service}: ${name}`))].sort()).toEqual([...EXPECTED].sort());
    const known = new Set(spans.map(({ spanId }) => spanId));
    // Each span except the first has its parent in the trace.
    const roots = spans.filter(({ parentSpanId }) => !known.has(parentSpanId));
    expect(roots).toMatchObject([{ name: 'POST /orders', parentSpanId: '' }]);
  });

  const text = async (app: DemoProcess): Promise<string> => (await get(`${await app.url}/metrics`)).text();
});

/** The line about a handled message of an order. */
function handled({ lines }: DemoProcess, topic: string, orderId: string): Record<string, unknown> | undefined {
  return lines.find((line) => line.message === `handled ${topic}` && line.orderId === orderId);
}

/** An invalid answer of the inventory, which order-demo dead-letters at once. */
async function deadLetter({ endpoints }: EmbeddedBroker, orderId: string): Promise<void> {
  const connection = new Connection({ endpoints });
  const producer = new Producer(connection, { transactionCheckers: { [StockResult.name]: () => 'unknown' } });
  try {
    const message = { topic: StockResult.name, tag: 'nonsense', keys: [orderId], body: JSON.stringify({ orderId }) };
    await producer.transact({ message }, async () => {});
  } finally {
    await producer.close();
    connection.close();
  }
}
