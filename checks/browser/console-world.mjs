// A small shop with something of everything that the console shows: an application in which it is mounted, and the console as a server of
// its own on the same embedded broker, with its control port.

import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RocketMQListener, RocketMQModule } from 'nestjs-rocketmq';
import { positionOf, RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { ControlClient, EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { BrokerCalls } from './broker-calls.mjs';

const CONSOLE = '../../libs/console/src/entries';
const PATIENCE_MS = 30_000;
const MINUTE_MS = 60_000;
const QUICKLY = /** @type {const} */ ({ kind: 'customized', nextMs: [200] });

/** @type {import('nestjs-rocketmq/broker').EmbeddedBrokerOptions} */
const BROKER = {
  adminPort: 0,
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
  ],
  groups: [
    { name: 'billing', maxDeliveryAttempts: 2, backoff: QUICKLY },
    { name: 'warehouse', maxDeliveryAttempts: 3, backoff: QUICKLY },
    { name: 'analytics' },
    { name: 'mailer', maxDeliveryAttempts: 1 },
  ],
};

/** Why the handlers of billing fail: so that dead letters differ. */
const FAILURES = ['card declined', 'no such customer', 'gateway timeout'];
const DEAD_LETTERS = 12;
const DELAYS_MIN = [15, 15, 16, 31, 31, 32, 45, 61, 62, 90, 130, 240, 241, 600, 601, 1_200];

/** This file has no decorator syntax. @param {new () => object} type @param {string} method @param {import('nestjs-rocketmq').ListenerDecorator<never[]>} decorate */
function listener(type, method, decorate) {
  decorate(
    type.prototype,
    method,
    /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(type.prototype, method)),
  );
  Injectable()(type);
  return type;
}

/** New classes for each application: decorators write on them. */
function listeners() {
  class Billing {
    /** @param {{ order: number }} order */
    charge({ order }) {
      if (order % 4 === 0) throw new Error(FAILURES[(order / 4) % FAILURES.length]);
    }
  }
  class Warehouse {
    reserve() {}
  }
  class Mailer {
    remind() {}
  }
  return [
    listener(Billing, 'charge', RocketMQListener('orders', { consumerGroup: 'billing' })),
    listener(Warehouse, 'reserve', RocketMQListener('orders', { consumerGroup: 'warehouse' })),
    listener(Mailer, 'remind', RocketMQListener('reminders', { consumerGroup: 'mailer' })),
  ];
}

/** @param {string} name @param {number} count */
function namedAfter(name, count) {
  return Array.from({ length: count }, (_, index) => ({ name: `${name}-${String(index).padStart(4, '0')}` }));
}

/** @param {string} endpoint */
function portOf(endpoint) {
  return Number(endpoint.split(':').at(-1));
}

export class ConsoleWorld {
  /** Ends what was started, in reverse. */
  #closers = /** @type {(() => Promise<unknown>)[]} */ ([]);
  /** Servers of their own. */
  #consoles = /** @type {{ close(): Promise<unknown> }[]} */ ([]);
  /** Where the console of the application is. */
  mounted = '';
  /** Where the console that is a server of its own is; opens once. */
  standalone = '';

  /** @param {EmbeddedBroker} broker */
  constructor(broker) {
    this.broker = broker;
    this.calls = new BrokerCalls({
      adminPort: portOf(broker.adminEndpoint),
      controlPort: portOf(broker.controlEndpoint),
    });
    this.admin = new RocketMQAdmin({ nameServer: broker.adminEndpoint });
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

  /** @param {{ moreTopics?: number, moreGroups?: number }} options */
  static async start({ moreTopics = 0, moreGroups = 0 } = {}) {
    const broker = new EmbeddedBroker({
      ...BROKER,
      topics: [...(BROKER.topics ?? []), ...namedAfter('archive', moreTopics)],
      groups: [...(BROKER.groups ?? []), ...namedAfter('archiver', moreGroups)],
    });
    await broker.start();
    const world = new ConsoleWorld(broker);
    await world.producer.start();
    world.mounted = await world.mount(listeners());
    await world.#fill();
    await world.openStandalone();
    return world;
  }

  /**
   * An application with the console.
   * @param {(new () => object)[]} providers @param {{ trustsProxies?: boolean }} options
   */
  async mount(providers, { trustsProxies = false } = {}) {
    const { RocketMQConsoleModule } = await import(`${CONSOLE}/nest.ts`);
    const { endpoints, adminEndpoint: nameServer } = this.broker;
    class ShopModule {}
    Module({
      imports: [
        RocketMQModule.forRoot({ endpoints, nameServer }),
        RocketMQConsoleModule.forRoot({ path: 'admin/rocketmq', actions: 'all', bodies: 'shown' }),
      ],
      providers,
    })(ShopModule);
    const app = /** @type {import('@nestjs/platform-express').NestExpressApplication} */ (
      await NestFactory.create(ShopModule, { logger: false })
    );
    if (trustsProxies) app.set('trust proxy', 'loopback');
    this.#closers.push(() => app.close());
    await app.listen(0, '127.0.0.1');
    return `${await app.getUrl()}/admin/rocketmq`;
  }

  /** A console that lets one more browser in. @param {import('../../libs/console/src/access/options.js').ConsoleOptions} options */
  async openStandalone(options = { actions: 'all', bodies: 'shown' }) {
    const { startStandaloneConsole } = await import(`${CONSOLE}/standalone.ts`);
    const control = new ControlClient({ endpoint: this.broker.controlEndpoint });
    const { admin, connection } = this;
    const source = { admin, control, connection, title: 'shop' };
    const running = await startStandaloneConsole(source, options);
    this.#consoles.push(running);
    this.standalone = running.url;
    return running.url;
  }

  /** A console goes on for a minute after its last viewer. */
  async closeStandalones() {
    for (const one of this.#consoles.splice(0)) await one.close();
  }

  async #fill() {
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

  /** @param {number} number */
  order(number) {
    const lines = [{ sku: 'book', quantity: 1 + (number % 3) }];
    return this.producer.send({
      topic: 'orders',
      body: JSON.stringify({ order: number, customer: `c-${number % 7}`, lines }),
      keys: [`order-${number}`],
      tag: number % 5 === 0 ? 'canceled' : 'placed',
      properties: { tenant: number % 2 === 0 ? 'eu' : 'us' },
    });
  }

  /** @param {number} number */
  payment(number) {
    const body = `{"payment":${number},"cents":${number * 137}}`;
    return this.producer.send({ topic: 'payments', body, keys: [`payment-${number}`] });
  }

  /** @param {number} minutes */
  remind(minutes) {
    const body = `{"remind":"order-${minutes}"}`;
    return this.producer.send({ topic: 'reminders', body, keys: [`order-${minutes}`], delayMs: minutes * MINUTE_MS });
  }

  /** Lets billing fail. @param {string} body @returns the position of its dead letter */
  async deadLetter(body) {
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

  /** @param {string} topic @param {(message: import('nestjs-rocketmq/admin').StoredMessageView) => unknown} isMeant */
  async newest(topic, isMeant) {
    const { messages } = await this.admin.browseMessages(topic, { order: 'newest-first', limit: 100 });
    return messages.find(isMeant);
  }

  /** @param {string} what @param {() => Promise<boolean>} is */
  async until(what, is) {
    const lastTryAtMs = Date.now() + PATIENCE_MS;
    while (!(await is().catch(() => false))) {
      if (Date.now() > lastTryAtMs) throw new Error(`waited ${PATIENCE_MS} ms in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async stop() {
    await this.closeStandalones();
    for (const close of this.#closers.reverse()) await close();
  }
}
