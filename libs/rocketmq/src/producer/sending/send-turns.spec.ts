import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../../test/fixtures/producer-bench.js';
import { until } from '../../../../../tools/until.js';
import type { FaultAction } from '../../broker/services/faults.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import type { TestBroker } from '../../testing/test-broker.js';
import type { Producer } from '../producer.js';
import type { ProducerOptions } from '../producer-options.js';
import type { SendInterceptor } from './interceptors.js';

describe('the order of sends', () => {
  let bench: ProducerBench;
  let broker: TestBroker;

  beforeEach(async () => {
    const topics = [
      { name: 'steps', type: 'fifo' as const },
      { name: 'orders' },
      { name: 'chats', type: 'lite' as const },
    ];
    bench = await ProducerBench.start({ topics });
    broker = bench.broker;
  });

  afterEach(() => bench.close());

  /** A producer that knows its routes. */
  async function newProducer(options: ProducerOptions = {}): Promise<Producer> {
    const producer = bench.newProducer({ topics: { steps: 'fifo', orders: 'normal', chats: 'lite' }, ...options });
    await producer.start();
    return producer;
  }

  const step = (messageGroup: string, body: string): OutgoingMessage => ({ topic: 'steps', body, messageGroup });
  const stored = (topic = 'steps'): string[] => broker.messages(topic).map(({ body }) => body.toString());
  const storedOf = (messageGroup: string): string[] =>
    broker
      .messages('steps')
      .filter((message) => message.messageGroup === messageGroup)
      .map(({ body }) => body.toString());
  const fault = (action: FaultAction, times = 1): void => void broker.faults.add({ rpc: 'sendMessage', action, times });
  const slowSend = (delayMs = 100): void => fault({ kind: 'delay', delayMs });
  /** The code and outcome of each send, or "sent". */
  const brief = async (sends: readonly Promise<unknown>[]): Promise<string[]> =>
    (await Promise.allSettled(sends)).map((one) =>
      one.status === 'fulfilled'
        ? 'sent'
        : `${one.reason.code ?? one.reason.message} ${one.reason.outcome ?? ''}`.trim(),
    );

  /** Holds a message back until it is opened. */
  function gateFor(body: string) {
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const interceptor: SendInterceptor = async (message, next) => {
      if (message.body === body) await opened;
      return next(message);
    };
    return { interceptor, open };
  }

  it('in a message group is that of the calls, however long each takes', async () => {
    const producer = await newProducer();
    slowSend();
    const bodies = Array.from({ length: 20 }, (_, index) => String(index));
    await Promise.all(bodies.map((body) => producer.send(step('a', body))));
    expect(stored()).toEqual(bodies);
  });

  it('in a lite topic is that of the calls', async () => {
    const producer = await newProducer();
    slowSend();
    await Promise.all(['1', '2', '3'].map((body) => producer.send({ topic: 'chats', liteTopic: 'room', body })));
    expect(stored('chats')).toEqual(['1', '2', '3']);
  });

  it('is that of the calls for single sends, one-way sends and batches together', async () => {
    const producer = await newProducer();
    slowSend();
    const first = producer.send(step('a', '1'));
    const batch = producer.sendBatch([step('a', '2'), step('b', 'x'), step('a', '3')], { concurrency: 1 });
    const oneway = producer.sendOneway(step('a', '4'));
    const last = producer.send(step('a', '5'));
    await Promise.all([first, batch, oneway, last]);
    expect(storedOf('a')).toEqual(['1', '2', '3', '4', '5']);
  });

  it('is that of the calls when interceptors and compression take longer for earlier messages', async () => {
    let waits = 3;
    const producer = await newProducer({
      compression: { thresholdBytes: 1_000 },
      interceptors: [
        async (message, next) => {
          for (let left = waits--; left > 0; left--) await new Promise((resolve) => setTimeout(resolve, 10));
          return next(message);
        },
      ],
    });
    await Promise.all(['1'.repeat(100_000), '2', '3'].map((body) => producer.send(step('a', body))));
    expect(broker.messages('steps').map(({ body }) => body.length > 1)).toEqual([true, false, false]);
  });

  it('makes no message wait for another group, another topic, or one that has no order', async () => {
    const { interceptor, open } = gateFor('slow');
    const producer = await newProducer({ interceptors: [interceptor] });
    const slow = producer.send(step('a', 'slow'));
    const behind = producer.send(step('a', 'behind'));
    await Promise.all([producer.send(step('b', 'other')), producer.send({ topic: 'orders', body: 'one' })]);
    expect([stored(), stored('orders')]).toEqual([['other'], ['one']]);
    open();
    await Promise.all([slow, behind]);
    expect(storedOf('a')).toEqual(['slow', 'behind']);
  });

  it('goes on behind a message that is certainly not stored', async () => {
    const producer = await newProducer();
    fault({ kind: 'answer', code: 'MESSAGE_CORRUPTED' });
    const sends = [step('a', '1'), step('a', ''), step('a', '2')].map((message) => producer.send(message));
    expect(await brief(sends)).toEqual(['MESSAGE_CORRUPTED rejected', 'MESSAGE_BODY_EMPTY not-sent', 'sent']);
    expect(stored()).toEqual(['2']);
  });

  it('stops behind a message that may be stored, for the calls that wait then, and for no others', async () => {
    const producer = await newProducer({ maxAttempts: 1 });
    fault({ kind: 'dropResponse' });
    const batch = producer.sendBatch([step('a', '1'), step('a', '2')]);
    const behind = [producer.send(step('a', '3')), producer.send(step('b', 'other')), producer.send(step('a', '4'))];
    expect(await brief(behind)).toEqual(['EARLIER_MESSAGE_FAILED not-sent', 'sent', 'EARLIER_MESSAGE_FAILED not-sent']);
    expect((await batch).map((one) => one.status === 'failed' && one.error)).toMatchObject([
      { outcome: 'unknown' },
      { code: 'EARLIER_MESSAGE_FAILED', outcome: 'not-sent' },
    ]);
    const error = await behind[0]?.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ retryable: true, cause: { outcome: 'unknown' } });
    await Promise.all(['2', '3', '4'].map((body) => producer.send(step('a', body))));
    expect(storedOf('a')).toEqual(['1', '2', '3', '4']);
  });

  it('stops behind a message whose caller aborted while it was under way', async () => {
    const producer = await newProducer();
    const left = new AbortController();
    slowSend(60_000);
    const sends = [producer.send(step('a', '1'), { signal: left.signal }), producer.send(step('a', '2'))];
    await until(() => broker.faults.list().length === 0);
    left.abort(new Error('left'));
    expect(await brief(sends)).toEqual(['left', 'EARLIER_MESSAGE_FAILED not-sent']);
  });

  it('lets a message that waits run out of time or be aborted, as not sent, and keeps the order of the others', async () => {
    const producer = await newProducer();
    const left = new AbortController();
    slowSend(500);
    const sends = [
      producer.send(step('a', '1')),
      producer.send(step('a', 'late'), { timeoutMs: 50 }),
      producer.send(step('a', '2')),
      producer.send(step('a', 'aborted'), { signal: left.signal }),
      producer.send(step('a', '3')),
    ];
    setTimeout(() => left.abort(new Error('left')), 50);
    const late = await sends[1]?.catch((reason: unknown) => reason);
    expect(late).toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent', retryable: true });
    expect(late).toHaveProperty('message', expect.stringContaining('earlier messages of message group "a"'));
    expect(await brief(sends)).toEqual(['sent', 'DEADLINE_EXCEEDED not-sent', 'sent', 'left', 'sent']);
    expect(stored()).toEqual(['1', '2', '3']);
  });

  it('accepts one-way messages that wait, up to the limits, and never keeps those in flight from them', async () => {
    const { interceptor, open } = gateFor('1');
    const producer = await newProducer({ maxInFlight: 2, whenFull: 'reject', interceptors: [interceptor] });
    const first = producer.send(step('a', '1'));
    await producer.sendOneway(step('a', '2'));
    const waiting = producer.send(step('a', '3'));
    expect(await brief([producer.sendOneway(step('a', '4')), producer.send(step('a', '5'))])).toEqual([
      'TOO_MANY_IN_FLIGHT not-sent',
      'TOO_MANY_IN_FLIGHT not-sent',
    ]);
    await producer.send({ topic: 'orders', body: 'one' });
    open();
    await Promise.all([first, waiting]);
    expect([stored(), stored('orders')]).toEqual([['1', '2', '3'], ['one']]);
  });

  it('is kept by a close, which waits for the messages that wait', async () => {
    const producer = await newProducer();
    slowSend();
    const sends = ['1', '2', '3'].map((body) => producer.send(step('a', body)));
    await producer.close();
    expect(await brief(sends)).toEqual(['sent', 'sent', 'sent']);
    expect(stored()).toEqual(['1', '2', '3']);
  });
});
