// The setup of the listener specs: an application on a test broker with a manual clock.

import type { INestApplication, Provider, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { RocketMQModule, type RocketMQModuleOptions, RocketMQProducer } from '../../libs/rocketmq/src/entries/nest.js';
import { type Logger, silentLogger } from '../../libs/rocketmq/src/support/logger.js';
import { TestBroker, type TestBrokerOptions } from '../../libs/rocketmq/src/testing/test-broker.js';
import { closeApp } from './close-app.js';

/** The parts of an application. */
export interface NestParts {
  readonly imports?: Type[];
  readonly providers?: Provider[];
  readonly controllers?: Type[];
  readonly options?: Partial<RocketMQModuleOptions>;
  /** Called before the application starts. */
  readonly prepare?: (app: INestApplication) => void;
}

/** Creates a broker, and applications that are closed after each case. */
export class NestBench {
  private readonly apps: INestApplication[] = [];

  private constructor(readonly broker: TestBroker) {}

  static async open(options: TestBrokerOptions = {}): Promise<NestBench> {
    return new NestBench(await TestBroker.start({ manualClock: true, ...options }));
  }

  async start({
    imports = [],
    providers = [],
    controllers = [],
    options = {},
    prepare,
  }: NestParts): Promise<INestApplication> {
    const { endpoints, clock } = this.broker;
    const compiled = await Test.createTestingModule({
      imports: [...imports, RocketMQModule.forRoot({ endpoints, clock, logger: silentLogger, ...options })],
      providers,
      controllers,
    }).compile();
    const app = compiled.createNestApplication({ logger: false });
    this.apps.push(app);
    prepare?.(app);
    await app.init();
    return app;
  }

  async closeApps(): Promise<void> {
    for (const app of this.apps.splice(0)) await closeApp(app);
  }

  async close(): Promise<void> {
    await this.closeApps();
    await this.broker.stop();
  }

  /** Sends with the application and waits until the broker is idle. */
  async send(app: INestApplication, topic: string, ...bodies: unknown[]): Promise<void> {
    for (const body of bodies) await app.get(RocketMQProducer).send({ topic, body });
    await this.broker.idle();
  }

  deadLetters(group: string): string[] {
    return this.broker.messages(`%DLQ%${group}`).map(({ body }) => body.toString());
  }

  /** The messages that wait for redelivery to a group, with the remaining milliseconds. */
  retries(group: string): [string, number][] {
    return this.broker.waiting().flatMap((message) => {
      if (message.kind !== 'retry' || message.group !== group) return [];
      return [[message.body.toString(), message.dueAtMs - this.broker.clock.nowMs()] satisfies [string, number]];
    });
  }
}

/** A logger that records its lines as `level message`, with the fields. */
export function recordingLogger(): Logger & { readonly lines: [string, Readonly<Record<string, unknown>>][] } {
  const lines: [string, Readonly<Record<string, unknown>>][] = [];
  const write =
    (level: string): Logger['info'] =>
    (message, fields = {}) =>
      void lines.push([`${level} ${message}`, fields]);
  return { lines, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
