// A small shop with something of everything that the console shows: an application in which it is mounted, and the console as a server of
// its own on the same embedded broker, with its control port.
// Over 300 lines: what the shop has must be seen together, because the scenarios count it.

import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { createPglite } from 'demo-kit';
import { RocketMQListener, RocketMQModule } from 'nestjs-rocketmq';
import { positionOf, RocketMQAdmin, type StoredMessageView } from 'nestjs-rocketmq/admin';
import { ControlClient, EmbeddedBroker, type EmbeddedBrokerOptions } from 'nestjs-rocketmq/broker';
import { Connection, Producer, PushConsumer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { Outbox, OutboxRelay, Schedule, schemaSql } from 'nestjs-rocketmq/sql';
import { RocketMQConsoleModule } from 'nestjs-rocketmq-console';
import { startStandaloneConsole } from 'nestjs-rocketmq-console/standalone';
import type { ConsoleOptions } from '../../libs/console/src/access/options.js';
import { BrokerCalls } from './broker-calls.js';

const TIMEOUT_MS = 30_000;
const MINUTE_MS = 60_000;
const QUICKLY = { kind: 'customized', nextMs: [200] } as const;

const BROKER: EmbeddedBrokerOptions = {
  nameServerPort: 0,
  controlPort: 0,
  timeTravel: true,
  recallEnabled: true,
  transactionFirstCheckMs: 300,
  transactionCheckIntervalMs: 300,
  transactionCheckMax: 2,
  topics: [
    { name: 'orders', queues: 4 },
    { name: 'payments', queues: 4 },
    { name: 'stock-moves', type: 'fifo', queues: 2 },
    { name: 'reminders', type: 'delay', queues: 2 },
    { name: 'invoices', type: 'transaction', queues: 2 },
    { name: 'reports', queues: 2 },
    { name: 'operations', queues: 2 },
  ],
  groups: [
    { name: 'billing', maxDeliveryAttempts: 2, backoff: QUICKLY },
    { name: 'warehouse', maxDeliveryAttempts: 3, backoff: QUICKLY },
    { name: 'analytics' },
    { name: 'mailer', maxDeliveryAttempts: 1 },
    { name: 'newsletter' },
  ],
};

/** Why the handlers of billing fail: so that dead letters differ. */
const FAILURES = ['card declined', 'no such customer', 'gateway timeout'];
const DEAD_LETTERS = 12;
/** How many hours ago, and how much. Three hours in a row, and others alone. */
const KEPT_LAG = [
  [150, 40],
  [72, 900],
  [71, 2_400],
  [70, 1_100],
  [24, 15],
  [1, 120],
] as const;
const DELAYS_MIN = [15, 15, 16, 31, 31, 32, 45, 61, 62, 90, 130, 240, 241, 600, 601, 1_200];

/** New classes for each application: decorators write on them. */
function listeners() {
  @Injectable()
  class Billing {
    @RocketMQListener('orders', { consumerGroup: 'billing' })
    charge({ order }: { order: number }): void {
      if (order % 4 === 0) throw new Error(FAILURES[(order / 4) % FAILURES.length]);
    }
  }

  @Injectable()
  class Warehouse {
    @RocketMQListener('orders', { consumerGroup: 'warehouse' })
    reserve(): void {}
  }

  @Injectable()
  class Mailer {
    @RocketMQListener('reminders', { consumerGroup: 'mailer' })
    remind(): void {}
  }

  return [Billing, Warehouse, Mailer];
}

function namedAfter(name: string, count: number) {
  return Array.from({ length: count }, (_, index) => ({ name: `${name}-${String(index).padStart(4, '0')}` }));
}

function portOf(endpoint: string): number {
  return Number(endpoint.split(':').at(-1));
}

export class ConsoleWorld {
  readonly calls: BrokerCalls;
  readonly admin: RocketMQAdmin;
  readonly connection: Connection;
  readonly producer: Producer;

  /** Ends what was started, in reverse. */
  #closers: (() => Promise<unknown>)[] = [];
  /** Servers of their own. */
  #consoles: { close(): Promise<unknown> }[] = [];
  /** Of the application. */
  schedule = new Schedule();
  #database: Awaited<ReturnType<typeof createPglite>> | undefined;
  /** Where the console of the application is. */
  mounted = '';
  /** Where the console that is a server of its own is; opens once. */
  standalone = '';

  constructor(readonly broker: EmbeddedBroker) {
    this.calls = new BrokerCalls({
      nameServerPort: portOf(broker.nameServerEndpoint),
      controlPort: portOf(broker.controlEndpoint),
    });
    this.admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
    this.connection = new Connection({ endpoints: broker.endpoints });
    this.producer = new Producer(this.connection, { transactionCheckers: { invoices: () => 'unknown' } });
    this.#closers.push(
      async () => this.calls.stop(),
      () => this.broker.stop(),
      async () => this.admin.close(),
      async () => this.connection.close(),
      () => this.producer.close(),
    );
  }

  static async start({ moreTopics = 0, moreGroups = 0 }: { moreTopics?: number; moreGroups?: number } = {}) {
    const broker = new EmbeddedBroker({
      ...BROKER,
      topics: [...(BROKER.topics ?? []), ...namedAfter('archive', moreTopics)],
      groups: [...(BROKER.groups ?? []), ...namedAfter('archiver', moreGroups)],
    });
    await broker.start();
    const world = new ConsoleWorld(broker);
    await world.producer.start();
    await world.#startSchedule();
    world.mounted = await world.mount(listeners());
    await world.#fill();
    await world.admin.pauseGroup('newsletter', { reason: 'an address was wrong in the last issue', by: 'ada@desk' });
    await world.openStandalone();
    return world;
  }

  get database() {
    if (this.#database === undefined) throw new Error('the database has not started');
    return this.#database;
  }

  /** Its relay sends what is due. */
  async #startSchedule(): Promise<void> {
    const { schedule, producer } = this;
    const database = await createPglite();
    this.#database = database;
    this.#closers.push(() => database.close());
    await database.exec(schemaSql());
    for (const name of ['nightly', 'monthly', 'yearly']) {
      const message = { topic: 'reports', body: `{"report":"${name}"}` };
      const cron = name === 'nightly' ? '0 3 * * *' : '0 3 1 1 *';
      await database.transaction((tx) => schedule.set(tx, { key: `report:${name}`, message, cron }));
    }
    const message = { topic: 'reports', body: '{"trial":"ada"}' };
    const deliverAt = new Date(Date.now() + 30 * 24 * 60 * MINUTE_MS);
    await database.transaction((tx) => schedule.set(tx, { key: 'trial:ada', message, deliverAt }));
    const outbox = new Outbox();
    const relay = new OutboxRelay({ outbox, schedule, database, send: (one, options) => producer.send(one, options) });
    relay.start();
    this.#closers.push(() => relay.stop());
  }

  /** An application with the console. */
  async mount(
    providers: (new () => object)[],
    { trustsProxies = false }: { trustsProxies?: boolean } = {},
  ): Promise<string> {
    const { endpoints, nameServerEndpoint: nameServer } = this.broker;

    @Module({
      imports: [
        RocketMQModule.forRoot({ endpoints, nameServer }),
        RocketMQConsoleModule.forRoot({
          path: 'admin/rocketmq',
          operationsTopic: 'operations',
          actions: 'all',
          bodies: 'shown',
          schedule: () => ({ schedule: this.schedule, database: this.database }),
        }),
      ],
      providers,
    })
    class ShopModule {}

    const app = await NestFactory.create<NestExpressApplication>(ShopModule, { logger: false });
    if (trustsProxies) app.set('trust proxy', 'loopback');
    this.#closers.push(() => app.close());
    await app.listen(0, '127.0.0.1');
    return `${await app.getUrl()}/admin/rocketmq`;
  }

  /** A console that lets one more browser in. */
  async openStandalone(options: ConsoleOptions = { actions: 'all', bodies: 'shown' }) {
    const control = new ControlClient({ endpoint: this.broker.controlEndpoint });
    const { admin, connection } = this;
    const source = { admin, control, connection, title: 'shop' };
    const running = await startStandaloneConsole(source, { operationsTopic: 'operations', ...options });
    this.#consoles.push(running);
    this.standalone = running.url;
    return running.url;
  }

  /** A console goes on for a minute after its last viewer. */
  async closeStandalones(): Promise<void> {
    for (const one of this.#consoles.splice(0)) await one.close();
  }

  async #fill(): Promise<void> {
    for (let number = 1; number <= 48; number++) await this.order(number);
    for (let number = 1; number <= 40; number++) await this.payment(number);
    const idle = new PushConsumer(this.connection, {
      consumerGroup: 'analytics',
      subscriptions: [{ topic: 'payments' }],
      handler: () => {},
    });
    await idle.start();
    await this.until('analytics has received', async () => (await this.admin.groupLag('analytics')).lag === 0);
    await idle.close();
    for (let number = 41; number <= 160; number++) await this.payment(number);
    for (let number = 1; number <= 12; number++)
      await this.producer.send({
        topic: 'stock-moves',
        body: `{"sku":"chair","by":-${number}}`,
        messageGroup: 'chair',
      });
    for (const minutes of DELAYS_MIN) await this.remind(minutes);
    for (const [hours, lag] of KEPT_LAG) await this.keepLag(hours, lag);
    await this.producer.beginTransaction({ topic: 'invoices', body: '{"invoice":1001}', keys: ['invoice-1001'] });
    await this.until(
      'all dead letters',
      async () => (await this.admin.listDeadLetters('billing')).total === DEAD_LETTERS,
    );
    await this.until('a half message is given up', async () => {
      const { messages } = await this.admin.givenUpHalfMessages();
      return messages.length > 0;
    });
  }

  order(number: number) {
    const lines = [{ sku: 'book', quantity: 1 + (number % 3) }];
    return this.producer.send({
      topic: 'orders',
      body: JSON.stringify({ order: number, customer: `c-${number % 7}`, lines }),
      keys: [`order-${number}`],
      tag: number % 5 === 0 ? 'canceled' : 'placed',
      properties: { tenant: number % 2 === 0 ? 'eu' : 'us' },
    });
  }

  payment(number: number) {
    const body = `{"payment":${number},"cents":${number * 137}}`;
    return this.producer.send({ topic: 'payments', body, keys: [`payment-${number}`] });
  }

  remind(minutes: number) {
    const body = `{"remind":"order-${minutes}"}`;
    return this.producer.send({ topic: 'reminders', body, keys: [`order-${minutes}`], delayMs: minutes * MINUTE_MS });
  }

  /** As an application keeps it. */
  keepLag(hours: number, lag: number) {
    const topics = [{ topic: 'payments', lag, behindMs: lag * 50 }];
    const record = {
      consumerGroup: 'analytics',
      instance: 'shop@1',
      atMs: Date.now() - hours * 60 * MINUTE_MS,
      lag,
      topics,
    };
    return this.producer.send({
      topic: 'operations',
      tag: 'lag',
      keys: ['lag:analytics'],
      body: JSON.stringify(record),
    });
  }

  /** Lets billing fail. @returns the position of its dead letter */
  async deadLetter(body: string) {
    const { messageId } = await this.producer.send({ topic: 'orders', body });
    let position = '';
    await this.until('a dead letter', async () => {
      const { deadLetters, total } = await this.admin.listDeadLetters('billing', { limit: 100 });
      const own = deadLetters.find((one) => one.messageId === messageId);
      if (own !== undefined) position = positionOf(own);
      return total > 0 && own !== undefined;
    });
    return position;
  }

  /** Makes a message a dead letter of a group that nobody else is in. */
  async bury(consumerGroup: string, topic: string, body: string): Promise<void> {
    const consumer = new SimpleConsumer(this.connection, { consumerGroup, subscriptions: [{ topic }] });
    await consumer.start();
    try {
      await this.until('the message is received', async () => {
        await this.producer.send({ topic, body });
        const messages = await consumer.receive({ maxMessages: 1 });
        for (const one of messages) await consumer.forwardToDeadLetterQueue(one);
        return messages.length > 0;
      });
    } finally {
      await consumer.close();
    }
  }

  async newest(topic: string, isMeant: (message: StoredMessageView) => unknown) {
    const { messages } = await this.admin.browseMessages(topic, { order: 'newest-first', limit: 100 });
    return messages.find(isMeant);
  }

  async until(what: string, is: () => Promise<boolean>): Promise<void> {
    const lastTryAtMs = Date.now() + TIMEOUT_MS;
    while (!(await is().catch(() => false))) {
      if (Date.now() > lastTryAtMs) throw new Error(`waited ${TIMEOUT_MS} ms in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async stop(): Promise<void> {
    await this.closeStandalones();
    for (const close of this.#closers.reverse()) await close();
  }
}
