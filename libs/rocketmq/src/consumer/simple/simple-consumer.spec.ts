import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RecordingServer, recordedMessage } from '../../../../../test/fixtures/recording-server.js';
import { StandstillClock } from '../../../../../test/fixtures/standstill-clock.js';
import { until } from '../../../../../tools/until.js';
import { RawClient, message as rawMessage } from '../../../../../tools/wire/raw-grpc-client.js';
import { Connection } from '../../client/connection.js';
import { Producer } from '../../producer/producer.js';
import { Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { silentLogger } from '../../support/logger.js';
import { TestBroker } from '../../testing/test-broker.js';
import { RECEIVED_TOO_LATE } from '../model/consumer-events.js';
import { SimpleConsumer } from './simple-consumer.js';

describe('SimpleConsumer over the wire', () => {
  let broker: TestBroker;
  let connection: Connection;
  let producer: Producer;
  let consumer: SimpleConsumer;

  beforeEach(async () => {
    broker = await TestBroker.start({
      manualClock: true,
      strict: true,
      topics: [{ name: 'orders' }, { name: 'returns' }],
      groups: [{ name: 'stock' }],
    });
    connection = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    producer = new Producer(connection, {});
    consumer = new SimpleConsumer(connection, {
      consumerGroup: 'stock',
      subscriptions: [{ topic: 'orders' }, { topic: 'returns' }],
    });
    await Promise.all([producer.start(), consumer.start()]);
    await producer.send({ topic: 'orders', body: 'one' });
  });

  afterEach(async () => {
    await consumer.close();
    await producer.close();
    connection.close();
    await broker.stop();
  });

  async function receiveOne(topic = 'orders') {
    const [message] = await consumer.receive({ topic });
    if (message === undefined) throw new Error(`nothing came from ${topic}`);
    return message;
  }

  it('receives a message, and its ack settles it', async () => {
    const message = await receiveOne();
    expect(message).toMatchObject({
      topic: 'orders',
      body: Buffer.from('one'),
      deliveryAttempt: 1,
      bodyProblem: undefined,
    });
    await consumer.ack(message);
    expect([...broker.inFlight(), ...broker.waiting()]).toEqual([]);
  });

  it('returns no more bytes than the limit, and asks for no message that it would not return', async () => {
    const raw = new RawClient(broker.endpoints, 'raw');
    const body = gzipSync(Buffer.alloc(1_000_000));
    const sent = Array.from({ length: 9 }, (_, index) => `packed ${index}`);
    for (const name of sent) {
      const made = rawMessage('returns', name, { bodyEncoding: Encoding.GZIP });
      await raw.call('sendMessage', { messages: [{ ...made, body }] });
    }
    raw.close();
    const subscriptions = [{ topic: 'returns' }];
    const small = new SimpleConsumer(connection, {
      consumerGroup: 'stock',
      subscriptions,
      maxBufferedBytes: 2_500_000,
    });
    await small.start();
    const counts: number[] = [];
    const received = new Set<string>();
    while (received.size < sent.length) {
      const messages = await small.receive({ maxMessages: 32, longPollingTimeoutMs: 5_000 });
      counts.push(messages.length);
      for (const message of messages) {
        expect([message.body.length, message.deliveryAttempt]).toEqual([1_000_000, 1]);
        received.add(message.messageId);
        await small.ack(message);
      }
      await broker.advance(MINUTE_MS, { duringWork: true });
    }
    await small.close();
    expect(counts).toEqual([1, 2, 2, 2, 2]);
  });

  it('receives a message again when it is not settled in time; the earlier receipt is void then', async () => {
    const message = await receiveOne();
    await broker.advance(30 * SECOND_MS, { duringWork: true });
    expect(await receiveOne()).toMatchObject({ messageId: message.messageId, deliveryAttempt: 2 });
    await expect(consumer.ack(message)).rejects.toMatchObject({ code: 'INVALID_RECEIPT_HANDLE', outcome: 'rejected' });
  });

  it('adopts the new receipt handle when it postpones a message, so that a later ack counts', async () => {
    const message = await receiveOne();
    const { receiptHandle } = message;
    expect(await consumer.changeInvisibleDuration(message, MINUTE_MS)).toBe(message);
    expect(message.receiptHandle).not.toBe(receiptHandle);
    await consumer.ack(message);
    await broker.advance(10 * MINUTE_MS);
    expect([...broker.inFlight(), ...broker.waiting()]).toEqual([]);
  });

  it('acks many in few requests, each with an outcome of its own', async () => {
    await producer.sendBatch(Array.from({ length: 40 }, (_, index) => ({ topic: 'orders', body: `more ${index}` })));
    await producer.send({ topic: 'returns', body: 'back' });
    const late = await receiveOne('returns');
    await broker.advance(30 * SECOND_MS, { duringWork: true });
    const messages = [late];
    while (messages.length < 42) messages.push(...(await consumer.receive({ topic: 'orders', maxMessages: 32 })));
    const [first] = messages.slice(1);
    if (first === undefined) throw new Error('nothing came');
    const outcomes = await consumer.ackBatch([...messages, first, { ...first }]);
    expect(outcomes.map(({ status }) => status)).toEqual(['failed', ...new Array(42).fill('acked'), 'failed']);
    expect(outcomes[0]).toMatchObject({ error: { code: 'INVALID_RECEIPT_HANDLE' } });
    expect(outcomes[43]).toMatchObject({ error: { code: 'FOREIGN_MESSAGE' } });
    await consumer.ackBatch(await consumer.receive({ topic: 'returns' }));
    expect([...broker.inFlight(), ...broker.waiting()]).toEqual([]);
  });

  it('reports for each message of an ack whose answer was lost that it may be acknowledged', async () => {
    const message = await receiveOne();
    broker.faults.add({ rpc: 'ackMessage', action: { kind: 'dropResponse' } });
    expect(await consumer.ackBatch([message])).toMatchObject([{ status: 'failed', error: { outcome: 'unknown' } }]);
    expect([...broker.inFlight(), ...broker.waiting()]).toEqual([]);
    expect(await consumer.ackBatch([])).toEqual([]);
  });

  it('moves a message to the dead letter queue', async () => {
    await consumer.forwardToDeadLetterQueue(await receiveOne());
    expect(broker.messages('%DLQ%stock').map(({ body }) => body.toString())).toEqual(['one']);
  });

  it('polls each subscribed topic in turn', async () => {
    await producer.send({ topic: 'returns', body: 'two' });
    const topics = [...(await consumer.receive()), ...(await consumer.receive())].map(({ topic }) => topic);
    expect(topics).toEqual(['orders', 'returns']);
  });

  it('can add and remove topics while it runs, and still settle what it has received', async () => {
    const message = await receiveOne();
    await expect(consumer.subscribe({ topic: 'nothing' })).rejects.toMatchObject({ code: 'TOPIC_NOT_FOUND' });
    await consumer.unsubscribe('orders');
    await expect(consumer.receive({ topic: 'orders' })).rejects.toMatchObject({ code: 'NOT_SUBSCRIBED' });
    await expect(consumer.unsubscribe('returns')).rejects.toMatchObject({ code: 'NO_SUBSCRIPTION' });
    await consumer.ack(message);
    await consumer.subscribe({ topic: 'orders', filter: { kind: 'tag', expression: 'a' } });
    await producer.send({ topic: 'orders', body: 'untagged' });
    await producer.send({ topic: 'orders', body: 'tagged', tag: 'a' });
    expect(await receiveOne()).toMatchObject({ body: Buffer.from('tagged') });
    await consumer.close();
    await expect(consumer.subscribe({ topic: 'returns' })).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('reports a corrupt body, in addition to valid ones', async () => {
    const raw = new RawClient(broker.endpoints, 'raw');
    const packed = gzipSync('unpacked');
    for (const [id, body] of Object.entries({ good: packed, bad: packed.subarray(0, 9) })) {
      await raw.call('sendMessage', {
        messages: [{ ...rawMessage('returns', id, { bodyEncoding: Encoding.GZIP }), body }],
      });
    }
    raw.close();
    const problems = new Map<string, boolean>();
    while (problems.size < 2) {
      for (const { messageId, bodyProblem } of await consumer.receive({ topic: 'returns' })) {
        problems.set(messageId, bodyProblem !== undefined);
      }
    }
    expect([problems.get('good'), problems.get('bad')]).toEqual([false, true]);
  });

  it('decompresses no body beyond the limit', async () => {
    const other = new SimpleConsumer(connection, {
      consumerGroup: 'stock',
      subscriptions: [{ topic: 'returns' }],
      maxUnpackedBytes: 1_000,
    });
    const raw = new RawClient(broker.endpoints, 'raw');
    const bomb = rawMessage('returns', 'bomb', { bodyEncoding: Encoding.GZIP });
    await raw.call('sendMessage', { messages: [{ ...bomb, body: gzipSync(Buffer.alloc(1_000_000)) }] });
    raw.close();
    await other.start();
    const [message] = await other.receive();
    expect(message?.bodyProblem).toContain('1000 bytes');
    await other.close();
  });

  it('rejects what the server would reject, and messages of other consumers, before anything is sent', async () => {
    const message = await receiveOne();
    await expect(consumer.receive({ maxMessages: 33 })).rejects.toThrow('maxMessages must be 1 to 32');
    await expect(consumer.receive({ invisibleDurationMs: 1 })).rejects.toThrow('invisibleDurationMs must be 10000');
    await expect(consumer.receive({ topic: 'other' })).rejects.toMatchObject({ code: 'NOT_SUBSCRIBED' });
    await expect(consumer.ack({ ...message })).rejects.toMatchObject({ code: 'FOREIGN_MESSAGE', outcome: 'not-sent' });
  });

  it('releases what is on its way to a receive when it is closed, and returns what is on its way to one that is given up', async () => {
    await consumer.ack(await receiveOne());
    const givingUp = new AbortController();
    const given = consumer.receive({ topic: 'orders', signal: givingUp.signal });
    await producer.send({ topic: 'orders', body: 'two' });
    await until(() => broker.inFlight().length === 1);
    givingUp.abort(new Error('enough'));
    const [two] = await given;
    expect(two?.body.toString()).toBe('two');
    await consumer.ack(two as NonNullable<typeof two>);
    const open = consumer.receive({ topic: 'orders' });
    const sent = producer.send({ topic: 'orders', body: 'three' });
    await until(() => broker.inFlight().length === 1);
    const closed = consumer.close();
    await expect(open).rejects.toMatchObject({ code: 'CLOSED' });
    await closed;
    await sent;
    expect(broker.inFlight()).toEqual([]);
    const next = new SimpleConsumer(connection, { consumerGroup: 'stock', subscriptions: [{ topic: 'orders' }] });
    await next.start();
    const [again] = await next.receive();
    expect([again?.body.toString(), again?.deliveryAttempt]).toEqual(['three', 1]);
    await next.close();
  });

  it('releases all that a receive has got when it is closed while that is decompressed', async () => {
    await consumer.ack(await receiveOne());
    const packing = new Producer(connection, { compression: {} });
    await packing.start();
    const body = 'a'.repeat(200_000);
    for (let index = 0; index < 8; index++) await packing.send({ topic: 'orders', body });
    await packing.close();
    const open = consumer.receive({ topic: 'orders' });
    await until(() => broker.inFlight().length === 8);
    const closed = consumer.close();
    await expect(open).rejects.toMatchObject({ code: 'CLOSED' });
    await closed;
    expect(broker.inFlight()).toEqual([]);
  });

  it('ends its receives when its start fails, and releases what they have got', async () => {
    await consumer.ack(await receiveOne());
    const slow = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    const other = new SimpleConsumer(slow, {
      consumerGroup: 'stock',
      subscriptions: [{ topic: 'returns' }, { topic: 'orders' }],
    });
    // The first of the two topics.
    broker.faults.add({ rpc: 'queryRoute', times: 1, action: { kind: 'delay', delayMs: MINUTE_MS } });
    const started = other.start({ timeoutMs: 300 });
    const open = other.receive({ topic: 'orders' });
    await expect(started).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await expect(open).rejects.toMatchObject({ code: 'CLOSED' });
    await producer.send({ topic: 'orders', body: 'later' });
    expect(broker.inFlight()).toEqual([]);
    await other.close();
    slow.close();
  });

  it('waits for its start with a change no longer than the timeout of the change, which fails when the start fails', async () => {
    const slow = new Connection({ endpoints: broker.endpoints, clock: broker.clock });
    const other = new SimpleConsumer(slow, { consumerGroup: 'stock', subscriptions: [{ topic: 'orders' }] });
    broker.faults.add({ rpc: 'queryRoute', times: 1, action: { kind: 'delay', delayMs: MINUTE_MS } });
    const started = expect(other.start({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const waiting = expect(other.subscribe({ topic: 'returns' })).rejects.toThrow(/^\[CLOSED\].* did not start/);
    const late = other.subscribe({ topic: 'returns' }, { timeoutMs: 100 });
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' });
    await Promise.all([started, waiting]);
    await other.close();
    slow.close();
  });

  it('ends a receive when its signal aborts or the consumer is closed', async () => {
    const controller = new AbortController();
    const aborted = consumer.receive({ topic: 'returns', signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    const waiting = consumer.receive({ topic: 'returns' });
    const closed = consumer.close();
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    await closed;
    await expect(consumer.receive()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('names a group that does not exist', async () => {
    const other = new SimpleConsumer(connection, { consumerGroup: 'nobody', subscriptions: [{ topic: 'orders' }] });
    await expect(other.start()).rejects.toMatchObject({ code: 'CONSUMER_GROUP_NOT_FOUND' });
    for (const again of [other.start(), other.receive()]) {
      await expect(again).rejects.toMatchObject({ code: 'CLOSED', retryable: false });
      await expect(again).rejects.toThrow(/did not start \(\[CONSUMER_GROUP_NOT_FOUND\].*create a new one/s);
    }
    await other.close();
  });
});

describe('SimpleConsumer in a process that stands still', () => {
  it('returns nothing of an answer whose leases ended while it arrived, and reports that', async () => {
    const clock = new StandstillClock();
    const server = new RecordingServer();
    server.holdsReceives = true;
    await server.start();
    const lines: string[] = [];
    const logger = { ...silentLogger, warn: (text: string) => void lines.push(text) };
    const connection = new Connection({ endpoints: server.endpoints, clock, logger });
    const consumer = new SimpleConsumer(connection, { consumerGroup: 'stock', subscriptions: [{ topic: 'orders' }] });
    try {
      await consumer.start();
      const receiving = consumer.receive({ invisibleDurationMs: 30 * SECOND_MS });
      await until(() => server.of('receiveMessage').length === 1);
      server.deliver(recordedMessage('orders', 'one'));
      // Its answer comes behind the message.
      await consumer.subscribe({ topic: 'orders' });
      clock.skip(MINUTE_MS);
      server.endReceives();
      expect(await receiving).toEqual([]);
      expect(lines).toEqual([RECEIVED_TOO_LATE]);
    } finally {
      await consumer.close();
      connection.close();
      server.stop();
    }
  });
});
