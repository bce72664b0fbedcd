// ServerRocketMQ created with `new`: in an application that imports RocketMQModule, and in one that does not.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Module, type OnModuleDestroy, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, RpcException } from '@nestjs/microservices';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import {
  DeadLetterError,
  RocketMQEvents,
  RocketMQListener,
  RocketMQModule,
  RocketMQProducer,
  RocketMQRequester,
  ServerRocketMQ,
  type ServerRocketMQOptions,
} from '../../entries/nest.js';
import { SystemClock, sleep } from '../../support/clock.js';
import { silentLogger } from '../../support/logger.js';
import { TestBroker } from '../../testing/test-broker.js';

let broker: TestBroker;
const apps: { close(): Promise<void> }[] = [];
const log: string[] = [];

beforeEach(async () => {
  broker = await TestBroker.start({ manualClock: true, nameServerPort: 0 });
  log.length = 0;
});
afterEach(async () => {
  for (const app of apps.splice(0).reverse()) await app.close();
  await broker.stop();
});

function options(more: object = {}): ServerRocketMQOptions {
  const { endpoints, clock } = broker;
  return { endpoints, clock, consumerGroup: 'shop', logger: silentLogger, ...more };
}

@Injectable()
class Pool implements OnModuleDestroy {
  private isOpen = true;

  use(what: string): void {
    log.push(`${what}, ${this.isOpen ? 'open' : 'closed'}`);
  }

  onModuleDestroy(): void {
    this.isOpen = false;
  }
}

@Controller()
class Orders {
  constructor(@Inject(Pool) private readonly pool: Pool) {}

  @EventPattern<string>('orders')
  async handle(kind: string): Promise<void> {
    log.push(`begin ${kind}`);
    if (kind === 'grave') throw new DeadLetterError('grave');
    if (kind === 'wrapped') throw new RpcException(new DeadLetterError('wrapped'));
    await sleep(new SystemClock(), 30);
    this.pool.use(`end ${kind}`);
  }

  @MessagePattern<string>('echo')
  echo(body: unknown): unknown {
    return body;
  }
}

/** Sends messages and requests from elsewhere. */
async function elsewhere() {
  const nameServer = broker.nameServerEndpoint;
  const rocketmq = RocketMQModule.forRoot(options({ nameServer, requests: { application: 'desk' } }));
  @Module({ imports: [rocketmq] })
  class Elsewhere {}
  const app = await NestFactory.createApplicationContext(Elsewhere, { logger: false });
  apps.push(app);
  const send = (body: string) => app.get(RocketMQProducer).send({ topic: 'orders', body: JSON.stringify(body) });
  return { send, ask: (body: unknown) => app.get(RocketMQRequester).request('echo', body) };
}

function deadLetters(): string[] {
  return broker.messages('%DLQ%shop').map(({ body }) => body.toString());
}

function appModule(more: object = {}, controllers: Type[] = [Orders]): Type {
  @Module({ imports: [RocketMQModule.forRoot(options(more))], controllers, providers: [Pool] })
  class AppModule {}
  return AppModule;
}

describe('a server created with new, in an application that imports RocketMQModule', () => {
  it('is adopted: it decides by the original error, and shuts down before what its handlers use', async () => {
    const logger = recordingLogger();
    const app = await NestFactory.createMicroservice(appModule({ consumerGroup: 'other' }), {
      logger: false,
      strategy: new ServerRocketMQ(options({ logger })),
    });
    apps.push(app);
    await app.listen();
    const { send, ask } = await elsewhere();
    await expect(ask({ a: 1 })).resolves.toEqual({ a: 1 });
    await send('grave');
    await broker.idle();
    expect(deadLetters()).toEqual(['"grave"']);
    await send('last');
    await until(() => log.includes('begin last'));
    await app.close();
    expect(log.slice(-2)).toEqual(['begin last', 'end last, open']);
    expect(logger.lines.map(([line]) => line).join()).not.toContain('does not import RocketMQModule');
  });

  it('receives nothing before every onApplicationBootstrap, and shuts down in order, in a hybrid application', async () => {
    const server = new ServerRocketMQ(options());
    const app = await NestFactory.create(appModule({ consumerGroup: 'other' }), { logger: false });
    apps.push(app);
    app.connectMicroservice({ strategy: server });
    await app.startAllMicroservices();
    const { send } = await elsewhere();
    await send('one');
    await broker.idle();
    expect(log).toEqual([]);
    await app.init();
    await until(() => log.includes('begin one'));
    await app.close();
    expect(log).toEqual(['begin one', 'end one, open']);
  });

  it('does not end the events of the application when its own start fails', async () => {
    const assertOutlives = (): never => {
      throw new Error('too short');
    };
    const app = await NestFactory.create(appModule({ consumerGroup: 'other' }), { logger: false, abortOnError: false });
    apps.push(app);
    let isOver = false;
    const complete = (): void => {
      isOver = true;
    };
    app.get(RocketMQEvents).events$.subscribe({ complete });
    app.connectMicroservice({ strategy: new ServerRocketMQ(options({ inbox: { assertOutlives } })) });
    await app.init();
    await expect(app.startAllMicroservices()).rejects.toThrow('too short');
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    await app.close();
    expect(isOver).toBe(true);
  });

  it('is rejected when both have a consumer of one group', async () => {
    @Injectable()
    class Listener {
      @RocketMQListener('orders')
      handle(): void {}
    }
    @Module({ imports: [RocketMQModule.forRoot(options())], controllers: [Orders], providers: [Pool, Listener] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    apps.push(app);
    app.connectMicroservice({ strategy: new ServerRocketMQ(options()) });
    await expect(app.init()).rejects.toThrow(
      /GROUP_TAKEN.*Listener\.handle.*Orders\.handle.*app\.get\(ServerRocketMQ\)/,
    );
  });
});

describe('a server created with new, in an application that does not import RocketMQModule', () => {
  @Module({ controllers: [Orders], providers: [Pool] })
  class BareModule {}

  it('works, warns, and sees errors as Nest returns them', async () => {
    const logger = recordingLogger();
    const app = await NestFactory.createMicroservice(BareModule, {
      logger: false,
      strategy: new ServerRocketMQ(options({ logger })),
    });
    apps.push(app);
    await app.listen();
    const { send, ask } = await elsewhere();
    await expect(ask([1])).resolves.toEqual([1]);
    for (const kind of ['fine', 'grave', 'wrapped']) await send(kind);
    await until(() => log.includes('end fine, open'));
    await broker.idle();
    expect(deadLetters()).toEqual(['"wrapped"']);
    expect(broker.waiting().map(({ body }) => body.toString())).toEqual(['"grave"']);
    expect(logger.lines.map(([line]) => line).join()).toMatch(/warn this application does not import RocketMQModule/);
  });
});

describe('its options', () => {
  it('are validated when it is created', () => {
    expect(() => new ServerRocketMQ({ endpoints: undefined })).toThrow(/endpoints is undefined/);
    expect(() => new ServerRocketMQ({ ...options(), requests: {} } as ServerRocketMQOptions)).toThrow(
      /option requests does not apply to a server/,
    );
  });

  it('can be omitted where RocketMQModule is imported: it is the server of that connection', async () => {
    @Injectable()
    class Listener {
      @RocketMQListener('notes')
      handle(body: string): void {
        log.push(`note ${body}`);
      }
    }
    @Module({ imports: [RocketMQModule.forRoot(options())], controllers: [Orders], providers: [Pool, Listener] })
    class AppModule {}
    const strategy = new ServerRocketMQ();
    const app = await NestFactory.createMicroservice(AppModule, { logger: false, strategy });
    apps.push(app);
    await app.listen();
    const { send } = await elsewhere();
    await send('one');
    await app.get(RocketMQProducer).send({ topic: 'notes', body: '"two"' });
    await until(() => log.includes('begin one') && log.includes('note two'));
    expect(strategy.unwrap()).toHaveLength(1);
    await app.close();
    expect(log).toContain('end one, open');
  });

  it('are required where it is not', async () => {
    @Module({ controllers: [Orders], providers: [Pool] })
    class BareModule {}
    const app = await NestFactory.createMicroservice(BareModule, {
      logger: false,
      abortOnError: false,
      strategy: new ServerRocketMQ(),
    });
    apps.push(app);
    await expect(app.listen()).rejects.toThrow(/NOT_CONNECTED.*app\.get\(ServerRocketMQ\)/);
  });
});
