// What the library returns can be returned by a controller as well: as JSON, whole or spread into another object.

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Injectable, Post } from '@nestjs/common';
import {
  DeadLetterError,
  defineTopic,
  RemoteHandlerError,
  type RocketMQContext,
  RocketMQListener,
  RocketMQProducer,
  StateError,
  TransactionalSend,
} from 'nestjs-rocketmq';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { until } from '../tools/until.js';
import { NestBench } from './fixtures/nest-bench.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What the browser of the application would get. */
// biome-ignore lint/suspicious/noExplicitAny: answers are compared as they are
function asJson(value: any): any {
  if (typeof value !== 'object') return JSON.parse(JSON.stringify(value));
  const copy = Array.isArray(value) ? [...value] : { ...value };
  expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
  return JSON.parse(JSON.stringify(value));
}

let bench: NestBench;
const contexts: RocketMQContext[] = [];

@Injectable()
class Billing {
  @RocketMQListener('orders', { consumerGroup: 'billing' })
  bill(body: { readonly amount: number }, context: RocketMQContext): void {
    contexts.push(context);
    if (body.amount < 0) throw new DeadLetterError('a negative amount');
  }

  @TransactionalSend('payments', { message: (id: string) => ({ body: { id } }) })
  async pay(_id: string): Promise<void> {
    throw new Error('the database is away');
  }
}

@Controller('orders')
class Orders {
  constructor(private readonly producer: RocketMQProducer) {}

  @Post()
  place(@Body() body: unknown) {
    return this.producer.send({ topic: 'orders', body });
  }

  @Post('spread')
  async placeAndAdd(@Body() body: unknown) {
    return { ...(await this.producer.send({ topic: 'orders', body })), state: 'placed' };
  }

  @Post('batch')
  placeAll(@Body() bodies: unknown[]) {
    return this.producer.sendBatch(bodies.map((body) => ({ topic: 'orders', body })));
  }

  @Get('last')
  last() {
    return contexts.at(-1)?.message;
  }
}

async function start() {
  const transactionLog = { check: async () => 'unknown' as const };
  const app = await bench.start({
    providers: [Billing],
    controllers: [Orders],
    options: { consumerGroup: 'shop', transactionLog, producer: { localTransactionTimeoutMs: MINUTE_MS } },
  });
  return { app, producer: app.get(RocketMQProducer) };
}

beforeAll(async () => {
  bench = await NestBench.open({ nameServerPort: 0, recallEnabled: true, transactionCheckMax: 2 });
  bench.broker.declareTopic({ name: 'payments', type: 'transaction' });
  bench.broker.declareTopic({ name: 'reminders', type: 'delay' });
  bench.broker.declareTopic({ name: 'spare' });
});
afterEach(() => {
  contexts.length = 0;
  return bench.closeApps();
});
afterAll(() => bench.close());

describe('over HTTP', () => {
  it('a controller returns receipts and messages', async () => {
    const { app } = await start();
    await app.listen(0, '127.0.0.1');
    const url = `${await app.getUrl()}/orders`;
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const post = async (path: string, body: unknown) => {
      const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: answer.status, body: await answer.json() };
    };
    const stored = { offset: expect.any(Number), durability: 'as-configured' };
    const receipt = { topic: 'orders', messageId: expect.any(String), ...stored };
    expect(await post('', { amount: 1 })).toEqual({ status: 201, body: receipt });
    expect(await post('/spread', { amount: 2 })).toEqual({ status: 201, body: { ...receipt, state: 'placed' } });
    expect(await post('/batch', [{ amount: 3 }, { amount: 4 }])).toEqual({
      status: 201,
      body: [
        { status: 'sent', receipt },
        { status: 'sent', receipt },
      ],
    });
    await until(() => contexts.length === 4);
    const answer = await fetch(`${url}/last`, { headers });
    expect(await answer.json()).toMatchObject({ topic: 'orders', queueOffset: expect.any(Number) });
  });
});

describe('as JSON', () => {
  it('is every result of a producer, and what a handler gets', async () => {
    const { producer } = await start();
    const orders = producer.for(defineTopic<{ amount: number }>('orders', { type: 'normal' }));
    const delayed = await producer.send({ topic: 'reminders', body: 'soon', delayMs: HOUR_MS });
    expect(asJson(delayed)).toMatchObject({ offset: expect.any(Number), recallHandle: expect.any(String) });
    expect(asJson(await producer.recall(delayed))).toEqual({ messageId: delayed.messageId });
    expect(asJson(await orders.send({ amount: 1 }))).toMatchObject({ offset: expect.any(Number) });
    const batch = await producer.sendBatch([
      { topic: 'orders', body: { amount: 1 } },
      { topic: 'orders', body: { amount: 2 }, delayMs: -1 } as never,
    ]);
    expect(asJson(batch)).toMatchObject([{ receipt: { offset: expect.any(Number) } }, { status: 'failed' }]);
    await until(() => contexts.length === 2);
    const [context] = contexts;
    const { body, ...fields } = asJson(context?.message);
    expect(fields).toMatchObject({ queueOffset: expect.any(Number), deliveryAttempt: 1 });
    expect(Buffer.from(body).toString()).toBe('{"amount":1}');
    expect(JSON.parse(JSON.stringify(context))).toMatchObject({ listener: 'Billing.bill', message: fields });
  });

  it('has the errors of failed messages with their messages, but without stack and cause', async () => {
    const outgoing = async <T extends { readonly tag?: string }>(message: T) => {
      if (message.tag === 'secret')
        throw Object.assign(new TypeError('no key', { cause: new Error('C') }), { keyId: 7 });
      return message;
    };
    const app = await bench.start({ options: { hooks: [{ outgoing }] } });
    const batch = await app.get(RocketMQProducer).sendBatch([
      { topic: 'orders', body: { amount: 1 }, tag: ' ' },
      { topic: 'orders', body: { amount: 2 }, tag: 'secret' },
      { topic: 'orders', body: { amount: 3 } },
    ]);
    const [usage, foreign] = batch.map((outcome) =>
      outcome.status === 'failed' ? outcome.error : undefined,
    ) as Error[];
    expect(foreign).toBeInstanceOf(TypeError);
    const failure = { code: 'ILLEGAL_MESSAGE_TAG', outcome: 'not-sent', retryable: false, field: 'tag' };
    expect(asJson(batch)).toEqual([
      { status: 'failed', error: { name: 'UsageError', message: usage?.message, ...failure } },
      { status: 'failed', error: { name: 'TypeError', message: 'no key', keyId: 7 } },
      {
        status: 'sent',
        receipt: {
          topic: 'orders',
          messageId: expect.any(String),
          offset: expect.any(Number),
          durability: 'as-configured',
        },
      },
    ]);
    expect(usage?.message).toContain('must not be blank');
    const caused = new StateError('CLOSED', 'the producer is closed', { cause: new Error('C') });
    expect(JSON.parse(JSON.stringify(caused))).toEqual({
      name: 'StateError',
      message: '[CLOSED] the producer is closed',
      code: 'CLOSED',
      outcome: 'not-sent',
      retryable: false,
    });
    const remote = new RemoteHandlerError('OutOfStock', 'no tea is left');
    expect(JSON.parse(JSON.stringify(remote))).toEqual({ name: 'OutOfStock', message: 'no tea is left' });
  });

  it('is every result of RocketMQAdmin', async () => {
    const { app, producer } = await start();
    await app
      .get(Billing)
      .pay('1')
      .catch(() => {});
    await bench.broker.advance(5 * MINUTE_MS);
    const { messageId } = await producer.send({ topic: 'orders', body: { amount: 7 } });
    await producer.send({ topic: 'orders', body: { amount: -1 } });
    await producer.send({ topic: 'reminders', body: 'later', delayMs: HOUR_MS });
    await bench.broker.idle();
    const admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint });
    const rewind = { consumerGroup: 'billing', topic: 'orders', to: { kind: 'beginning' } } as const;
    const first = async <T>(all: AsyncIterable<T>): Promise<T | undefined> => {
      for await (const one of all) return one;
      return undefined;
    };
    const number = expect.any(Number);
    const message = expect.objectContaining({ queueOffset: number, storeTimestampMs: number });
    // In an order in which each finds what it returns.
    const calls = {
      createTopic: [() => admin.createTopic({ topic: 'made', type: 'normal' })],
      createGroup: [() => admin.createGroup({ consumerGroup: 'made' })],
      describeTopic: [() => admin.describeTopic('orders'), { type: 'normal' }],
      topicOffsets: [
        () => admin.topicOffsets('orders'),
        {
          total: number,
          queues: expect.arrayContaining([expect.objectContaining({ minOffset: 0, maxOffset: number })]),
        },
      ],
      listTopics: [() => admin.listTopics(), {}],
      setTopicLayout: [() => admin.setTopicLayout('orders', 'embedded:4'), { orderConfigurations: expect.any(Array) }],
      topicLayout: [() => admin.topicLayout('orders'), { present: expect.stringMatching(/^embedded:\d+$/) }],
      removeTopicLayout: [() => admin.removeTopicLayout('orders')],
      describeGroup: [() => admin.describeGroup('billing'), { consumerGroup: 'billing' }],
      pauseGroup: [
        async () => {
          await admin.pauseGroup('billing', { reason: 'why', by: 'me' });
          return admin.describeGroup('billing');
        },
        { pause: { reason: 'why', by: 'me', sinceMs: number } },
      ],
      resumeGroup: [() => admin.resumeGroup('billing')],
      listGroups: [() => admin.listGroups(), {}],
      groupsOfTopic: [() => admin.groupsOfTopic('orders'), {}],
      groupLag: [
        () => admin.groupLag('billing'),
        { lag: 0, topics: [expect.objectContaining({ topic: 'orders', lag: 0, retries: 0 })] },
      ],
      groupClients: [() => admin.groupClients('billing'), {}],
      describeClient: [() => admin.describeClient('billing', 'nobody')],
      planRewind: [
        () => admin.planRewind(rewind),
        expect.arrayContaining([expect.objectContaining({ from: number, to: 0 })]),
      ],
      browseMessages: [
        () => admin.browseMessages('orders'),
        { total: number, messages: expect.arrayContaining([message]) },
      ],
      listFailures: [() => admin.listFailures('orders'), { records: [], mayBeMore: false }],
      lagHistory: [() => admin.lagHistory('orders', 'billing'), { consumerGroup: 'billing', hours: [] }],
      tailMessages: [
        () => first(admin.tailMessages('orders', { from: new Date(0) })),
        {
          skipped: 0,
          messages: expect.arrayContaining([message]),
          next: expect.stringMatching(/^tail:0,embedded\/0\/\d+,/),
        },
      ],
      findMessages: [() => admin.findMessages({ topic: 'orders', messageId }), { messages: [message] }],
      messageTrail: [() => admin.messageTrail({ topic: 'orders', messageId }), { stored: [message] }],
      givenUpHalfMessages: [() => admin.givenUpHalfMessages(), { total: 1, messages: [message] }],
      givenUpSince: [() => admin.givenUpSince(undefined, 10), { messages: [message] }],
      resumeHalfMessage: [
        async () => {
          for (const half of (await admin.givenUpHalfMessages()).messages) await admin.resumeHalfMessage(half);
        },
      ],
      delayedMessages: [() => admin.delayedMessages(), { messages: [message] }],
      recallDelayed: [
        async () => {
          for (const one of (await admin.delayedMessages()).messages) await admin.recallDelayed(one);
        },
      ],
      listDeadLetterQueues: [() => admin.listDeadLetterQueues(), { consumerGroups: ['billing'] }],
      listDeadLetters: [() => admin.listDeadLetters('billing'), { total: 1, deadLetters: [message] }],
      planReplay: [() => admin.planReplay('billing'), { planned: [expect.objectContaining({ deadLetter: message })] }],
      planReplayOf: [
        async () => admin.planReplayOf((await admin.listDeadLetters('billing')).deadLetters),
        { planned: [expect.objectContaining({ deadLetter: message })] },
      ],
      exportDeadLetters: [
        () => admin.exportDeadLetters('billing'),
        { exported: [expect.objectContaining({ consumerGroup: 'billing', sysFlag: number })] },
      ],
      replayDeadLetters: [
        () => admin.replayDeadLetters('billing'),
        { replayed: [expect.objectContaining({ queueOffset: number })] },
      ],
      rewindGroup: [
        () => admin.rewindGroup(rewind),
        expect.arrayContaining([expect.objectContaining({ queueId: 0, offset: 0 })]),
      ],
      brokers: [() => admin.brokers(), [expect.objectContaining({ name: 'embedded' })]],
      brokerVersions: [() => admin.brokerVersions(), {}],
      brokerClocks: [() => admin.brokerClocks(), {}],
      deleteTopic: [() => admin.deleteTopic('spare'), {}],
      deleteGroup: [() => admin.deleteGroup('made'), {}],
      close: [() => admin.close()],
    } satisfies Record<string, readonly [call: () => Promise<unknown>, wanted?: unknown]>;
    const methods = Object.getOwnPropertyNames(RocketMQAdmin.prototype).filter((name) => name !== 'constructor');
    expect(Object.keys(calls).sort()).toEqual(methods.sort());
    for (const [name, [call, wanted]] of Object.entries<readonly [() => Promise<unknown>, unknown?]>(calls)) {
      const result = await call();
      if (wanted === undefined) expect({ [name]: result }).toEqual({ [name]: undefined });
      else expect({ [name]: asJson(result) }).toMatchObject({ [name]: wanted });
    }
  });
});
