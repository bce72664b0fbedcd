import { describe, expect } from '@jest/globals';
import type { OutgoingMessage } from 'nestjs-rocketmq/client';
import { contractSuite } from './support/contract.js';
import { type RawMessage, rawSend } from './support/raw-send.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** The server's answer to a message that the client's own validation would reject. */
function codeOfSend(world: World, topic: string, message: RawMessage = {}): Promise<string> {
  return rawSend(world.backend.proxy, topic, message);
}

describe('rejections', () => {
  contract('a message of another type than its topic is rejected', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    await expect(producer.send({ topic, body: 'x' })).rejects.toMatchObject({ code: 'TOPIC_TYPE_MISMATCH' });
    expect(await codeOfSend(world, topic)).toBe('MESSAGE_PROPERTY_CONFLICT_WITH_TYPE');
  });

  contract('a topic that does not exist is an error for producers and consumers', async (world) => {
    const topic = world.name();
    const producer = await world.producer();
    await expect(producer.send({ topic, body: 'x' })).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await expect(world.record({ topic })).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await expect(world.producer({ topics: { [topic]: 'normal' } })).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    expect(await codeOfSend(world, topic)).toBe('MESSAGE_PROPERTY_CONFLICT_WITH_TYPE');
  });

  contract('a consumer group that does not exist is an error at start', async (world) => {
    const topic = await world.topic();
    const starting = world.record({ topic, consumerGroup: world.name() });
    await expect(starting).rejects.toMatchObject({ code: 'CONSUMER_GROUP_NOT_FOUND' });
  });

  contract(
    'bodies, ids, tags, keys, groups and properties out of bounds are rejected with their codes',
    async (world) => {
      const topic = await world.topic();
      const fifo = await world.topic('fifo');
      const delay = await world.topic('delay');
      const answers = {
        empty: await codeOfSend(world, topic, { body: Buffer.alloc(0) }),
        large: await codeOfSend(world, topic, { body: Buffer.alloc(4 * 1024 * 1024 + 1) }),
        blankId: await codeOfSend(world, topic, { messageId: ' ' }),
        tag: await codeOfSend(world, topic, { tag: 'a|b' }),
        key: await codeOfSend(world, topic, { keys: [' '] }),
        reserved: await codeOfSend(world, topic, { properties: { TAGS: 'x' } }),
        ordered: await codeOfSend(world, topic, { properties: { __SHARDINGKEY: 'x' } }),
        properties: await codeOfSend(world, topic, { properties: { big: 'x'.repeat(16_385) } }),
        group: await codeOfSend(world, fifo, { messageGroup: 'g'.repeat(64) }),
        late: await codeOfSend(world, delay, { deliveryTimestamp: new Date(world.nowMs() + 25 * 3_600_000) }),
      };
      expect(answers).toEqual({
        empty: 'MESSAGE_BODY_EMPTY',
        large: 'MESSAGE_BODY_TOO_LARGE',
        blankId: 'ILLEGAL_MESSAGE_ID',
        tag: 'ILLEGAL_MESSAGE_TAG',
        key: 'ILLEGAL_MESSAGE_KEY',
        reserved: 'ILLEGAL_MESSAGE_PROPERTY_KEY',
        ordered: 'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
        properties: 'MESSAGE_PROPERTIES_TOO_LARGE',
        group: 'ILLEGAL_MESSAGE_GROUP',
        late: 'ILLEGAL_DELIVERY_TIME',
      });
    },
  );

  contract('illegal names of topics are rejected', async (world) => {
    const answers = await Promise.all(['a b', 'x'.repeat(128), 'TBW102', ' '].map((topic) => codeOfSend(world, topic)));
    expect(answers).toEqual(['ILLEGAL_TOPIC', 'ILLEGAL_TOPIC', 'ILLEGAL_TOPIC', 'ILLEGAL_TOPIC']);
  });

  contract('our own checks reject before the wire and name the field', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const fieldOf = async (message: Partial<OutgoingMessage>): Promise<unknown> => {
      const rejected = await producer.send({ topic, body: 'x', ...message }).catch((error: unknown) => error);
      return { field: (rejected as { field: string }).field, outcome: (rejected as { outcome: string }).outcome };
    };
    const fields = ['body', 'tag', 'keys', 'properties', 'properties', 'messageGroup', 'delayMs', 'topic'];
    const bad: Partial<OutgoingMessage>[] = [
      { body: '' },
      { tag: 'a|b' },
      { keys: ['a b'] },
      { properties: { TAGS: 'x' } },
      { properties: { empty: '' } },
      { messageGroup: '' },
      { delayMs: 25 * 3_600_000 },
      { topic: 'a b' },
    ];
    expect(await Promise.all(bad.map(fieldOf))).toEqual(fields.map((field) => ({ field, outcome: 'not-sent' })));
  });
});
