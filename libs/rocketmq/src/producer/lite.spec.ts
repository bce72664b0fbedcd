import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection } from '../client/connection.js';
import { TestBroker } from '../testing/test-broker.js';
import { Producer } from './producer.js';

describe('a producer of messages of lite topics', () => {
  let broker: TestBroker;
  let connection: Connection;
  let producer: Producer;

  beforeEach(async () => {
    const topics = [{ name: 'chats', type: 'lite' as const }, { name: 'orders' }];
    broker = await TestBroker.start({ strict: true, topics });
    connection = new Connection({ endpoints: broker.endpoints });
    producer = new Producer(connection, { transactionCheckers: { chats: () => 'commit' } });
  });

  afterEach(async () => {
    await producer.close();
    connection.close();
    await broker.stop();
  });

  const chat = { topic: 'chats', body: 'one' };

  it('sends names of 1 to 64 letters, digits, "-" and "_"', async () => {
    for (const liteTopic of ['a', 'A-1_b', 'x'.repeat(64)]) await producer.send({ ...chat, liteTopic });
    // The broker rejects a message without a lite topic on this topic.
    expect(broker.messages('chats')).toHaveLength(3);
  });

  it.each(['', ' ', 'a.b', 'ä', 'a b', 'x'.repeat(65)])('rejects the name %p before sending', async (liteTopic) => {
    const rejected = { code: 'ILLEGAL_LITE_TOPIC', field: 'liteTopic', outcome: 'not-sent' };
    await expect(producer.send({ ...chat, liteTopic })).rejects.toMatchObject(rejected);
  });

  it.each([{ messageGroup: 'g' }, { delayMs: 1 }, { deliverAt: new Date(0) }, { priority: 1 }])(
    'rejects a lite topic together with %p',
    async (other) => {
      const rejected = { code: 'LITE_TOPIC_WITH_OTHER_TYPE', outcome: 'not-sent' };
      await expect(producer.send({ ...chat, ...other, liteTopic: 'a' })).rejects.toMatchObject(rejected);
    },
  );

  it('rejects a lite topic in a transaction, and on a topic of another type', async () => {
    const half = producer.beginTransaction({ ...chat, liteTopic: 'a' });
    await expect(half).rejects.toMatchObject({ code: 'ILLEGAL_TRANSACTION', field: 'liteTopic' });
    const sending = producer.send({ topic: 'orders', body: 'one', liteTopic: 'a' });
    await expect(sending).rejects.toMatchObject({ code: 'TOPIC_TYPE_MISMATCH' });
    expect([...broker.messages('chats'), ...broker.messages('orders')]).toEqual([]);
  });

  it('sends the messages of a lite topic in a batch one after another, and stops at the first that fails', async () => {
    const of = (liteTopic: string, body: string) => ({ topic: 'chats', body, liteTopic });
    const outcomes = await producer.sendBatch([
      of('a', 'a1'),
      of('b', 'b1'),
      of('a', ''),
      of('a', 'a3'),
      of('b', 'b2'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['sent', 'sent', 'failed', 'failed', 'sent']);
    const [, , , fourth] = outcomes;
    expect(fourth).toMatchObject({ error: { code: 'EARLIER_MESSAGE_FAILED', outcome: 'not-sent' } });
    expect(
      broker
        .messages('chats')
        .map((message) => message.text())
        .sort(),
    ).toEqual(['a1', 'b1', 'b2']);
  });
});
