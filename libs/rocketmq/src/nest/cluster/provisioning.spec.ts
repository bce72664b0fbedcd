// Topics and groups of an application, created or compared at startup.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplication, Injectable, type Provider } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';
import { recordingLogger } from '../../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../../tools/until.js';
import { RocketMQAdmin } from '../../entries/admin.js';
import {
  DeadLetterError,
  deadLettersOf,
  defineRequest,
  defineTopic,
  RocketMQListener,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  RocketMQReply,
  ServerRocketMQ,
} from '../../entries/nest.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { TestBroker } from '../../testing/test-broker.js';

const Orders = defineTopic<{ id: string }>('orders', { type: 'fifo', queues: 4 });
const Reminders = defineTopic('reminders', { type: 'delay' });

@Injectable()
class Shop {
  readonly handled: string[] = [];

  @RocketMQListener(Orders, { consumerGroup: 'shop' })
  handle({ id }: { id: string }): void {
    this.handled.push(id);
  }

  @RocketMQListener(deadLettersOf('shop'), { consumerGroup: 'graveyard' })
  bury(): void {}
}

const GROUPS = { shop: { maxDeliveryAttempts: 5, backoff: [SECOND_MS, MINUTE_MS] }, nightly: {} };

let broker: TestBroker;
let admin: RocketMQAdmin;
let apps: { close(): Promise<void> }[];

beforeEach(async () => {
  broker = await TestBroker.start({ strict: true, nameServerPort: 0 });
  admin = new RocketMQAdmin({ nameServer: broker.nameServerEndpoint });
  apps = [];
});
afterEach(async () => {
  for (const app of apps) await app.close();
  await admin.close();
  await broker.stop();
});

async function start(options: Partial<RocketMQModuleOptions>, providers: Provider[] = [Shop]): Promise<TestingModule> {
  const { endpoints, nameServerEndpoint: nameServer } = broker;
  const all = { endpoints, nameServer, topics: [Reminders], groups: GROUPS, logger: recordingLogger(), ...options };
  const app = await Test.createTestingModule({ imports: [RocketMQModule.forRoot(all)], providers }).compile();
  app.enableShutdownHooks();
  await app.init();
  apps.push(app);
  return app;
}

describe("provision: 'create'", () => {
  it('creates the topics and groups that the code declares, under their prefixes', async () => {
    await start({ provision: 'create', topicPrefix: 't-', groupPrefix: 'g-' });
    const topics = await admin.listTopics({ includeSystem: true });
    const created = topics.topics.map(({ topic, type, queues }) => [topic, type, queues]);
    expect(created).toContainEqual(['t-orders', 'fifo', 4]);
    expect(created).toContainEqual(['t-reminders', 'delay', 8]);
    expect(created).toContainEqual(['%DLQ%g-shop', 'normal', 1]);
    const { groups } = await admin.listGroups();
    expect(groups.map(({ consumerGroup, fifo }) => [consumerGroup, fifo])).toEqual([
      ['g-graveyard', false],
      ['g-nightly', false],
      ['g-shop', true],
    ]);
    expect(groups[2]).toMatchObject({
      maxDeliveryAttempts: 5,
      backoff: { kind: 'customized', nextMs: [SECOND_MS, MINUTE_MS] },
    });
  });

  it('sets the declared layout of a topic that it creates, and leaves that of others', async () => {
    await start({ provision: 'create', topicPrefix: 't-', topicLayouts: { orders: 'broker:4' } });
    const configured = async () => (await admin.topicLayout('t-orders'))?.orderConfigurations[0]?.layout;
    expect(await configured()).toBe('broker:4');
    await admin.removeTopicLayout('t-orders');
    await start({ provision: 'create', topicPrefix: 't-', topicLayouts: { orders: 'broker:4' } });
    expect(await configured()).toBeUndefined();
  });

  it('lets an application run on an empty cluster', async () => {
    const app = await start({ provision: 'create' });
    await app.get(RocketMQProducer).send(Orders, { id: 'a' }, { messageGroup: 'g' });
    const { handled } = app.get(Shop);
    await until(() => handled.length > 0);
    expect(handled).toEqual(['a']);
  });

  it('creates a dead letter topic that is given by name as a normal one, the only type that it can have', async () => {
    @Injectable()
    class Parcels {
      @RocketMQListener(Orders, { consumerGroup: 'parcels', deadLetterTopic: 'graves' })
      handle({ id }: { id: string }): void {
        throw new DeadLetterError(id);
      }
    }
    const logger = recordingLogger();
    const options = { topicPrefix: 't-', groups: {}, topics: [], logger } as const;
    const app = await start({ ...options, provision: 'create' }, [Parcels]);
    expect(await admin.describeTopic('t-graves')).toMatchObject({ type: 'normal', queues: 8 });
    await app.get(RocketMQProducer).send(Orders, { id: 'a' }, { messageGroup: 'g' });
    await until(() => broker.messages('t-graves').length > 0);
    await start({ ...options, provision: 'check' }, [Parcels]);
    expect(logger.lines.filter(([line]) => line.startsWith('warn'))).toEqual([]);
  });

  it('does not start with a dead letter topic of another type, which no dead letter could be sent to', async () => {
    @Injectable()
    class Parcels {
      @RocketMQListener('parcels', { consumerGroup: 'parcels', deadLetterTopic: 'graves' })
      handle(): void {}
    }
    for (const name of ['parcels', 'reminders']) broker.declareTopic({ name, type: 'delay' });
    broker.declareTopic({ name: 'graves', type: 'fifo' });
    broker.declareGroup({ name: 'parcels' });
    await expect(start({ groups: {} }, [Parcels])).rejects.toThrow(/"graves".*fifo.*normal/);
    await expect(start({ groups: {}, provision: 'check' }, [Parcels])).rejects.toMatchObject({
      differences: ['topic "graves" is of type fifo on embedded, declared as normal'],
    });
  });

  it('leaves what exists unchanged, and lists the differences in one warning', async () => {
    broker.declareTopic({ name: 'reminders', type: 'delay', queues: 3 });
    broker.declareTopic({ name: 'orders', type: 'fifo', queues: 2 });
    broker.declareGroup({ name: 'shop', fifo: true, maxDeliveryAttempts: 9 });
    const logger = recordingLogger();
    await start({ provision: 'create', logger });
    expect(logger.lines.filter(([line]) => line.startsWith('warn the cluster differs'))).toEqual([
      [
        'warn the cluster differs from what the application declares; existing topics and groups are left unchanged',
        {
          differences: [
            'topic "orders" has 2 queues on embedded, declared with 4',
            'consumer group "shop" has maxDeliveryAttempts 9 on embedded, declared with 5',
            expect.stringMatching(
              /^consumer group "shop" has the backoff \[1000, 5000, .*ms on embedded, declared with \[1000, 60000\] ms$/,
            ),
          ],
        },
      ],
    ]);
    expect(await admin.describeTopic('orders')).toMatchObject({ queues: 2 });
    expect(await admin.describeTopic('reminders')).toMatchObject({ queues: 3 });
    expect(await admin.describeGroup('shop')).toMatchObject({ maxDeliveryAttempts: 9 });
  });

  it('can run in several instances at once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => start({ provision: 'create' })));
    expect(await admin.describeTopic('orders')).toMatchObject({ type: 'fifo', queues: 4 });
    expect(await admin.describeGroup('shop')).toMatchObject({ fifo: true, maxDeliveryAttempts: 5 });
  });
});

describe("provision: 'check'", () => {
  it('lists everything missing or different in one error, and changes nothing', async () => {
    broker.declareTopic({ name: 'orders', type: 'normal', queues: 2 });
    broker.declareGroup({ name: 'shop', fifo: false });
    await expect(start({ provision: 'check' })).rejects.toMatchObject({
      code: 'PROVISION_MISMATCH',
      differences: [
        'topic "reminders" does not exist',
        'topic "orders" is of type normal on embedded, declared as fifo',
        'topic "orders" has 2 queues on embedded, declared with 4',
        'topic "%DLQ%shop" does not exist',
        'consumer group "shop" is not ordered on embedded, declared as ordered',
        'consumer group "shop" has maxDeliveryAttempts 17 on embedded, declared with 5',
        expect.stringContaining('has the backoff'),
        'consumer group "graveyard" does not exist',
        'consumer group "nightly" does not exist',
      ],
      command: [
        'topic create reminders --type delay',
        'topic create %DLQ%shop --type normal --queues 1',
        'group create graveyard',
        'group create nightly',
      ]
        .map((words) => `npx nestjs-rocketmq ${words} --name-server ${broker.nameServerEndpoint}`)
        .join(' && '),
    });
    expect(await admin.describeTopic('reminders')).toBeUndefined();
    expect(await admin.describeGroup('nightly')).toBeUndefined();
  });

  it('lets an application start whose topics and groups are as declared', async () => {
    await start({ provision: 'create' });
    await start({ provision: 'check' });
  });
});

describe('the topics of patterns', () => {
  const PriceOf = defineRequest<string, number>('price-requests:of');

  @Controller()
  class Prices {
    @EventPattern<string>('prices:changed')
    changed(): void {}

    @MessagePattern<string>('prices:all', { name: 'every price' })
    all(): number[] {
      return [];
    }

    @RocketMQReply(PriceOf)
    priceOf(): number {
      return 1;
    }

    @EventPattern<string>('orders', { consumerGroup: 'clerks' })
    ordered(): void {}
  }

  async function startHandlers(options: Partial<RocketMQModuleOptions>): Promise<INestApplication> {
    const { endpoints, nameServerEndpoint: nameServer } = broker;
    const all = { endpoints, nameServer, consumerGroup: 'prices', logger: recordingLogger(), ...options };
    const controllers = [Prices];
    const compiled = await Test.createTestingModule({ imports: [RocketMQModule.forRoot(all)], controllers }).compile();
    const app = compiled.createNestApplication({ logger: false });
    apps.push(app);
    app.enableShutdownHooks();
    app.connectMicroservice({ strategy: app.get(ServerRocketMQ) });
    await app.startAllMicroservices();
    await app.init();
    return app;
  }

  it('are created as normal ones unless another type is declared', async () => {
    const logger = recordingLogger();
    const app = await startHandlers({ provision: 'create', topics: [Orders], topicPrefix: 't-', logger });
    const { topics } = await admin.listTopics();
    expect(topics.map(({ topic, type }) => [topic, type]).sort()).toEqual([
      ['t-orders', 'fifo'],
      ['t-price-requests', 'normal'],
      ['t-prices', 'normal'],
    ]);
    await app.get(RocketMQProducer).send({ topic: 'prices', tag: 'changed', body: 1 });
    expect(logger.lines.filter(([line]) => line.startsWith('warn'))).toEqual([]);
  });

  it('are checked, with the names of their handlers', async () => {
    broker.declareTopic({ name: 'price-requests', type: 'delay' });
    await expect(startHandlers({ provision: 'check', topics: [Orders] })).rejects.toMatchObject({
      code: 'PROVISION_MISMATCH',
      differences: [
        'topic "orders" (handled by Prices.ordered) does not exist',
        'topic "prices" (handled by Prices.changed, every price) does not exist',
        'topic "price-requests" (handled by Prices.priceOf) is of type delay on embedded, declared as normal',
        'consumer group "prices" does not exist',
        'consumer group "clerks" does not exist',
      ],
    });
    expect(await admin.describeTopic('prices')).toBeUndefined();
  });

  it('may be of any type where the code declares none', async () => {
    broker.declareTopic({ name: 'prices', type: 'delay' });
    const logger = recordingLogger();
    await startHandlers({ provision: 'create', logger });
    await startHandlers({ provision: 'check' });
    expect(await admin.describeTopic('prices')).toMatchObject({ type: 'delay' });
    expect(logger.lines.filter(([line]) => line.startsWith('warn'))).toEqual([]);
  });
});

describe('provisioning', () => {
  it('needs the name server, and reports that', async () => {
    await expect(start({ provision: 'check', nameServer: undefined })).rejects.toThrow(
      "option provision: 'check' needs administration access to the brokers; set the option nameServer of RocketMQModule",
    );
  });

  it('is rejected where the code contradicts itself', async () => {
    await expect(start({ groups: { shop: { fifo: false } } })).rejects.toThrow(
      'option groups["shop"]: fifo is false, but listeners Shop.handle have a topic of type fifo',
    );
    const topics = [Reminders, defineTopic('orders', { type: 'fifo', queues: 5 })];
    await expect(start({ topics })).rejects.toMatchObject({ code: 'TOPIC_QUEUES_DISAGREE' });
    const wrong = (groups: object) => RocketMQModule.forRoot({ endpoints: 'a:1', groups } as RocketMQModuleOptions);
    expect(() => wrong({ shop: { backoff: [0.5] } })).toThrow(
      'groups["shop"]: option backoff must have integers above 0 only, not 0.5',
    );
    const backoff = { kind: 'exponential', initialMs: 10, maxMs: 5, multiplier: 2 };
    expect(() => wrong({ shop: { backoff } })).toThrow(
      'groups["shop"]: option backoff.maxMs must be at least initialMs (10), not 5',
    );
    expect(() => wrong({ shop: { maxDeliveryAttempts: 0 } })).toThrow('maxDeliveryAttempts must be an integer');
    expect(() => wrong({ shop: { retries: 3 } })).toThrow('groups["shop"]: option retries is unknown');
    expect(() => defineTopic('a', { type: 'normal', queues: 0 })).toThrow('queues must be an integer from 1 to 1024');
  });

  it('is not needed on the embedded broker, which creates everything as declared', async () => {
    const app = await start({ endpoints: 'embedded:', nameServer: undefined, provision: 'check' });
    await app.get(RocketMQProducer).send(Orders, { id: 'a' }, { messageGroup: 'g' });
  });
});
