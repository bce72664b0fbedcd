import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplication, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { recordingLogger } from '../../../../test/fixtures/nest-bench.js';
import { until } from '../../../../tools/until.js';
import {
  DeadLetterError,
  defineTopic,
  RocketMQContext,
  RocketMQEvents,
  RocketMQListener,
  RocketMQListeners,
  RocketMQModule,
  type RocketMQModuleOptions,
  RocketMQProducer,
  type SendInterceptor,
  type TopicDefinition,
  textCodec,
} from '../entries/nest.js';
import { TestBroker } from '../testing/test-broker.js';

const Chat = defineTopic<string>('chats', { type: 'lite', codec: textCodec });
const Dead = defineTopic('dead-chats', { type: 'normal' });
const Order = defineTopic<string>('orders', { type: 'normal', codec: textCodec });

@Injectable()
class Reader {
  readonly read: string[] = [];

  @RocketMQListener(Chat, { consumerGroup: 'readers', name: 'reader', liteTopics: ['a'], deadLetterTopic: Dead })
  take(body: string, { message }: RocketMQContext): void {
    this.read.push(`${message.liteTopic} ${body}`);
  }
}

describe('listeners of lite topics', () => {
  let broker: TestBroker;
  const apps: INestApplication[] = [];

  beforeEach(async () => {
    broker = await TestBroker.start({ nameServerPort: 0, strict: true });
  });
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
    await broker.stop();
  });

  async function start(
    provider: new (...args: never[]) => object = Reader,
    options: Partial<RocketMQModuleOptions> = {},
  ) {
    const { endpoints, nameServerEndpoint: nameServer } = broker;
    const given = { endpoints, nameServer, provision: 'create', logger: recordingLogger(), ...options } as const;
    const compiled = await Test.createTestingModule({
      imports: [RocketMQModule.forRoot(given as RocketMQModuleOptions)],
      providers: [provider],
    }).compile();
    const app = compiled.createNestApplication({ logger: false });
    apps.push(app);
    await app.init();
    return app;
  }

  it('are provisioned, and subscribe and unsubscribe while they run', async () => {
    const app = await start();
    const [reader, listeners, producer] = [app.get(Reader), app.get(RocketMQListeners), app.get(RocketMQProducer)];
    await producer.send(Chat, 'a1', { liteTopic: 'a' });
    await producer.send(Chat, 'b1', { liteTopic: 'b' });
    await until(() => reader.read.length === 1);
    await listeners.subscribeLite('reader', 'b');
    await until(() => reader.read.length === 2);
    expect(reader.read).toEqual(['a a1', 'b b1']);
    expect(listeners.state('reader')).toMatchObject({ status: 'listening', liteTopics: ['a', 'b'] });
    await listeners.unsubscribeLite('reader', 'a');
    expect(listeners.state('reader').liteTopics).toEqual(['b']);
    await expect(listeners.subscribeLite('nobody', 'a')).rejects.toMatchObject({ code: 'UNKNOWN_LISTENER' });
  });

  it('report a lite topic that another process has taken over', async () => {
    broker.declareTopic({ name: 'chats', type: 'lite' });
    broker.declareGroup({ name: 'readers', lite: { topic: 'chats', exclusive: true } });
    const [first, second] = [await start(), await start(Reader, { listeners: { reader: { liteTopics: [] } } })];
    const lost: unknown[] = [];
    first
      .get(RocketMQEvents)
      .of('lite-topic-lost')
      .subscribe(({ topic, liteTopic }) => lost.push([topic, liteTopic]));
    await second.get(RocketMQListeners).subscribeLite('reader', 'a');
    await until(() => lost.length === 1);
    expect(lost).toEqual([['chats', 'a']]);
    expect(first.get(RocketMQListeners).state('reader').liteTopics).toEqual([]);
  });

  it.each([
    ['large', { large: 'x'.repeat(15_500) }],
    ['numerous', Object.fromEntries(Array.from({ length: 127 }, (_, index) => [`p${index}`, 'v']))],
  ])(
    'are not blocked by a dead letter whose %s properties leave no room for those of an interceptor',
    async (_what, properties) => {
      const calls: string[] = [];
      @Injectable()
      class Picky {
        @RocketMQListener(Chat, { consumerGroup: 'readers', liteTopics: ['a'], deadLetterTopic: Dead, backoff: 20 })
        take(body: string): void {
          calls.push(body);
          if (body === 'bad') throw new DeadLetterError('no');
        }
      }
      const names = 'tenant region service build user host zone commit trace span'.split(' ');
      const own = { signature: 's'.repeat(684), ...Object.fromEntries(names.map((name) => [name, 'v'])) };
      const sign: SendInterceptor = (message, next) =>
        next(message.topic === Dead.name ? { ...message, properties: { ...message.properties, ...own } } : message);
      const producer = (await start(Picky, { producer: { interceptors: [sign] } })).get(RocketMQProducer);
      await producer.send(Chat, 'bad', { liteTopic: 'a', properties });
      await producer.send(Chat, 'next', { liteTopic: 'a' });
      await until(() => calls.includes('next') && broker.messages('dead-chats').length === 1);
      expect(calls).toEqual(['bad', 'next']);
      expect(broker.messages('dead-chats')[0]?.properties).toMatchObject({
        ...own,
        originTopic: 'chats',
        originPropertiesLeftOut: expect.stringMatching(/^\["\w+"/),
      });
    },
  );

  it('fail at startup when their group is an ordinary one on the cluster', async () => {
    broker.declareTopic({ name: 'chats', type: 'lite' });
    broker.declareGroup({ name: 'readers' });
    const text =
      'consumer group "readers" is an ordinary group on embedded, declared as bound to the lite topics of "chats"';
    await expect(start(Reader, { provision: 'check' })).rejects.toThrow(text);
  });

  it('reject what does not fit them', async () => {
    const listener = (options: object, topic: TopicDefinition<string> = Chat) => {
      class Wrong {
        take(): void {}
      }
      const descriptor = Object.getOwnPropertyDescriptor(Wrong.prototype, 'take') as PropertyDescriptor;
      RocketMQListener(topic, { consumerGroup: 'readers', liteTopics: ['a'], deadLetterTopic: Dead, ...options })(
        Wrong.prototype,
        'take',
        descriptor,
      );
      return Wrong;
    };
    await expect(start(listener({ filter: 'x' }))).rejects.toMatchObject({ field: 'liteTopics' });
    await expect(start(listener({ mode: 'broadcast' }))).rejects.toMatchObject({ field: 'liteTopics' });
    await expect(start(listener({ batch: { maxSize: 2, maxWaitMs: 1 } }))).rejects.toMatchObject({
      field: 'liteTopics',
    });
    await expect(start(listener({ deadLetterTopic: undefined }))).rejects.toThrow('needs a deadLetterTopic');
    await expect(start(listener({}, Order))).rejects.toMatchObject({ field: 'liteTopics' });
    await expect(start(listener({ liteTopics: ['a.b'] }))).rejects.toThrow('may contain only letters');
    await expect(start(listener({ liteTopics: 'a' }))).rejects.toThrow('must be a list of names');
  });

  it('reject another listener in their group', async () => {
    @Injectable()
    class Both extends Reader {
      @RocketMQListener(Order, { consumerGroup: 'readers', name: 'orders' })
      order(): void {}
    }
    await expect(start(Both)).rejects.toMatchObject({ code: 'LITE_LISTENER_NOT_ALONE' });
  });

  it('reject a send without a lite topic, and a lite topic elsewhere', async () => {
    const producer = (await start()).get(RocketMQProducer);
    const mismatch = { code: 'MESSAGE_TYPE_MISMATCH', outcome: 'not-sent' };
    // @ts-expect-error a lite topic of the topic is required
    await expect(producer.send(Chat, 'x')).rejects.toMatchObject(mismatch);
    // @ts-expect-error not a topic of type lite
    await expect(producer.send(Order, 'x', { liteTopic: 'a' })).rejects.toMatchObject(mismatch);
  });
});
