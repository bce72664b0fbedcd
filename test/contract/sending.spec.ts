import { describe, expect } from '@jest/globals';
import { type MessageType, type MessageView, Producer, type ReceivedMessage, SECOND_MS } from 'nestjs-rocketmq/client';
import { testTransport } from '../fixtures/transport.js';
import { contractSuite } from './support/contract.js';
import { rawSend } from './support/raw-send.js';
import { texts } from './support/world.js';

const contract = contractSuite();

describe('sending', () => {
  contract('a property arrives whatever it is called', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const recorder = await world.record({ topic });
    // Created with JSON.parse, because `__proto__` in an object literal creates no property.
    const properties = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c","hasOwnProperty":"d","own":"e"}');
    await producer.send({ topic, body: 'one', properties });
    await producer.sendBatch([{ topic, body: 'two', properties }]);
    await world.until('both arrive', () => recorder.deliveries.length === 2);
    for (const { message } of recorder.deliveries) {
      expect(Object.entries(message.properties).sort()).toEqual(Object.entries(properties).sort());
      expect(Object.getPrototypeOf(message.properties)).toBe(Object.prototype);
    }
  });

  contract('a message arrives with body, tag, keys, properties and times as they were sent', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const recorder = await world.record({ topic });
    const body = Buffer.from([0, 1, 0xff, 0xfe, 0x80, ...Buffer.from('grüße, 你好, 🙂')]);
    const sentAtMs = world.nowMs();
    const receipt = await producer.send({
      topic,
      body,
      tag: 'größe',
      keys: ['order-1', '键'],
      properties: { 'trace-id': 'abc', farbe: 'grün 🟢' },
    });
    await world.until('the message arrives', () => recorder.deliveries.length === 1);
    const message = recorder.deliveries[0]?.message;
    expect(message).toMatchObject({
      topic,
      tag: 'größe',
      keys: ['order-1', '键'],
      messageId: receipt.messageId,
      messageType: 'normal',
      messageGroup: undefined,
      deliveryAttempt: 1,
    });
    expect(message?.body.equals(body)).toBe(true);
    expect(message?.properties).toEqual({ 'trace-id': 'abc', farbe: 'grün 🟢' });
    expect(message?.bornTimestampMs).toBeGreaterThanOrEqual(sentAtMs);
    expect(message?.bornTimestampMs).toBeLessThanOrEqual(world.nowMs());
    expect(message?.storeTimestampMs).toBeGreaterThanOrEqual(sentAtMs - 1_000);
  });

  contract('a received message and, by name server, its receipt say where it is stored', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const recorder = await world.record({ topic });
    const receipts = await Promise.all(['a', 'b', 'c'].map((body) => producer.send({ topic, body })));
    const [batched] = await producer.sendBatch([{ topic, body: 'd' }]);
    if (batched?.status === 'sent') receipts.push(batched.receipt);
    await world.until('all arrive', () => recorder.deliveries.length === 4);
    for (const receipt of receipts) {
      const message = recorder.deliveries.find((one) => one.message.messageId === receipt.messageId)?.message;
      const { brokerName, queueId, offset, offsetMessageId } = receipt;
      expect(message?.queueOffset).toBe(offset);
      expect(message?.brokerName).toMatch(/./);
      expect(message?.storeHost).toMatch(/^\S+:\d+$/);
      if (testTransport !== 'remoting') {
        expect({ brokerName, queueId, offsetMessageId }).toEqual({});
        continue;
      }
      expect(message).toMatchObject({ brokerName, queueId, offsetMessageId });
      expect(message?.storeSize).toBeGreaterThan(message?.body.length ?? 0);
      const { messages } = await world.admin().findMessages({ topic, messageId: offsetMessageId ?? '' });
      expect(messages[0]).toMatchObject({
        messageId: receipt.messageId,
        broker: brokerName,
        queueId,
        queueOffset: offset,
      });
    }
  });

  contract('a property with an empty value is lost on the server', async (world) => {
    const topic = await world.topic();
    const recorder = await world.record({ topic });
    const code = await rawSend(world.backend.proxy, topic, { properties: { empty: '', full: 'x' } });
    await world.until('the message arrives', () => recorder.deliveries.length === 1);
    expect(code).toBe('OK');
    expect(recorder.deliveries[0]?.message.properties).toEqual({ full: 'x' });
  });

  contract('a body of exactly 4 MiB arrives whole', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const recorder = await world.record({ topic });
    const body = Buffer.alloc(4 * 1024 * 1024, 'x');
    await producer.send({ topic, body }, { timeoutMs: 20_000 });
    await world.until('the message arrives', () => recorder.deliveries.length === 1);
    expect(recorder.deliveries[0]?.message.body.equals(body)).toBe(true);
  });

  contract('each kind of message arrives as its type', async (world) => {
    const kinds: Exclude<MessageType, 'lite' | 'priority'>[] = ['normal', 'fifo', 'delay', 'transaction'];
    const arrived: Record<string, MessageType | undefined> = {};
    for (const kind of kinds) {
      const topic = await world.topic(kind);
      const producer = await world.producer({
        transactionCheckers: kind === 'transaction' ? { [topic]: () => 'unknown' } : {},
      });
      const recorder = await world.record({ topic });
      await sendKind(producer, topic, kind);
      await world.until(`the ${kind} message arrives`, () => recorder.deliveries.length === 1);
      arrived[kind] = recorder.deliveries[0]?.message.messageType;
    }
    expect(arrived).toEqual({ normal: 'normal', fifo: 'fifo', delay: 'delay', transaction: 'transaction' });
  });

  contract('first messages to many topics at once arrive, without a warning about listeners', async (world) => {
    const topics = await Promise.all(Array.from({ length: 12 }, () => world.topic()));
    const producer = await world.producer();
    const handled: string[] = [];
    const handler = ({ topic }: MessageView): void => void handled.push(topic);
    await world.listen(
      await world.group(),
      topics.map((topic) => ({ name: topic, topic, handler })),
    );
    await Promise.all(topics.map((topic) => producer.send({ topic, body: 'first' })));
    await world.until('all arrive', () => handled.length >= topics.length);
    expect(handled.sort()).toEqual([...topics].sort());
  });

  contract('one signal serves many calls at once, without a warning about listeners', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer({ maxInFlight: 1 });
    const consumer = await world.simpleConsumer(topic);
    const { signal } = new AbortController();
    const bodies = Array.from({ length: 12 }, (_, index) => `message ${index}`);
    const send = (body: string): Promise<unknown> => producer.send({ topic, body }, { signal });
    await Promise.all(bodies.map(send));
    const received: ReceivedMessage[] = [];
    await world.until('all arrive', async () => {
      const polls = bodies.map(() => consumer.receive({ longPollingTimeoutMs: SECOND_MS, signal }));
      received.push(...(await Promise.all(polls)).flat());
      return received.length >= bodies.length;
    });
    const kept = await Promise.all(
      received.map((message) => consumer.changeInvisibleDuration(message, 60 * SECOND_MS, { signal })),
    );
    await Promise.all(kept.map((message) => consumer.ack(message, { signal })));
    expect(received.map(({ body }) => body.toString()).sort()).toEqual([...bodies].sort());
  });

  contract('a handler may pass its signal to many sends at once', async (world) => {
    const [first, then] = [await world.topic(), await world.topic()];
    const producer = await world.producer();
    const bodies = Array.from({ length: 12 }, (_, index) => `message ${index}`);
    await world.record({
      topic: first,
      handle: async (_, signal) => {
        await Promise.all(bodies.map((body) => producer.send({ topic: then, body }, { signal })));
      },
    });
    const recorder = await world.record({ topic: then });
    await producer.send({ topic: first, body: 'go' });
    await world.until('all arrive', () => recorder.deliveries.length >= bodies.length);
    expect(texts(recorder.deliveries).sort()).toEqual([...bodies].sort());
  });

  contract('a consumer gets only the tags it asks for', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const both = await world.record({ topic, filter: 'a || b' });
    const every = await world.record({ topic });
    for (const tag of ['a', 'x', 'b', 'ab', 'a']) await producer.send({ topic, body: `tag ${tag}`, tag });
    await producer.send({ topic, body: 'no tag' });
    await world.until('all have arrived', () => every.deliveries.length === 6 && both.deliveries.length === 3);
    await world.backend.quiet();
    expect(texts(both.deliveries).sort()).toEqual(['tag a', 'tag a', 'tag b']);
  });
});

describe('sharing', () => {
  contract('two consumers of a group share the messages, two groups both get all', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group();
    const first = await world.record({ topic, consumerGroup, maxBufferedMessages: 4 });
    const second = await world.record({ topic, consumerGroup, maxBufferedMessages: 4 });
    const other = await world.record({ topic });
    const sent = Array.from({ length: 60 }, (_, index) => `message ${index}`);
    await Promise.all(sent.map((body) => producer.send({ topic, body })));
    const shared = (): string[] => [...texts(first.deliveries), ...texts(second.deliveries)];
    await world.until('all have arrived', () => shared().length >= 60 && other.deliveries.length >= 60);
    await world.backend.quiet();
    expect(shared().sort()).toEqual([...sent].sort());
    expect(texts(other.deliveries).sort()).toEqual([...sent].sort());
  });

  contract('a consumer that starts late gets what was sent before', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    for (const body of ['one', 'two', 'three']) await producer.send({ topic, body });
    const recorder = await world.record({ topic });
    await world.until('all have arrived', () => recorder.deliveries.length === 3);
    expect(texts(recorder.deliveries).sort()).toEqual(['one', 'three', 'two']);
  });
});

async function sendKind(producer: Producer, topic: string, kind: MessageType): Promise<void> {
  const body = kind;
  switch (kind) {
    case 'fifo':
      await producer.send({ topic, body, messageGroup: 'group' });
      return;
    case 'delay':
      await producer.send({ topic, body, delayMs: 0 });
      return;
    case 'transaction':
      await producer.transact({ message: { topic, body } }, async () => {});
      return;
    default:
      await producer.send({ topic, body });
  }
}
