// Messages of programs without a compiler: each call names the field, and nothing is sent.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../test/fixtures/producer-bench.js';
import type { OutgoingMessage } from '../protocol/model/message.js';
import type { TestBroker } from '../testing/test-broker.js';
import type { Producer } from './producer.js';
import type { SendInterceptor } from './sending/interceptors.js';

type ProducerInterceptors = SendInterceptor[];

const HALF = 'a\ud83d';

/** What is wrong, beside a message that is right, and the field and code of the error. */
const WRONG: readonly (readonly [change: Readonly<Record<string, unknown>>, field: string, code: string])[] = [
  [{ topic: undefined }, 'topic', 'ILLEGAL_TOPIC'],
  [{ topic: 7 }, 'topic', 'ILLEGAL_TOPIC'],
  [{ topic: Symbol('orders') }, 'topic', 'ILLEGAL_TOPIC'],
  [{ body: undefined }, 'body', 'ILLEGAL_BODY'],
  [{ body: null }, 'body', 'ILLEGAL_BODY'],
  [{ body: { id: 1 } }, 'body', 'ILLEGAL_BODY'],
  [{ body: new ArrayBuffer(4) }, 'body', 'ILLEGAL_BODY'],
  [{ body: HALF }, 'body', 'ILLEGAL_BODY'],
  [{ tag: null }, 'tag', 'ILLEGAL_MESSAGE_TAG'],
  [{ tag: 7 }, 'tag', 'ILLEGAL_MESSAGE_TAG'],
  [{ tag: HALF }, 'tag', 'ILLEGAL_MESSAGE_TAG'],
  [{ keys: 'abc' }, 'keys', 'ILLEGAL_MESSAGE_KEY'],
  [{ keys: [7] }, 'keys', 'ILLEGAL_MESSAGE_KEY'],
  [{ keys: null }, 'keys', 'ILLEGAL_MESSAGE_KEY'],
  [{ keys: [HALF] }, 'keys', 'ILLEGAL_MESSAGE_KEY'],
  [{ properties: { userId: 42 } }, 'properties', 'ILLEGAL_MESSAGE_PROPERTY_VALUE'],
  [{ properties: { tenant: undefined } }, 'properties', 'ILLEGAL_MESSAGE_PROPERTY_VALUE'],
  [{ properties: { tenant: HALF } }, 'properties', 'ILLEGAL_MESSAGE_PROPERTY_VALUE'],
  [{ properties: { __SHARDINGKEY: 'a' } }, 'properties', 'ILLEGAL_MESSAGE_PROPERTY_KEY'],
  [{ properties: 'tenant' }, 'properties', 'ILLEGAL_MESSAGE_PROPERTY_VALUE'],
  [{ properties: null }, 'properties', 'ILLEGAL_MESSAGE_PROPERTY_VALUE'],
  [{ properties: new Map([['tenant', 'a']]) }, 'properties', 'ILLEGAL_MESSAGE_PROPERTY_VALUE'],
  [{ messageGroup: 7 }, 'messageGroup', 'ILLEGAL_MESSAGE_GROUP'],
  [{ messageGroup: 7n }, 'messageGroup', 'ILLEGAL_MESSAGE_GROUP'],
  [{ messageGroup: HALF }, 'messageGroup', 'ILLEGAL_MESSAGE_GROUP'],
  [{ liteTopic: 7 }, 'liteTopic', 'ILLEGAL_LITE_TOPIC'],
  [{ messageId: 7 }, 'messageId', 'ILLEGAL_MESSAGE_ID'],
  [{ messageId: ' ' }, 'messageId', 'ILLEGAL_MESSAGE_ID'],
  [{ messageId: HALF }, 'messageId', 'ILLEGAL_MESSAGE_ID'],
  // What separates the properties that a server stores.
  [{ messageId: 'a\u0002KEYS\u0001stolen' }, 'messageId', 'ILLEGAL_MESSAGE_ID'],
  [{ messageId: 'a\u007f' }, 'messageId', 'ILLEGAL_MESSAGE_ID'],
  [{ deliverAt: Date.now() }, 'deliverAt', 'ILLEGAL_DELIVERY_TIME'],
  [{ deliverAt: '2027-01-01' }, 'deliverAt', 'ILLEGAL_DELIVERY_TIME'],
  [{ deliverAt: new Date(Number.NaN) }, 'deliverAt', 'ILLEGAL_DELIVERY_TIME'],
  [{ deliverAt: new Date(-1) }, 'deliverAt', 'ILLEGAL_DELIVERY_TIME'],
  [{ deliverAt: new Date(Date.UTC(10_000, 0)) }, 'deliverAt', 'ILLEGAL_DELIVERY_TIME'],
  [{ delayMs: '1000' }, 'delayMs', 'ILLEGAL_DELIVERY_TIME'],
  [{ delayMs: 9e15 }, 'delayMs', 'ILLEGAL_DELIVERY_TIME'],
  [{ priority: '1' }, 'priority', 'ILLEGAL_PRIORITY'],
];

describe('a message of wrong types', () => {
  let bench: ProducerBench;
  let broker: TestBroker;

  beforeEach(async () => {
    const topics = [{ name: 'orders' }, { name: 'payments', type: 'transaction' as const }];
    bench = await ProducerBench.start({ topics });
    broker = bench.broker;
  });

  afterEach(() => bench.close());

  const asOutgoing = (message: unknown): OutgoingMessage => message as OutgoingMessage;
  const text = (change: object): string =>
    Object.entries(change)
      .map(([name, value]) => `${name}: ${String(value)}`)
      .join();

  /** The error of each call that takes a message. */
  async function errorsOf(producer: Producer, message: unknown): Promise<unknown[]> {
    const given = asOutgoing(message);
    const [outcome] = await producer.sendBatch([given]);
    const calls = [
      producer.send(given),
      producer.sendOneway(given),
      producer.transact({ message: given }, async () => {}),
      producer.beginTransaction(given),
    ];
    const errors = await Promise.all(
      calls.map((call) =>
        call.then(
          () => 'sent',
          (error: unknown) => error,
        ),
      ),
    );
    return [...errors, outcome?.status === 'failed' ? outcome.error : 'sent'];
  }

  it.each(['without', 'with'])('names the field in every call, %s interceptors', async (how) => {
    const interceptors = how === 'with' ? ([(message, next) => next(message)] satisfies ProducerInterceptors) : [];
    const options = { transactionCheckers: { payments: () => 'commit' as const }, maxDelayMs: 1e300, interceptors };
    const producer = bench.newProducer(options);
    for (const [change, field, code] of WRONG) {
      // A transaction rejects other types for that reason first.
      const errors = await errorsOf(producer, { topic: 'orders', body: 'x', ...change });
      const [send, oneway, , , batch] = errors;
      for (const error of [send, oneway, batch])
        expect([text(change), error]).toEqual([
          text(change),
          expect.objectContaining({ name: 'UsageError', code, field, outcome: 'not-sent', retryable: false }),
        ]);
      for (const error of errors)
        expect([text(change), error]).toEqual([text(change), expect.objectContaining({ name: 'UsageError' })]);
    }
    expect([broker.messages('orders'), broker.halfMessages()]).toEqual([[], []]);
  });

  it('is rejected when it is no message at all', async () => {
    const producer = bench.newProducer({ transactionCheckers: { payments: () => 'commit' } });
    for (const nothing of [undefined, null, 'orders', 7, []]) {
      const errors = await errorsOf(producer, nothing);
      // Without a message, a transaction sends none.
      const expected = nothing === undefined ? [0, 1, 3, 4] : [0, 1, 2, 3, 4];
      for (const index of expected)
        expect(errors[index]).toMatchObject({ code: 'ILLEGAL_MESSAGE', outcome: 'not-sent' });
    }
    const [gap] = await producer.sendBatch(new Array(1));
    expect(gap).toMatchObject({ error: { code: 'ILLEGAL_MESSAGE', outcome: 'not-sent' } });
    await expect(producer.sendBatch('orders' as never)).rejects.toMatchObject({
      code: 'ILLEGAL_OPTION',
      field: 'messages',
    });
  });

  it('of an interceptor is rejected, and never quotes a value', async () => {
    const spoil = (properties: unknown) => ({ properties }) as object;
    const interceptors: ProducerInterceptors = [(message, next) => next({ ...message, ...spoil({ card: 4111_1111 }) })];
    const sending = bench.newProducer({ interceptors }).send({ topic: 'orders', body: 'x' });
    await expect(sending).rejects.toMatchObject({ code: 'ILLEGAL_MESSAGE_PROPERTY_VALUE' });
    await expect(sending).rejects.toThrow('properties contains "card", which must be a string, not a number');
    const lost: ProducerInterceptors = [(_, next) => next(undefined as never)];
    await expect(bench.newProducer({ interceptors: lost }).send({ topic: 'orders', body: 'x' })).rejects.toMatchObject({
      code: 'ILLEGAL_MESSAGE',
    });
  });

  it('still accepts bytes and dates of every kind, and whole characters', async () => {
    const producer = bench.newProducer();
    await producer.send({
      topic: 'orders',
      body: new Uint8Array([120]),
      keys: ['😀'],
      tag: '😀',
      properties: { a: '😀' },
    });
    await producer.send({ topic: 'orders', body: Buffer.from('x') });
    expect(broker.messages('orders').map(({ keys, tag }) => [keys, tag])).toEqual([
      [['😀'], '😀'],
      [[], undefined],
    ]);
  });
});
