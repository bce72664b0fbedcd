// The module from its options to its last hook, against the embedded broker over the wire.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Global,
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { closeApp } from '../../../../../test/fixtures/close-app.js';
import {
  defineTopic,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
} from '../../entries/nest.js';
import { SystemClock, sleep } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import { silentLogger } from '../../support/logger.js';
import { TestBroker } from '../../testing/test-broker.js';

let broker: TestBroker;
let app: TestingModule | undefined;

beforeEach(async () => {
  broker = await TestBroker.start({ strict: true, topics: [{ name: 'plain' }], groups: [{ name: 'service' }] });
});

afterEach(async () => {
  await closeApp(app);
  app = undefined;
  await broker.stop();
});

interface Parts {
  readonly imports?: (Type | ReturnType<typeof RocketMQModule.forRoot>)[];
  readonly providers?: Provider[];
}

/** Nothing listens there. */
const NOWHERE = '127.0.0.1:1';

function options(more: Partial<RocketMQModuleOptions> = {}): RocketMQModuleOptions {
  return { endpoints: broker.endpoints, consumerGroup: 'service', logger: silentLogger, ...more };
}

async function compile({ imports = [], providers = [] }: Parts): Promise<TestingModule> {
  app = await Test.createTestingModule({ imports, providers }).compile();
  return app;
}

async function start(parts: Parts): Promise<TestingModule> {
  const compiled = await compile(parts);
  await compiled.init();
  return compiled;
}

/** A promise and what resolves it. */
function signal(): { readonly fired: Promise<void>; readonly fire: () => void } {
  let fire = (): void => {};
  const fired = new Promise<void>((resolve) => {
    fire = resolve;
  });
  return { fired, fire };
}

describe('compile()', () => {
  it('does not connect, and a compiled module can be closed', async () => {
    const compiled = await compile({ imports: [RocketMQModule.forRoot(options({ endpoints: NOWHERE }))] });
    await expect(compiled.get(RocketMQProducer).send({ topic: 'plain', body: '1' })).rejects.toThrow(/NOT_RUNNING/);
    await compiled.close();
  });
});

describe('the start', () => {
  it('has the producer ready before the onModuleInit of any other module', async () => {
    @Injectable()
    class Early implements OnModuleInit {
      constructor(private readonly producer: RocketMQProducer) {}

      async onModuleInit(): Promise<void> {
        await this.producer.send({ topic: 'plain', body: '1' });
      }
    }
    @Global()
    @Module({ providers: [Early] })
    class EarlyModule {}
    await start({ imports: [EarlyModule, RocketMQModule.forRoot(options())] });
    expect(broker.messages('plain')).toHaveLength(1);
  });

  it('starts listeners after every onApplicationBootstrap', async () => {
    const order: string[] = [];
    const { fired: handled, fire } = signal();
    @Injectable()
    class Listener implements OnModuleInit {
      constructor(private readonly producer: RocketMQProducer) {}

      async onModuleInit(): Promise<void> {
        await this.producer.send({ topic: 'plain', body: '1' });
      }

      @RocketMQListener('plain')
      async handle(): Promise<void> {
        order.push('handled');
        fire();
      }
    }
    class Slow implements OnApplicationBootstrap {
      async onApplicationBootstrap(): Promise<void> {
        await sleep(new SystemClock(), 100);
        order.push('bootstrapped');
      }
    }
    @Module({ providers: [Slow] })
    class SlowModule {}
    @Global()
    @Module({ providers: [{ provide: 'OTHER', useClass: Slow }] })
    class GlobalSlowModule {}
    await start({
      imports: [SlowModule, RocketMQModule.forRoot(options()), GlobalSlowModule],
      providers: [Listener, Slow],
    });
    await handled;
    expect(order).toEqual(['bootstrapped', 'bootstrapped', 'bootstrapped', 'handled']);
  });

  it('fails for a missing topic, and prints the command that creates it', async () => {
    const topics = [defineTopic('missing', { type: 'delay' })];
    await expect(start({ imports: [RocketMQModule.forRoot(options({ topics }))] })).rejects.toThrow(
      /TOPIC_NOT_FOUND.*"missing".*topic create missing --type delay/,
    );
  });

  it('fails for a topic of another type', async () => {
    const topics = [defineTopic('plain', { type: 'fifo' })];
    await expect(start({ imports: [RocketMQModule.forRoot(options({ topics }))] })).rejects.toThrow(
      /TOPIC_TYPE_MISMATCH.*"plain".*normal.*fifo/,
    );
  });

  it('fails for a listener whose group is missing', async () => {
    class Listener {
      @RocketMQListener('plain', { consumerGroup: 'missing' })
      async handle(): Promise<void> {}
    }
    await expect(start({ imports: [RocketMQModule.forRoot(options())], providers: [Listener] })).rejects.toThrow(
      /CONSUMER_GROUP_NOT_FOUND.*"missing"/,
    );
  });

  it('fails for an ordered topic whose group is not ordered', async () => {
    broker.declareTopic({ name: 'steps', type: 'fifo' });
    class Listener {
      @RocketMQListener(defineTopic('steps', { type: 'fifo' }))
      async handle(): Promise<void> {}
    }
    await expect(start({ imports: [RocketMQModule.forRoot(options())], providers: [Listener] })).rejects.toThrow(
      /CONSUMER_GROUP_NOT_FIFO.*"service"/,
    );
  });

  it('fails for an option that the consumer rejects, and names the listener', async () => {
    class Listener {
      @RocketMQListener('plain', { invisibleDurationMs: 1 })
      async handle(): Promise<void> {}
    }
    await expect(start({ imports: [RocketMQModule.forRoot(options())], providers: [Listener] })).rejects.toThrow(
      /listener Listener\.handle: option invisibleDurationMs must be/,
    );
  });

  it('fails when the cluster is unreachable for longer than startTimeoutMs', async () => {
    const away = options({ endpoints: NOWHERE, startTimeoutMs: 50 });
    await expect(start({ imports: [RocketMQModule.forRoot(away)] })).rejects.toThrow(/UNAVAILABLE|DEADLINE_EXCEEDED/);
  });

  it('fails when the module is imported twice', async () => {
    const imports = [RocketMQModule.forRoot(options()), RocketMQModule.forRoot(options({ namespace: 'other' }))];
    await expect(start({ imports })).rejects.toThrow(/MODULE_IMPORTED_TWICE/);
  });

  it('creates no consumer with consumers: false', async () => {
    class Listener {
      @RocketMQListener('no-such-topic', { consumerGroup: 'no-such-group' })
      async handle(): Promise<void> {}
    }
    const started = await start({
      imports: [RocketMQModule.forRoot(options({ consumers: false }))],
      providers: [Listener],
    });
    expect((await started.get(RocketMQProducer).send({ topic: 'plain', body: '1' })).topic).toBe('plain');
  });

  it('logs which listener receives what', async () => {
    const lines: unknown[] = [];
    const logger: Logger = { ...silentLogger, info: (message, fields) => void lines.push([message, fields]) };
    class Listener {
      @RocketMQListener('plain', { filter: 'a || b' })
      async handle(): Promise<void> {}
    }
    await start({ imports: [RocketMQModule.forRoot(options({ logger }))], providers: [Listener] });
    const fields = { topic: 'plain', consumerGroup: 'service', filter: 'a || b' };
    expect(lines).toContainEqual(['Listener.handle listens', fields]);
  });
});

describe('a producer with defined topics', () => {
  it('rejects what does not fit the type of the topic, before anything is sent', async () => {
    const running = await start({ imports: [RocketMQModule.forRoot(options())] });
    const producer = running.get(RocketMQProducer);
    const Plain = defineTopic('plain', { type: 'normal' });
    // @ts-expect-error a delay is for topics of type delay
    await expect(producer.send(Plain, 1, { delayMs: 5 })).rejects.toThrow(/MESSAGE_TYPE_MISMATCH.*leave out/);
    // @ts-expect-error a message group is required
    await expect(producer.send(defineTopic('f', { type: 'fifo' }), 1)).rejects.toThrow(/give a messageGroup/);
    // @ts-expect-error a delay is required
    await expect(producer.send(defineTopic('d', { type: 'delay' }), 1)).rejects.toThrow(/give delayMs or deliverAt/);
    // @ts-expect-error a transactional topic takes no sends
    await expect(producer.send(defineTopic('t', { type: 'transaction' }), 1)).rejects.toThrow(/@TransactionalSend/);
    await expect(producer.recall({ topic: 'd', recallHandle: undefined })).rejects.toThrow(/NO_RECALL_HANDLE/);
  });

  it('sends every type with its fields', async () => {
    broker.declareTopic({ name: 'steps', type: 'fifo' });
    const running = await start({ imports: [RocketMQModule.forRoot(options())] });
    const Steps = defineTopic<{ n: number }>('steps', { type: 'fifo' });
    const labels = { tag: 't', keys: ['a', 'b'], properties: { p: 'q' }, messageGroup: 'g' };
    const receipt = await running.get(RocketMQProducer).send(Steps, { n: 1 }, labels);
    expect(broker.messages('steps')).toMatchObject([
      { ...labels, messageId: receipt.messageId, body: Buffer.from('{"n":1}') },
    ]);
  });
});

describe('forRootAsync', () => {
  @Injectable()
  class Config {
    createRocketMQOptions(): RocketMQModuleOptions {
      return options();
    }
  }
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}

  const ways = {
    useFactory: { inject: [Config], useFactory: (config: Config) => config.createRocketMQOptions() },
    useClass: { useClass: Config },
    useExisting: { useExisting: Config },
  };
  for (const [name, way] of Object.entries(ways)) {
    it(`takes the options from ${name}`, async () => {
      const running = await start({ imports: [RocketMQModule.forRootAsync({ imports: [ConfigModule], ...way })] });
      await running.get(RocketMQProducer).send({ topic: 'plain', body: '1' });
      expect(broker.messages('plain')).toHaveLength(1);
    });
  }

  it('rejects undefined endpoints, and a missing source of options', async () => {
    const useFactory = (): RocketMQModuleOptions => options({ endpoints: undefined });
    await expect(compile({ imports: [RocketMQModule.forRootAsync({ useFactory })] })).rejects.toThrow(
      /option endpoints is undefined/,
    );
    expect(() => RocketMQModule.forRootAsync({})).toThrow(/useFactory, useClass or useExisting/);
  });
});

describe('isGlobal: false', () => {
  it('provides the producer only to modules that import it', async () => {
    @Injectable()
    class Service {
      constructor(readonly producer: RocketMQProducer) {}
    }
    @Module({ providers: [Service] })
    class Feature {}
    const local = RocketMQModule.forRoot({ ...options(), isGlobal: false });
    await expect(compile({ imports: [local, Feature] })).rejects.toThrow(/RocketMQProducer/);
    const compiled = await compile({ imports: [local], providers: [Service] });
    expect(compiled.get(Service).producer).toBeInstanceOf(RocketMQProducer);
  });
});

describe('endpoints embedded:', () => {
  it('runs a broker with the topics and groups of the application', async () => {
    const { fired, fire } = signal();
    const bodies: unknown[] = [];
    const Steps = defineTopic<{ n: number }>('steps', { type: 'fifo' });
    @Injectable()
    class Listener {
      @RocketMQListener(Steps)
      async handle(body: unknown): Promise<void> {
        bodies.push(body);
        if (bodies.length === 2) fire();
      }
    }
    // Otherwise the shutdown waits for the long poll of the ordered group.
    const embedded = options({ endpoints: 'embedded:', topics: [Steps], shutdownGraceMs: 0 });
    const running = await start({ imports: [RocketMQModule.forRoot(embedded)], providers: [Listener] });
    const producer = running.get(RocketMQProducer);
    await producer.send(Steps, { n: 1 }, { messageGroup: 'g' });
    await producer.send(Steps, { n: 2 }, { messageGroup: 'g' });
    await fired;
    expect(bodies).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('keeps its messages in the given folder, for the next start', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embedded-'));
    const onDisk = options({ endpoints: `embedded:${folder}`, shutdownGraceMs: 0 });
    const first = await start({ imports: [RocketMQModule.forRoot(onDisk)] });
    await first.get(RocketMQProducer).send({ topic: 'kept', body: { n: 1 } });
    await first.close();
    const { fired, fire } = signal();
    @Injectable()
    class Listener {
      @RocketMQListener('kept')
      handle(body: unknown): void {
        expect(body).toEqual({ n: 1 });
        fire();
      }
    }
    const second = await start({ imports: [RocketMQModule.forRoot(onDisk)], providers: [Listener] });
    await fired;
    await second.close();
    await rm(folder, { recursive: true });
  });

  it('warns in production', async () => {
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
    const before = process.env.NODE_ENV;
    process.env.NODE_ENV = 'production';
    try {
      await start({ imports: [RocketMQModule.forRoot(options({ endpoints: 'embedded:', logger }))] });
    } finally {
      process.env.NODE_ENV = before;
    }
    expect(warnings.join()).toMatch(/embedded broker is running in production/);
  });
});
