import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  type DynamicModule,
  type INestApplication,
  type INestApplicationContext,
  Injectable,
  type Type,
  VersioningType,
} from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { z } from 'zod';
import { problemsOf } from '../../../../../test/fixtures/async-api.js';
import {
  type BodyCodec,
  bytesCodec,
  currentTransaction,
  deadLettersOf,
  defineRequest,
  defineTopic,
  ROCKETMQ_TRANSPORT,
  RocketMQAsyncApi,
  type RocketMQAsyncApiDocument,
  type RocketMQAsyncApiOptions,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQReply,
  ServerRocketMQ,
  TransactionalSend,
  TransactionChecker,
} from '../../entries/nest.js';

const Order = z.object({ id: z.string(), total: z.number().int(), note: z.string().default('') });
const Category: z.ZodType = z.object({
  name: z.string(),
  get inside() {
    return z.array(Category).optional();
  },
});
const cipher: BodyCodec = { encode: (body) => Buffer.from(String(body)), decode: String };

const Orders = defineTopic('orders', {
  type: 'fifo',
  queues: 4,
  schema: Order,
  version: 3,
  upgrade: { 2: (body) => body },
});
const Payments = defineTopic('payments', { type: 'transaction', schema: Order });
const Categories = defineTopic('categories', { type: 'normal', schema: Category });
const Dates = defineTopic('dates', { type: 'delay', schema: z.object({ at: z.date() }) });
const Secrets = defineTopic<string>('secrets', { type: 'normal', codec: cipher });
const Alarms = defineTopic('alarms', { type: 'lite', codec: bytesCodec });
const GetPrice = defineRequest('prices:get', {
  request: z.object({ article: z.string() }),
  answer: z.object({ cents: z.number() }),
});

@Injectable()
class Billing {
  @RocketMQListener(Orders, { filter: 'paid || canceled', deadLetterTopic: 'billing-failed' })
  bill(): void {}

  @RocketMQListener('orders', { consumerGroup: 'audit', name: 'audit', filter: { sql: "region = 'eu'" } })
  audit(_: unknown): void {}

  @RocketMQListener(Categories, { consumerGroup: 'cache', mode: 'broadcast' })
  refresh(): void {}

  @RocketMQListener(deadLettersOf('billing'), { consumerGroup: 'letters' })
  letters(): void {}

  @RocketMQListener(Alarms, { consumerGroup: 'alarms', liteTopics: ['a'], deadLetterTopic: 'alarms-failed' })
  alarm(): void {}

  @TransactionalSend(Payments)
  async pay(): Promise<void> {
    await currentTransaction().prepare({ body: { id: '1', total: 1 } });
  }

  @TransactionChecker(Payments)
  check() {
    return 'commit' as const;
  }
}

@Controller()
class Prices {
  @RocketMQReply(GetPrice)
  price() {
    return { cents: 1 };
  }

  @MessagePattern('stock:count')
  count(): number {
    return 1;
  }

  @EventPattern('restocked', ROCKETMQ_TRANSPORT)
  restocked(_: unknown): void {}
}

const CONNECTION: RocketMQModuleOptions = {
  endpoints: 'https://mq-1:8081;mq-2:8081',
  namespace: 'shop',
  credentials: { accessKey: 'key-of-shop', secretKey: 'secret-of-shop' },
  consumerGroup: 'billing',
  topicPrefix: 'live-',
  topics: [Orders, Dates, Secrets, GetPrice.topic],
};

class Shop {}

const INFO = { title: 'Shop', version: '1.2.3' };

let apps: INestApplicationContext[] = [];
afterEach(async () => {
  for (const app of apps) await app.close();
  apps = [];
});

async function created(module: Type | DynamicModule, adapter: AbstractHttpAdapter = new ExpressAdapter()) {
  const app = await NestFactory.create(module, adapter, { logger: false, abortOnError: false });
  apps.push(app);
  return app;
}

/** A document that the official parser has accepted. */
async function documentOf(module: Type | DynamicModule, isConnected = false): Promise<RocketMQAsyncApiDocument> {
  const app = await created(module);
  if (isConnected) app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
  const document = RocketMQAsyncApi.createDocument(app, INFO);
  expect(await problemsOf(document)).toEqual([]);
  return document;
}

const shopOf = (options: Partial<RocketMQModuleOptions> = {}): DynamicModule => ({
  module: Shop,
  imports: [RocketMQModule.forRoot({ ...CONNECTION, ...options })],
  providers: [Billing],
  controllers: [Prices],
});

describe('the AsyncAPI document', () => {
  it('has an operation for each listener, with its group and filter', async () => {
    const { operations } = await documentOf(shopOf(), true);
    expect(operations['Billing.bill']).toEqual({
      action: 'receive',
      channel: { $ref: '#/channels/live-orders' },
      messages: [{ $ref: '#/channels/live-orders/messages/live-orders' }],
      'x-rocketmq': { consumerGroup: 'billing', filter: 'paid || canceled' },
    });
    expect(operations.audit?.['x-rocketmq']).toEqual({ consumerGroup: 'audit', filter: { sql: "region = 'eu'" } });
    expect(operations['Billing.refresh']?.['x-rocketmq']).toEqual({ consumerGroup: 'cache', mode: 'broadcast' });
    expect(operations['Billing.alarm']?.['x-rocketmq']).toEqual({ consumerGroup: 'alarms', liteTopics: ['a'] });
    expect(operations['Prices.restocked']).toMatchObject({ action: 'receive' });
  });

  it('has an operation for each topic that is sent to', async () => {
    const { operations } = await documentOf(shopOf());
    const sent = Object.entries(operations).filter(([, { action }]) => action === 'send');
    expect(Object.fromEntries(sent.map(([key, { channel }]) => [key, channel.$ref]))).toEqual({
      'Billing.alarm.deadLetter': '#/channels/live-alarms-failed',
      'Billing.bill.deadLetter': '#/channels/live-billing-failed',
      'Billing.pay.send': '#/channels/live-payments',
      'request.live-prices.get': '#/channels/live-prices',
      'send.live-dates': '#/channels/live-dates',
      'send.live-orders': '#/channels/live-orders',
      'send.live-secrets': '#/channels/live-secrets',
    });
    expect(operations['Billing.pay.send']?.['x-rocketmq']).toEqual({ transaction: true });
  });

  it('describes topics with type, message group, version and content type', async () => {
    const { channels } = await documentOf(shopOf());
    expect(channels['live-orders']).toMatchObject({
      address: 'live-orders',
      'x-rocketmq': { type: 'fifo', queues: 4 },
      messages: {
        'live-orders': {
          contentType: 'application/json',
          headers: {
            properties: { 'rocketmq-body-version': { enum: ['2', '3'] } },
            required: ['rocketmq-body-version'],
          },
          payload: { $ref: '#/components/schemas/live-orders' },
          'x-rocketmq': { requires: ['messageGroup'], version: 3, upgradesFrom: 2 },
        },
        // By its name alone, nothing is known of its bodies.
        'live-orders-2': { name: 'live-orders' },
      },
    });
    expect(channels._DLQ_billing).toMatchObject({ address: '%DLQ%billing' });
    expect(channels['live-secrets']?.messages['live-secrets']).toEqual({ name: 'live-secrets' });
    expect(channels['live-alarms']?.messages['live-alarms']).toMatchObject({ contentType: 'application/octet-stream' });
  });

  it('has the schemas of bodies as senders pass them, and never a guess', async () => {
    const { components, channels } = await documentOf(shopOf());
    expect(components.schemas['live-orders']).toMatchObject({
      type: 'object',
      properties: { id: { type: 'string' }, total: { type: 'integer' } },
      // What has a default may be missing.
      required: ['id', 'total'],
    });
    expect(JSON.stringify(components.schemas['live-categories'])).toContain(
      '"$ref":"#/components/schemas/live-categories',
    );
    expect(channels['live-dates']?.messages['live-dates']).toEqual({
      name: 'live-dates',
      contentType: 'application/json',
      'x-rocketmq': {
        requires: ['deliveryTimestamp'],
        noSchema: expect.stringContaining('zod gives no Standard JSON Schema: Date'),
      },
    });
  });

  it('takes the JSON Schema of any library, and copes with one that has none', async () => {
    const standard = (jsonSchema?: object) => ({
      '~standard': {
        version: 1 as const,
        vendor: 'other',
        validate: (value: unknown) => ({ value }),
        ...(jsonSchema && { jsonSchema }),
      },
    });
    const input = { $ref: '#/definitions/a', definitions: { a: { type: 'object', default: { $ref: '#' } } } };
    const module = shopOf({
      topics: [
        defineTopic('with', { type: 'normal', schema: standard({ input: () => input, output: () => ({}) }) }),
        defineTopic('without', { type: 'normal', schema: standard() }),
        defineTopic('of-a-class', { type: 'normal', schema: class Order {} }),
      ],
    });
    const { components, channels } = await documentOf(module);
    // In a value, $ref is no reference.
    expect(components.schemas['live-with']).toEqual({
      $ref: '#/components/schemas/live-with/definitions/a',
      definitions: { a: { type: 'object', default: { $ref: '#' } } },
    });
    for (const name of ['live-without', 'live-of-a-class'])
      expect(channels[name]?.messages[name]).toMatchObject({
        'x-rocketmq': { noSchema: expect.stringContaining('no Standard JSON Schema') },
      });
  });

  it('describes requests with their answers, at both ends', async () => {
    const { operations, channels, components } = await documentOf(shopOf(), true);
    const reply = {
      address: { location: '$message.header#/rpcReplyTopic' },
      channel: { $ref: '#/channels/live-prices.get.reply' },
      messages: ['live-prices.get.reply', 'requestError'].map((name) => ({
        $ref: `#/channels/live-prices.get.reply/messages/${name}`,
      })),
    };
    expect(operations['Prices.price']).toMatchObject({ action: 'receive', reply });
    expect(operations['request.live-prices.get']).toMatchObject({ action: 'send', reply });
    expect(channels['live-prices.get.reply']?.address).toBeNull();
    expect(channels['live-prices']?.messages['live-prices.get']).toMatchObject({
      correlationId: { location: '$message.header#/rpcRequestId' },
      headers: { required: ['rpcReplyTopic', 'rpcReplyTag', 'rpcRequestId'] },
      'x-rocketmq': { tag: 'get' },
    });
    expect(components.schemas['live-prices.get.reply']).toMatchObject({ properties: { cents: { type: 'number' } } });
    expect(operations['Prices.count']).toMatchObject({
      reply: { channel: { $ref: '#/channels/live-stock.count.reply' } },
    });
  });

  it('leaves out handlers of any transport while no server of RocketMQ is connected', async () => {
    const { operations } = await documentOf(shopOf());
    expect(Object.keys(operations)).toEqual(expect.arrayContaining(['Prices.price', 'Prices.restocked']));
    expect(operations['Prices.count']).toBeUndefined();
  });

  it('names servers, never credentials', async () => {
    const document = await documentOf(shopOf());
    expect(document.servers).toEqual({
      default: { host: 'mq-1:8081', protocol: 'rocketmq', 'x-rocketmq': { kind: 'proxy', namespace: 'shop' } },
      'default-2': { host: 'mq-2:8081', protocol: 'rocketmq', 'x-rocketmq': { kind: 'proxy', namespace: 'shop' } },
    });
    expect(JSON.stringify(document)).not.toMatch(/(key|secret)-of-shop/);
  });

  it('of an application without topics is valid', async () => {
    const document = await documentOf(RocketMQModule.forRoot({ endpoints: 'embedded:' }));
    expect(document).toMatchObject({ asyncapi: '3.0.0', info: INFO, channels: {}, operations: {} });
  });

  it('has no listeners where the application only sends', async () => {
    const { operations } = await documentOf(shopOf({ consumers: false }));
    expect(Object.values(operations).map(({ action }) => action)).not.toContain('receive');
  });

  it('keeps the topics of two clusters apart', async () => {
    @Injectable()
    class Both {
      @RocketMQListener('orders', { name: 'here' })
      here(): void {}

      @RocketMQListener('orders', { name: 'there', connection: 'eu' })
      there(): void {}
    }
    const { operations, channels } = await documentOf({
      module: Shop,
      imports: [
        RocketMQModule.forRoot({ endpoints: 'a:8081', consumerGroup: 'g' }),
        RocketMQModule.forRoot({ name: 'eu', endpoints: 'name-server:b:9876', consumerGroup: 'g' }),
      ],
      providers: [Both],
    });
    expect(operations.there?.channel).toEqual({ $ref: '#/channels/eu.orders' });
    expect(channels['eu.orders']).toMatchObject({
      address: 'orders',
      servers: [{ $ref: '#/servers/eu' }],
      'x-rocketmq': { connection: 'eu' },
    });
    expect(operations.here?.channel).toEqual({ $ref: '#/channels/orders' });
    expect(channels.orders).toMatchObject({ address: 'orders', servers: [{ $ref: '#/servers/default' }] });
  });

  it('includes the handlers of a server with a connection of its own', async () => {
    const app = await created(shopOf());
    app.connectMicroservice({ strategy: new ServerRocketMQ({ endpoints: 'other:8081', consumerGroup: 'own' }) });
    const document = RocketMQAsyncApi.createDocument(app, INFO);
    expect(await problemsOf(document)).toEqual([]);
    expect(document.operations['Prices.count']).toMatchObject({ channel: { $ref: '#/channels/server.stock' } });
  });

  it('is the same after the start, and changes nothing for it', async () => {
    const module = {
      module: Shop,
      imports: [RocketMQModule.forRoot({ ...CONNECTION, endpoints: 'embedded:', credentials: undefined })],
    };
    const app = await created(module);
    const before = RocketMQAsyncApi.createDocument(app, INFO);
    await app.init();
    expect(RocketMQAsyncApi.createDocument(app, INFO)).toEqual(before);
  });

  it('needs a module, a title and a version', async () => {
    const app = await created({ module: Shop });
    expect(() => RocketMQAsyncApi.createDocument(app, INFO)).toThrow('NO_MODULE');
    expect(() => RocketMQAsyncApi.createDocument(app, { ...INFO, title: '' })).toThrow('title must be');
    const nothing = {} as RocketMQAsyncApiOptions;
    expect(() => RocketMQAsyncApi.createDocument(app, nothing)).toThrow('title');
  });

  it('is rejected by the parser when it is wrong', async () => {
    const document = await documentOf(shopOf());
    const broken = { ...document, operations: { a: { action: 'send', channel: { $ref: '#/channels/none' } } } };
    expect(await problemsOf(broken)).not.toEqual([]);
  });
});

describe.each([
  ['express', () => new ExpressAdapter()],
  ['fastify', () => new FastifyAdapter()],
])('the document, served with %s', (_, adapter) => {
  const served = async (set: (app: INestApplication) => void): Promise<string> => {
    const app = await created(RocketMQModule.forRoot({ endpoints: 'embedded:' }), adapter());
    app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
    set(app);
    await app.listen(0, '127.0.0.1');
    return app.getUrl();
  };

  it('is JSON at its path, without the global prefix', async () => {
    const url = await served((app) => {
      app.setGlobalPrefix('api');
      RocketMQAsyncApi.setup('docs/asyncapi', app, RocketMQAsyncApi.createDocument(app, INFO));
    });
    const answer = await fetch(`${url}/docs/asyncapi`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect(await problemsOf(await answer.json())).toEqual([]);
    expect((await fetch(`${url}/api/docs/asyncapi`)).status).toBe(404);
  });

  it('is below the global prefix on request', async () => {
    const url = await served((app) => {
      app.setGlobalPrefix('/api/');
      RocketMQAsyncApi.setup('/asyncapi', app, RocketMQAsyncApi.createDocument(app, INFO), { useGlobalPrefix: true });
    });
    expect(await (await fetch(`${url}/api/asyncapi`)).json()).toMatchObject({ info: INFO });
  });

  it('is not set up twice at a path', async () => {
    const url = await served((app) => {
      const document = RocketMQAsyncApi.createDocument(app, INFO);
      RocketMQAsyncApi.setup('asyncapi', app, document);
      expect(() => RocketMQAsyncApi.setup('/asyncapi/', app, document)).toThrow('serves a document already');
      RocketMQAsyncApi.setup('other', app, document);
    });
    for (const path of ['asyncapi', 'other']) expect((await fetch(`${url}/${path}`)).status).toBe(200);
  });

  it('is not set up at a wrong path, or when nobody would find it', async () => {
    const app = await created(RocketMQModule.forRoot({ endpoints: 'embedded:' }), adapter());
    const document = RocketMQAsyncApi.createDocument(app, INFO);
    for (const path of ['a b', '', '.', '..', '//', 'a/../b', 'a//b', './a'])
      expect(() => RocketMQAsyncApi.setup(path, app, document)).toThrow('path must be');
    expect(() => RocketMQAsyncApi.setup('a', app, document, { useGlobalPrefix: 1 as never })).toThrow(
      'useGlobalPrefix',
    );
    await app.init();
    expect(() => RocketMQAsyncApi.setup('asyncapi', app, document)).toThrow('ROUTES_COMPLETE');
  });
});
