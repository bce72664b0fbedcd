import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../tools/until.js';
import { Connection } from '../client/connection.js';
import { Producer } from '../producer/producer.js';
import type { MessageView } from '../protocol/model/message.js';
import { MINUTE_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import { TestBroker } from '../testing/test-broker.js';
import { PushConsumer } from './push-consumer.js';
import type { PushConsumerOptions } from './push-consumer-options.js';

describe('a push consumer of lite topics', () => {
  let broker: TestBroker;
  let connection: Connection;
  let producer: Producer;
  const consumers: PushConsumer[] = [];
  let handled: string[];

  beforeEach(async () => {
    handled = [];
    broker = await TestBroker.start({
      strict: true,
      topics: [{ name: 'chats', type: 'lite' }, { name: 'orders' }],
      groups: [{ name: 'readers', lite: { topic: 'chats' } }, { name: 'ordinary' }],
    });
    connection = new Connection({ endpoints: broker.endpoints });
    producer = new Producer(connection, {});
  });

  afterEach(async () => {
    for (const consumer of consumers.splice(0)) await consumer.close({ shutdownGraceMs: 1_000 });
    await producer.close();
    connection.close();
    await broker.stop();
  });

  function consumerOf(options: Partial<PushConsumerOptions> = {}): PushConsumer {
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'chats' }],
      liteTopics: ['a'],
      deadLetterTo: async ({ message }) => void handled.push(`dead ${message.body.toString()}`),
      handler: ({ body }: MessageView) => void handled.push(body.toString()),
      ...options,
    });
    consumers.push(consumer);
    return consumer;
  }

  const send = (liteTopic: string, body: string) => producer.send({ topic: 'chats', body, liteTopic });

  it.each([
    [{ liteTopics: ['a.b'] }, 'ILLEGAL_LITE_TOPIC'],
    [{ liteTopics: 'a' as never }, 'ILLEGAL_OPTION'],
    [{ subscriptions: [{ topic: 'chats', filter: { kind: 'tag', expression: 'x' } }] } as const, 'ILLEGAL_OPTION'],
    [{ subscriptions: [{ topic: 'chats' }, { topic: 'orders' }] }, 'ILLEGAL_OPTION'],
  ])('rejects %j', (options, code) => {
    expect(() => consumerOf(options)).toThrow(expect.objectContaining({ code, field: 'liteTopics' }));
  });

  it('requires a place for dead letters, and uses no other', async () => {
    const rejected = expect.objectContaining({ code: 'ILLEGAL_OPTION', field: 'deadLetterTo' });
    expect(() => consumerOf({ deadLetterTo: undefined })).toThrow(rejected);
    let isFull = true;
    const fails = consumerOf({
      maxAttempts: 1,
      backoff: { kind: 'customized', nextMs: [10] },
      handler: () => Promise.reject(new Error('never')),
      deadLetterTo: async ({ message }) => {
        handled.push(`dead ${message.body.toString()}`);
        if (isFull) throw new UsageError('ILLEGAL_TOPIC', 'no such topic');
      },
    });
    await fails.start();
    await send('a', 'a1');
    await until(() => handled.length >= 3);
    expect(broker.deadLetters('readers')).toEqual([]);
    isFull = false;
    await send('a', 'a2');
    await until(() => handled.includes('dead a2'));
    expect(broker.deadLetters('readers')).toEqual([]);
  });

  it('fails at startup in a group that is not bound to the topic', async () => {
    await expect(consumerOf({ consumerGroup: 'ordinary' }).start()).rejects.toThrow(
      'regular group cannot use LITE mode',
    );
  });

  it('rejects another consumer in its group', async () => {
    await expect(consumerOf({ liteTopics: undefined }).start()).rejects.toThrow('lite group must use LITE mode');
  });

  it('rejects lite topics before the start, after the close, and on a consumer of ordinary topics', async () => {
    const consumer = consumerOf();
    await expect(consumer.subscribeLite('b')).rejects.toMatchObject({ code: 'NOT_STARTED' });
    await consumer.start();
    await expect(consumer.subscribeLite('a.b')).rejects.toMatchObject({
      code: 'ILLEGAL_LITE_TOPIC',
      field: 'liteTopic',
    });
    await expect(consumer.subscribe({ topic: 'orders' })).rejects.toMatchObject({ code: 'LISTENERS_DECIDE' });
    await consumer.close();
    await expect(consumer.subscribeLite('b')).rejects.toMatchObject({ code: 'CLOSED' });
    const ordinary = consumerOf({
      consumerGroup: 'ordinary',
      liteTopics: undefined,
      subscriptions: [{ topic: 'orders' }],
    });
    await expect(ordinary.subscribeLite('a')).rejects.toMatchObject({ code: 'NO_LITE_CONSUMER' });
    expect(ordinary.liteTopics).toEqual([]);
  });

  it('has not subscribed when the server rejects it, and has unsubscribed when the server does not answer', async () => {
    const consumer = consumerOf();
    await consumer.start();
    broker.faults.add({ rpc: 'syncLiteSubscription', action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' }, times: 1 });
    await expect(consumer.subscribeLite('b')).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS', retryable: true });
    expect(consumer.liteTopics).toEqual(['a']);
    broker.faults.add({ rpc: 'syncLiteSubscription', action: { kind: 'dropResponse' }, times: 1 });
    await expect(consumer.unsubscribeLite('a')).rejects.toMatchObject({ outcome: 'unknown' });
    expect(consumer.liteTopics).toEqual([]);
    await consumer.subscribeLite('b');
    await send('b', 'b1');
    await until(() => handled.length === 1);
  });

  it('waits for an earlier change no longer than the timeout allows, and has not subscribed then', async () => {
    const consumer = consumerOf();
    await consumer.start();
    broker.faults.add({ rpc: 'syncLiteSubscription', times: 1, action: { kind: 'delay', delayMs: MINUTE_MS } });
    const canceling = new AbortController();
    const earlier = expect(consumer.subscribeLite('b', { signal: canceling.signal })).rejects.toThrow('enough');
    const late = consumer.subscribeLite('c', { timeoutMs: 100 });
    await expect(late).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' });
    canceling.abort(new Error('enough'));
    await earlier;
    await consumer.subscribeLite('d');
    expect(consumer.liteTopics).toEqual(['a', 'd']);
  });

  it('subscribes again when the server has lost its stream', async () => {
    const consumer = consumerOf();
    await consumer.start();
    await consumer.subscribeLite('b');
    broker.faults.cutStreams();
    await send('a', 'a1');
    await send('b', 'b1');
    await until(() => handled.length === 2);
    expect(handled.sort()).toEqual(['a1', 'b1']);
  });

  it('releases what it has not handled when it closes, which counts once', async () => {
    let started = (): void => {};
    const running = new Promise<void>((resolve) => {
      started = resolve;
    });
    const attempts: string[] = [];
    for (const body of ['a1', 'a2', 'a3']) await send('a', body);
    const first = consumerOf({
      handler: (_message, { signal }) => {
        started();
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        });
      },
    });
    await first.start();
    await running;
    await first.close({ shutdownGraceMs: 0 });
    const note = ({ body, deliveryAttempt }: MessageView) =>
      void attempts.push(`${body.toString()} ${deliveryAttempt}`);
    await consumerOf({ handler: note }).start();
    await until(() => attempts.length === 3);
    expect(attempts).toEqual(['a1 2', 'a2 2', 'a3 2']);
  });
});
