// Traces through the outbox, and the metrics of the inbox.

import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { trace } from '@opentelemetry/api';
import { createPglite } from 'demo-kit';
import { idOf, linksOf, parentOf, TelemetryBench, traceOf } from '../../../../test/fixtures/telemetry-bench.js';
import { Connection } from '../client/connection.js';
import { PushConsumer } from '../consumer/push-consumer.js';
import { openTelemetry } from '../opentelemetry/open-telemetry.js';
import { Producer } from '../producer/producer.js';
import { TestBroker } from '../testing/test-broker.js';
import { Inbox } from './inbox.js';
import { Outbox } from './outbox/outbox.js';
import { OutboxRelay } from './outbox/outbox-relay.js';
import { schemaSql } from './schema.js';

const sdk = new TelemetryBench();
const telemetry = openTelemetry();
const tracer = trace.getTracer('spec');
let database: PGlite;

beforeAll(async () => {
  sdk.register();
  database = await createPglite();
  await database.exec(schemaSql());
});
beforeEach(() => sdk.reset());
afterAll(async () => {
  await database.close();
  await sdk.close();
});

describe('a message of an outbox', () => {
  it('continues the trace in which it was written, whoever sends it', async () => {
    const broker = await TestBroker.start({ manualClock: true });
    const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    const producer = new Producer(connection, { telemetry });
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'stock',
      telemetry,
      subscriptions: [{ topic: 'orders' }],
      handler: () => {},
    });
    broker.declareTopic({ name: 'orders' });
    await consumer.start();
    const outbox = new Outbox({ telemetry, clock: broker.clock });
    await tracer.startActiveSpan('request', async (span) => {
      await database.transaction((tx) => outbox.add(tx, { topic: 'orders', body: { id: 1 } }));
      span.end();
    });
    const relay = new OutboxRelay({ outbox, database, send: (message, options) => producer.send(message, options) });
    await tracer.startActiveSpan('relay', async (span) => {
      await relay.runOnce();
      span.end();
    });
    await broker.idle();
    const [create, send, process] = ['create orders', 'send orders', 'process orders'].map((name) => sdk.span(name));
    if (create === undefined || send === undefined || process === undefined) throw new Error('a span is missing');
    expect(parentOf(create)).toBe(idOf(sdk.span('request')));
    expect([linksOf(send), linksOf(process), parentOf(process)]).toEqual([
      [idOf(create)],
      [idOf(create)],
      idOf(create),
    ]);
    expect([send, process].map(traceOf)).toEqual([traceOf(create), traceOf(create)]);
    for (const one of [consumer, producer]) await one.close();
    connection.close();
    await broker.stop();
  });

  it('is written unchanged without telemetry', async () => {
    const outbox = new Outbox({ tableName: 'rocketmq_outbox' });
    await database.transaction((tx) => outbox.add(tx, { topic: 'orders', body: 'a', properties: { own: '1' } }));
    const { rows } = await database.query<{ fields: { properties: unknown } }>(
      `SELECT "fields" FROM rocketmq_outbox WHERE "state" = 'unsent'`,
    );
    expect(rows[0]?.fields.properties).toEqual({ own: '1' });
  });
});

describe('an inbox', () => {
  it('counts skipped steps by consumer group, and marks the span', async () => {
    const inbox = new Inbox({ telemetry });
    const key = { consumerGroup: 'stock', messageId: 'M1' };
    await tracer.startActiveSpan('handler', async (span) => {
      for (const one of [key, key, key, 'order 7', 'order 7']) {
        await database.transaction((tx) => inbox.once(tx, one, async () => {}));
      }
      span.end();
    });
    const hits = await sdk.measured('rocketmq_client_inbox_hits');
    expect(hits).toEqual([
      { labels: { consumer_group: 'stock' }, value: 2 },
      { labels: {}, value: 1 },
    ]);
    expect(sdk.span('handler').events.map(({ name }) => name)).toEqual(Array(3).fill('nestjs_rocketmq.inbox_hit'));
  });
});
