import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProducerBench } from '../../../../../test/fixtures/producer-bench.js';
import { message, RawClient } from '../../../../../tools/wire/raw-grpc-client.js';
import { SECOND_MS } from '../../support/clock.js';
import { TestBroker } from '../../testing/test-broker.js';
import { Producer } from '../producer.js';
import type { ProducerOptions } from '../producer-options.js';

const MIB = 1024 * 1024;

describe('a producer that compresses bodies', () => {
  let bench: ProducerBench;
  let broker: TestBroker;

  beforeEach(async () => {
    const topics = [{ name: 'orders' }, { name: 'payments', type: 'transaction' as const }];
    bench = await ProducerBench.start({ topics, manualClock: true });
    broker = bench.broker;
  });

  afterEach(() => bench.close());

  const newProducer = (options: ProducerOptions = { compression: {} }): Producer => bench.newProducer(options);

  const text = (bytes: number): string => 'again and again '.repeat(bytes / 16);
  const order = (body: string | Uint8Array) => ({ topic: 'orders', body });
  /** The messages, as stored in the broker. */
  const stored = (): Buffer[] => broker.messages('orders').map(({ body }) => body);

  it('compresses bodies of at least the threshold', async () => {
    const producer = newProducer({ compression: { thresholdBytes: 64 } });
    await producer.send(order(text(48)));
    await producer.send(order(text(64)));
    const [small, large] = stored();
    expect(small?.toString()).toBe(text(48));
    expect(gunzipSync(large ?? '').toString()).toBe(text(64));
  });

  it('compresses bodies of at least 4 KiB by default, and nothing without the option', async () => {
    await newProducer().send(order(text(4080)));
    await newProducer().send(order(text(4096)));
    await newProducer({}).send(order(text(8192)));
    expect(stored().map(({ length }) => length)).toEqual([4080, expect.any(Number), 8192]);
    expect(stored()[1]?.length).toBeLessThan(200);
  });

  it('leaves a body unchanged if compression does not make it smaller', async () => {
    const noise = randomBytes(8192);
    await newProducer().send(order(noise));
    expect(stored()).toEqual([noise]);
  });

  it('sends more than 4 MiB if it is less after compression', async () => {
    await newProducer().send(order(text(5 * MIB)));
    expect(gunzipSync(stored()[0] ?? '').length).toBe(5 * MIB);
  });

  it('sends nothing that is still more than 4 MiB', async () => {
    const rejected = { code: 'MESSAGE_BODY_TOO_LARGE', outcome: 'not-sent', field: 'body' };
    await expect(newProducer().send(order(randomBytes(5 * MIB)))).rejects.toMatchObject(rejected);
    const belowThreshold = newProducer({ compression: { thresholdBytes: 6 * MIB } });
    await expect(belowThreshold.send(order(text(5 * MIB)))).rejects.toMatchObject(rejected);
    expect(stored()).toEqual([]);
  });

  it('sends nothing that its consumers would not decompress', async () => {
    const sending = newProducer().send(order(Buffer.alloc(32 * MIB + 1)));
    await expect(sending).rejects.toMatchObject({ code: 'MESSAGE_BODY_TOO_LARGE', outcome: 'not-sent' });
    await expect(sending).rejects.toThrow(`the limit is ${32 * MIB}`);
  });

  it('retries with the same compressed body when an answer was lost', async () => {
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
    await newProducer().send(order(text(8192)));
    const [first, second] = stored();
    expect(second).toEqual(first);
  });

  it('counts the compressed size of a body in flight', async () => {
    const producer = newProducer({ compression: {}, maxInFlightBytes: 10_000, whenFull: 'reject' });
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 200 } });
    await producer.sendOneway(order(text(8192)));
    await producer.send(order(text(8192)));
    await producer.close();
    expect(stored()).toHaveLength(2);
  });

  it('fails only the message of a batch that is too large after compression', async () => {
    const outcomes = await newProducer().sendBatch([order(randomBytes(5 * MIB)), order(text(8192))]);
    expect(outcomes).toMatchObject([
      { status: 'failed', error: { code: 'MESSAGE_BODY_TOO_LARGE', outcome: 'not-sent' } },
      { status: 'sent' },
    ]);
  });

  it('sends nothing for a caller that aborted before the body was compressed', async () => {
    const sending = newProducer().send(order(text(16 * MIB)), { signal: AbortSignal.abort(new Error('never mind')) });
    await expect(sending).rejects.toThrow('never mind');
    const caller = new AbortController();
    const late = newProducer().send(order(text(16 * MIB)), { signal: caller.signal });
    setImmediate(() => caller.abort(new Error('too slow')));
    await expect(late).rejects.toThrow('too slow');
    await expect(newProducer().send(order(text(16 * MIB)), { timeoutMs: 1 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      outcome: 'not-sent',
    });
    expect(stored()).toEqual([]);
  });

  it('passes the original body of a half message to a checker', async () => {
    const asked: string[] = [];
    const checker = (check: { message: { body: Buffer } }): 'commit' | undefined => {
      asked.push(check.message.body.toString());
      return asked.length > 1 ? 'commit' : undefined;
    };
    const producer = newProducer({ compression: {}, transactionCheckers: { payments: checker } });
    await producer.start();
    const failing = producer.transact({ message: { topic: 'payments', body: text(8192) } }, async () => {
      throw new Error('no answer from the bank');
    });
    await expect(failing).rejects.toThrow('no answer');
    await broker.advance(40 * SECOND_MS);
    expect(asked).toEqual([text(8192), text(8192)]);
    expect(broker.messages('payments')).toHaveLength(1);
  });

  it('leaves a half message whose body cannot be decompressed to a later check', async () => {
    const producer = newProducer({ compression: {}, transactionCheckers: { payments: () => 'commit' } });
    await producer.start();
    const raw = new RawClient(broker.endpoints, 'raw@1@0@a');
    const half = message('payments', 'HALF-1', { messageType: 4, bodyEncoding: 2 });
    const userProperties = { 'rocketmq-transaction-owner': 'payments' };
    await raw.call('sendMessage', { messages: [{ ...half, userProperties, body: Buffer.from('no gzip') }] });
    raw.close();
    await broker.advance(40 * SECOND_MS);
    expect([broker.messages('payments').length, broker.halfMessages().length]).toEqual([0, 1]);
  });

  it('names an invalid option', () => {
    expect(() => newProducer({ compression: { thresholdBytes: 0 } })).toThrow('option compression.thresholdBytes');
    expect(() => newProducer({ compression: { level: 10 } })).toThrow('option compression.level must be');
    expect(() => newProducer({ compression: { level: 0 } })).toThrow('option compression.level must be');
  });
});
