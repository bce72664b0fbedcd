import { describe, expect } from '@jest/globals';
import { contractSuite } from './support/contract.js';
import { rawSend } from './support/raw-send.js';
import type { World } from './support/world.js';

const contract = contractSuite();

/** A priority topic to which messages with these priorities were sent in order; each has its priority as body. */
async function topicWith(world: World, priorities: readonly number[]): Promise<string> {
  const topic = await world.topic('priority');
  const producer = await world.producer();
  for (const priority of priorities) await producer.send({ topic, body: String(priority), priority });
  return topic;
}

describe('priority topics', () => {
  contract('hand out what waits by priority, the highest first', async (world) => {
    const topic = await topicWith(world, [0, 3, 7, 5]);
    const consumer = await world.simpleConsumer(topic);
    const messages = await consumer.receive({ maxMessages: 4 });
    expect(messages.map(({ body }) => body.toString())).toEqual(['7', '5', '3', '0']);
    expect(messages.map(({ priority }) => priority)).toEqual([7, 5, 3, 0]);
    for (const message of messages) await consumer.ack(message);
  });

  contract('deliver messages with their type', async (world) => {
    const consumer = await world.simpleConsumer(await topicWith(world, [1]));
    const [message] = await consumer.receive({ maxMessages: 1 });
    expect(message?.messageType).toBe('priority');
    if (message !== undefined) await consumer.ack(message);
  });

  contract('take any number from 0 on, and treat what is above the last queue like it', async (world) => {
    const topic = await topicWith(world, [6, 7, 100]);
    const consumer = await world.simpleConsumer(topic);
    const messages = await consumer.receive({ maxMessages: 3 });
    expect(messages.map(({ body, queueId }) => [body.toString(), queueId])).toEqual([
      ['7', 7],
      ['100', 7],
      ['6', 6],
    ]);
    for (const message of messages) await consumer.ack(message);
  });

  contract('take no message without a priority, and other topics none with one', async (world) => {
    const { proxy } = world.backend;
    const [byPriority, ordinary] = [await world.topic('priority'), await world.topic()];
    expect([await rawSend(proxy, byPriority), await rawSend(proxy, ordinary, { priority: 1 })]).toEqual([
      'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
      'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE',
    ]);
    const producer = await world.producer();
    const sending = producer.send({ topic: ordinary, body: 'x', priority: 1 });
    await expect(sending).rejects.toMatchObject({ code: 'TOPIC_TYPE_MISMATCH' });
  });

  contract.answers('a negative priority is rejected', 'BAD_REQUEST', async (world) => {
    return rawSend(world.backend.proxy, await world.topic(), { priority: -1 });
  });
});
