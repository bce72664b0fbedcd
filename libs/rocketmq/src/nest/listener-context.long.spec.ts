// The context of a listener: its message, the manual outcome, AsyncLocalStorage.

import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  ParseIntPipe,
  Scope,
  UseInterceptors,
  ValidationPipe,
} from '@nestjs/common';
import { APP_PIPE, REQUEST } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { IsInt } from 'class-validator';
import { Observable } from 'rxjs';
import { NestBench, recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import { RocketMQContext, RocketMQListener, RocketMQProducer, StateError } from '../entries/nest.js';

let bench: NestBench;

beforeAll(async () => {
  bench = await NestBench.open();
});
afterEach(() => bench.closeApps());
afterAll(() => bench.close());

describe('the context of a listener', () => {
  it('has a logger whose lines name the message', async () => {
    const logger = recordingLogger();
    @Injectable()
    class Orders {
      @RocketMQListener('logged', { consumerGroup: 'logged', name: 'orders' })
      async handle(_body: unknown, context: RocketMQContext): Promise<void> {
        context.logger.warn('look', { price: 7 });
      }
    }
    const app = await bench.start({ providers: [Orders], options: { logger } });
    const { messageId } = await app.get(RocketMQProducer).send({ topic: 'logged', keys: ['k'], body: '1' });
    await bench.broker.idle();
    const ids = {
      listener: 'orders',
      consumerGroup: 'logged',
      topic: 'logged',
      messageId,
      keys: ['k'],
      deliveryAttempt: 1,
    };
    expect(logger.lines).toContainEqual(['warn look', { price: 7, ...ids }]);
  });

  it('cannot set the outcome unless the listener is manual', async () => {
    const errors: unknown[] = [];
    @Injectable()
    class Orders {
      @RocketMQListener('automatic', { consumerGroup: 'automatic' })
      async handle(_body: unknown, context: RocketMQContext): Promise<void> {
        for (const say of [() => context.ack(), () => context.retryLater({ delayMs: 1 }), () => context.deadLetter()]) {
          try {
            say();
          } catch (error) {
            errors.push((error as StateError).code);
          }
        }
      }
    }
    const app = await bench.start({ providers: [Orders] });
    await bench.send(app, 'automatic', 1);
    expect(errors).toEqual(['NOT_MANUAL', 'NOT_MANUAL', 'NOT_MANUAL']);
  });
});

describe('a manual listener', () => {
  const contexts = new Map<unknown, RocketMQContext>();

  @Injectable()
  class Orders {
    @RocketMQListener('manual', { consumerGroup: 'manual', manual: true, handlerTimeoutMs: 300 })
    async handle(body: string, context: RocketMQContext): Promise<void> {
      contexts.set(body, context);
      if (body === 'ack') context.ack();
      if (body === 'retry') context.retryLater({ delayMs: 44_000 });
      if (body === 'dead') context.deadLetter('nobody wants it');
      if (body === 'ack and throw') context.ack();
      if (body.endsWith('throw')) throw new Error('the handler failed');
    }
  }

  it('sets the outcome of a message, in its handler or after it; no outcome and errors are failures', async () => {
    const reasons: string[] = [];
    const events = {
      onDeadLetter: (_message: unknown, _reason: string, error: unknown) => void reasons.push(`${error}`),
    };
    const app = await bench.start({ providers: [Orders], options: { events } });
    const producer = app.get(RocketMQProducer);
    for (const body of ['ack', 'retry', 'dead', 'throw', 'ack and throw', 'silence', 'later']) {
      await producer.send({ topic: 'manual', body: JSON.stringify(body) });
    }
    await until(() => contexts.has('later'));
    contexts.get('later')?.ack();
    expect(() => contexts.get('later')?.ack()).toThrow('ALREADY_SETTLED');
    await bench.broker.idle();
    expect(
      bench
        .retries('manual')
        .map(([body]) => body)
        .sort(),
    ).toEqual(['"retry"', '"silence"', '"throw"']);
    expect(bench.retries('manual').find(([body]) => body === '"retry"')?.[1]).toBe(44_000);
    expect(bench.deadLetters('manual')).toEqual(['"dead"']);
    expect(reasons).toEqual(['DeadLetterError: nobody wants it']);
    expect(() => contexts.get('silence')?.ack()).toThrow('TOO_LATE');
  });

  const says: Readonly<Record<string, (context: RocketMQContext) => void>> = {
    ack: (context) => context.ack(),
    retry: (context) => context.retryLater({ delayMs: 44_000 }),
    dead: (context) => context.deadLetter('nobody wants it'),
  };

  /** Sets the outcome, and runs for longer than its timeout: until its signal fires, or for as long as the test lasts. */
  class Tidying {
    end = (): void => {};
    readonly tested = new Promise<void>((resolve) => {
      this.end = resolve;
    });
    handled = 0;

    async handle(body: string, context: RocketMQContext, mayIgnoreSignal: boolean): Promise<void> {
      this.handled++;
      says[body]?.(context);
      if (mayIgnoreSignal) return this.tested;
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve, { once: true }));
      throw new Error('tidying was cut short');
    }
  }

  it.each([
    ['heeds', false],
    ['ignores', true],
  ])('keeps its first outcome when its handler then exceeds its timeout, and %s its signal', async (how, mayIgnore) => {
    const tidying = new Tidying();
    const topic = `tidying-${how}`;
    @Injectable()
    class Orders {
      @RocketMQListener(topic, { consumerGroup: topic, manual: true, handlerTimeoutMs: 50 })
      async handle(body: string, context: RocketMQContext): Promise<void> {
        await tidying.handle(body, context, mayIgnore);
      }
    }
    const app = await bench.start({ providers: [Orders] });
    await bench.send(app, topic, ...['ack', 'retry', 'dead'].map((body) => JSON.stringify(body)));
    expect(bench.retries(topic)).toEqual([['"retry"', 44_000]]);
    expect([bench.deadLetters(topic), bench.broker.inFlight(), tidying.handled]).toEqual([['"dead"'], [], 3]);
    tidying.end();
  });

  it('keeps its first outcome when the application shuts down while its handler continues', async () => {
    const tidying = new Tidying();
    @Injectable()
    class Orders {
      @RocketMQListener('tidying-end', { consumerGroup: 'tidying-end', manual: true, handlerTimeoutMs: 60_000 })
      async handle(body: string, context: RocketMQContext): Promise<void> {
        await tidying.handle(body, context, true);
      }
    }
    const app = await bench.start({ providers: [Orders], options: { shutdownGraceMs: 50 } });
    const producer = app.get(RocketMQProducer);
    for (const body of ['ack', 'retry', 'dead']) {
      await producer.send({ topic: 'tidying-end', body: JSON.stringify(body) });
    }
    await until(() => tidying.handled === 3);
    await bench.closeApps();
    expect(bench.retries('tidying-end')).toEqual([['"retry"', 44_000]]);
    expect([bench.deadLetters('tidying-end'), bench.broker.inFlight()]).toEqual([['"dead"'], []]);
    tidying.end();
  });

  it('rejects an outcome after its timeout, although its handler is still running', async () => {
    const tidying = new Tidying();
    const late: RocketMQContext[] = [];
    @Injectable()
    class Orders {
      @RocketMQListener('late-word', { consumerGroup: 'late-word', manual: true, handlerTimeoutMs: 50 })
      async handle(body: string, context: RocketMQContext): Promise<void> {
        late.push(context);
        await tidying.handle(body, context, true);
      }
    }
    const app = await bench.start({ providers: [Orders] });
    await bench.send(app, 'late-word', '"silence"');
    expect(bench.retries('late-word')).toHaveLength(1);
    expect(() => late[0]?.ack()).toThrow('TOO_LATE');
    tidying.end();
  });

  it('rejects an outcome after the lease was lost, and handles the message again', async () => {
    const tidying = new Tidying();
    const errors: unknown[] = [];
    const contexts: RocketMQContext[] = [];
    @Injectable()
    class Orders {
      @RocketMQListener('lost-lease', { consumerGroup: 'lost-lease', manual: true, handlerTimeoutMs: 60_000 })
      async handle(_body: unknown, context: RocketMQContext): Promise<void> {
        contexts.push(context);
        if (contexts.length > 1) return context.ack();
        await tidying.tested;
        for (const say of Object.values(says)) {
          try {
            say(context);
          } catch (error) {
            errors.push(error);
          }
        }
      }
    }
    const app = await bench.start({ providers: [Orders] });
    const takeAway = bench.broker.faults.add({
      rpc: 'changeInvisibleDuration',
      action: { kind: 'answer', code: 'INVALID_RECEIPT_HANDLE' },
    });
    await app.get(RocketMQProducer).send({ topic: 'lost-lease', body: '1' });
    await until(() => contexts.length > 0);
    await bench.broker.advance(60_000, { duringWork: true });
    takeAway();
    expect(contexts[0]?.signal.reason).toMatchObject({ code: 'LEASE_LOST' });
    tidying.end();
    await until(() => contexts.length > 1);
    await bench.broker.idle();
    expect(errors).toMatchObject(Object.keys(says).map(() => ({ code: 'TOO_LATE' })));
    expect(contexts.length).toBe(2);
  });
});

const storage = new AsyncLocalStorage<{ id?: string }>();

/** As nestjs-cls does: the handler runs inside of `storage.run()`. */
@Injectable()
class StorageInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { messageId } = context.switchToRpc().getContext<RocketMQContext>();
    return new Observable((subscriber) => storage.run({ id: messageId }, () => next.handle().subscribe(subscriber)));
  }
}

describe('AsyncLocalStorage in a listener', () => {
  it('is empty at first, keeps what an interceptor sets, and passes nothing to the next message', async () => {
    const seen: [string, string | undefined, string | undefined][] = [];
    const before: unknown[] = [];
    @Injectable()
    class Orders {
      @UseInterceptors(StorageInterceptor)
      @RocketMQListener('stored', { consumerGroup: 'stored' })
      async handle(_body: unknown, { messageId }: RocketMQContext): Promise<void> {
        const first = storage.getStore()?.id;
        await new Promise((resolve) => setImmediate(resolve));
        seen.push([messageId, first, storage.getStore()?.id]);
      }

      @RocketMQListener('entered', { consumerGroup: 'entered', concurrency: 1 })
      async enter(body: number): Promise<void> {
        before.push(storage.getStore());
        storage.enterWith({ id: String(body) });
      }
    }
    const app = await storage.run({ id: 'the start' }, () => bench.start({ providers: [Orders] }));
    await bench.send(app, 'stored', 1, 2, 3);
    await bench.send(app, 'entered', 1, 2, 3);
    expect(seen).toHaveLength(3);
    expect(seen.every(([id, ...stores]) => stores.every((store) => store === id))).toBe(true);
    expect(before).toEqual([undefined, undefined, undefined]);
  });
});

class Reading {
  @IsInt()
  value!: number;
}

const Attempt = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => context.switchToRpc().getContext<RocketMQContext>().deliveryAttempt,
);

describe('the parameters of a listener', () => {
  it('pass through pipes without a decorator, and with one', async () => {
    const calls: unknown[] = [];
    @Injectable()
    class Orders {
      @RocketMQListener('plain', { consumerGroup: 'plain' })
      async plain(body: Reading, context: RocketMQContext): Promise<void> {
        calls.push(body, context instanceof RocketMQContext);
      }

      @RocketMQListener('parsed', { consumerGroup: 'parsed', parameters: 'decorated' })
      async parsed(@Attempt() attempt: number, @Payload('value', ParseIntPipe) value: number): Promise<void> {
        calls.push([attempt, value]);
      }

      @RocketMQListener('context', { consumerGroup: 'context' })
      async context(@Ctx() context: RocketMQContext): Promise<void> {
        calls.push(context.topic);
      }
    }
    const pipe = { provide: APP_PIPE, useValue: new ValidationPipe({ transform: true }) };
    const app = await bench.start({ providers: [Orders, pipe] });
    await bench.send(app, 'plain', { value: 7 }, { value: 'seven' });
    expect(calls).toEqual([Object.assign(new Reading(), { value: 7 }), true]);
    expect(bench.deadLetters('plain')).toEqual(['{"value":"seven"}']);
    await bench.send(app, 'parsed', { value: '8' }, { value: 'eight' });
    await bench.send(app, 'context', null);
    expect(calls.slice(2)).toEqual([[1, 8], 'context']);
  });
});

describe('a request-scoped listener', () => {
  it('is created for each delivery, and can inject it', async () => {
    const seen: unknown[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Counter {
      count = 0;
    }
    @Injectable()
    class Orders {
      constructor(
        @Inject(REQUEST) private readonly request: RocketMQContext,
        @Inject(Counter) private readonly counter: Counter,
      ) {}

      @RocketMQListener('scoped', { consumerGroup: 'scoped' })
      async handle(body: unknown, context: RocketMQContext): Promise<void> {
        seen.push([body, this.request === context, ++this.counter.count]);
      }
    }
    const app = await bench.start({ providers: [Orders, Counter] });
    await bench.send(app, 'scoped', 1, 2);
    expect(seen).toEqual([
      [1, true, 1],
      [2, true, 1],
    ]);
  });
});
