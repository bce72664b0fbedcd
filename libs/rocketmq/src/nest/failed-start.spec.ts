// An application whose start failed, when it is started again.

import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplicationContext, Injectable, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, type MicroserviceOptions } from '@nestjs/microservices';
import { recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import {
  defineTopic,
  type ResourceError,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  ServerRocketMQ,
} from '../entries/nest.js';
import { silentLogger } from '../support/logger.js';
import { TestBroker, type TestBrokerOptions } from '../testing/test-broker.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

@Injectable()
class Orders {
  @RocketMQListener('orders', { consumerGroup: 'shop' })
  async handle(): Promise<void> {}
}

@Controller()
class Patterns {
  @EventPattern<string>('orders')
  async handle(): Promise<void> {}
}

const QUIET = { logger: false, abortOnError: false } as const;

/** Where a broker was and will be again. */
async function emptyPlace(): Promise<{ readonly endpoints: string; broker(): Promise<TestBroker> }> {
  const first = await TestBroker.start();
  const { endpoints } = first;
  await first.stop();
  const broker = async (): Promise<TestBroker> => {
    const next = await TestBroker.start({ port: Number(endpoints.split(':').at(-1)) });
    closers.push(() => next.stop());
    return next;
  };
  return { endpoints, broker };
}

function moduleOf(endpoints: string, parts: Parameters<typeof Module>[0] = {}): Type {
  const rocketmq = RocketMQModule.forRoot({
    endpoints,
    logger: silentLogger,
    requestTimeoutMs: 1_000,
    startTimeoutMs: 3_000,
  });
  @Module({ ...parts, imports: [rocketmq] })
  class AppModule {}
  return AppModule;
}

function closed<App extends INestApplicationContext>(app: App): App {
  closers.push(() => app.close());
  return app;
}

/** A second start must not succeed without a connection. */
const REJECTION = expect.objectContaining({
  code: 'CLOSED',
  outcome: 'not-sent',
  retryable: false,
  message: expect.stringMatching(/start of .* failed before \(.*UNAVAILABLE.*create the application again/s),
});

it('an application with the module does not start again, says why, and can be created again', async () => {
  const place = await emptyPlace();
  const AppModule = moduleOf(place.endpoints, { providers: [Orders] });
  const app = closed(await NestFactory.create(AppModule, QUIET));
  await expect(app.init()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await place.broker();
  await expect(app.init()).rejects.toEqual(REJECTION);
  await expect(app.get(RocketMQProducer).send({ topic: 'orders', body: 1 })).rejects.toEqual(REJECTION);
  const next = closed(await NestFactory.create(AppModule, QUIET));
  await next.init();
  await expect(next.get(RocketMQProducer).send({ topic: 'orders', body: 1 })).resolves.toMatchObject({
    topic: 'orders',
  });
});

it('a transport strategy with a connection of its own does, too', async () => {
  const place = await emptyPlace();
  @Module({ controllers: [Patterns] })
  class AppModule {}
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    ...QUIET,
    strategy: new ServerRocketMQ({
      endpoints: place.endpoints,
      consumerGroup: 'shop',
      logger: silentLogger,
      requestTimeoutMs: 1_000,
      startTimeoutMs: 3_000,
    }),
  });
  closed(app);
  await expect(app.listen()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await place.broker();
  await expect(app.listen()).rejects.toEqual(REJECTION);
});

it('names a topic that is missing, also where a listener chooses its start there', async () => {
  const broker = await TestBroker.start({ strict: true, nameServerPort: 0, groups: [{ name: 'shop' }] });
  closers.push(() => broker.stop());
  @Injectable()
  class Early {
    @RocketMQListener('no-such-topic', { consumerGroup: 'shop', startFrom: 'beginning' })
    async handle(): Promise<void> {}
  }
  const { endpoints, nameServerEndpoint: nameServer } = broker;
  const rocketmq = RocketMQModule.forRoot({ endpoints, nameServer, logger: silentLogger, startTimeoutMs: 3_000 });
  @Module({ imports: [rocketmq], providers: [Early] })
  class AppModule {}
  await expect(NestFactory.createApplicationContext(AppModule, QUIET)).rejects.toMatchObject({
    code: 'TOPIC_NOT_FOUND',
    command: expect.stringContaining('topic create no-such-topic'),
  });
});

it('names all that a first start lacks at once, with the commands as one block', async () => {
  const broker = await TestBroker.start({ strict: true, topics: [{ name: 'there' }], groups: [{ name: 'known' }] });
  closers.push(() => broker.stop());
  const handled: unknown[] = [];
  @Injectable()
  class First {
    @RocketMQListener('parcels', { consumerGroup: 'packers' })
    async pack(): Promise<void> {}
    @RocketMQListener(defineTopic('steps', { type: 'fifo' }), { consumerGroup: 'walkers' })
    async walk(): Promise<void> {}
    @RocketMQListener('there', { consumerGroup: 'known' })
    async hear(message: unknown): Promise<void> {
      handled.push(message);
    }
  }
  const { endpoints } = broker;
  const topics = [defineTopic('orders', { type: 'delay' }), defineTopic('there', { type: 'normal' })];
  const logger = recordingLogger();
  const rocketmq = RocketMQModule.forRoot({ endpoints, topics, logger, startTimeoutMs: 5_000 });
  @Module({ imports: [rocketmq], providers: [First] })
  class AppModule {}
  const failure = await NestFactory.createApplicationContext(AppModule, QUIET).catch((error: unknown) => error);
  expect(failure).toMatchObject({ name: 'ResourceError', code: 'TOPIC_NOT_FOUND', outcome: 'rejected' });
  const on = '--name-server NAMESERVER:9876';
  const block = `${(failure as ResourceError).command.replaceAll(' && ', ' &&\n')}\n`;
  expect(logger.lines.filter(([line]) => /^(warn|error) /.test(line))).toEqual([
    [expect.stringMatching(/^error the application did not start: .*: npx /), {}],
  ]);
  expect((failure as ResourceError).message).toContain(
    `for NAMESERVER:9876 (the option nameServer puts it in):\n\n${block}`,
  );
  expect((failure as ResourceError).command.split(' && ').sort()).toEqual([
    `npx nestjs-rocketmq group create packers ${on}`,
    `npx nestjs-rocketmq group create walkers --fifo ${on}`,
    `npx nestjs-rocketmq topic create orders --type delay ${on}`,
    `npx nestjs-rocketmq topic create parcels --type normal ${on}`,
    `npx nestjs-rocketmq topic create steps --type fifo ${on}`,
  ]);
  expect(handled).toEqual([]);
});

describe('an application with several clusters', () => {
  class Far {
    @RocketMQListener('parcels', { consumerGroup: 'packers', connection: 'far' })
    async pack(): Promise<void> {}
  }

  async function clusters(near: TestBrokerOptions, far: TestBrokerOptions) {
    const brokers = [
      await TestBroker.start({ strict: true, ...near }),
      await TestBroker.start({ strict: true, ...far }),
    ] as const;
    for (const broker of brokers) closers.push(() => broker.stop());
    const logger = recordingLogger();
    const optionsOf = ({ endpoints }: TestBroker) => ({
      endpoints,
      logger,
      requestTimeoutMs: 1_000,
      startTimeoutMs: 3_000,
    });
    const [first, second] = [optionsOf(brokers[0]), optionsOf(brokers[1])];
    const app = async (parts: Parameters<typeof Module>[0], near: Partial<RocketMQModuleOptions> = {}) => {
      const imports = [
        RocketMQModule.forRoot({ ...first, ...near }),
        RocketMQModule.forRoot({ ...second, name: 'far' }),
      ];
      @Module({ ...parts, imports })
      class AppModule {}
      return closed(await NestFactory.create(AppModule, QUIET));
    };
    const failures = () => logger.lines.flatMap(([line]) => (/^(warn|error) /.test(line) ? [line] : []));
    return { brokers, first, second, app, failures };
  }

  const fails = (start: Promise<unknown>): Promise<ResourceError> =>
    start.then(
      () => Promise.reject(new Error('it started')),
      (error) => error,
    );

  const on = '--name-server NAMESERVER:9876';

  it('names what is missing on each of them in one error, and leaves nothing behind', async () => {
    const { brokers, first, second, app, failures } = await clusters({}, {});
    const started = await app(
      { providers: [Orders, Far], controllers: [Patterns] },
      { topics: [defineTopic('orders', { type: 'normal' })] },
    );
    started.connectMicroservice<MicroserviceOptions>({
      strategy: new ServerRocketMQ({ ...second, consumerGroup: 'patterns' }),
    });
    const failure = await fails(started.init());
    expect(failure).toMatchObject({ name: 'ResourceError', code: 'TOPIC_NOT_FOUND', outcome: 'rejected' });
    expect(failure.command.split(' && ').sort()).toEqual([
      `npx nestjs-rocketmq group create packers ${on}`,
      `npx nestjs-rocketmq group create patterns ${on}`,
      `npx nestjs-rocketmq group create shop ${on}`,
      `npx nestjs-rocketmq topic create orders --type normal ${on}`,
      `npx nestjs-rocketmq topic create orders --type normal ${on}`,
      `npx nestjs-rocketmq topic create parcels --type normal ${on}`,
    ]);
    for (const [{ endpoints }, topic] of [
      [first, 'orders'],
      [second, 'orders'],
      [second, 'parcels'],
    ] as const) {
      expect(failure.message).toContain(`at ${endpoints}: topic "${topic}" does not exist on this cluster`);
    }
    expect(failures()).toEqual([expect.stringMatching(/^error the application did not start: /)]);
    for (const broker of brokers) expect(broker.connectedClients()).toEqual([]);
  });

  it.each([
    ['the first', [], ['shop']],
    ['the last', [{ name: 'shop' }], []],
  ])('does so when a listener of %s finds nothing', async (_, groups, missing) => {
    const { brokers, second, app } = await clusters({ topics: [{ name: 'orders' }], groups }, {});
    @Controller()
    class Late {
      @EventPattern<string>('steps')
      async walk(): Promise<void> {}
    }
    const started = await app({ providers: [Orders, Far], controllers: [Late] }, { consumerGroup: 'walkers' });
    started.connectMicroservice<MicroserviceOptions>({ strategy: started.get(ServerRocketMQ) });
    const failure = await fails(started.init());
    expect(failure.command.split(' && ').sort()).toEqual([
      ...['packers', ...missing, 'walkers'].map((group) => `npx nestjs-rocketmq group create ${group} ${on}`),
      ...['parcels', 'steps'].map((topic) => `npx nestjs-rocketmq topic create ${topic} --type normal ${on}`),
    ]);
    expect(failure.message).toContain(`at ${second.endpoints}: consumer group "packers" does not exist`);
    for (const broker of brokers) expect(broker.connectedClients()).toEqual([]);
  });

  it('names what another lacks beside the differences of one that compares its topics and groups', async () => {
    const { brokers, first, second, app, failures } = await clusters({ nameServerPort: 0 }, {});
    const nameServer = brokers[0].nameServerEndpoint;
    const started = await app({ providers: [Orders, Far] }, { provision: 'check', nameServer });
    const failure = await fails(started.init());
    expect(failure).toMatchObject({
      name: 'ProvisionError',
      differences: [
        expect.stringContaining(`at ${first.endpoints}: topic "orders"`),
        `at ${first.endpoints}: consumer group "shop" does not exist`,
        `at ${second.endpoints}: topic "parcels" does not exist on this cluster`,
        `at ${second.endpoints}: consumer group "packers" does not exist on this cluster`,
      ],
    });
    expect(failure.message).toContain('with the address of a name server for NAMESERVER:9876');
    expect(failure.command.split(' && ')).toEqual([
      `npx nestjs-rocketmq topic create orders --type normal --name-server ${nameServer}`,
      `npx nestjs-rocketmq group create shop --name-server ${nameServer}`,
      `npx nestjs-rocketmq topic create parcels --type normal ${on}`,
      `npx nestjs-rocketmq group create packers ${on}`,
    ]);
    expect(failures()).toEqual([expect.stringMatching(/^error the application did not start: /)]);
    await expect(started.get(RocketMQProducer).send({ topic: 'orders', body: 1 })).rejects.toThrow(
      `at ${second.endpoints}: topic "parcels"`,
    );
  });

  it('stops those that have started when another cannot be reached', async () => {
    const { brokers, second, app } = await clusters({ topics: [{ name: 'orders' }], groups: [{ name: 'shop' }] }, {});
    await brokers[1].stop();
    const started = await app({ providers: [Orders, Far] });
    await expect(started.init()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(second.endpoints),
    });
    expect(brokers[0].connectedClients()).toEqual([]);
  });
});
