// Handlers of the transport strategy: called, and settled by their own errors.

import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Module,
  type NestInterceptor,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { NestFactory, REQUEST } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { of } from 'rxjs';
import { isNest10 } from '../../../../../test/fixtures/nest-version.js';
import { PatternBench } from '../../../../../test/fixtures/pattern-bench.js';
import {
  DeadLetterError,
  getRocketMQProducerToken,
  getRocketMQServerToken,
  RetryLaterError,
  ROCKETMQ_TRANSPORT,
  RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
  rocketMQTransport,
  ServerRocketMQ,
} from '../../entries/nest.js';
import { SECOND_MS } from '../../support/clock.js';
import { silentLogger } from '../../support/logger.js';
import { TestBroker } from '../../testing/test-broker.js';

const bench = PatternBench.ofFile();

describe('an enhancer that replaces an argument', () => {
  /** Stands in for one that decrypts. */
  class Reversing implements NestInterceptor {
    intercept(context: ExecutionContext, next: CallHandler) {
      const call = context.getArgs<unknown[]>();
      call[0] = { text: [...(call[0] as { readonly text: string }).text].reverse().join('') };
      return next.handle();
    }
  }
  class Marking implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const call = context.getArgs<unknown[]>();
      call[0] = { text: `${(call[0] as { readonly text: string }).text}!` };
      return true;
    }
  }

  it('passes it on to pipes and the method, of patterns and of listeners', async () => {
    const calls: unknown[] = [];
    @Controller()
    @UseInterceptors(Reversing)
    class Letters {
      @EventPattern<string>('letters')
      whole(body: unknown): void {
        calls.push(body);
      }

      @EventPattern<string>('parts')
      part(@Payload('text') text: unknown, @Ctx() context: RocketMQContext): void {
        calls.push([text, context.message.body.toString()]);
      }

      @RocketMQListener('listened', { consumerGroup: 'listening' })
      listened(@Payload() body: unknown): void {
        calls.push(body);
      }

      @UseGuards(Marking)
      @EventPattern<string>('guarded')
      guarded(body: unknown): void {
        calls.push(body);
      }
    }
    const app = await bench.started({ controllers: [Letters] });
    for (const topic of ['letters', 'parts', 'listened', 'guarded']) await bench.send(app, topic, { text: 'terces' });
    expect(calls).toEqual([
      { text: 'secret' },
      ['secret', '{"text":"terces"}'],
      { text: 'secret' },
      { text: '!secret' },
    ]);
  });

  it('passes it on to a batch, and not to filters, as in Nest', async () => {
    const calls: unknown[] = [];
    class Opening implements NestInterceptor {
      intercept(context: ExecutionContext, next: CallHandler) {
        const call = context.getArgs<unknown[]>();
        call[0] = ['opened', call[0]];
        return next.handle();
      }
    }
    @Catch()
    class Recording implements ExceptionFilter {
      catch(_error: unknown, host: ArgumentsHost): void {
        calls.push(['filter', host.getArgByIndex(0), host.switchToRpc().getData()]);
      }
    }
    @Controller()
    @UseInterceptors(Opening)
    @UseFilters(Recording)
    class Letters {
      @EventPattern<string>('many', { batch: { maxSize: 1, maxWaitMs: 0 } })
      many(bodies: unknown): void {
        calls.push(bodies);
      }

      @RocketMQListener('single', { consumerGroup: 'single' })
      single(@Payload() body: unknown): void {
        calls.push(body);
      }

      @UseGuards(Marking)
      @EventPattern<string>('failing')
      failing(): never {
        throw new Error('no');
      }
    }
    const app = await bench.started({ controllers: [Letters] });
    for (const topic of ['many', 'single', 'failing']) await bench.send(app, topic, { text: 'a' });
    expect(calls).toEqual([
      ['opened', [{ text: 'a' }]],
      ['opened', { text: 'a' }],
      ['filter', { text: 'a' }, { text: 'a' }],
    ]);
  });

  it('gets the message again as it was received when it is retried', async () => {
    const calls: unknown[] = [];
    @Controller()
    @UseInterceptors(Reversing)
    class Letters {
      @EventPattern<string>('letters')
      take({ text }: { readonly text: string }): void {
        calls.push(text);
        if (calls.length === 1) throw new Error('not yet');
      }
    }
    const app = await bench.started({ controllers: [Letters] });
    await bench.send(app, 'letters', { text: 'terces' });
    await bench.broker.advance(60 * SECOND_MS);
    expect(calls).toEqual(['secret', 'secret']);
  });
});

describe('handlers with @EventPattern', () => {
  it('get body and context, by topic and by tag', async () => {
    const calls: unknown[] = [];
    @Controller()
    class Orders {
      @EventPattern<string>('orders:created')
      created(@Payload() body: unknown, @Ctx() context: RocketMQContext): void {
        calls.push(['created', body, context.message.tag, context.listener, context.consumerGroup]);
      }

      @EventPattern<string>('orders:paid || refunded', { consumerGroup: 'shop', concurrency: 2 })
      async money(body: unknown, context: RocketMQContext): Promise<void> {
        calls.push(['money', body, context.message.tag, context instanceof RocketMQContext]);
      }

      @EventPattern<string[]>(['returns', 'complaints'])
      several(body: unknown): void {
        calls.push(['several', body]);
      }
    }
    const app = await bench.started({ controllers: [Orders] });
    await bench.send(app, 'orders', { id: 1 }, 'created');
    await bench.send(app, 'orders', { id: 2 }, 'refunded');
    await bench.send(app, 'returns', 3);
    await bench.send(app, 'complaints', 4);
    expect(calls).toEqual([
      ['created', { id: 1 }, 'created', 'Orders.created', 'shop'],
      ['money', { id: 2 }, 'refunded', true],
      ['several', 3],
      ['several', 4],
    ]);
    expect(bench.retries()).toEqual([]);
  });

  it('share the consumer of a group with listeners', async () => {
    const calls: string[] = [];
    @Controller()
    class Orders {
      @EventPattern<string>('orders:created')
      created(): void {
        calls.push('pattern');
      }

      @RocketMQListener('orders', { filter: 'paid' })
      paid(): void {
        calls.push('listener');
      }
    }
    const app = await bench.started({ controllers: [Orders] });
    await bench.send(app, 'orders', 1, 'created');
    await bench.send(app, 'orders', 1, 'paid');
    expect(calls).toEqual(['pattern', 'listener']);
    expect(app.get(ServerRocketMQ).unwrap()).toHaveLength(1);
  });

  it('decide by the error they throw, not by what Nest converts it into', async () => {
    @Controller()
    class Orders {
      @EventPattern<string>('orders', { backoff: 7 * SECOND_MS })
      handle(kind: string): void {
        if (kind === 'grave') throw new DeadLetterError('no hope');
        if (kind === 'later') throw new RetryLaterError({ delayMs: 40 * SECOND_MS });
        throw new RangeError('again');
      }
    }
    const app = await bench.started({ controllers: [Orders] });
    for (const kind of ['grave', 'later', 'again']) await bench.send(app, 'orders', kind);
    expect(bench.deadLetters()).toEqual(['"grave"']);
    const waits = bench.broker
      .waiting()
      .map(({ body, dueAtMs }) => [body.toString(), dueAtMs - bench.broker.clock.nowMs()]);
    expect(waits.sort()).toEqual([
      ['"again"', 7 * SECOND_MS],
      ['"later"', 40 * SECOND_MS],
    ]);
  });

  it('keep their first outcome when they then exceed their timeout', async () => {
    let handled = 0;
    @Controller()
    class Orders {
      @EventPattern<string>('orders', { manual: true, handlerTimeoutMs: 50 })
      async handle(kind: string, context: RocketMQContext): Promise<void> {
        handled++;
        if (kind === 'done') context.ack();
        if (kind === 'grave') context.deadLetter('no hope');
        if (kind === 'later') context.retryLater({ delayMs: 40 * SECOND_MS });
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve, { once: true }));
      }
    }
    const app = await bench.started({ controllers: [Orders] });
    for (const kind of ['done', 'grave', 'later']) await bench.send(app, 'orders', kind);
    const waits = bench.broker
      .waiting()
      .map(({ body, dueAtMs }) => [body.toString(), dueAtMs - bench.broker.clock.nowMs()]);
    expect([handled, bench.deadLetters(), waits]).toEqual([3, ['"grave"'], [['"later"', 40 * SECOND_MS]]]);
  });

  it('are not acknowledged by the return of a filter, only by markHandled()', async () => {
    const seen: [string, unknown][] = [];
    @Catch()
    class Swallow implements ExceptionFilter {
      catch(error: Error, host: ArgumentsHost): unknown {
        seen.push([host.getType(), error.constructor]);
        if (error.message === 'fine') host.switchToRpc().getContext<RocketMQContext>().markHandled();
        return of('all is well');
      }
    }
    @Controller()
    @UseFilters(Swallow)
    class Orders {
      @EventPattern<string>('orders')
      handle(kind: string): void {
        throw kind === 'grave' ? new DeadLetterError('grave') : new RangeError(kind);
      }
    }
    const app = await bench.started({ controllers: [Orders] });
    for (const kind of ['fine', 'bad', 'grave']) await bench.send(app, 'orders', kind);
    expect(seen).toEqual([
      ['rpc', RangeError],
      ['rpc', RangeError],
      ['rpc', DeadLetterError],
    ]);
    expect([bench.retries(), bench.deadLetters()]).toEqual([['"bad"'], ['"grave"']]);
  });

  it('can be created for each message', async () => {
    const requests: unknown[] = [];
    @Controller({ scope: Scope.REQUEST })
    class Orders {
      readonly request: unknown;

      constructor() {
        requests.push(this);
      }

      @EventPattern<string>('orders')
      handle(): void {}
    }
    const app = await bench.started({
      controllers: [Orders],
      providers: [{ provide: 'x', inject: [REQUEST], useFactory: () => 1 }],
    });
    await bench.send(app, 'orders', 1);
    await bench.send(app, 'orders', 2);
    expect(new Set(requests).size).toBe(2);
  });

  it('of another transport are ignored, and those of this one are included', async () => {
    const calls: string[] = [];
    @Controller()
    class Orders {
      @EventPattern<string>('orders', Transport.TCP)
      tcp(): void {
        calls.push('tcp');
      }

      @MessagePattern({ cmd: 'sum' }, Transport.TCP)
      sum(): number {
        return 1;
      }

      @EventPattern<string>('orders')
      rocketmq(): void {
        calls.push('rocketmq');
      }
    }
    // Without a transport of its own the TCP server of this case would need a port: only the strategy is connected.
    const app = await bench.started({ controllers: [Orders] });
    await bench.send(app, 'orders', 1);
    expect(calls).toEqual(['rocketmq']);
  });
});

describe('an observer of the server', () => {
  (isNest10 ? it.skip : it)('is called before and after each call of a handler, failed or not', async () => {
    const seen: unknown[] = [];
    const storage = new AsyncLocalStorage<string>();
    @Controller()
    class Orders {
      @EventPattern<string>('orders')
      handle(kind: string): void {
        seen.push([kind, storage.getStore()]);
        if (kind === 'bad') throw new RangeError('bad');
      }
    }
    const app = await bench.hybrid({ controllers: [Orders] });
    const server = app.get(ServerRocketMQ);
    server.setOnProcessingStartHook((_transport, context, done) => {
      seen.push(['begin', context instanceof RocketMQContext]);
      void storage.run('traced', done);
    });
    server.setOnProcessingEndHook(() => void seen.push('end'));
    await app.startAllMicroservices();
    await app.init();
    await bench.send(app, 'orders', 'good');
    await bench.send(app, 'orders', 'bad');
    const call = (kind: string) => [['begin', true], [kind, 'traced'], 'end'];
    expect(seen).toEqual([...call('good'), ...call('bad')]);
    expect(bench.retries()).toEqual(['"bad"']);
  });
});

describe('the strategy of a connection with a name', () => {
  it('runs the handlers of its transport, beside that of the connection without a name', async () => {
    const other = await TestBroker.start({ manualClock: true });
    const calls: string[] = [];
    @Controller()
    class Orders {
      @EventPattern<string>('orders', ROCKETMQ_TRANSPORT)
      first(): void {
        calls.push('first');
      }

      @EventPattern<string>('orders', rocketMQTransport('audit'), { consumerGroup: 'auditors' })
      second(): void {
        calls.push('second');
      }
    }
    const { endpoints, clock } = other;
    const audit = RocketMQModule.forRoot({ name: 'audit', endpoints, clock, logger: silentLogger });
    @Module({ imports: [audit, bench.moduleOf({ controllers: [Orders] })] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    bench.apps.push(app, { close: () => other.stop() });
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
    app.connectMicroservice({ strategy: app.get(getRocketMQServerToken('audit')) });
    await app.startAllMicroservices();
    await app.init();
    await bench.send(app, 'orders', 1);
    expect(calls).toEqual(['first']);
    await app.get<RocketMQProducer>(getRocketMQProducerToken('audit')).send({ topic: 'orders', body: '1' });
    await other.idle();
    expect(calls).toEqual(['first', 'second']);
  });
});
