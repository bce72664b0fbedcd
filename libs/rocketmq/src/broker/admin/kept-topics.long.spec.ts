// What RocketMQAdmin sees of the topics that this broker does not have, where that differs from what a real server keeps. The rest is in
// test/contract.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ConsumerBench } from '../../../../../test/fixtures/consumer-bench.js';
import { type DelayedMessage, RocketMQAdmin } from '../../entries/admin.js';
import { Connection, Producer, SimpleConsumer } from '../../entries/client.js';
import { TestBroker, type TestBrokerOptions } from '../../entries/testing.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { ControlClient } from '../control/control-client.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function world(options: TestBrokerOptions = {}) {
  const broker = await TestBroker.start({
    manualClock: true,
    nameServerPort: 0,
    topics: [
      { name: 'd', type: 'delay' },
      { name: 't', queues: 1 },
    ],
    groups: [{ name: 'g', maxDeliveryAttempts: 100, backoff: { kind: 'customized', nextMs: [SECOND_MS] } }],
    ...options,
  });
  closers.push(() => broker.stop());
  const connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
  closers.push(() => connection.close());
  const producer = new Producer(connection);
  await producer.start();
  closers.push(() => producer.close());
  const delay = (body: string, delayMs: number) => producer.send({ topic: 'd', body, delayMs });
  return { broker, connection, producer, delay };
}

function adminOf(broker: TestBroker): RocketMQAdmin {
  const admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  return admin;
}

async function consumerOf(connection: Connection): Promise<SimpleConsumer> {
  const consumer = new SimpleConsumer(connection, { consumerGroup: 'g', subscriptions: [{ topic: 't' }] });
  await consumer.start();
  closers.push(() => consumer.close());
  return consumer;
}

const bodiesOf = (messages: readonly { readonly body: Buffer }[]): string[] => messages.map(({ body }) => `${body}`);

async function allDelayed(admin: RocketMQAdmin, between: () => Promise<unknown> = async () => {}) {
  const all: DelayedMessage[] = [];
  for (let after: string | undefined; ; await between()) {
    const { messages, next } = await admin.delayedMessages({ limit: 10, after });
    all.push(...messages);
    after = next;
    if (after === undefined) return all;
  }
}

describe('the delayed messages', () => {
  it('of a deleted topic, and those that were delivered before their time, are not listed', async () => {
    const { broker, delay } = await world({ controlPort: 0 });
    const admin = adminOf(broker);
    const { messageId } = await delay('now', HOUR_MS);
    await delay('deleted', HOUR_MS);
    await new ControlClient({ endpoint: broker.controlEndpoint }).deliverNow({ topic: 'd', messageId });
    expect(bodiesOf(await allDelayed(admin))).toEqual(['deleted']);
    expect(await admin.messageTrail({ topic: 'd', messageId })).toMatchObject({
      delayed: [{ messageId, body: Buffer.from('now') }],
      stored: [{ messageId }],
    });
    await admin.deleteTopic('d');
    expect(await allDelayed(admin)).toEqual([]);
    expect((await admin.messageTrail({ topic: 'd', messageId })).delayed).toEqual([]);
  });

  it('that are due after the retention time are listed while they wait', async () => {
    const { broker, delay } = await world({ retentionMs: 10 * HOUR_MS });
    await delay('late', 20 * HOUR_MS);
    await broker.advance(11 * HOUR_MS, { duringWork: true });
    expect(bodiesOf(await allDelayed(adminOf(broker)))).toEqual(['late']);
  });

  it('that an earlier process stored, without tools, are listed', async () => {
    const data = await mkdtemp(join(tmpdir(), 'kept-topics-'));
    closers.push(() => rm(data, { recursive: true }));
    const { broker, delay, producer, connection } = await world({ data, nameServerPort: undefined });
    await delay('without', HOUR_MS);
    await producer.close();
    connection.close();
    await broker.stop();
    const again = await world({ data });
    await again.delay('with', HOUR_MS);
    expect(bodiesOf(await allDelayed(adminOf(again.broker)))).toEqual(['with', 'without']);
  });

  it('are all on the pages, also while some are delivered and others arrive', async () => {
    const { broker, delay } = await world();
    const sent: string[] = [];
    for (let index = 0; index < 50; index++) {
      sent.unshift(`${index}`);
      await delay(`${index}`, index % 5 === 0 ? SECOND_MS : HOUR_MS);
    }
    const stay = sent.filter((body) => Number(body) % 5 !== 0);
    let arrived = 0;
    const between = async (): Promise<void> => {
      await broker.advance(MINUTE_MS, { duringWork: true });
      await delay(`new ${arrived++}`, HOUR_MS);
    };
    const listed = new Set(bodiesOf(await allDelayed(adminOf(broker), between)));
    expect([...listed].filter((body) => stay.includes(body))).toEqual(stay);
  });
});

describe('the trail of a message', () => {
  it('has the newest redeliveries of one that fails again and again, and says that there are older ones', async () => {
    const { broker, connection, producer } = await world();
    const { messageId } = await producer.send({ topic: 't', body: 'x' });
    const consumer = await consumerOf(connection);
    for (let attempt = 1; attempt <= 40; attempt++) {
      await consumer.receive({ maxMessages: 1, invisibleDurationMs: 10 * SECOND_MS });
      await broker.advance(11 * SECOND_MS, { duringWork: true });
    }
    const trail = await adminOf(broker).messageTrail({ topic: 't', messageId });
    const [group] = trail.groups;
    expect(group?.retries.map(({ attempt }) => attempt)).toEqual(Array.from({ length: 32 }, (_, index) => index + 10));
    expect(group?.retries.map(({ isPassed }) => isPassed)).toEqual([...Array.from({ length: 31 }, () => true), false]);
    expect([trail.mayBeMore, group?.mayBeMore]).toEqual([false, true]);
  });

  it('says of each message itself whether its redelivery waits', async () => {
    const { broker, connection, producer } = await world();
    const ids: string[] = [];
    for (const body of ['a', 'b', 'c']) ids.push((await producer.send({ topic: 't', body })).messageId);
    const consumer = await consumerOf(connection);
    for (const seconds of [12, 11, 10])
      await consumer.receive({ maxMessages: 1, invisibleDurationMs: seconds * SECOND_MS });
    await broker.advance(13 * SECOND_MS, { duringWork: true });
    const [again] = await consumer.receive({ maxMessages: 1, invisibleDurationMs: MINUTE_MS });
    const admin = adminOf(broker);
    for (const messageId of ids) {
      const { groups } = await admin.messageTrail({ topic: 't', messageId });
      expect(groups[0]?.retries.map(({ isPassed }) => isPassed)).toEqual([messageId === again?.messageId]);
    }
  });

  it('takes no room: a message that fails does not push others out', async () => {
    const { broker, connection, producer } = await world({ maxMemoryBytes: 5_000_000 });
    const { messageId } = await producer.send({ topic: 't', body: Buffer.alloc(1_000_000, 1) });
    const consumer = await consumerOf(connection);
    for (let attempt = 1; attempt <= 8; attempt++) {
      await consumer.receive({ maxMessages: 1, invisibleDurationMs: 10 * SECOND_MS });
      await broker.advance(11 * SECOND_MS, { duringWork: true });
    }
    await expect(producer.send({ topic: 't', body: 'x' })).resolves.toBeDefined();
    const { groups } = await adminOf(broker).messageTrail({ topic: 't', messageId });
    expect(groups[0]?.retries.map(({ body }) => body.length)).toEqual(Array.from({ length: 8 }, () => 1_000_000));
  });

  it('of a listener that is paused grows no store, so that retention deletes none of its messages', async () => {
    const bench = await ConsumerBench.open({ retentionBytes: 3_000_000, nameServerPort: 0 });
    closers.push(() => bench.close());
    const got: string[] = [];
    const tags = (expression: string) => ({ kind: 'tag', expression }) as const;
    const consumer = await bench.listen([
      { name: 'first', topic: 'orders', filter: tags('a'), handler: ({ body }) => void got.push(`${body[0]}`) },
      { name: 'second', topic: 'orders', filter: tags('b'), handler: () => {} },
    ]);
    consumer.pauseListener('first');
    for (let index = 1; index <= 3; index++)
      await bench.producer.send({ topic: 'orders', body: Buffer.alloc(100_000, index), tag: 'a' });
    await bench.broker.advance(10 * MINUTE_MS, { duringWork: true });
    expect(bench.broker.messages('orders')).toHaveLength(3);
    consumer.resumeListener('first');
    await bench.broker.advance(MINUTE_MS, { duringWork: true });
    expect(got.sort()).toEqual(['1', '2', '3']);
  });
});
