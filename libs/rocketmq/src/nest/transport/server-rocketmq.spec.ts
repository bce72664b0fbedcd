// Handlers of the transport strategy: called, judged by their own errors, started and stopped with the application.

import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type INestMicroservice,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD, NestFactory, REQUEST } from '@nestjs/core';
import { Ctx, EventPattern, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { firstValueFrom, of } from 'rxjs';
import {
  DeadLetterError,
  getProducerToken,
  getServerToken,
  RetryLaterError,
  ROCKETMQ_TRANSPORT,
  RocketMQContext,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  rocketMQTransport,
  ServerRocketMQ,
} from '../../index.js';
import { SECOND_MS } from '../../support/clock.js';
import { silentLogger } from '../../support/logger.js';
import { TestBroker } from '../../testing/test-broker.js';

let broker: TestBroker;
const apps: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  broker = await TestBroker.start({ manualClock: true });
});

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
  await broker.stop();
});

interface Parts {
  readonly controllers?: Type[];
  readonly providers?: NonNullable<Parameters<typeof Module>[0]['providers']>;
  readonly options?: Partial<RocketMQModuleOptions>;
}

function moduleOf({ controllers = [], providers = [], options = {} }: Parts): Type {
  const { endpoints, clock } = broker;
  const rocketmq = RocketMQModule.forRoot({
    endpoints,
    clock,
    consumerGroup: 'shop',
    logger: silentLogger,
    ...options,
  });
  @Module({ imports: [rocketmq], controllers, providers })
  class AppModule {}
  return AppModule;
}

/** An application with an HTTP side and the strategy. */
async function hybrid(parts: Parts, hybridOptions = {}): Promise<INestApplication> {
  const app = await NestFactory.create(moduleOf(parts), { logger: false, abortOnError: false });
  apps.push(app);
  app.connectMicroservice({ strategy: app.get(ServerRocketMQ) }, hybridOptions);
  return app;
}

async function started(parts: Parts, hybridOptions = {}): Promise<INestApplication> {
  const app = await hybrid(parts, hybridOptions);
  await app.startAllMicroservices();
  await app.init();
  return app;
}

async function send(
  app: INestApplication | INestMicroservice,
  topic: string,
  body: unknown,
  tag?: string,
): Promise<void> {
  await app.get(RocketMQProducer).send({ topic, body: JSON.stringify(body), tag });
  await broker.idle();
}

function retries(): string[] {
  return broker.waiting().map(({ body }) => body.toString());
}

function deadLetters(group = 'shop'): string[] {
  return broker.messages(`%DLQ%${group}`).map(({ body }) => body.toString());
}

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
    const app = await started({ controllers: [Orders] });
    await send(app, 'orders', { id: 1 }, 'created');
    await send(app, 'orders', { id: 2 }, 'refunded');
    await send(app, 'returns', 3);
    await send(app, 'complaints', 4);
    expect(calls).toEqual([
      ['created', { id: 1 }, 'created', 'Orders.created', 'shop'],
      ['money', { id: 2 }, 'refunded', true],
      ['several', 3],
      ['several', 4],
    ]);
    expect(retries()).toEqual([]);
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
    const app = await started({ controllers: [Orders] });
    await send(app, 'orders', 1, 'created');
    await send(app, 'orders', 1, 'paid');
    expect(calls).toEqual(['pattern', 'listener']);
    expect(app.get(ServerRocketMQ).unwrap()).toHaveLength(1);
  });

  it('decide by the error they throw, not by what Nest makes of it', async () => {
    @Controller()
    class Orders {
      @EventPattern<string>('orders', { backoff: 7 * SECOND_MS })
      handle(kind: string): void {
        if (kind === 'grave') throw new DeadLetterError('no hope');
        if (kind === 'later') throw new RetryLaterError({ delayMs: 40 * SECOND_MS });
        throw new RangeError('again');
      }
    }
    const app = await started({ controllers: [Orders] });
    for (const kind of ['grave', 'later', 'again']) await send(app, 'orders', kind);
    expect(deadLetters()).toEqual(['"grave"']);
    const waits = broker.waiting().map(({ body, dueAtMs }) => [body.toString(), dueAtMs - broker.clock.nowMs()]);
    expect(waits.sort()).toEqual([
      ['"again"', 7 * SECOND_MS],
      ['"later"', 40 * SECOND_MS],
    ]);
  });

  it('are not acked by what a filter returns, only by markHandled()', async () => {
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
    const app = await started({ controllers: [Orders] });
    for (const kind of ['fine', 'bad', 'grave']) await send(app, 'orders', kind);
    expect(seen).toEqual([
      ['rpc', RangeError],
      ['rpc', RangeError],
      ['rpc', DeadLetterError],
    ]);
    expect([retries(), deadLetters()]).toEqual([['"bad"'], ['"grave"']]);
  });

  it('may be made for each message', async () => {
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
    const app = await started({
      controllers: [Orders],
      providers: [{ provide: 'x', inject: [REQUEST], useFactory: () => 1 }],
    });
    await send(app, 'orders', 1);
    await send(app, 'orders', 2);
    expect(new Set(requests).size).toBe(2);
  });

  it('of another transport are left alone, and those of this one only are taken', async () => {
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
    // Without a transport of its own the TCP server of this case would want a port: the strategy alone is connected.
    const app = await started({ controllers: [Orders] });
    await send(app, 'orders', 1);
    expect(calls).toEqual(['rocketmq']);
  });
});

describe('whoever watches the server', () => {
  it('is told of each call of a handler, before and after, failed or not', async () => {
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
    const app = await hybrid({ controllers: [Orders] });
    const server = app.get(ServerRocketMQ);
    server.setOnProcessingStartHook((_transport, context, done) => {
      seen.push(['begin', context instanceof RocketMQContext]);
      void storage.run('traced', done);
    });
    server.setOnProcessingEndHook(() => void seen.push('end'));
    await app.startAllMicroservices();
    await app.init();
    await send(app, 'orders', 'good');
    await send(app, 'orders', 'bad');
    const call = (kind: string) => [['begin', true], [kind, 'traced'], 'end'];
    expect(seen).toEqual([...call('good'), ...call('bad')]);
    expect(retries()).toEqual(['"bad"']);
  });
});

describe('the strategy of a connection with a name', () => {
  it('takes the handlers of its transport, beside that of the connection without one', async () => {
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
    @Module({ imports: [audit, moduleOf({ controllers: [Orders] })] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    apps.push(app, { close: () => other.stop() });
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
    app.connectMicroservice({ strategy: app.get(getServerToken('audit')) });
    await app.startAllMicroservices();
    await app.init();
    await send(app, 'orders', 1);
    expect(calls).toEqual(['first']);
    await app.get<RocketMQProducer>(getProducerToken('audit')).send({ topic: 'orders', body: '1' });
    await other.idle();
    expect(calls).toEqual(['first', 'second']);
  });
});

describe('a wrong pattern', () => {
  async function refusalOf(controller: Type): Promise<string> {
    const app = await hybrid({ controllers: [controller] });
    return app.init().then(
      () => 'accepted',
      (error: Error) => error.message,
    );
  }

  it('is refused at start, naming the method and what to do', async () => {
    @Controller()
    class Objects {
      @MessagePattern({ cmd: 'sum' })
      handle(): void {}
    }
    @Controller()
    class Names {
      @EventPattern<string>('no blanks')
      handle(): void {}
    }
    @Controller()
    class Extras {
      @EventPattern<string>('orders', { groupId: 'x' })
      handle(): void {}
    }
    @Controller()
    class Wrong {
      @EventPattern<string>('orders', { concurrency: '16' })
      handle(): void {}
    }
    @Controller()
    class Batches {
      @MessagePattern<string>('orders', { batch: { maxSize: 2, maxWaitMs: 1 } })
      handle(): void {}
    }
    @Controller()
    class Twice {
      @RocketMQListener('orders')
      @EventPattern<string>('orders')
      handle(): void {}
    }
    @Controller()
    class Same {
      @EventPattern<string>('orders')
      one(): void {}

      @EventPattern<string>('orders:tag')
      other(): void {}
    }
    expect(await refusalOf(Objects)).toMatch(/ILLEGAL_PATTERN.*Objects\.handle.*"cmd":"sum".*Transport\.TCP/);
    expect(await refusalOf(Names)).toMatch(/ILLEGAL_PATTERN.*Names\.handle.*"no blanks"/);
    expect(await refusalOf(Extras)).toMatch(/ILLEGAL_OPTION.*Extras\.handle.*groupId is unknown/);
    expect(await refusalOf(Wrong)).toMatch(/ILLEGAL_OPTION.*Wrong\.handle.*concurrency must be .* not the text "16"/);
    expect(await refusalOf(Batches)).toMatch(/ILLEGAL_OPTION.*Batches\.handle.*batch/);
    expect(await refusalOf(Twice)).toMatch(/BOUND_TWICE.*Twice\.handle/);
    expect(await refusalOf(Same)).toMatch(/FILTERS_OVERLAP.*Same\.one.*Same\.other/);
  });
});

describe('what is bound to the whole application', () => {
  class Watch implements CanActivate {
    readonly types: string[] = [];

    canActivate(context: ExecutionContext): boolean {
      this.types.push(context.getType());
      return true;
    }
  }

  async function typesSeen(hybridOptions: object, extras: object, byToken: boolean): Promise<string[]> {
    const watch = new Watch();
    @Controller()
    class Orders {
      @EventPattern<string>('orders', extras)
      handle(): void {}
    }
    const providers = byToken ? [{ provide: APP_GUARD, useValue: watch }] : [];
    const app = await NestFactory.create(moduleOf({ controllers: [Orders], providers }), { logger: false });
    apps.push(app);
    if (!byToken) app.useGlobalGuards(watch);
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) }, hybridOptions);
    await app.startAllMicroservices();
    await app.init();
    await send(app, 'orders', 1);
    await app.close();
    return watch.types;
  }

  it('applies as Nest has it: with inheritAppConfig, or when the handler says so', async () => {
    for (const byToken of [true, false]) {
      expect(await typesSeen({}, {}, byToken)).toEqual([]);
      expect(await typesSeen({ inheritAppConfig: true }, {}, byToken)).toEqual(['rpc']);
      expect(await typesSeen({ inheritAppConfig: true }, { globalEnhancers: false }, byToken)).toEqual([]);
      expect(await typesSeen({}, { globalEnhancers: true }, byToken)).toEqual(['rpc']);
    }
  });

  it('applies where nobody can see it: when each handler is made for its message', async () => {
    const watch = new Watch();
    @Controller()
    class Http {}
    @Controller({ scope: Scope.REQUEST })
    class Orders {
      @EventPattern<string>('orders')
      handle(): void {}
    }
    const providers = [{ provide: APP_GUARD, useValue: watch }];
    const app = await started({ controllers: [Http, Orders], providers });
    await send(app, 'orders', 1);
    expect(watch.types).toEqual(['rpc']);
  });

  it('applies in an application that is nothing but the strategy', async () => {
    const watch = new Watch();
    const own = new Watch();
    @Controller()
    class Orders {
      @EventPattern<string>('orders')
      @UseGuards(own)
      handle(): void {}
    }
    const app = await pure({ controllers: [Orders], providers: [{ provide: APP_GUARD, useValue: watch }] });
    await app.listen();
    await send(app, 'orders', 1);
    expect([watch.types, own.types]).toEqual([['rpc'], ['rpc']]);
  });
});

async function pure(parts: Parts): Promise<INestMicroservice> {
  const app = await NestFactory.createMicroservice(moduleOf(parts), {
    logger: false,
    abortOnError: false,
    inject: [ServerRocketMQ],
    useFactory: (strategy: ServerRocketMQ) => ({ strategy }),
  });
  apps.push(app);
  return app;
}

describe('the start', () => {
  @Controller()
  class Orders {
    static readonly calls: string[] = [];

    @EventPattern<string>('orders')
    handle(): void {
      Orders.calls.push('handled');
    }
  }

  @Injectable()
  class Slow implements OnApplicationBootstrap {
    async onApplicationBootstrap(): Promise<void> {
      await new Promise((resolve) => setTimeout(resolve, 30));
      Orders.calls.push('bootstrapped');
    }
  }

  beforeEach(async () => {
    Orders.calls.length = 0;
    broker.declareTopic({ name: 'orders' });
    const sender = await NestFactory.createApplicationContext(moduleOf({}), { logger: false });
    await sender.get(RocketMQProducer).send({ topic: 'orders', body: '1' });
    await sender.close();
  });

  it('waits until every onApplicationBootstrap has ended, when startAllMicroservices() comes before init()', async () => {
    const app = await hybrid({ controllers: [Orders], providers: [Slow] });
    const statuses: string[] = [];
    app.get(ServerRocketMQ).status.subscribe((status) => statuses.push(status));
    await app.startAllMicroservices();
    expect(statuses).toEqual(['waiting']);
    await app.init();
    await broker.idle();
    expect(Orders.calls).toEqual(['bootstrapped', 'handled']);
    await app.close();
    expect(statuses).toEqual(['waiting', 'listening', 'draining', 'closed']);
  });

  it('comes with startAllMicroservices() when that comes after init()', async () => {
    const app = await hybrid({ controllers: [Orders], providers: [Slow] });
    await app.init();
    await broker.idle();
    expect(Orders.calls).toEqual(['bootstrapped']);
    await app.startAllMicroservices();
    await broker.idle();
    expect(Orders.calls).toEqual(['bootstrapped', 'handled']);
  });

  it('comes with listen() of an application that is nothing but the strategy', async () => {
    const app = await pure({ controllers: [Orders], providers: [Slow] });
    await app.listen();
    await broker.idle();
    expect(Orders.calls).toEqual(['bootstrapped', 'handled']);
    await expect(firstValueFrom(app.status)).resolves.toBe('listening');
    const closed = new Promise<void>((resolve) => app.on('closed', resolve));
    await app.close();
    await closed;
  });

  it('takes nothing when the strategy is not connected', async () => {
    const app = await NestFactory.create(moduleOf({ controllers: [Orders] }), { logger: false });
    apps.push(app);
    await app.init();
    await broker.idle();
    expect(Orders.calls).toEqual([]);
  });

  it('is refused for a strategy that is connected after init(), which was too late', async () => {
    const app = await NestFactory.create(moduleOf({ controllers: [Orders] }), { logger: false, abortOnError: false });
    apps.push(app);
    await app.init();
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
    await expect(app.startAllMicroservices()).rejects.toThrow(/CONNECTED_LATE/);
  });
});
