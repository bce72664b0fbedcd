// Messages to which their client gave no id: the embedded broker does not take them.

import { describe, expect } from '@jest/globals';
import { REQUEST_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import { contractSuite } from '../contract/support/contract.js';
import { rawRequest } from '../contract/support/raw-store.js';
import type { World } from '../contract/support/world.js';

const contract = contractSuite();
const BODIES = ['0', '1', '2'];
const BLANK_ID = 'UNIQ_KEY\u0001 \u0002';

/** A broker gives each message of a request an id that has none, but none of those that share a request. @see MessageDecoder.decodeMessages of the server */
function together(bodies: readonly string[], properties: string): Buffer {
  return Buffer.concat(
    bodies.map((text) => {
      const [body, labels] = [Buffer.from(text), Buffer.from(properties)];
      const head = Buffer.alloc(20);
      head.writeInt32BE(head.length + body.length + 2 + labels.length);
      head.writeInt32BE(body.length, 16);
      const length = Buffer.alloc(2);
      length.writeInt16BE(labels.length);
      return Buffer.concat([head, body, length, labels]);
    }),
  );
}

async function stored(world: World, topic: string, properties: string): Promise<void> {
  const fields = { a: 'raw', b: topic, c: 'TBW102', d: '4', e: '0', f: '0', g: String(world.nowMs()), h: '0' };
  const body = together(BODIES, properties);
  await rawRequest(world, topic, {
    code: REQUEST_CODES.sendBatchMessage,
    fields: { ...fields, i: '', j: '0', k: 'false', m: 'true' },
    body,
  });
}

describe.each([
  ['no id', ''],
  ['a blank id', BLANK_ID],
])('messages with %s', (_, properties) => {
  contract(
    'are distinct, have the attempts that their listener allows, and are found by the id of the copy',
    async (world) => {
      const topic = await world.topic('normal');
      await stored(world, topic, properties);
      const kept: string[] = [];
      const { deliveries } = await world.record({
        topic,
        maxAttempts: 2,
        backoff: { kind: 'customized', nextMs: [100] },
        handle: () => {
          throw new Error('it fails');
        },
        deadLetterTo: async ({ message }) => {
          kept.push(message.body.toString());
        },
      });
      await world.until('all are dead letters', () => kept.length === BODIES.length);
      expect(kept.sort()).toEqual(BODIES);
      expect(deliveries.map(({ text }) => text).sort()).toEqual(BODIES.flatMap((body) => [body, body]));
      const ids = deliveries.filter(({ attempt }) => attempt === 1).map(({ message }) => message.messageId);
      expect(new Set(ids).size).toBe(BODIES.length);
      const admin = world.admin();
      for (const messageId of ids) {
        const { messages } = await admin.findMessages({ topic, messageId });
        expect(messages.map((one) => one.messageId)).toEqual([messageId]);
      }
    },
  );

  contract('are replayed once', async (world) => {
    const topic = await world.topic('normal');
    await stored(world, topic, properties);
    const consumerGroup = await world.group({ maxDeliveryAttempts: 1 });
    const handle = () => {
      throw new Error('it fails');
    };
    const { consumer } = await world.record({ topic, consumerGroup, handle });
    const admin = world.admin();
    await world.until('all are dead letters', async () => {
      const { total } = await admin.listDeadLetters(consumerGroup);
      return total === BODIES.length;
    });
    await consumer.close();
    expect((await admin.replayDeadLetters(consumerGroup)).replayed).toHaveLength(BODIES.length);
    // An index follows its log.
    await world.until('the copies are found', async () => {
      const { messages } = await admin.browseMessages(topic);
      const found = messages.map(({ messageId }) => admin.findMessages({ topic, messageId }));
      const counts = (await Promise.all(found)).map((one) => one.messages.length);
      return counts.length === 2 * BODIES.length && counts.every((count) => count === 1);
    });
    const again = await admin.replayDeadLetters(consumerGroup);
    expect([again.replayed.length, again.replayedBefore.length]).toEqual([0, BODIES.length]);
  });
});
