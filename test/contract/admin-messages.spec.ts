import { describe, expect } from '@jest/globals';
import { contractSuite } from './support/contract.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** The server writes its index with a short delay. */
async function foundById(world: World, topic: string, messageId: string, count = 1) {
  const admin = world.admin();
  await world.until(`${messageId} is found`, async () => {
    return (await admin.findMessages({ topic, messageId })).messages.length >= count;
  });
  return admin.findMessages({ topic, messageId });
}

describe('a message that is looked up', () => {
  contract('by its id is found with all its properties and its position', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const receipt = await producer.send({
      topic,
      body: 'grüße',
      tag: 'blue',
      keys: ['k1', 'k2'],
      properties: { user: 'Ada Löwe' },
    });
    const { messages, failures, mayBeMore } = await foundById(world, topic, receipt.messageId);
    expect({ failures, mayBeMore }).toEqual({ failures: [], mayBeMore: false });
    const [message] = messages;
    expect(message).toMatchObject({
      topic,
      messageId: receipt.messageId,
      tag: 'blue',
      keys: ['k1', 'k2'],
      properties: { user: 'Ada Löwe' },
      isPacked: false,
      messageGroup: undefined,
      priority: undefined,
      deliveryTimestampMs: undefined,
      queueOffset: 0,
      reconsumeTimes: 0,
    });
    expect(message?.body.toString()).toBe('grüße');
    expect(message?.storeHost).toMatch(/^\S+:\d+$/);
    const consumer = await world.simpleConsumer(topic);
    const [received] = await consumer.receive({ longPollingTimeoutMs: 10_000 });
    expect(message).toMatchObject({
      queueId: received?.queueId,
      bornHost: received?.bornHost,
      bornTimestampMs: received?.bornTimestampMs,
      storeTimestampMs: received?.storeTimestampMs,
    });
    if (received !== undefined) await consumer.ack(received);
  });

  contract('of a message group has the group', async (world) => {
    const topic = await world.topic('fifo');
    const { messageId } = await (await world.producer()).send({ topic, body: 'x', messageGroup: 'g' });
    const { messages } = await foundById(world, topic, messageId);
    expect(messages).toMatchObject([{ messageGroup: 'g' }]);
  });

  contract('with a delay is found when it has been delivered', async (world) => {
    const topic = await world.topic('delay');
    const { messageId } = await (await world.producer()).send({ topic, body: 'x', delayMs: 3_000 });
    await world.backend.quiet();
    expect((await world.admin().findMessages({ topic, messageId })).messages).toEqual([]);
    await world.backend.advance(5_000);
    const { messages } = await foundById(world, topic, messageId);
    expect(messages).toMatchObject([{ deliveryTimestampMs: expect.any(Number) }]);
  });

  contract('sent twice with one id is found twice', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const messageId = world.name();
    for (const body of ['one', 'two']) await producer.send({ topic, body, messageId });
    const { messages } = await foundById(world, topic, messageId, 2);
    expect(messages.map(({ body }) => body.toString())).toEqual(['one', 'two']);
  });

  contract('that does not exist is not found; a topic that does not exist is an error', async (world) => {
    const topic = await world.topic();
    const nothing = { messages: [], mayBeMore: false, failures: [] };
    await expect(world.admin().findMessages({ topic, messageId: 'no-such-id' })).resolves.toEqual(nothing);
    const unknown = { code: 'UNKNOWN_TOPIC', outcome: 'not-sent' };
    await expect(world.admin().findMessages({ topic: world.name(), key: 'k' })).rejects.toMatchObject(unknown);
    await expect(world.admin().browseMessages(world.name())).rejects.toMatchObject(unknown);
  });

  contract('that has a key twice is found once', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    await producer.send({ topic, body: 'one', keys: ['twice', 'twice'] });
    await producer.send({ topic, body: 'two', keys: ['twice'] });
    const admin = world.admin();
    const find = async () =>
      (await admin.findMessages({ topic, key: 'twice' })).messages.map(({ body }) => body.toString()).sort();
    await world.until('both are in the index', async () => new Set(await find()).size === 2);
    expect(await find()).toEqual(['one', 'two']);
    for (const from of [new Date(Number.NaN), new Date(-1)]) {
      await expect(admin.findMessages({ topic, key: 'twice', from })).rejects.toMatchObject({
        code: 'ILLEGAL_TIME',
        field: 'from',
      });
    }
  });

  contract('by a key is found with the others that have it, within the times and the limit', async (world) => {
    const topic = await world.topic();
    const other = await world.topic();
    const producer = await world.producer();
    const key = world.name();
    const sendKeyed = (body: string) => producer.send({ topic, body, keys: ['more', key] });
    await sendKeyed('first');
    await world.backend.advance(1_000);
    const from = new Date(world.nowMs());
    await world.backend.advance(1_000);
    for (const body of ['second', 'third']) await sendKeyed(body);
    await producer.send({ topic, body: 'of another key', keys: [`${key}-2`] });
    await producer.send({ topic: other, body: 'of another topic', keys: [key] });
    const admin = world.admin();
    const bodies = async (query: object) => {
      const { messages } = await admin.findMessages({ topic, key, ...query });
      return messages.map(({ body }) => body.toString());
    };
    await world.until('all are found', async () => (await bodies({})).length === 3);
    expect(await bodies({})).toEqual(['first', 'second', 'third']);
    expect(await bodies({ from })).toEqual(['second', 'third']);
    expect(await bodies({ to: from })).toEqual(['first']);
    const some = await admin.findMessages({ topic, key, limit: 2 });
    expect(some.messages).toHaveLength(2);
    expect(some.mayBeMore).toBe(true);
  });

  contract('is returned decompressed if its producer compressed it', async (world) => {
    const topic = await world.topic();
    const body = 'again and again '.repeat(1_000);
    const producer = await world.producer({ compression: { thresholdBytes: 100 } });
    const { messageId } = await producer.send({ topic, body });
    const { messages } = await foundById(world, topic, messageId);
    expect(messages).toMatchObject([{ isPacked: false }]);
    expect(messages[0]?.body.toString()).toBe(body);
  });
});
