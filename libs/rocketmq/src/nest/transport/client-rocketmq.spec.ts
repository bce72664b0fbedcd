// Nest's client proxy on RocketMQ: events, and requests with their answers.

import { describe, expect, it } from '@jest/globals';
import { type ArgumentsHost, Catch, Controller, Module, UseFilters } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { BaseRpcExceptionFilter, EventPattern, MessagePattern, RpcException } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, type Observable, of, toArray } from 'rxjs';
import { ClientBench } from '../../../../../test/fixtures/client-bench.js';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import { RocketMQAdmin } from '../../entries/admin.js';
import {
  DeadLetterError,
  REQUEST_PROPERTIES,
  RetryLaterError,
  RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
  RocketMQRecordBuilder,
  RocketMQRequester,
  ServerRocketMQ,
} from '../../entries/nest.js';
import { HOUR_MS, SECOND_MS } from '../../support/clock.js';

const bench = ClientBench.ofFile();

describe('send()', () => {
  @Controller()
  class Prices {
    static readonly asked: unknown[] = [];

    @MessagePattern<string>('prices:of')
    async priceOf(body: { item: string }, context: RocketMQContext): Promise<unknown> {
      Prices.asked.push([body, context.message.keys, context.message.tag]);
      return { item: body.item, cents: 250 };
    }

    @MessagePattern<string>('prices:all')
    all() {
      return of('first', 'last');
    }

    @MessagePattern<string>('prices:none')
    none(_body: unknown): void {}

    @MessagePattern<string>('prices:bytes')
    bytes(body: unknown): Buffer {
      return Buffer.from(String(body));
    }

    @MessagePattern<string>('prices:bad')
    bad(kind: string): void {
      if (kind === 'rpc') throw new RpcException('sold out');
      throw kind === 'grave' ? new DeadLetterError('never') : new RangeError('no such item');
    }

    @MessagePattern<string>('prices:later')
    later(_body: unknown, { deliveryAttempt }: RocketMQContext): string {
      if (deliveryAttempt === 1) throw new RetryLaterError({ delayMs: 0 });
      return `attempt ${deliveryAttempt}`;
    }

    @MessagePattern<string>('prices:never')
    never(_body: unknown): Promise<never> {
      return new Promise(() => {});
    }
  }

  it('gets what the handler returns: a value, the last of several, bytes, nothing', async () => {
    await bench.server(Prices);
    const { app, client } = await bench.asking();
    const record = new RocketMQRecordBuilder({ item: 'tea' }).setKeys(['tea-1']).build();
    await expect(firstValueFrom(client.send('prices:of', record))).resolves.toEqual({ item: 'tea', cents: 250 });
    expect(Prices.asked).toEqual([[{ item: 'tea' }, ['tea-1'], 'of']]);
    await expect(lastValueFrom(client.send('prices:all', 1).pipe(toArray()))).resolves.toEqual(['last']);
    await expect(firstValueFrom(client.send('prices:bytes', 'tea'))).resolves.toEqual(Buffer.from('tea'));
    await expect(lastValueFrom(client.send('prices:none', 1).pipe(toArray()))).resolves.toEqual([]);
    expect(client.unwrap().pending).toBe(0);
    const asked = app.get(RocketMQProducer).request<{ cents: number }>('prices:of', { item: 'oats' }, { keys: ['k'] });
    await expect(asked).resolves.toEqual({ item: 'oats', cents: 250 });
  });

  it('gets the error of the handler with its name and message, and the request is settled', async () => {
    await bench.server(Prices);
    const { client } = await bench.asking();
    const named = (name: string, message: string) => expect.objectContaining({ name, message });
    await expect(firstValueFrom(client.send('prices:bad', 'x'))).rejects.toEqual(named('RangeError', 'no such item'));
    await expect(firstValueFrom(client.send('prices:bad', 'rpc'))).rejects.toEqual(named('RpcException', 'sold out'));
    await expect(firstValueFrom(client.send('prices:bad', 'grave'))).rejects.toEqual(named('DeadLetterError', 'never'));
    await bench.broker.idle();
    expect(bench.broker.waiting()).toEqual([]);
    expect(bench.broker.messages('%DLQ%shop').map(({ body }) => body.toString())).toEqual(['"grave"']);
  });

  it('gets what Nest gives the clients of its own transports: arrays, wrapped exceptions, and the code of what has no JSON form', async () => {
    const endless: Record<string, unknown> = { code: 'ENDLESS' };
    endless.itself = endless;
    const thrown: Record<string, Error> = {
      array: new RpcException(['sold out', { left: 0 }]),
      wrapped: new RpcException(new RpcException({ code: 'INNER', left: 0 })),
      error: new RpcException(Object.assign(new Error('no tea'), { code: 'NO_TEA', query: 'SELECT tea' })),
      large: new RpcException({ code: 'LARGE', text: 'x'.repeat(20_000) }),
      bigint: new RpcException({ code: 'BIG', left: 1n }),
      endless: new RpcException(endless),
    };
    @Controller()
    class Shop {
      @MessagePattern<string>('shop')
      sell(kind: string): void {
        throw thrown[kind];
      }
    }
    await bench.server(Shop);
    const { client } = await bench.asking();
    const errorOf = async (kind: string) => {
      const { code, details } = await firstValueFrom(client.send('shop', kind)).catch((error) => error);
      return [code, details];
    };
    expect(await errorOf('array')).toEqual([undefined, ['sold out', { left: 0 }]]);
    expect(await errorOf('wrapped')).toEqual(['INNER', { code: 'INNER', left: 0 }]);
    expect(await errorOf('error')).toEqual(['NO_TEA', undefined]);
    expect(await errorOf('large')).toEqual(['LARGE', undefined]);
    expect(await errorOf('bigint')).toEqual(['BIG', undefined]);
    expect(await errorOf('endless')).toEqual(['ENDLESS', undefined]);
  });

  it('gets what an exception filter makes of an error, while the error decides about the message', async () => {
    @Catch()
    class Filter extends BaseRpcExceptionFilter {
      override catch(error: Error, host: ArgumentsHost): Observable<unknown> {
        if (error.message === 'known') return of('sold out');
        if (error.message === 'silent') return undefined as never;
        return super.catch(error instanceof DeadLetterError ? new RpcException({ code: 'LOST' }) : error, host);
      }
    }
    @Controller()
    @UseFilters(Filter)
    class Shop {
      @MessagePattern<string>('shop')
      sell(kind: string, { deliveryAttempt }: RocketMQContext): string {
        if (kind === 'dead') throw new DeadLetterError(kind);
        if (kind === 'later' && deliveryAttempt === 1) throw new RetryLaterError({ delayMs: 10 });
        if (kind === 'later') return 'sold';
        throw kind === 'known-code' ? new RpcException({ code: 'SOLD_OUT', status: 409 }) : new Error(kind);
      }
    }
    await bench.server(Shop);
    const { client } = await bench.asking();
    const ask = (kind: string) => firstValueFrom(client.send('shop', kind));
    await expect(ask('known')).resolves.toBe('sold out');
    await expect(ask('secret')).rejects.toMatchObject({
      message: 'Internal server error',
      details: { status: 'error', message: 'Internal server error' },
    });
    await expect(ask('known-code')).rejects.toMatchObject({
      code: 'SOLD_OUT',
      details: { code: 'SOLD_OUT', status: 409 },
    });
    await expect(ask('silent')).rejects.toMatchObject({ message: 'silent' });
    await expect(ask('later')).resolves.toBe('sold');
    await expect(ask('dead')).rejects.toMatchObject({ code: 'LOST' });
    await until(() => bench.broker.deadLetters('shop').length > 0);
    expect(bench.broker.deadLetters('shop').map(({ body }) => body.toString())).toEqual(['"dead"']);
  });

  it('waits for a request that is retried later', async () => {
    await bench.server(Prices);
    const { client } = await bench.asking();
    await expect(firstValueFrom(client.send('prices:later', 1))).resolves.toBe('attempt 2');
  });

  it('does nothing without a subscriber, and sends one request for each subscriber', async () => {
    Prices.asked.length = 0;
    await bench.server(Prices);
    const { client } = await bench.asking();
    const answer = client.send('prices:of', { item: 'a' });
    await bench.broker.idle();
    expect(bench.broker.messages('prices')).toEqual([]);
    await Promise.all([firstValueFrom(answer), firstValueFrom(answer)]);
    expect(Prices.asked).toHaveLength(2);
  });

  it('ends at its timeout: by default, by record, by call', async () => {
    await bench.server(Prices, { shutdownGraceMs: 0 });
    const { app, client, requester } = await bench.asking({ requests: { application: 'desk', timeoutMs: 360 } });
    await expect(firstValueFrom(client.send('prices:never', 1))).rejects.toThrow(/DEADLINE_EXCEEDED.*360 ms/);
    const record = new RocketMQRecordBuilder(1).setTimeoutMs(370).build();
    await expect(firstValueFrom(client.send('prices:never', record))).rejects.toThrow(/370 ms/);
    await expect(requester.request('prices:never', 1, { timeoutMs: 380 })).rejects.toThrow(/380 ms/);
    await expect(app.get(RocketMQProducer).request('prices:never', 1, { timeoutMs: 390 })).rejects.toThrow(/390 ms/);
    expect(requester.pending).toBe(0);
  });

  it.each<[unknown, string]>([
    ['5', 'the string "5"'],
    [5n, '5n'],
    [0, '0'],
    [null, 'null'],
  ])('is rejected with the timeout %p', async (timeoutMs, shown) => {
    const { requester } = await bench.asking();
    await expect(requester.request('prices:of', 1, { timeoutMs: timeoutMs as number })).rejects.toThrow(
      `[ILLEGAL_OPTION] option timeoutMs must be a number above 0, not ${shown}`,
    );
    expect(bench.broker.messages('prices')).toEqual([]);
  });

  it.each([
    ['while the application waits for its handlers', 60_000],
    ['after it has fired their signals', 20],
  ])('gets the answer of a handler that ends %s', async (_, shutdownGraceMs) => {
    let end = (): void => {};
    const seen: { signal?: AbortSignal } = {};
    @Controller()
    class Slow {
      @MessagePattern<string>('slow')
      async handle(_body: unknown, { signal }: RocketMQContext): Promise<string> {
        seen.signal = signal;
        await new Promise<void>((resolve) => {
          end = resolve;
        });
        return 'done';
      }
    }
    const app = await bench.server(Slow, { shutdownGraceMs });
    const { requester } = await bench.asking();
    const asked = requester.request('slow', 1, { timeoutMs: 10 * SECOND_MS });
    await until(() => seen.signal !== undefined);
    const closed = app.close();
    if (shutdownGraceMs < SECOND_MS) await until(() => seen.signal?.aborted === true);
    end();
    await expect(asked).resolves.toBe('done');
    await closed;
    // Answered and acknowledged: it is not redelivered.
    expect([bench.broker.inFlight().filter(({ topic }) => topic === 'slow'), bench.broker.waiting()]).toEqual([[], []]);
  });

  it.each([
    ['is redelivered when it fails', RangeError, { waiting: ['1'], dead: [] }],
    ['is answered when it becomes a dead letter', DeadLetterError, { waiting: [], dead: ['1'] }],
  ])('%s after the application has fired the signal of its handler', async (_, type, expected) => {
    let isCalled = false;
    @Controller()
    class Slow {
      @MessagePattern<string>('slow', { backoff: HOUR_MS })
      async handle(_body: unknown, { signal }: RocketMQContext): Promise<void> {
        isCalled = true;
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        throw new type('cut short');
      }
    }
    const app = await bench.server(Slow, { shutdownGraceMs: 20 });
    const { requester } = await bench.asking();
    const asked = requester.request('slow', 1, { timeoutMs: 10 * SECOND_MS }).catch(({ name }: Error) => name);
    await until(() => isCalled);
    await app.close();
    const waiting = bench.broker.waiting().map(({ body }) => body.toString());
    const dead = bench.broker.messages('%DLQ%shop').map(({ body }) => body.toString());
    expect({ waiting, dead }).toEqual(expected);
    if (type === DeadLetterError) expect(await asked).toBe('DeadLetterError');
    else expect(requester.pending).toBe(1);
  });

  it('drops and counts an answer that arrives too late', async () => {
    const handling: (() => void)[] = [];
    @Controller()
    class Slow {
      @MessagePattern<string>('slow')
      handle(_body: unknown): Promise<string> {
        return new Promise((resolve) => {
          handling.push(() => resolve('late'));
        });
      }
    }
    await bench.server(Slow);
    const { client } = await bench.asking();
    const waiting = client.send('slow', 1).subscribe();
    await until(() => handling.length > 0);
    waiting.unsubscribe();
    await until(() => client.unwrap().pending === 0);
    expect(client.lateReplies).toBe(0);
    for (const answer of handling) answer();
    await until(() => client.lateReplies !== 0);
    expect(client.lateReplies).toBe(1);
  });

  it('is answered to the requesting instance, of several of one application', async () => {
    @Controller()
    class Echo {
      @MessagePattern<string>('echo')
      handle(body: unknown): unknown {
        return body;
      }
    }
    await bench.server(Echo);
    const desks = [await bench.asking(), await bench.asking()];
    const answers = desks.map(({ client }, desk) =>
      Promise.all([1, 2, 3].map((number) => firstValueFrom(client.send('echo', `${desk}-${number}`)))),
    );
    await expect(Promise.all(answers)).resolves.toEqual([
      ['0-1', '0-2', '0-3'],
      ['1-1', '1-2', '1-3'],
    ]);
    expect(desks.map(({ requester }) => requester.lateReplies)).toEqual([0, 0]);
  });

  it('has a group for the answers while the application runs, and none afterwards', async () => {
    const admin = new RocketMQAdmin({ nameServer: bench.broker.nameServerEndpoint });
    const groups = async () => (await admin.listGroups()).groups.map(({ consumerGroup }) => consumerGroup);
    const { app } = await bench.asking();
    const [group] = await groups();
    expect(group).toMatch(/^nestjs-rocketmq-reply-desk-[0-9a-f]{20}$/);
    await app.close();
    expect(await groups()).toEqual([]);
    await admin.close();
  });

  it('answers to reply topics only', async () => {
    const logger = recordingLogger();
    await bench.server(Prices, { logger });
    const { app } = await bench.asking();
    const { replyTopic, replyTag, requestId } = REQUEST_PROPERTIES;
    const properties = { [replyTopic]: 'salaries', [replyTag]: 'x', [requestId]: '1' };
    await app.get(RocketMQProducer).send({ topic: 'prices', tag: 'none', body: '1', properties });
    await bench.broker.idle();
    expect(bench.broker.messages('salaries')).toEqual([]);
    expect(logger.lines.map(([line]) => line).join()).toMatch(
      /warn a request names a topic for its answer that is not a reply topic/,
    );
  });

  it('is rejected without the option requests, which is rejected without name servers, each with what to do', async () => {
    const { app, client } = await bench.asking({ requests: undefined });
    await expect(app.get(RocketMQProducer).request('prices:of', 1)).rejects.toThrow(/NO_REQUESTS/);
    await expect(firstValueFrom(client.send('prices:of', 1))).rejects.toThrow(
      /NO_REQUESTS.*requests: \{ application \}/,
    );
    await expect(bench.asking({ nameServer: undefined })).rejects.toThrow(
      /NO_NAME_SERVER.*option requests.*nameServer/,
    );
  });

  it('works inside one application with the embedded broker', async () => {
    const rocketmq = RocketMQModule.forRoot(
      bench.options({ endpoints: 'embedded:', nameServer: undefined, requests: { application: 'one' } }),
    );
    @Module({ imports: [rocketmq], controllers: [Prices] })
    class One {}
    const app = await NestFactory.create(One, { logger: false, abortOnError: false });
    bench.apps.push(app);
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
    await app.startAllMicroservices();
    await app.init();
    await expect(app.get(RocketMQRequester).request('prices:of', { item: 'x' })).resolves.toEqual({
      item: 'x',
      cents: 250,
    });
  });

  it('passes the hooks of both sides', async () => {
    const swap = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 255));
    const hook = {
      outgoing: <T extends { body: Uint8Array | string }>(message: T): T => ({
        ...message,
        body: swap(Buffer.from(message.body as string)),
      }),
      incoming: <T extends { body: Buffer }>(message: T): T => ({ ...message, body: swap(message.body) }),
    };
    await bench.server(Prices, { hooks: [hook] });
    const { client } = await bench.asking({ hooks: [hook] });
    await expect(firstValueFrom(client.send('prices:of', { item: 'tea' }))).resolves.toEqual({
      item: 'tea',
      cents: 250,
    });
    expect(bench.broker.messages('prices')[0]?.body.toString()).not.toContain('tea');
  });
});

describe('emit()', () => {
  it('sends events at once to listeners and handlers, with all fields of a record', async () => {
    const got: unknown[] = [];
    @Controller()
    class Orders {
      @EventPattern<string>('orders:created')
      created(body: unknown, { message }: RocketMQContext): void {
        got.push([body, message.keys, message.properties.source]);
      }

      @RocketMQListener('notes')
      note(body: unknown): void {
        got.push(body);
      }
    }
    await bench.server(Orders);
    const { client } = await bench.asking();
    const record = new RocketMQRecordBuilder({ id: 1 })
      .setTag('created')
      .setKeys(['1'])
      .setProperties({ source: 'web' });
    client.emit('orders', record.build());
    const receipt = await lastValueFrom(client.emit('notes', 'a text'));
    expect(receipt).toMatchObject({ messageId: expect.any(String) });
    await until(() => got.length >= 2);
    expect(got).toEqual(expect.arrayContaining(['a text', [{ id: 1 }, ['1'], 'web']]));
    const ordered = new RocketMQRecordBuilder(2).setMessageGroup('g').build();
    const delayed = new RocketMQRecordBuilder(3).setDelayMs(50 * SECOND_MS).build();
    await Promise.all([lastValueFrom(client.emit('steps', ordered)), lastValueFrom(client.emit('reminders', delayed))]);
    expect(bench.broker.messages('steps').map(({ messageGroup }) => messageGroup)).toEqual(['g']);
    expect(bench.broker.waiting().map(({ kind }) => kind)).toEqual(['delayed']);
    const deliverAt = new Date(bench.broker.clock.nowMs() + HOUR_MS);
    const later = new RocketMQRecordBuilder<number>().setData(4).setDeliverAt(deliverAt).build();
    await lastValueFrom(client.emit('reminders', later));
    expect(bench.broker.waiting()).toMatchObject([{}, { dueAtMs: deliverAt.getTime() }]);
    bench.broker.declareTopic({ name: 'tickets', type: 'priority' });
    await lastValueFrom(client.emit('tickets', new RocketMQRecordBuilder(5).setPriority(3).build()));
    expect(bench.broker.messages('tickets').map(({ messageType }) => messageType)).toEqual(['priority']);
  });

  it('counts and logs a failure without a subscriber', async () => {
    const logger = recordingLogger();
    const { client } = await bench.asking({ logger });
    client.emit('no such pattern', 1);
    await until(() => client.lostEvents !== 0);
    expect(logger.lines.map(([line]) => line).join()).toMatch(/error an event could not be sent/);
    await expect(lastValueFrom(client.emit('no such pattern', 1))).rejects.toThrow(/ILLEGAL_PATTERN/);
    const timed = new RocketMQRecordBuilder(1).setTimeoutMs(1).build();
    await expect(lastValueFrom(client.emit('notes', timed))).rejects.toThrow(/timeoutMs is for send\(\)/);
    const tagged = new RocketMQRecordBuilder(1).setTag('b').build();
    await expect(lastValueFrom(client.emit('notes:a', tagged))).rejects.toThrow(/TAG_GIVEN_TWICE/);
    expect(client.lostEvents).toBe(1);
  });
});
