// The shutdown of applications with the transport strategy, under load: running handlers finish with everything that they use, other
// messages are released, nothing is lost.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Global, Inject, Injectable, Module, type OnModuleDestroy, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { until } from '../../../../../tools/until.js';
import { RocketMQModule, type RocketMQModuleOptions, RocketMQProducer, ServerRocketMQ } from '../../entries/nest.js';
import { MINUTE_MS, SystemClock, sleep } from '../../support/clock.js';
import { silentLogger } from '../../support/logger.js';
import { TestBroker } from '../../testing/test-broker.js';

const MESSAGES = 400;
let broker: TestBroker;

beforeEach(async () => {
  broker = await TestBroker.start({ manualClock: true });
});
afterEach(() => broker.stop());

function options(): RocketMQModuleOptions {
  return { endpoints: broker.endpoints, clock: broker.clock, consumerGroup: 'shop', logger: silentLogger };
}

/** What the handlers did, in any process. */
class Journal {
  readonly done: string[] = [];
  readonly broken: string[] = [];
}

/** What Nest does on a signal; `close()` of an application that consists of the strategy only takes another path. */
interface Running {
  close(): Promise<void>;
  shutdown(signal: string): Promise<void>;
}

function appModule(journal: Journal, position: 'before' | 'after'): Type {
  @Injectable()
  class Pool implements OnModuleDestroy {
    private isOpen = true;

    async write(id: string): Promise<void> {
      await sleep(new SystemClock(), 3);
      if (!this.isOpen) journal.broken.push(id);
      else journal.done.push(id);
    }

    onModuleDestroy(): void {
      this.isOpen = false;
    }
  }
  @Global()
  @Module({ providers: [Pool], exports: [Pool] })
  class DatabaseModule {}

  @Controller()
  class Orders {
    constructor(@Inject(Pool) private readonly pool: Pool) {}

    @EventPattern<string>('orders', { concurrency: 8 })
    async handle(id: string): Promise<void> {
      await this.pool.write(id);
    }
  }
  const rocketmq = RocketMQModule.forRoot(options());
  const imports = position === 'before' ? [DatabaseModule, rocketmq] : [rocketmq, DatabaseModule];
  @Module({ imports, controllers: [Orders] })
  class AppModule {}
  return AppModule;
}

const ends: Readonly<Record<string, (app: Running) => Promise<void>>> = {
  'close()': (app) => app.close(),
  SIGTERM: (app) => app.shutdown('SIGTERM'),
};

async function hybrid(module: Type): Promise<Running> {
  const app = await NestFactory.create(module, { logger: false });
  app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
  await app.startAllMicroservices();
  await app.init();
  return app as unknown as Running;
}

async function pure(module: Type): Promise<Running> {
  const app = await NestFactory.createMicroservice(module, {
    logger: false,
    inject: [ServerRocketMQ],
    useFactory: (strategy: ServerRocketMQ) => ({ strategy }),
  });
  await app.listen();
  return app as unknown as Running;
}

async function fill(): Promise<string[]> {
  @Module({ imports: [RocketMQModule.forRoot(options())] })
  class Sender {}
  const sender = await NestFactory.createApplicationContext(Sender, { logger: false });
  const ids = Array.from({ length: MESSAGES }, (_, index) => `order-${index}`);
  await Promise.all(ids.map((id) => sender.get(RocketMQProducer).send({ topic: 'orders', body: JSON.stringify(id) })));
  await sender.close();
  return ids;
}

describe('an application with the transport strategy that shuts down under load', () => {
  const cases = [
    ['hybrid', hybrid, 'close()', 'before'],
    ['hybrid', hybrid, 'SIGTERM', 'after'],
    ['pure', pure, 'close()', 'after'],
    ['pure', pure, 'SIGTERM', 'before'],
  ] as const;
  for (const [kind, startApp, end, position] of cases) {
    it(`loses no message: ${kind}, by ${end}, with a pool that a module imported ${position} closes on destroy`, async () => {
      const ids = await fill();
      const journal = new Journal();
      for (const share of [50, 150, 250]) {
        const app = await startApp(appModule(journal, position));
        await until(() => journal.done.length >= share);
        await ends[end]?.(app);
      }
      expect(journal.done.length).toBeLessThan(MESSAGES);
      // Messages of a poll that was canceled are redelivered when their leases end.
      await broker.advance(MINUTE_MS, { duringWork: true });
      const last = await startApp(appModule(journal, position));
      await until(() => new Set(journal.done).size === MESSAGES);
      await last.close();
      expect(journal.broken).toEqual([]);
      // Nothing was handled twice either: started handlers finished and their messages were acknowledged.
      expect([...journal.done].sort()).toEqual([...ids].sort());
    }, 60_000);
  }
});
