// Messages of other clients, with labels that a send of this library rejects: they are shown, found and sent again.

import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import type { Json } from '../../../test/fixtures/console-bench.js';
import { ConsoleCore } from '../../../test/fixtures/console-core.js';
import { REQUEST_CODES } from '../../rocketmq/src/protocol/remoting/codes.js';
import { RemotingClient } from '../../rocketmq/src/remoting/remoting-client.js';
import { withDeadline } from '../../rocketmq/src/support/deadline.js';

const property = (name: string, value: string): string => `${name}\u0001${value}\u0002`;

const LABELS: Readonly<Record<string, string>> = {
  'a key with a tab': property('KEYS', 'one\ttwo three'),
  'a tag of two': property('TAGS', 'a||b'),
  'a property with a line break': property('note', 'first line\nsecond line'),
  'a property with a tab in its name': property('a\tb', 'c'),
  'properties of 17 KB': property('large', 'x'.repeat(17_000)),
  'keys of 17 KB': property('KEYS', Array.from({ length: 170 }, () => 'k'.repeat(99)).join(' ')),
  'the queues of other lite topics': property('INNER_MULTI_DISPATCH', 'one,two'),
  'a lite topic': property('__LITE_TOPIC', 'a b'),
  'a message group': property('__SHARDINGKEY', 'one'),
  'a priority': property('_SYS_MSG_PRIORITY_', '3'),
  'an ordinary one': property('KEYS', 'k') + property('TAGS', 't') + property('p', 'v'),
};

let broker: EmbeddedBroker;
let admin: RocketMQAdmin;
let core: ConsoleCore;
let connection: Connection;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  broker = new EmbeddedBroker({ nameServerPort: 0, topics: [{ name: 'orders' }], groups: [{ name: 'billing' }] });
  await broker.start();
  closers.push(() => broker.stop());
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  closers.push(() => admin.close());
  connection = new Connection({ endpoints: broker.endpoints });
  closers.push(() => connection.close());
  const producer = new Producer(connection);
  await producer.start();
  closers.push(() => producer.close());
  core = new ConsoleCore({
    admin,
    send: (message, { signal }) => producer.send(message, { signal, timeoutMs: 10_000 }),
  });
  closers.push(() => core.close());
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function store(body: string, properties: string): Promise<string> {
  const messageId = randomBytes(17).toString('hex').toUpperCase();
  const fields = {
    producerGroup: 'raw',
    topic: 'orders',
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: '4',
    queueId: '0',
    sysFlag: '0',
    bornTimestamp: String(Date.now()),
    flag: '0',
    properties: property('UNIQ_KEY', messageId) + properties,
    reconsumeTimes: '0',
    unitMode: 'false',
    batch: 'false',
  };
  const client = new RemotingClient({ connectTimeoutMs: 5_000 });
  await withDeadline('store', 5_000, undefined, (deadline) =>
    client.call(
      broker.nameServerEndpoint,
      { code: REQUEST_CODES.sendMessage, fields, body: Buffer.from(body) },
      deadline,
    ),
  );
  await client.close();
  return messageId;
}

async function bury(count: number): Promise<void> {
  const consumer = new SimpleConsumer(connection, { consumerGroup: 'billing', subscriptions: [{ topic: 'orders' }] });
  await consumer.start();
  for (let left = count; left > 0; )
    for (const message of await consumer.receive()) {
      await consumer.forwardToDeadLetterQueue(message);
      left--;
    }
  await consumer.close();
}

describe('a message of another client', () => {
  const bodies = Object.keys(LABELS);
  let ids: string[];

  beforeEach(async () => {
    ids = [];
    for (const [body, labels] of Object.entries(LABELS)) ids.push(await store(body, labels));
  });

  it('is shown and found, whatever its labels', async () => {
    const pages: Json[] = [];
    for (const id of ids) pages.push(await core.ask(`/api/topics/orders/messages/${id}`));
    expect(pages.map(({ stored }) => stored[0]?.body.text)).toEqual(bodies);
    const found: Json = await core.ask(`/api/topics/orders/messages?key=${encodeURIComponent('one\ttwo')}`);
    expect(found.messages.map((one: Json) => one.body.text)).toEqual(['a key with a tab']);
  });

  it('is replayed from the dead letters as it was', async () => {
    await bury(ids.length);
    const replayed = await core.change({ action: 'replay', consumerGroup: 'billing' });
    expect(replayed).toMatchObject({ outcome: 'done', details: { replayed: ids.length, failed: 0 } });
  });

  it('can be sent as an edited copy, with the labels that a send accepts and notes of the others', async () => {
    await bury(ids.length);
    const { deadLetters } = await core.ask('/api/groups/billing/dead-letters?limit=100');
    for (const { position, body } of deadLetters) {
      const edited = { text: `edited: ${body.text}` };
      const change = { action: 'replay', consumerGroup: 'billing', positions: [position], edited };
      expect({ of: body.text, ...(await core.change(change)) }).toMatchObject({ of: body.text, outcome: 'done' });
    }
    const { messages } = await admin.browseMessages('orders', { limit: 100 });
    const copyOf = (body: string) => messages.find((one) => one.body.toString() === `edited: ${body}`);
    expect(bodies.filter((body) => copyOf(body) === undefined)).toEqual([]);
    expect(copyOf('a key with a tab')).toMatchObject({
      keys: ['three'],
      properties: { originKeys: '["one\\ttwo","three"]' },
    });
    expect(copyOf('a tag of two')).toMatchObject({ tag: undefined, properties: { originTag: 'a||b' } });
    expect(copyOf('properties of 17 KB')?.properties.originPropertiesLeftOut).toBe('["large"]');
    const ordinary = copyOf('an ordinary one');
    expect(ordinary).toMatchObject({ keys: ['k'], tag: 't', properties: { p: 'v' } });
    expect(Object.keys(ordinary?.properties ?? {}).sort()).toEqual(['DEAD_LETTER_EDIT', 'p']);
  });
});
