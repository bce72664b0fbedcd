// Messages passed to listeners without a broker.

import { afterEach, describe, expect, it } from '@jest/globals';
import {
  ArgumentsHost,
  BadRequestException,
  type CallHandler,
  CanActivate,
  Catch,
  Controller,
  type DynamicModule,
  ExceptionFilter,
  ExecutionContext,
  ForbiddenException,
  Inject,
  Injectable,
  type NestInterceptor,
  ParseIntPipe,
  type Provider,
  Scope,
  type Type,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { APP_GUARD, REQUEST } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';
import { EMPTY, type Observable } from 'rxjs';
import { z } from 'zod';
import {
  DeadLetterError,
  defineRequest,
  defineTopic,
  HandlerTimeoutError,
  InvalidBodyError,
  RetryLaterError,
  RocketMQBatchContext,
  RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  RocketMQReply,
  ServerRocketMQ,
} from '../entries/nest.js';
import { silentLogger } from '../support/logger.js';
import { deliver, deliverBatch } from './deliver.js';
import { fakeProducer } from './fake-producer.js';

const orderSchema = z.object({ id: z.string(), quantity: z.coerce.number().min(1) });
const OrderPlaced = defineTopic('order-placed', { type: 'normal', schema: orderSchema });

type Order = z.output<typeof orderSchema>;

class NoStock extends Error {}
class Away extends Error {}

@Catch(Away)
class AwayFilter implements ExceptionFilter {
  catch(_error: Away, host: ArgumentsHost): unknown {
    host.switchToRpc().getContext<RocketMQContext>().markHandled();
    return EMPTY;
  }
}

class NotToday implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const message = context.switchToRpc().getContext<RocketMQContext>().message;
    return context.getType<string>() !== 'rocketmq' || message.properties.day !== 'sunday';
  }
}

const seen: unknown[] = [];

class Tracing implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    seen.push(context.switchToRpc().getContext<RocketMQContext>().message.keys);
    return next.handle();
  }
}

@Injectable()
@UseFilters(AwayFilter)
class OrdersListener {
  @RocketMQListener(OrderPlaced, {
    consumerGroup: 'stock',
    deadLetterOn: [NoStock],
    backoff: [100, 200],
    maxAttempts: 3,
    deadLetterTopic: 'graveyard',
    onDeadLetter: ({ reason }) => void seen.push(reason),
  })
  @UseInterceptors(Tracing)
  async reserve({ id, quantity }: Order, { deliveryAttempt, topic }: RocketMQContext): Promise<void> {
    if (id === 'none') throw new NoStock('none left');
    if (id === 'later') throw new RetryLaterError({ delayMs: 7 });
    if (id === 'never') throw new DeadLetterError('never');
    if (id === 'away') throw new Away();
    if (id === 'slow') throw new Error('slow');
    seen.push([id, quantity, deliveryAttempt, topic]);
  }

  @RocketMQListener('plain', { consumerGroup: 'plain', name: 'by-hand', manual: true, handlerTimeoutMs: 20 })
  async manual(body: string, context: RocketMQContext): Promise<void> {
    if (body === 'ack') context.ack();
    if (body === 'later') context.retryLater({ delayMs: 5 });
  }

  @RocketMQListener('many', { consumerGroup: 'many', batch: { maxSize: 2, maxWaitMs: 60_000 } })
  async many(bodies: number[], context: RocketMQBatchContext): Promise<void> {
    seen.push(bodies);
    if (bodies.includes(13)) context.fail(bodies.indexOf(13), new DeadLetterError('unlucky'));
  }

  @RocketMQListener('left', { consumerGroup: 'left', name: 'left' })
  @RocketMQListener('right', { consumerGroup: 'right', name: 'right' })
  async both(_body: unknown, { topic }: RocketMQContext): Promise<void> {
    seen.push(topic);
  }

  @RocketMQListener('off', { consumerGroup: 'off', enabled: false })
  async off(): Promise<void> {}

  async none(): Promise<void> {}
}

@Controller()
class Desk {
  @RocketMQListener('desk', { consumerGroup: 'desk' })
  enter(@Payload('amount', ParseIntPipe) amount: number, @Ctx() { listener }: RocketMQContext): void {
    seen.push([amount, listener]);
  }
}

@Injectable({ scope: Scope.REQUEST })
class Scoped {
  constructor(@Inject(REQUEST) private readonly context: RocketMQContext) {}

  @RocketMQListener('scoped', { consumerGroup: 'scoped' })
  async handle(body: string): Promise<void> {
    seen.push([body, this.context.messageId === '']);
  }
}

let app: TestingModule | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
  seen.length = 0;
});

async function compile(
  providers: Provider[],
  options: Partial<RocketMQModuleOptions> = {},
  controllers: Type[] = [],
  others: DynamicModule[] = [],
): Promise<TestingModule> {
  const imports = [...others, RocketMQModule.forRoot({ endpoints: '127.0.0.1:1', logger: silentLogger, ...options })];
  app = await Test.createTestingModule({ imports, providers, controllers }).compile();
  return app;
}

describe('deliver()', () => {
  it('creates the message from its options, for the named connection', async () => {
    class Abroad {
      @RocketMQListener('letters', { consumerGroup: 'home' })
      @RocketMQListener('letters', { consumerGroup: 'abroad', connection: 'eu' })
      async handle(_body: unknown, { consumerGroup, message }: RocketMQContext): Promise<void> {
        const { tag, keys, properties, messageGroup, messageId, messageType } = message;
        seen.push([consumerGroup, tag, keys, properties, messageGroup, messageId, messageType]);
      }
    }
    const eu = RocketMQModule.forRoot({ endpoints: '127.0.0.1:1', logger: silentLogger, name: 'eu' });
    const context = await compile([Abroad], {}, [], [eu]);
    const fields = { tag: 'a', keys: ['k'], properties: { p: '1' }, messageGroup: 'g', messageId: 'M1' };
    await deliver(context, Abroad, 'handle', 1, { ...fields, connection: 'eu' });
    await deliver(context, Abroad, 'handle', 1);
    expect(seen).toEqual([
      ['abroad', 'a', ['k'], { p: '1' }, 'g', 'M1', 'fifo'],
      ['home', undefined, [], {}, undefined, expect.stringMatching(/^[0-9A-F]{34}$/), 'normal'],
    ]);
  });

  it('runs the listener as a consumer would, with the output of the schema', async () => {
    const context = await compile([OrdersListener], { topicPrefix: 'test-' });
    const body = { id: 'a', quantity: '2' };
    expect(await deliver(context, OrdersListener, 'reserve', body, { attempt: 2, keys: ['k'] })).toEqual({
      outcome: 'acked',
    });
    expect(seen).toEqual([['k'], ['a', 2, 2, 'test-order-placed']]);
  });

  it('returns the decision of the failure policy about an error', async () => {
    const context = await compile([OrdersListener]);
    const reserve = (id: string, attempt = 1) =>
      deliver(context, OrdersListener, 'reserve', { id, quantity: 1 }, { attempt });
    expect(await reserve('slow')).toEqual({ outcome: 'retried', delayMs: 100, error: new Error('slow') });
    expect(await reserve('slow', 2)).toMatchObject({ delayMs: 200 });
    expect(await reserve('slow', 3)).toMatchObject({ outcome: 'dead-lettered', reason: 'attempts-exhausted' });
    expect(await reserve('later')).toMatchObject({ outcome: 'retried', delayMs: 7 });
    expect(await reserve('never')).toMatchObject({ outcome: 'dead-lettered', reason: 'handler-decided' });
    expect(await reserve('none')).toEqual({
      outcome: 'dead-lettered',
      reason: 'not-retryable',
      topic: 'graveyard',
      error: new NoStock('none left'),
    });
    expect(await reserve('away')).toEqual({ outcome: 'acked' });
    expect(seen.filter((one) => typeof one === 'string')).toEqual([
      'attempts-exhausted',
      'handler-decided',
      'not-retryable',
    ]);
  });

  it('accepts invalid bodies, and bytes', async () => {
    const context = await compile([OrdersListener]);
    const wrong = await deliver(context, OrdersListener, 'reserve', { id: 'a', quantity: 0 });
    expect(wrong).toMatchObject({
      outcome: 'dead-lettered',
      reason: 'handler-decided',
      error: { cause: expect.any(InvalidBodyError) },
    });
    expect(await deliver(context, OrdersListener, 'reserve', Buffer.from('{"id'))).toMatchObject({
      outcome: 'dead-lettered',
    });
    expect(await deliver(context, OrdersListener, 'reserve', Buffer.from('{"id":"a","quantity":1}'))).toEqual({
      outcome: 'acked',
    });
  });

  it('leaves the delay to the server where none is set, and knows how many attempts the server makes', async () => {
    class Failing {
      @RocketMQListener('plain', { consumerGroup: 'g' })
      async handle(): Promise<void> {
        throw new Error('no');
      }
    }
    const context = await compile([Failing]);
    expect(await deliver(context, Failing, 'handle', 1)).toMatchObject({ outcome: 'retried', delayMs: undefined });
    expect(await deliver(context, Failing, 'handle', 1, { attempt: 17 })).toMatchObject({
      outcome: 'dead-lettered',
      topic: undefined,
    });
    expect(await deliver(context, Failing, 'handle', 1, { attempt: 2, maxAttempts: 2 })).toMatchObject({
      outcome: 'dead-lettered',
    });
  });

  it('runs guards of the application, and interceptors of the consumer', async () => {
    const interceptors: RocketMQModuleOptions['defaults'] = {
      interceptors: [
        async ({ properties }, _context, next) => {
          seen.push(properties);
          await next();
        },
      ],
    };
    const context = await compile([OrdersListener, { provide: APP_GUARD, useClass: NotToday }], {
      defaults: interceptors,
    });
    const body = { id: 'a', quantity: 1 };
    const outcome = await deliver(context, OrdersListener, 'reserve', body, { properties: { day: 'sunday' } });
    expect(outcome).toMatchObject({ outcome: 'retried', error: expect.any(ForbiddenException) });
    expect(seen).toEqual([{ day: 'sunday' }]);
  });

  it('supports manual listeners, timeouts, controllers and request scope', async () => {
    const context = await compile([OrdersListener, Scoped], {}, [Desk]);
    const manual = (body: string) => deliver(context, OrdersListener, 'manual', JSON.stringify(body));
    expect(await manual('ack')).toEqual({ outcome: 'acked' });
    expect(await manual('later')).toMatchObject({ outcome: 'retried', delayMs: 5 });
    expect(await manual('silent')).toMatchObject({ outcome: 'retried', error: expect.any(HandlerTimeoutError) });
    expect(await deliver(context, Desk, 'enter', { amount: '12' })).toEqual({ outcome: 'acked' });
    expect(await deliver(context, Desk, 'enter', { amount: 'many' })).toMatchObject({
      outcome: 'dead-lettered',
      error: { cause: { cause: expect.any(BadRequestException) } },
    });
    await deliver(context, Scoped, 'handle', '"x"');
    expect(seen).toEqual([
      [12, 'Desk.enter'],
      ['x', false],
    ]);
  });

  it('gathers several messages into batches, and returns the outcome of each', async () => {
    const context = await compile([OrdersListener]);
    const outcomes = await deliverBatch(context, OrdersListener, 'many', [1, 13, 2]);
    expect(outcomes).toMatchObject([{ outcome: 'acked' }, { outcome: 'dead-lettered' }, { outcome: 'acked' }]);
    expect(seen).toEqual([[1, 13], [2]]);
  });

  it('requires a name where a method has several listeners, and rejects methods without one', async () => {
    const context = await compile([OrdersListener]);
    await expect(deliver(context, OrdersListener, 'both', 'x')).rejects.toThrow(/UNKNOWN_LISTENER.*left, right/);
    await deliver(context, OrdersListener, 'both', '1', { listener: 'right' });
    expect(seen).toEqual(['right']);
    await expect(deliver(context, OrdersListener, 'none', 'x')).rejects.toThrow(
      /UNKNOWN_LISTENER.*OrdersListener.reserve/,
    );
    await expect(deliver(context, OrdersListener, 'off', 'x')).rejects.toThrow(/no enabled listener/);
  });

  it('delivers to the handlers of a transport that is connected, with the schema of a request', async () => {
    const Square = defineRequest('squares', { request: z.object({ of: z.coerce.number() }), answer: z.number() });
    @Controller()
    class Numbers {
      @EventPattern<string>('numbers')
      noted(body: unknown): void {
        seen.push(body);
      }

      @RocketMQReply(Square)
      square({ of }: { of: number }): number {
        seen.push(of * of);
        return of * of;
      }
    }
    const options = { endpoints: '127.0.0.1:1', consumerGroup: 'numbers', logger: silentLogger };
    const compiled = Test.createTestingModule({ imports: [RocketMQModule.forRoot(options)], controllers: [Numbers] });
    app = await compiled.overrideProvider(RocketMQProducer).useValue(fakeProducer()).compile();
    const nest = app.createNestApplication({ logger: false });
    nest.connectMicroservice({ strategy: nest.get(ServerRocketMQ) });
    await nest.init();
    expect(await deliver(nest, Numbers, 'noted', 3)).toEqual({ outcome: 'acked' });
    expect(await deliver(nest, Numbers, 'square', { of: '3' })).toEqual({ outcome: 'acked' });
    expect(await deliver(nest, Numbers, 'square', { of: 'three' })).toMatchObject({
      outcome: 'dead-lettered',
      error: { message: expect.stringContaining('of: ') },
    });
    expect(seen).toEqual([3, 9]);
    await expect(nest.get(RocketMQProducer).request(Square, { of: 3 })).rejects.toThrow(/NO_REQUESTER/);
  });
});
