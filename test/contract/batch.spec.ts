import { describe, expect } from '@jest/globals';
import type { OutgoingMessage } from 'nestjs-rocketmq/client';
import { contractSuite } from './support/contract.js';
import { texts } from './support/world.js';

const contract = contractSuite();

describe('batches', () => {
  contract('each message of a batch arrives as what it is, on its own topic', async (world) => {
    const [plain, ordered] = [await world.topic(), await world.topic('fifo')];
    const producer = await world.producer();
    const one = await world.record({ topic: plain });
    const other = await world.record({ topic: ordered, consumerGroup: await world.group({ fifo: true }) });
    const messages: OutgoingMessage[] = [
      ...['a', 'b', 'c'].map((name) => ({ topic: plain, body: name, tag: name, keys: [`key-${name}`] })),
      { topic: ordered, body: 'd', messageGroup: 'g' },
    ];
    const outcomes = await producer.sendBatch(messages);
    expect(outcomes.map(({ status }) => status)).toEqual(['sent', 'sent', 'sent', 'sent']);
    await world.until('all arrive', () => one.deliveries.length === 3 && other.deliveries.length === 1);
    const sentIds = outcomes.map((outcome) => (outcome.status === 'sent' ? outcome.receipt.messageId : ''));
    const received = [...one.deliveries, ...other.deliveries]
      .map(({ message, text }) => [text, message.messageId, message.tag, message.keys])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
    expect(received).toEqual([
      ['a', sentIds[0], 'a', ['key-a']],
      ['b', sentIds[1], 'b', ['key-b']],
      ['c', sentIds[2], 'c', ['key-c']],
      ['d', sentIds[3], undefined, []],
    ]);
  });

  contract('a batch keeps the order of each message group', async (world) => {
    const topic = await world.topic('fifo');
    const recorder = await world.record({ topic, consumerGroup: await world.group({ fifo: true }) });
    const producer = await world.producer();
    const numbers = ['1', '2', '3', '4', '5'];
    const messages = numbers.flatMap((body) => ['g', 'h'].map((messageGroup) => ({ topic, body, messageGroup })));
    await producer.sendBatch(messages);
    await world.until('all arrive', () => recorder.deliveries.length === 10);
    const of = (group: string): string[] =>
      texts(recorder.deliveries.filter(({ message }) => message.messageGroup === group));
    expect([of('g'), of('h')]).toEqual([numbers, numbers]);
  });

  contract('a message that the server has no topic for fails alone', async (world) => {
    const topic = await world.topic();
    const recorder = await world.record({ topic });
    const producer = await world.producer();
    const outcomes = await producer.sendBatch([
      { topic: world.name(), body: 'lost' },
      { topic, body: 'ordered here', messageGroup: 'g' },
      { topic, body: 'right' },
    ]);
    expect(outcomes).toMatchObject([
      { status: 'failed', error: { code: 'TOPIC_NOT_FOUND' } },
      { status: 'failed', error: { code: 'TOPIC_TYPE_MISMATCH' } },
      { status: 'sent' },
    ]);
    await world.until('the right one arrives', () => recorder.deliveries.length === 1);
    expect(texts(recorder.deliveries)).toEqual(['right']);
  });
});
