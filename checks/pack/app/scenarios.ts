// What is to be true in every project, on any version of Nest: each scenario starts an application of its own with a broker of
// its own, and moves the time.

import 'reflect-metadata';
import assert from 'node:assert/strict';
import type { Provider, Type } from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import {
  ClientRocketMQ,
  MINUTE_MS,
  RocketMQModule,
  RocketMQProducer,
  RocketMQRequester,
  ServerRocketMQ,
} from 'nestjs-rocketmq';
import { RocketMQHealthIndicator } from 'nestjs-rocketmq/terminus';
import { deliver, fakeProducer, TestBroker } from 'nestjs-rocketmq/testing';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { consoleOnExpress, consoleOnFastify } from './console.js';
import {
  Enhanced,
  Journal,
  JournalModule,
  Listeners,
  OrderPlaced,
  OrderStep,
  Patterns,
  Payments,
  PerMessage,
  StockTopic,
} from './shop.js';

interface Parts {
  readonly providers?: Provider[];
  readonly controllers?: Type[];
}

interface Running {
  readonly broker: TestBroker;
  readonly lines: string[];
  readonly app: Awaited<ReturnType<typeof createApp>>;
}

async function createApp(broker: TestBroker, { providers = [], controllers = [] }: Parts) {
  const { endpoints, clock } = broker;
  const connection = {
    endpoints,
    clock,
    nameServer: broker.nameServerEndpoint,
    consumerGroup: 'shop',
    requests: { application: 'shop' },
  };
  const module = await Test.createTestingModule({
    imports: [
      JournalModule,
      TerminusModule,
      RocketMQModule.forRoot(connection),
      ClientsModule.registerAsync([
        {
          name: 'PRICES',
          inject: [RocketMQRequester],
          useFactory: (requester: RocketMQRequester) => ({ customClass: ClientRocketMQ, options: { requester } }),
        },
      ]),
    ],
    providers: [RocketMQHealthIndicator, ...providers],
    controllers,
  }).compile();
  return module.createNestApplication({ logger: false });
}

async function withApp(parts: Parts, scenario: (running: Running) => Promise<void>): Promise<void> {
  const broker = await TestBroker.start({
    manualClock: true,
    nameServerPort: 0,
    topics: [{ name: 'order-step', type: 'fifo' }],
    groups: [{ name: 'steps', fifo: true }],
  });
  try {
    const app = await createApp(broker, parts);
    try {
      app.connectMicroservice({ strategy: app.get(ServerRocketMQ) }, { inheritAppConfig: true });
      await app.startAllMicroservices();
      await app.init();
      await scenario({ broker, app, lines: app.get(Journal).lines });
    } finally {
      await app.close();
    }
  } finally {
    await broker.stop();
  }
}

async function schemas(): Promise<void> {
  await withApp({ providers: [Listeners, Payments] }, async ({ app, broker, lines }) => {
    const producer = app.get(RocketMQProducer);
    await producer.send(OrderPlaced, { orderId: 'a', at: '2026-01-01T00:00:00Z' });
    await producer.send(StockTopic, { sku: 'tea', quantity: 1 });
    await assert.rejects(producer.send(StockTopic, { sku: 'tea', quantity: 0 }), /quantity/);
    await broker.idle();
    assert.deepEqual(lines.sort(), ['moved 2 of tea: true', 'placed a in 2026']);
  });
}

async function time(): Promise<void> {
  await withApp({ providers: [Listeners, Payments] }, async ({ app, broker, lines }) => {
    await app.get(Payments).place('a');
    await broker.advance(29 * MINUTE_MS);
    assert.deepEqual(lines, ['placed a in 2026']);
    await broker.advance(MINUTE_MS);
    await broker.advance(10 * MINUTE_MS);
    assert.deepEqual(lines.slice(1), ['due a, attempt 1', 'due a, attempt 2']);
  });
}

async function order(): Promise<void> {
  await withApp({ providers: [Listeners] }, async ({ app, broker, lines }) => {
    const producer = app.get(RocketMQProducer);
    for (const step of [1, 2, 3, 4]) await producer.send(OrderStep, { step }, { messageGroup: 'a' });
    await broker.idle();
    assert.deepEqual(lines, ['step 1', 'step 2', 'step 3', 'step 4']);
  });
}

async function transactions(): Promise<void> {
  await withApp({ providers: [Listeners, Payments] }, async ({ app, broker, lines }) => {
    const payments = app.get(Payments);
    assert.equal(typeof (await payments.pay('a')), 'string');
    await assert.rejects(payments.pay('broke'), RangeError);
    await payments.pay('twice');
    await broker.advance(30 * MINUTE_MS);
    assert.deepEqual(lines, ['paid a']);
    assert.deepEqual(broker.halfMessages(), []);
  });
}

async function enhancers(): Promise<void> {
  await withApp({ controllers: [Enhanced] }, async ({ app, broker, lines }) => {
    const producer = app.get(RocketMQProducer);
    await producer.send({ topic: 'enhanced', body: { text: 'fine' } });
    await broker.idle();
    assert.deepEqual(lines.splice(0), ['guard rocketmq', 'before', 'FINE', 'after']);
    await producer.send({ topic: 'enhanced', body: { text: 'broken' } });
    await broker.advance(5 * MINUTE_MS);
    const attempt = (which: number) => ['guard rocketmq', 'before', 'BROKEN', `filter, attempt ${which}`];
    assert.deepEqual(lines, [...attempt(1), ...attempt(2)]);
  });
}

async function requestScope(): Promise<void> {
  await withApp({ controllers: [PerMessage] }, async ({ app, broker, lines }) => {
    const producer = app.get(RocketMQProducer);
    for (const body of ['a', 'b', 'c']) await producer.send({ topic: 'per-message', body: JSON.stringify(body) });
    await broker.idle();
    assert.deepEqual(lines.sort(), ['a: call 1', 'b: call 1', 'c: call 1']);
  });
}

async function patterns(): Promise<void> {
  await withApp({ controllers: [Patterns] }, async ({ app, broker, lines }) => {
    const client = app.get<ClientRocketMQ>('PRICES');
    await lastValueFrom(client.emit('prices:changed', { item: 'tea' }));
    await broker.idle();
    assert.deepEqual(lines, ['price of tea, tag changed']);
    assert.deepEqual(await firstValueFrom(client.send('price-requests', { item: 'tea' })), { cents: 250 });
    await assert.rejects(firstValueFrom(client.send('price-requests', { item: 'gold' })), /nobody sells gold/);
  });
}

async function health(): Promise<void> {
  await withApp({ providers: [Listeners] }, async ({ app, broker }) => {
    await app.get(RocketMQProducer).send(OrderPlaced, { orderId: 'a', at: '2026-01-01T00:00:00Z' });
    await broker.idle();
    const checks = app.get(HealthCheckService);
    const indicator = app.get(RocketMQHealthIndicator);
    const ready = await checks.check([() => indicator.ready('messages')]);
    assert.equal(ready.details.messages?.status, 'up');
    const live = await checks.check([() => indicator.live('messages')]);
    assert.equal(live.status, 'ok');
  });
}

async function withoutBroker(): Promise<void> {
  const fake = fakeProducer();
  const app = await Test.createTestingModule({
    imports: [RocketMQModule.forRoot({ endpoints: 'nowhere:8081', consumerGroup: 'shop' })],
    providers: [Listeners, Journal],
  })
    .overrideProvider(RocketMQProducer)
    .useValue(fake)
    .compile();
  await app.init();
  assert.deepEqual(await deliver(app, Listeners, 'placed', { orderId: 'a', at: '2026-01-01' }), { outcome: 'acked' });
  const rejected = await deliver(app, Listeners, 'moved', { sku: 'tea', quantity: 0 });
  assert.equal(rejected.outcome, 'dead-lettered');
  await app.close();
}

/** Name and scenario. */
export const scenarios: readonly (readonly [string, () => Promise<void>])[] = [
  ['bodies are checked and converted by a schema and by a class', schemas],
  ['a delayed message comes in its time, and again when the handler says so', time],
  ['the messages of a group stay in order', order],
  ['a transaction commits, rolls back, and is answered for', transactions],
  ['guards, interceptors, pipes and filters of a controller take part', enhancers],
  ['a controller of request scope is made for each message', requestScope],
  ['events, requests and answers go through the strategy and the client proxy', patterns],
  ['the health check of terminus is up', health],
  ['a listener and a producer are tested without a broker', withoutBroker],
  ['the console is served by Express', consoleOnExpress],
  ['the console is served by Fastify', consoleOnFastify],
];
