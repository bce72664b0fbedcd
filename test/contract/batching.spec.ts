// Messages that share a request. Brokers up to 5.3.3 give all of them the tag, keys, properties and id of the first.

import { describe, expect } from '@jest/globals';
import type { OutgoingMessage, ProducerOptions } from 'nestjs-rocketmq/client';
import { message as rawMessage } from '../../tools/wire/raw-grpc-client.js';
import { testTransport } from '../fixtures/transport.js';
import { isBefore } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { watchSends } from './support/watch-requests.js';
import type { Delivery, World } from './support/world.js';

const contract = contractSuite();

/** Whether the brokers of this backend store each message of a request that came through a proxy with its own properties. */
const keepsApart = !isBefore('5.4.0');

/** A message that differs from all others in every field. */
function distinct(topic: string, index: number): OutgoingMessage & { readonly messageId: string } {
  const body = index % 7 === 0 ? Buffer.alloc(2_000 + index, index) : `body ${index} é 世`;
  return {
    topic,
    body,
    messageId: `ID-${topic}-${index}`,
    // Every fourth message has no tag, keys or properties.
    ...(index % 4 === 0 ? {} : { tag: `tag-${index}`, keys: [`key-${index}`, `other-${index}`] }),
    ...(index % 4 === 1 ? {} : { properties: { index: `${index}`, [`only-${index}`]: 'ü' } }),
  };
}

function asSent({ body, tag, keys = [], properties = {}, messageId }: OutgoingMessage): unknown {
  return { body: Buffer.from(body).toString('hex'), tag, keys, properties, messageId };
}

function asReceived({ message }: Delivery): unknown {
  const { body, tag, keys, properties, messageId } = message;
  return { body: body.toString('hex'), tag, keys, properties, messageId };
}

/**
 * Sends in waves, like an application that handles many requests at once.
 * @param afterFirst awaited after the first message
 */
async function sendMany(
  world: World,
  options: ProducerOptions,
  afterFirst: () => Promise<unknown> = async () => {},
): Promise<{
  sizes: number[];
  sent: OutgoingMessage[];
  deliveries: readonly Delivery[];
  offsets: Map<string, number>;
}> {
  const topic = await world.topic();
  const { deliveries } = await world.record({ topic });
  const connection = world.connection();
  const sizes = watchSends(connection);
  const producer = await world.producer(options, connection);
  const sent: OutgoingMessage[] = [];
  const offsets = new Map<string, number>();
  for (const wave of [1, 3, 40, 300, 156]) {
    const messages = Array.from({ length: wave }, (_, index) => distinct(topic, sent.length + index));
    sent.push(...messages);
    const receipts = await Promise.all(messages.map((one) => producer.send(one)));
    for (const { messageId, offset } of receipts) offsets.set(messageId, offset);
    if (wave === 1) await afterFirst();
  }
  await world.until('all arrive', () => deliveries.length >= sent.length);
  await world.backend.quiet();
  return { sizes, sent, deliveries, offsets };
}

const byId = (a: unknown, b: unknown): number =>
  (a as { messageId: string }).messageId < (b as { messageId: string }).messageId ? -1 : 1;

function expectUnaltered({ sent, deliveries, offsets }: Awaited<ReturnType<typeof sendMany>>): void {
  expect(deliveries.map(asReceived).sort(byId)).toEqual(sent.map(asSent).sort(byId));
  const places = deliveries.map(({ message }) => [message.messageId, message.queueOffset]);
  expect(new Map(places as [string, number][])).toEqual(offsets);
}

describe('messages that are sent at once', () => {
  contract('arrive unchanged and once if the version of the brokers is configured', async (world) => {
    const run = await sendMany(world, { serverVersion: world.backend.version ?? '5.5.0' });
    expectUnaltered(run);
    expect(Math.max(...run.sizes) > 1).toBe(keepsApart);
    expect(run.sizes.reduce((sum, size) => sum + size)).toBe(run.sent.length);
  });

  contract('arrive unaltered and once where the versions of the brokers are asked for', async (world) => {
    const admin = world.admin();
    const answers: Promise<unknown>[] = [];
    const brokerVersions: ProducerOptions['brokerVersions'] = () => {
      const asked = admin.brokerVersions();
      answers.push(asked);
      return asked;
    };
    // Requested when the first route is known; not requested from an embedded broker, nor by remoting.
    const run = await sendMany(world, { brokerVersions }, () => Promise.all(answers));
    expectUnaltered(run);
    expect(Math.max(...run.sizes) > 1).toBe(keepsApart || testTransport === 'remoting');
  });

  contract('share a request only where the brokers are known to keep them apart', async (world) => {
    const run = await sendMany(world, {});
    expectUnaltered(run);
    // An embedded broker identifies itself, and every broker keeps what it gets by remoting; a proxy does not report the version of its brokers.
    expect(Math.max(...run.sizes) > 1).toBe(world.backend.name === 'embedded' || testTransport === 'remoting');
  });

  contract('have a request each when batching is off', async (world) => {
    const run = await sendMany(world, { batching: 'off' });
    expectUnaltered(run);
    expect(new Set(run.sizes)).toEqual(new Set([1]));
  });

  contract('are spread over the queues, also when they are a multiple of them', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    for (let wave = 0; wave < 24; wave++)
      await Promise.all(Array.from({ length: 16 }, () => producer.send({ topic, body: 'x' })));
    const { queues } = await world.admin().topicOffsets(topic);
    expect(queues.filter(({ minOffset, maxOffset }) => maxOffset === minOffset)).toEqual([]);
  });

  contract('keep the packing of their bodies', async (world) => {
    const topic = await world.topic();
    const { deliveries } = await world.record({ topic });
    const connection = world.connection();
    const options = { compression: { thresholdBytes: 1_000 }, serverVersion: world.backend.version ?? '5.5.0' };
    const producer = await world.producer(options, connection);
    const messages = Array.from({ length: 200 }, (_, index) => ({
      topic,
      body: index % 3 === 0 ? 'a'.repeat(1_000 + index) : `small ${index}`,
    }));
    await Promise.all(messages.map((one) => producer.send(one)));
    await world.until('all arrive', () => deliveries.length >= messages.length);
    expect(deliveries.map(({ text }) => text).sort()).toEqual(messages.map(({ body }) => body).sort());
  });

  contract('share no request when they are ordered or delayed', async (world) => {
    const [ordered, delayed] = [await world.topic('fifo'), await world.topic('delay')];
    const connection = world.connection();
    const sizes = watchSends(connection);
    const producer = await world.producer({ serverVersion: world.backend.version ?? '5.5.0' }, connection);
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    const sends = numbers.flatMap((index) => [
      producer.send({ topic: ordered, body: `${index}`, messageGroup: `g${index % 3}` }),
      producer.send({ topic: delayed, body: `${index}`, delayMs: 1_000 }),
    ]);
    const receipts = await Promise.all(sends);
    expect([receipts.length, ...new Set(sizes)]).toEqual([200, 1]);
  });

  contract('share no request when they belong to transactions', async (world) => {
    const topic = await world.topic('transaction');
    const { deliveries } = await world.record({ topic });
    const connection = world.connection();
    const sizes = watchSends(connection);
    const options = {
      serverVersion: world.backend.version ?? '5.5.0',
      transactionCheckers: { [topic]: () => 'commit' as const },
    };
    const producer = await world.producer(options, connection);
    const messages = Array.from({ length: 50 }, (_, index) => distinct(topic, index));
    await Promise.all(messages.map((message) => producer.transact({ message }, async () => {})));
    await world.until('all arrive', () => deliveries.length >= messages.length);
    // A transaction adds properties.
    expect(deliveries.map(asReceived).sort(byId)).toMatchObject(messages.map(asSent).sort(byId) as object[]);
    expect(sizes).toEqual(messages.map(() => 1));
  });

  contract('share no request when they have priorities', async (world) => {
    const topic = await world.topic('priority');
    const { deliveries } = await world.record({ topic });
    const connection = world.connection();
    const sizes = watchSends(connection);
    const producer = await world.producer({ serverVersion: world.backend.version ?? '5.5.0' }, connection);
    const messages = Array.from({ length: 100 }, (_, index) => ({ ...distinct(topic, index), priority: index % 8 }));
    await Promise.all(messages.map((one) => producer.send(one)));
    await world.until('all arrive', () => deliveries.length >= messages.length);
    expect(deliveries.map(asReceived).sort(byId)).toEqual(messages.map(asSent).sort(byId));
    const priorities = deliveries.map(({ message }) => [message.messageId, message.priority] as const);
    expect(new Map(priorities)).toEqual(new Map(messages.map(({ messageId, priority }) => [messageId, priority])));
    expect(sizes).toEqual(messages.map(() => 1));
  });

  contract('share requests in a batch and one-way, too, and arrive unaltered', async (world) => {
    const topic = await world.topic();
    const { deliveries } = await world.record({ topic });
    const connection = world.connection();
    const sizes = watchSends(connection);
    const producer = await world.producer({ serverVersion: world.backend.version ?? '5.5.0' }, connection);
    const messages = Array.from({ length: 400 }, (_, index) => distinct(topic, index));
    const outcomes = await producer.sendBatch(messages.slice(0, 200), { concurrency: 100 });
    await Promise.all(messages.slice(200).map((one) => producer.sendOneway(one)));
    await world.until('all arrive', () => deliveries.length >= messages.length);
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['sent']));
    expect(deliveries.map(asReceived).sort(byId)).toEqual(messages.map(asSent).sort(byId));
    expect(Math.max(...sizes) > 1).toBe(keepsApart);
  });
});

describe('a request of several messages', () => {
  contract(
    'is answered by one entry with the first offset, and all its messages are as old as the first',
    async (world) => {
      const topic = await world.topic();
      const { deliveries } = await world.record({ topic });
      const bornAtMs = Date.now() - 60_000;
      const messages = ['a', 'b', 'c'].map((name, index) => {
        return rawMessage(topic, `ID-${name}`, { tag: name, bornTimestamp: new Date(bornAtMs + index) });
      });
      const { status, entries } = await world.rawClient().call('sendMessage', { messages });
      await world.until('all arrive', () => deliveries.length === 3);
      const offsets = deliveries.map(({ message }) => message.queueOffset).sort((a, b) => a - b);
      const first = offsets[0] ?? 0;
      expect([status?.code, entries.map(({ offset }) => offset)]).toEqual([20_000, [BigInt(first)]]);
      expect(offsets).toEqual([first, first + 1, first + 2]);
      expect(new Set(deliveries.map(({ message }) => message.queueId)).size).toBe(1);
      expect(new Set(deliveries.map(({ message }) => message.bornTimestampMs))).toEqual(new Set([bornAtMs]));
    },
  );
});
