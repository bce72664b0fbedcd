// What docs/coming-from/rocketmq-4x.md moves from Java and Go, run: sends, order, levels, transactions, batches, filters, push, pull, broadcasts.

import { afterEach, describe, expect } from '@jest/globals';
import { type INestApplicationContext, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RocketMQHealth, RocketMQModule, type RocketMQModuleOptions, RocketMQProducer } from 'nestjs-rocketmq';
import { delayLevelMs, SECOND_MS } from 'nestjs-rocketmq/client';
import {
  Filtered,
  likeJava,
  nightlyReport,
  OneTopic,
  OneTopicReader,
  OrderPlaced,
  OrderSender,
  OrderStep,
  OrderSteps,
  Parcels,
  PaymentDue,
  PriceList,
  Reminders,
  Shipping,
  Stock,
  StockReserved,
} from '../../docs/examples/from-4x.js';
import { recordingLogger } from '../fixtures/nest-bench.js';
import { testTransport } from '../fixtures/transport.js';
import { CHECK_INTERVAL_MS, FIRST_CHECK_MS, NotHere, seemsBefore } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import type { World } from './support/world.js';

const contract = contractSuite();

const apps: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of apps.splice(0).reverse()) await app.close();
});

/** Starts an instance of a service whose topics and groups begin with `prefix`. */
async function start(
  world: World,
  prefix: string,
  providers: Type[],
  options: Partial<RocketMQModuleOptions> = {},
): Promise<INestApplicationContext> {
  const { endpoints, nameServer, clock, access } = world.backend;
  const rocketmq = RocketMQModule.forRoot({
    endpoints,
    nameServer,
    clock,
    ...access,
    topicPrefix: prefix,
    groupPrefix: prefix,
    logger: recordingLogger(),
    defaults: { backoff: SECOND_MS },
    shutdownGraceMs: SECOND_MS,
    ...options,
  });
  @Module({ imports: [rocketmq], providers })
  class Service {}
  const app = await NestFactory.createApplicationContext(Service, { logger: false, abortOnError: false });
  apps.push(app);
  return app;
}

/** Creates a topic and groups. @returns what their names begin with */
async function prepare(
  world: World,
  { name, type }: Pick<typeof OrderPlaced, 'name'> & { type?: 'normal' | 'fifo' | 'delay' | 'transaction' | undefined },
  ...groups: string[]
): Promise<string> {
  const prefix = `${world.name()}-`;
  await world.backend.createTopic(`${prefix}${name}`, type ?? 'normal');
  for (const group of groups) await world.backend.createGroup(`${prefix}${group}`, { fifo: type === 'fifo' });
  await Promise.all(groups.map((group) => world.begin(`${prefix}${group}`, [`${prefix}${name}`])));
  return prefix;
}

const order = (orderId: string, cents = 500) => ({ orderId, cents });

describe('a program of 4.x that was moved', () => {
  contract('sends and waits, with a callback, and without an answer; instances share the messages', async (world) => {
    const prefix = await prepare(world, OrderPlaced, 'shipping');
    const one = await start(world, prefix, [OrderSender, Shipping]);
    const two = await start(world, prefix, [OrderSender, Shipping]);
    const shipped = () => [one, two].flatMap((app) => app.get(Shipping).shipped);
    const sender = one.get(OrderSender);
    const stored: string[] = [];
    expect(await sender.placeAndWait(order('sync'))).toMatch(/^\w+$/);
    sender.place(order('async'), (messageId) => stored.push(messageId));
    await sender.placeOneway(order('one-way'));
    await world.until('all are handled', () => shipped().length === 3);
    await world.backend.quiet();
    expect(shipped().sort()).toEqual(['async', 'one-way', 'sync']);
    expect(stored).toEqual([expect.stringMatching(/^\w+$/)]);
  });

  contract('throws, and gets the message again', async (world) => {
    const prefix = await prepare(world, OrderPlaced, 'shipping');
    const app = await start(world, prefix, [OrderSender, Shipping]);
    await app.get(OrderSender).placeAndWait(order('not-packed-yet'));
    for (let round = 0; round < 20 && app.get(Shipping).shipped.length === 0; round++)
      await world.backend.advance(2 * SECOND_MS);
    expect(app.get(Shipping).shipped).toEqual(['not-packed-yet']);
  });

  contract('handles the steps of an order in their order', async (world) => {
    const prefix = await prepare(world, OrderStep, 'order-steps');
    const app = await start(world, prefix, [OrderSteps]);
    const { steps } = app.get(OrderSteps);
    for (const step of ['placed', 'paid', 'shipped'])
      for (const id of ['a', 'b']) await app.get(OrderSteps).record(id, step);
    await world.until('all steps', () => steps.length === 6);
    for (const id of ['a', 'b'])
      expect(steps.filter((step) => step.startsWith(id))).toEqual([`${id} placed`, `${id} paid`, `${id} shipped`]);
  });

  contract('puts the steps of an order into the queue that a selector in Java chooses', async (world) => {
    if (testTransport !== 'remoting') throw new NotHere('a proxy chooses the queue itself');
    const prefix = await prepare(world, OrderStep, 'order-steps');
    const app = await start(world, prefix, [OrderSteps], { producer: { queueSelector: likeJava } });
    const send = (id: string) =>
      app.get(RocketMQProducer).send(OrderStep, { orderId: id, step: 'placed' }, { messageGroup: id });
    // By `Math.floorMod(id.hashCode(), 8)`, printed by Java 17.
    const queues = {
      'order-1': 2,
      'order-2': 3,
      'Bestellung-äöü-4711': 6,
      'a-very-long-order-id-with-overflow-0000001': 0,
    };
    for (const [id, queueId] of Object.entries(queues)) expect(await send(id)).toMatchObject({ queueId });
  });

  contract('delays by a level', async (world) => {
    const prefix = await prepare(world, PaymentDue, 'reminders');
    const app = await start(world, prefix, [OrderSender, Reminders]);
    await app.get(OrderSender).remind('a', 1);
    await world.backend.advance(delayLevelMs(1) / 2);
    expect(app.get(Reminders).mails).toEqual([]);
    await world.backend.advance(delayLevelMs(1) / 2);
    await world.until('it is due', () => app.get(Reminders).mails.length === 1);
  });

  contract('delays by several levels', async (world) => {
    const prefix = await prepare(world, PaymentDue, 'reminders');
    const producer = { delayLevels: 'chain' } as const;
    const app = await start(world, prefix, [OrderSender, Reminders], { producer, provision: 'create' });
    const sentAtMs = world.nowMs();
    await app.get(OrderSender).remindAt('a', new Date(sentAtMs + 3 * SECOND_MS));
    await world.backend.advance(2 * SECOND_MS);
    expect(app.get(Reminders).mails).toEqual([]);
    await world.backend.advance(SECOND_MS);
    await world.until('it is due', () => app.get(Reminders).mails.length === 1);
    expect(app.get(RocketMQHealth).report()).toMatchObject({ isReady: true, problems: [] });
    // The relay has a topic and a group of its own, by name server.
    const waiting = await world.admin().describeTopic(`${prefix}nestjs-rocketmq-delays`);
    expect(waiting !== undefined).toBe(testTransport === 'remoting');
  });

  contract('commits, rolls back, and answers a check', async (world) => {
    const prefix = await prepare(world, StockReserved, 'parcels');
    const app = await start(world, prefix, [Stock, Parcels]);
    const stock = app.get(Stock);
    const { packed } = app.get(Parcels);
    await stock.reserve('a');
    expect(await stock.reserve('sold-out')).toBe(false);
    await world.until('the commit', () => packed.length === 1);
    // What an instance leaves behind that reserves and dies.
    const topic = `${prefix}${StockReserved.name}`;
    const dying = await world.producer({ transactionCheckers: { [topic]: () => 'unknown' } });
    const { transactionId } = await dying.beginTransaction({ topic, body: JSON.stringify({ orderId: 'b' }) });
    stock.reserved.set(transactionId, 'b');
    await dying.close();
    await world.backend.advanceDuringWork(FIRST_CHECK_MS);
    for (let round = 0; round < 20 && packed.length < 2; round++)
      await world.backend.advanceDuringWork(CHECK_INTERVAL_MS);
    expect(packed).toEqual(['a', 'b']);
  });

  contract('sends more than 4 MB at once without a splitter', async (world) => {
    const prefix = await prepare(world, OrderPlaced, 'shipping');
    const app = await start(world, prefix, [OrderSender, Shipping]);
    const orders = Array.from({ length: 60 }, (_, index) => ({
      ...order(`order-${index}`),
      note: 'x'.repeat(100_000),
    }));
    expect(await app.get(OrderSender).placeAll(orders)).toEqual([]);
    await world.until('all are handled', () => app.get(Shipping).shipped.length === 60);
    expect(new Set(app.get(Shipping).shipped)).toEqual(new Set(orders.map(({ orderId }) => orderId)));
  });

  contract('filters by tag and by SQL', async (world) => {
    const prefix = await prepare(world, OrderPlaced, 'european', 'expensive');
    const app = await start(world, prefix, [OrderSender, Filtered]);
    const sender = app.get(OrderSender);
    await sender.placeAndWait(order('in-the-eu'));
    await sender.placeOneway(order('without-a-tag'));
    await sender.placeWithPrice(order('dear', 10_000));
    await sender.placeWithPrice(order('cheap', 9_999));
    const { european, expensive } = app.get(Filtered);
    await world.until('both', () => european.length > 0 && expensive.length > 0);
    await world.backend.quiet();
    expect({ european, expensive }).toEqual({ european: ['in-the-eu'], expensive: ['dear'] });
  });

  contract('pulls what is there', async (world) => {
    const prefix = await prepare(world, OrderPlaced, 'nightly');
    const app = await start(world, prefix, [OrderSender]);
    for (const id of ['a', 'b', 'c']) await app.get(OrderSender).placeAndWait(order(id));
    const report = () => nightlyReport(world.connection(), `${prefix}${OrderPlaced.name}`, `${prefix}nightly`);
    expect((await report()).sort()).toEqual(['a', 'b', 'c'].map((id) => JSON.stringify(order(id))));
    const lag = async () => (await world.admin().groupLag(`${prefix}nightly`)).lag;
    await world.until('its position is stored', async () => (await lag()) === 0);
  });

  contract('broadcasts to every instance what is sent while it runs', async (world) => {
    const prefix = await prepare(world, OrderPlaced, 'price-list-broadcast');
    const one = await start(world, prefix, [OrderSender, PriceList]);
    await one.get(OrderSender).placeAndWait(order('first'));
    await world.until('the first one', () => one.get(PriceList).orders.length === 1);
    const two = await start(world, prefix, [PriceList]);
    await one.get(OrderSender).placeAndWait(order('second'));
    await world.until('both', () => two.get(PriceList).orders.length > 0 && one.get(PriceList).orders.length > 1);
    expect(one.get(PriceList).orders).toEqual(['first', 'second']);
    expect(two.get(PriceList).orders).toEqual(['second']);
  });

  contract(
    'uses one topic for ordinary and delayed messages on 4.x; later releases name a topic for it',
    async (world) => {
      const prefix = await prepare(world, { name: 'orders' }, 'one-topic');
      const app = await start(world, prefix, [OneTopic, OneTopicReader]);
      const placing = app.get(OneTopic).place('a');
      if (!seemsBefore('5.0.0')) {
        await expect(placing).rejects.toThrow(
          /accepts normal messages, not delay messages; .* give delay messages another topic/,
        );
        return;
      }
      await placing;
      await world.until('both are handled', () => app.get(OneTopicReader).seen.length === 2);
    },
  );
});
