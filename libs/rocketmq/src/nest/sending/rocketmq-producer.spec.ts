// The producer of applications: both forms of every send, and the producer options of the module.

import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { z } from 'zod';
import {
  type BatchOutcome,
  defineTopic,
  NotSentError,
  type OutgoingHookContext,
  type OutgoingMessage,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  type SendInterceptor,
} from '../../entries/nest.js';
import { silentLogger } from '../../support/logger.js';
import { TestBroker } from '../../testing/test-broker.js';

const Order = defineTopic('order', { type: 'normal', schema: z.object({ id: z.number() }) });
const Step = defineTopic<string>('step', { type: 'fifo' });

describe('RocketMQProducer', () => {
  let broker: TestBroker;
  let app: TestingModule | undefined;

  beforeEach(async () => {
    const topics = [{ name: 'order' }, { name: 'step', type: 'fifo' as const }];
    broker = await TestBroker.start({ strict: true, topics });
  });

  afterEach(async () => {
    await app?.close();
    app = undefined;
    await broker.stop();
  });

  async function start(options: Partial<RocketMQModuleOptions> = {}): Promise<RocketMQProducer> {
    const imports = [RocketMQModule.forRoot({ endpoints: broker.endpoints, logger: silentLogger, ...options })];
    app = await Test.createTestingModule({ imports }).compile();
    await app.init();
    return app.get(RocketMQProducer);
  }

  async function failureIn(batch: Promise<BatchOutcome[]>): Promise<void> {
    for (const outcome of await batch) if (outcome.status === 'failed') throw outcome.error;
  }

  const bodies = (topic: string): string[] => broker.messages(topic).map(({ body }) => body.toString());

  it('sends a batch for one topic, typed and validated by its definition', async () => {
    const producer = await start();
    const outcomes = await producer.sendBatch(Order, [
      { body: { id: 1 }, keys: ['one'] },
      { body: { id: 'two' } as never },
      { body: { id: 3 }, messageGroup: 'g' as never },
    ]);
    expect(outcomes).toMatchObject([
      { status: 'sent', receipt: { topic: 'order' } },
      { status: 'failed', error: { code: 'INVALID_BODY', outcome: 'not-sent' } },
      { status: 'failed', error: { code: 'MESSAGE_TYPE_MISMATCH', outcome: 'not-sent' } },
    ]);
    expect(broker.messages('order')[0]?.keys).toEqual(['one']);
  });

  it('sends a batch of plain messages for several topics', async () => {
    const producer = await start();
    const outcomes = await producer.sendBatch(
      [
        { topic: 'order', body: { id: 1 } },
        { topic: 'step', body: 'first', messageGroup: 'g' },
      ],
      { concurrency: 1 },
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['sent', 'sent']);
    expect([bodies('order'), bodies('step')]).toEqual([['{"id":1}'], ['first']]);
  });

  it('fails what is no message of a batch alone', async () => {
    const producer = await start();
    const nothing = [null, undefined, 5, 'order', ['order']] as never[];
    const failure = expect.objectContaining({ code: 'ILLEGAL_MESSAGE', field: 'message', outcome: 'not-sent' });
    const failed = nothing.map(() => expect.objectContaining({ status: 'failed', error: failure }));
    const sent = expect.objectContaining({ status: 'sent' });
    expect(await producer.sendBatch([{ topic: 'order', body: '1' }, ...nothing])).toEqual([sent, ...failed]);
    expect(await producer.sendBatch(Order, [{ body: { id: 2 } }, ...nothing])).toEqual([sent, ...failed]);
    const gaps = new Array(2) as never[];
    expect(await producer.sendBatch(gaps)).toEqual(failed.slice(0, 2));
    expect(await producer.sendBatch(Order, gaps)).toEqual(failed.slice(0, 2));
    const [ofNoTopic] = await producer.sendBatch([{ topic: null, body: '3' } as never]);
    expect(ofNoTopic).toMatchObject({ status: 'failed', error: { code: 'ILLEGAL_TOPIC', field: 'topic' } });
    expect(bodies('order').sort()).toEqual(['1', '{"id":2}']);
  });

  it('rejects arguments of another type, before anything is sent', async () => {
    const producer = await start();
    const work = async (): Promise<void> => {};
    const half = { topic: 'order', body: '1' };
    const none = undefined as never;
    const message = { topic: 'order', body: '1' };
    const calls: readonly [string, string, () => Promise<unknown>][] = [
      ['ILLEGAL_OPTION', 'receipt', () => producer.recall(none)],
      ['ILLEGAL_OPTION', 'receipt', () => producer.recall(null as never)],
      ['NO_RECALL_HANDLE', 'recallHandle', () => producer.recall({ topic: Symbol('a') } as never)],
      ['ILLEGAL_MESSAGE', 'message', () => producer.transaction(none, work)],
      ['ILLEGAL_TOPIC', 'topic', () => producer.transaction({ body: '1' } as never, work)],
      ['ILLEGAL_OPTION', 'work', () => producer.transaction(half, none)],
      ['ILLEGAL_OPTION', 'timeout', () => producer.transaction(half, work, { timeout: 5 } as never)],
      ['ILLEGAL_OPTION', 'options', () => producer.transaction(half, work, null as never)],
      ['ILLEGAL_OPTION', 'options', () => producer.request('order', {}, null as never)],
      ['ILLEGAL_PRIORITY', 'priority', () => producer.send({ ...message, priority: Symbol('a') as never })],
      ['ILLEGAL_PRIORITY', 'priority', () => producer.sendOneway({ ...message, priority: Object.create(null) })],
      ['ILLEGAL_PRIORITY', 'priority', () => failureIn(producer.sendBatch([{ ...message, priority: 1n as never }]))],
    ];
    for (const [code, field, call] of calls) {
      await expect(call()).rejects.toMatchObject({ code, field, outcome: 'not-sent' });
    }
    expect(bodies('order')).toEqual([]);
  });

  it('sends nothing of a message group after a body of a batch that cannot be encoded', async () => {
    const producer = await start();
    const step = (body: unknown) => ({ topic: 'step', body, messageGroup: 'g' });
    const outcomes = await producer.sendBatch([step('first'), step(undefined), step('third')]);
    expect(outcomes).toMatchObject([
      { status: 'sent' },
      { error: { code: 'INVALID_BODY' } },
      { error: { code: 'EARLIER_MESSAGE_FAILED' } },
    ]);
    expect(bodies('step')).toEqual(['first']);
  });

  it('sends the messages of a group in the order of the calls, whatever hooks and schemas take', async () => {
    let goOn = (): void => {};
    const mayGoOn = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const outgoing = async (message: OutgoingMessage, { body }: OutgoingHookContext): Promise<OutgoingMessage> => {
      if (body === 'first') await mayGoOn;
      return message;
    };
    const producer = await start({ hooks: [{ outgoing }] });
    const step = (body: unknown) => ({ topic: 'step', body, messageGroup: 'g' });
    const sends = [
      producer.send(Step, 'first', { messageGroup: 'g' }),
      producer.sendBatch([step('second'), step('third')]),
      producer.sendOneway(step('fourth')),
      producer.send(step('fifth')),
    ];
    await producer.send(Step, 'other', { messageGroup: 'h' });
    expect(bodies('step')).toEqual(['"other"']);
    goOn();
    await Promise.all(sends);
    // Which queue is listed first depends on the groups.
    const ofGroup = bodies('step').filter((body) => body !== '"other"');
    expect(ofGroup).toEqual(['"first"', 'second', 'third', 'fourth', 'fifth']);
  });

  it('does not wait for ever for a hook that never ends, nor do later messages of its group', async () => {
    const outgoing = (message: OutgoingMessage, { body }: OutgoingHookContext) =>
      body === 'stuck' ? new Promise<OutgoingMessage>(() => {}) : message;
    const producer = await start({ hooks: [{ outgoing }] });
    const stuck = producer.send(Step, 'stuck', { messageGroup: 'g', timeoutMs: 50 });
    const next = producer.send(Step, 'next', { messageGroup: 'g' });
    await expect(stuck).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' });
    await next;
    expect(bodies('step')).toEqual(['"next"']);
  });

  it('sends one-way, typed or plain, and reports a failure', async () => {
    const failed: string[] = [];
    const events = { onOnewayFailed: ({ topic }: { topic: string }) => void failed.push(topic) };
    const producer = await start({ events });
    await producer.sendOneway(Order, { id: 1 });
    await producer.sendOneway({ topic: 'order', body: 'two' });
    await producer.sendOneway(Step, 'first', { messageGroup: 'g', timeoutMs: 1_000 });
    await expect(producer.sendOneway(Order, { id: 'x' } as never)).rejects.toMatchObject({ code: 'INVALID_BODY' });
    await producer.sendOneway({ topic: 'missing', body: 'x' });
    await app?.close();
    expect([bodies('order').sort(), bodies('step'), failed]).toEqual([['two', '{"id":1}'], ['"first"'], ['missing']]);
  });

  it('passes on the options of the module: attempts, backpressure, compression, interceptors', async () => {
    const tracing: SendInterceptor = (message, next) => next({ ...message, properties: { trace: '7' } });
    const producer = await start({
      producer: { maxAttempts: 1, maxInFlight: 1, whenFull: 'reject', compression: {}, interceptors: [tracing] },
    });
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'answer', code: 'TOO_MANY_REQUESTS' } });
    await expect(producer.send(Order, { id: 1 })).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 100 } });
    const first = producer.send({ topic: 'order', body: 'again '.repeat(2_000) });
    // The first message is admitted once it is encoded.
    await new Promise((resolve) => setImmediate(resolve));
    await expect(producer.send(Order, { id: 2 })).rejects.toBeInstanceOf(NotSentError);
    await first;
    const [stored] = broker.messages('order');
    expect(gunzipSync(stored?.body ?? '').toString()).toBe('again '.repeat(2_000));
    expect(stored?.properties).toEqual({ trace: '7' });
  });

  it('fails at startup when one of its options is invalid', async () => {
    await expect(start({ producer: { maxInFlight: 0 } })).rejects.toThrow('option producer.maxInFlight');
    app = undefined;
    await expect(start({ producer: { retries: 3 } as never })).rejects.toThrow(
      /option producer\.retries is unknown.*maxAttempts/,
    );
    app = undefined;
  });
});
