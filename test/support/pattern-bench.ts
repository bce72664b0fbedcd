// Applications with handlers of the transport strategy, on a broker with a manual clock.

import { afterEach, beforeEach } from '@jest/globals';
import { type INestApplication, type INestMicroservice, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  ServerRocketMQ,
} from '../../libs/rocketmq/src/entries/nest.js';
import { silentLogger } from '../../libs/rocketmq/src/support/logger.js';
import { TestBroker } from '../../libs/rocketmq/src/testing/test-broker.js';
import { isNest10 } from './nest-version.js';

/** The parts of an application. */
export interface AppParts {
  readonly controllers?: Type[];
  readonly providers?: NonNullable<Parameters<typeof Module>[0]['providers']>;
  readonly options?: Partial<RocketMQModuleOptions>;
}

/** Creates a broker for each spec of a file, and closes the applications that a spec creates. */
export class PatternBench {
  broker!: TestBroker;
  /** Applications to close after the spec. */
  readonly apps: { close(): Promise<void> }[] = [];

  /** Registers the hooks of each spec. */
  static ofFile(): PatternBench {
    const bench = new PatternBench();
    beforeEach(async () => {
      bench.broker = await TestBroker.start({ manualClock: true });
    });
    afterEach(async () => {
      for (const app of bench.apps.splice(0)) await app.close();
      await bench.broker.stop();
    });
    return bench;
  }

  moduleOf({ controllers = [], providers = [], options = {} }: AppParts): Type {
    const { endpoints, clock } = this.broker;
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
  async hybrid(parts: AppParts, hybridOptions = {}): Promise<INestApplication> {
    const app = await NestFactory.create(this.moduleOf(parts), { logger: false, abortOnError: false });
    this.apps.push(app);
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) }, hybridOptions);
    return app;
  }

  async started(parts: AppParts, hybridOptions = {}): Promise<INestApplication> {
    const app = await this.hybrid(parts, hybridOptions);
    await app.startAllMicroservices();
    await app.init();
    return app;
  }

  async pure(parts: AppParts): Promise<INestMicroservice> {
    const app = await NestFactory.createMicroservice(this.moduleOf(parts), {
      logger: false,
      abortOnError: false,
      ...(isNest10
        ? { strategy: new ServerRocketMQ() }
        : { inject: [ServerRocketMQ], useFactory: (strategy: ServerRocketMQ) => ({ strategy }) }),
    });
    this.apps.push(app);
    return app;
  }

  async send(app: INestApplication | INestMicroservice, topic: string, body: unknown, tag?: string): Promise<void> {
    await app.get(RocketMQProducer).send({ topic, body: JSON.stringify(body), tag });
    await this.broker.idle();
  }

  retries(): string[] {
    return this.broker.waiting().map(({ body }) => body.toString());
  }

  deadLetters(group = 'shop'): string[] {
    return this.broker.messages(`%DLQ%${group}`).map(({ body }) => body.toString());
  }
}
