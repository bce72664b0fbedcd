// The shutdown of an application: what still runs, what still works, and in which order it closes.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Global,
  Injectable,
  Module,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type Provider,
  type Type,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import {
  type RocketMQEvent,
  RocketMQEvents,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
} from '../entries/nest.js';
import { SystemClock, sleep } from '../support/clock.js';
import { silentLogger } from '../support/logger.js';
import { TestBroker } from '../testing/test-broker.js';

let broker: TestBroker;
let app: TestingModule | undefined;

beforeEach(async () => {
  broker = await TestBroker.start();
});

afterEach(async () => {
  await app?.close();
  app = undefined;
  await broker.stop();
});

interface Parts {
  readonly imports?: (Type | ReturnType<typeof RocketMQModule.forRoot>)[];
  readonly providers?: Provider[];
}

function options(more: Partial<RocketMQModuleOptions> = {}): RocketMQModuleOptions {
  return { endpoints: broker.endpoints, consumerGroup: 'service', logger: silentLogger, ...more };
}

async function start({ imports = [], providers = [] }: Parts): Promise<TestingModule> {
  app = await Test.createTestingModule({ imports, providers }).compile();
  await app.init();
  return app;
}

/** The hooks of a shutdown run in the order of the start on Nest 10, in the reverse order on later versions. */
function reverseShutdown(running: TestingModule): void {
  const hooked = running as unknown as { getModulesToTriggerHooksOn(): object[] };
  // Nest keeps this array, from the start on.
  hooked.getModulesToTriggerHooksOn().reverse();
}

/** A promise and what resolves it. */
function signal(): { readonly fired: Promise<void>; readonly fire: () => void } {
  let fire = (): void => {};
  const fired = new Promise<void>((resolve) => {
    fire = resolve;
  });
  return { fired, fire };
}

describe.each([
  ['of the installed Nest', () => {}],
  ['of Nest 10, or the later one where that is installed', reverseShutdown],
])('the shutdown in the order %s', (_, takeOrder) => {
  const positions = ['before', 'after'] as const;
  for (const isGlobal of [true, false]) {
    for (const position of positions) {
      const where = `${isGlobal ? 'global ' : ''}module imported ${position} RocketMQModule`;
      it(`lets a running handler use what a ${where} closes on destroy`, async () => {
        const order: string[] = [];
        const started = signal();
        @Injectable()
        class Database implements OnModuleDestroy {
          isOpen = true;

          async onModuleDestroy(): Promise<void> {
            this.isOpen = false;
            order.push('database closed');
          }
        }
        @Module({ providers: [Database], exports: [Database] })
        class DatabaseModule {}
        if (isGlobal) Global()(DatabaseModule);
        @Injectable()
        class Listener {
          constructor(
            private readonly database: Database,
            private readonly producer: RocketMQProducer,
          ) {}

          @RocketMQListener('plain', { filter: 'start' })
          async handle(): Promise<void> {
            started.fire();
            await sleep(new SystemClock(), 50);
            order.push(`handled, database ${this.database.isOpen ? 'open' : 'closed'}`);
            await this.producer.send({ topic: 'plain', tag: 'from-handler', body: '1' });
          }
        }
        const rocketmq = RocketMQModule.forRoot(options());
        const imports = position === 'before' ? [DatabaseModule, rocketmq] : [rocketmq, DatabaseModule];
        const running = await start({ imports, providers: [Listener] });
        await running.get(RocketMQProducer).send({ topic: 'plain', tag: 'start', body: '1' });
        await started.fired;
        takeOrder(running);
        await running.close();
        expect(order).toEqual(['handled, database open', 'database closed']);
        expect(broker.messages('plain').map(({ tag }) => tag)).toContain('from-handler');
        expect(broker.inFlight()).toEqual([]);
      });
    }
  }

  it('lets others send until their own onApplicationShutdown, and no longer', async () => {
    @Injectable()
    class Late implements OnModuleDestroy, OnApplicationShutdown {
      constructor(private readonly producer: RocketMQProducer) {}

      async onModuleDestroy(): Promise<void> {
        await this.producer.send({ topic: 'plain', tag: 'destroy', body: '1' });
      }

      async onApplicationShutdown(): Promise<void> {
        await this.producer.send({ topic: 'plain', tag: 'shutdown', body: '1' });
      }
    }
    const running = await start({ imports: [RocketMQModule.forRoot(options())], providers: [Late] });
    takeOrder(running);
    await running.close();
    expect(
      broker
        .messages('plain')
        .map(({ tag }) => tag)
        .sort(),
    ).toEqual(['destroy', 'shutdown']);
    await expect(running.get(RocketMQProducer).send({ topic: 'plain', body: '1' })).rejects.toThrow(/NOT_RUNNING/);
    app = undefined;
  });
});

describe('the shutdown', () => {
  it('fires the signal of a handler that outlasts the grace period, and logs its message', async () => {
    const started = signal();
    const logger = recordingLogger();
    const ended: RocketMQEvent[] = [];
    let reason: unknown;
    @Injectable()
    class Listener {
      @RocketMQListener('plain')
      async handle(_body: unknown, { signal: stop }: { signal: AbortSignal }): Promise<void> {
        started.fire();
        await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
        reason = stop.reason;
      }
    }
    const running = await start({
      imports: [RocketMQModule.forRoot(options({ shutdownGraceMs: 10, logger }))],
      providers: [Listener],
    });
    running
      .get(RocketMQEvents)
      .of('drained')
      .subscribe((event) => ended.push(event));
    const { messageId } = await running.get(RocketMQProducer).send({ topic: 'plain', body: '1' });
    await started.fired;
    await running.close();
    expect(reason).toBeInstanceOf(Error);
    expect(ended).toMatchObject([{ type: 'drained', consumerGroup: 'service', unfinished: 1 }]);
    const warning = logger.lines.find(([line]) => line.startsWith('warn the grace period is over'));
    expect(warning?.[1]).toEqual({ consumerGroup: 'service', messages: 1, messageIds: [messageId] });
  });

  it('by a signal is said to be none where nothing listens to signals', async () => {
    const [heard, unheard] = [recordingLogger(), recordingLogger()];
    const starting = (logger: typeof heard) => start({ imports: [RocketMQModule.forRoot(options({ logger }))] });
    const warnings = ({ lines }: typeof heard) => lines.filter(([line]) => line.includes('enableShutdownHooks'));
    const before = process.listeners('SIGTERM');
    const own = (): void => {};
    process.on('SIGTERM', own);
    const first = await starting(heard);
    // As with `enableShutdownHooks()`, which Nest undoes when it closes the application.
    await sleep(new SystemClock(), 1_200);
    // Both timers may be due at once, and what was to be called then is called a turn later.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('SIGTERM', own);
    expect(process.listeners('SIGTERM')).toEqual(before);
    await starting(unheard);
    await until(() => warnings(unheard).length > 0);
    expect(warnings(unheard)).toEqual([[expect.stringContaining('warn nothing listens to SIGTERM'), {}]]);
    expect(warnings(heard)).toEqual([]);
    await first.close();
  });

  it('can be requested twice', async () => {
    const running = await start({ imports: [RocketMQModule.forRoot(options())] });
    await Promise.all([running.close(), running.close()]);
    await running.close();
  });
});
