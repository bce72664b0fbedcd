// Lite topics: on the embedded broker, and on a cluster of its own with a proxy in a process of its own.

import { describe, expect } from '@jest/globals';
import type { LiteGroup } from 'nestjs-rocketmq/admin';
import {
  ClientType,
  LiteSubscriptionAction,
} from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { consumerSettings, resource } from '../../tools/wire/raw-grpc-client.js';
import { MAX_LITE_TOPICS, seemsBefore, startLiteBackend } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { forwarded } from './support/forwarded.js';
import { codeOf, codeOfSettings } from './support/question.js';
import { LEASE_MS, RawConsumer } from './support/raw-consumer.js';
import { rawSend } from './support/raw-send.js';
import { type Recorder, type RecorderOptions, texts, type World } from './support/world.js';

/** Servers before 5.5.0 have no lite topics. */
const suite = seemsBefore('5.5.0') ? describe.skip : describe;

/** A topic of type lite, a group that is bound to it, and a producer. */
async function litePlace(world: World, options: Partial<LiteGroup> = {}) {
  const topic = await world.topic('lite');
  const producer = await world.producer();
  const send = async (liteTopic: string, ...bodies: readonly string[]): Promise<void> => {
    for (const body of bodies) await producer.send({ topic, body, liteTopic });
  };
  const group = (more: Partial<LiteGroup> = {}): Promise<string> =>
    world.group({ lite: { topic, ...options, ...more } });
  const consumerGroup = await group();
  const record = (own: Partial<RecorderOptions> = {}, connection = world.connection()): Promise<Recorder> =>
    world.record({ topic, consumerGroup, liteTopics: ['a'], deadLetterTo: async () => {}, ...own }, connection);
  return { topic, consumerGroup, group, producer, send, record };
}

suite('lite topics', () => {
  const contract = contractSuite(startLiteBackend);

  contract(
    'are found by their messages: a lite topic takes those with one, other topics none of them',
    async (world) => {
      const { proxy } = world.backend;
      const [lite, ordinary] = [await world.topic('lite'), await world.topic()];
      const sent = [
        await rawSend(proxy, lite, { liteTopic: 'a' }),
        await rawSend(proxy, lite, {}),
        await rawSend(proxy, lite, { liteTopic: '' }),
        await rawSend(proxy, lite, { liteTopic: 'a', messageGroup: 'g' }),
        await rawSend(proxy, lite, { liteTopic: 'a', priority: 1 }),
        await rawSend(proxy, ordinary, { liteTopic: 'a' }),
        await rawSend(proxy, lite, { liteTopic: 'x'.repeat(64) }),
        await rawSend(proxy, lite, { liteTopic: 'x'.repeat(65) }),
        await rawSend(proxy, lite, { liteTopic: ' ' }),
        await rawSend(proxy, lite, { liteTopic: 'ä' }),
      ];
      const mismatch = 'MESSAGE_PROPERTY_CONFLICT_WITH_TYPE';
      const illegal = 'ILLEGAL_LITE_TOPIC';
      expect(sent).toEqual(['OK', mismatch, mismatch, mismatch, mismatch, mismatch, 'OK', illegal, illegal, illegal]);
    },
  );

  contract('deliver what is sent, in order, to the consumers that subscribe to them', async (world) => {
    const { topic, send, record } = await litePlace(world);
    const { deliveries, consumer } = await record({ liteTopics: ['a', 'b'] });
    await send('a', 'a1', 'a2', 'a3');
    await send('b', 'b1');
    await send('c', 'c1');
    await send('b', 'b2');
    await world.until('it has arrived', () => deliveries.length >= 5);
    await world.backend.quiet();
    const of = (name: string) => texts(deliveries.filter(({ message }) => message.liteTopic === name));
    expect([of('a'), of('b'), of('c')]).toEqual([['a1', 'a2', 'a3'], ['b1', 'b2'], []]);
    expect(deliveries[0]?.message).toMatchObject({ topic, messageType: 'lite', deliveryAttempt: 1, properties: {} });
    const offsets = deliveries
      .filter(({ message }) => message.liteTopic === 'a')
      .map(({ message }) => message.queueOffset);
    expect(offsets).toEqual([0, 1, 2]);
    expect(consumer.liteTopics).toEqual(['a', 'b']);
  });

  contract('start a group with their first message', async (world) => {
    const { send, record } = await litePlace(world);
    await send('a', 'a1', 'a2');
    const { deliveries } = await record();
    await world.until('both have arrived', () => deliveries.length >= 2);
    expect(texts(deliveries)).toEqual(['a1', 'a2']);
  });

  contract('are subscribed to and unsubscribed from while the consumer runs', async (world) => {
    const { send, record } = await litePlace(world);
    const { deliveries, consumer } = await record({ liteTopics: [] });
    await send('a', 'a1');
    await consumer.subscribeLite('a');
    await consumer.subscribeLite('a');
    await consumer.subscribeLite('b');
    await world.until('the first has arrived', () => deliveries.length === 1);
    expect(consumer.liteTopics).toEqual(['a', 'b']);
    // A subscription wakes a poll of its own, which takes what is there even after the unsubscription. It goes before this message.
    await send('b', 'b1');
    await world.until('the other has arrived', () => deliveries.length === 2);
    await consumer.unsubscribeLite('a');
    await consumer.unsubscribeLite('never');
    await send('a', 'a2');
    await send('b', 'b2');
    await world.until('the next has arrived', () => deliveries.length === 3);
    await world.backend.quiet();
    expect(texts(deliveries)).toEqual(['a1', 'b1', 'b2']);
    await consumer.subscribeLite('a');
    await world.until('what was sent meanwhile has arrived', () => deliveries.length === 4);
    expect(texts(deliveries)).toEqual(['a1', 'b1', 'b2', 'a2']);
  });

  contract('wait for their own messages only', async (world) => {
    const { send, record } = await litePlace(world);
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handle: RecorderOptions['handle'] = async ({ text }) => (text === 'a1' ? released : undefined);
    const { deliveries } = await record({ liteTopics: ['a', 'b'], handle });
    await send('a', 'a1', 'a2');
    await world.until('the first is handled', () => deliveries.length === 1);
    await send('b', 'b1', 'b2');
    await world.until('the others are handled', () => deliveries.length === 3);
    expect(texts(deliveries)).toEqual(['a1', 'b1', 'b2']);
    release();
    await world.until('the last is handled', () => deliveries.length === 4);
    expect(texts(deliveries)).toEqual(['a1', 'b1', 'b2', 'a2']);
  });

  contract('retry a message before the next one', async (world) => {
    const { send, record } = await litePlace(world);
    const handle: RecorderOptions['handle'] = ({ text, attempt }) => {
      if (text === 'a1' && attempt < 3) throw new Error('not yet');
    };
    const backoff = { kind: 'customized', nextMs: [1_000] } as const;
    const { deliveries } = await record({ handle, backoff });
    await send('a', 'a1', 'a2');
    for (let second = 0; second < 3; second++) {
      await world.backend.quiet();
      await world.backend.advance(1_000);
    }
    await world.until('all is handled', () => deliveries.length >= 4);
    expect(deliveries.map(({ text, attempt }) => [text, attempt])).toEqual([
      ['a1', 1],
      ['a1', 2],
      ['a1', 3],
      ['a2', 1],
    ]);
  });

  contract('go on after a dead letter that the consumer keeps', async (world) => {
    const { send, record } = await litePlace(world);
    const handle: RecorderOptions['handle'] = ({ text }) => {
      if (text === 'a1') throw new Error('never');
    };
    const kept: string[] = [];
    const deadLetterTo: RecorderOptions['deadLetterTo'] = async ({ message }) =>
      void kept.push(message.body.toString());
    const { deliveries } = await record({ handle, maxAttempts: 1, deadLetterTo });
    await send('a', 'a1', 'a2', 'a3');
    await world.until('all are handled', () => deliveries.length >= 3);
    expect([texts(deliveries), kept]).toEqual([['a1', 'a2', 'a3'], ['a1']]);
  });

  contract('lose nothing when the server keeps a dead letter', async (world) => {
    const { topic, consumerGroup, send } = await litePlace(world);
    await send('a', 'a1', 'a2');
    const consumer = await RawConsumer.openLite(world, topic, consumerGroup, ['a']);
    const [a1, a2] = await consumer.receiveUntil(2);
    if (a1 === undefined || a2 === undefined) throw new Error('nothing was received');
    expect([await consumer.forward(a1), await consumer.ack(a2)]).toEqual(['OK', 'OK']);
    const admin = world.admin();
    await world.until('it is stored', async () => (await admin.listDeadLetters(consumerGroup)).total === 1);
    const [letter] = (await admin.listDeadLetters(consumerGroup)).deadLetters;
    expect(letter).toMatchObject({ liteTopic: 'a', originTopic: topic });
    await send('a', 'a3');
    expect(bodies(await consumer.receive())).toEqual(['a3 1']);
  });

  contract('are shared by the consumers of a group that subscribe to them', async (world) => {
    const { send, record } = await litePlace(world);
    const both = [await record(), await record()];
    const sent = Array.from({ length: 20 }, (_, index) => `a${index}`);
    await send('a', ...sent);
    const all = () => both.flatMap(({ deliveries }) => deliveries);
    await world.until('all is handled', () => all().length >= sent.length);
    await world.backend.quiet();
    const byTime = [...all()].sort((one, other) => Number(one.message.queueOffset - other.message.queueOffset));
    expect(texts(byTime)).toEqual(sent);
  });

  contract('belong to the consumer of an exclusive group that subscribed last', async (world) => {
    const { send, record } = await litePlace(world, { exclusive: true });
    const lost: string[] = [];
    const events = { onLiteTopicLost: (_topic: string, liteTopic: string) => void lost.push(liteTopic) };
    const first = await record({ liteTopics: ['a', 'b'], events });
    await send('a', 'a1');
    await world.until('the first has it', () => first.deliveries.length === 1);
    const second = await record({ liteTopics: [] });
    await second.consumer.subscribeLite('a');
    await world.until('the first is notified', () => lost.length > 0);
    expect([lost, first.consumer.liteTopics, second.consumer.liteTopics]).toEqual([['a'], ['b'], ['a']]);
    await send('a', 'a2', 'a3');
    await world.until('the second has them', () => second.deliveries.length === 2);
    await send('b', 'b1');
    await world.until('the first has the other', () => first.deliveries.length === 2);
    expect([texts(first.deliveries), texts(second.deliveries)]).toEqual([
      ['a1', 'b1'],
      ['a2', 'a3'],
    ]);
  });

  contract(
    'belong to two consumers of an exclusive group when one repeats its set after it lost them',
    async (world) => {
      const { topic, consumerGroup, send } = await litePlace(world, { exclusive: true });
      const first = await RawConsumer.openLite(world, topic, consumerGroup, ['a']);
      const second = await RawConsumer.openLite(world, topic, consumerGroup, ['a']);
      expect(await first.sync(LiteSubscriptionAction.COMPLETE_ADD, ['a'])).toBe('OK');
      await send('a', 'a1');
      const received = await first.receiveUntil(1);
      expect(bodies(received)).toEqual(['a1 1']);
      expect(await first.ack(...received)).toBe('OK');
      await send('a', 'a2');
      const others = await second.receiveUntil(1);
      expect(bodies(others)).toEqual(['a2 1']);
      expect(await second.ack(...others)).toBe('OK');
    },
  );

  contract('stay subscribed to when the connection breaks', async (world) => {
    const { send, record } = await litePlace(world);
    const { forwarder, through } = await forwarded(world);
    try {
      const connection = world.connection(through);
      const { deliveries, consumer } = await record({}, connection);
      await consumer.subscribeLite('b');
      await send('b', 'b1');
      await world.until('it is received', () => deliveries.length === 1);
      forwarder.reset();
      await world.until('there is another connection', () => forwarder.connections() > 1);
      await send('a', 'a1');
      await send('b', 'b2');
      await world.until('all is received', () => deliveries.length >= 3);
      expect(texts(deliveries).sort()).toEqual(['a1', 'b1', 'b2']);
      await world.close();
    } finally {
      await forwarder.close();
    }
  });

  contract('limit the subscriptions of a consumer to the quota of its group', async (world) => {
    const { topic, consumerGroup, record } = await litePlace(world, { subscriptionQuota: 2 });
    const { reply } = await world.rawClient().settle(liteSettings(consumerGroup, topic));
    const settings = reply.command?.$case === 'settings' ? reply.command.value : undefined;
    const subscription = settings?.pubSub?.$case === 'subscription' ? settings.pubSub.value : undefined;
    expect(subscription).toMatchObject({ liteSubscriptionQuota: 2, maxLiteTopicSize: 64 });
    const { consumer } = await record({ liteTopics: ['a'] });
    await consumer.subscribeLite('b');
    const rejected = { code: 'LITE_SUBSCRIPTION_QUOTA_EXCEEDED', outcome: 'not-sent' };
    await expect(consumer.subscribeLite('c')).rejects.toMatchObject(rejected);
    await consumer.unsubscribeLite('a');
    await consumer.subscribeLite('c');
    expect(consumer.liteTopics).toEqual(['b', 'c']);
    await expect(record({ liteTopics: ['a', 'b', 'c'] })).rejects.toMatchObject(rejected);
  });

  contract('leave a client that checks no quota a margin of 300', async (world) => {
    const { topic, consumerGroup } = await litePlace(world, { subscriptionQuota: 2 });
    const consumer = await RawConsumer.openLite(world, topic, consumerGroup, ['a', 'b', 'c']);
    const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);
    const { COMPLETE_ADD } = LiteSubscriptionAction;
    expect([await consumer.sync(COMPLETE_ADD, names(302)), await consumer.sync(COMPLETE_ADD, names(303))]).toEqual([
      'OK',
      'LITE_SUBSCRIPTION_QUOTA_EXCEEDED',
    ]);
  });

  contract('are received one batch after another, starting at the first that is not acked', async (world) => {
    const { topic, consumerGroup, send } = await litePlace(world);
    await send('a', 'a1', 'a2', 'a3');
    const consumer = await RawConsumer.openLite(world, topic, consumerGroup, ['a']);
    const first = await consumer.receiveUntil(3);
    expect(bodies(first)).toEqual(['a1 1', 'a2 1', 'a3 1']);
    expect(await consumer.ack(...first.slice(0, 1), ...first.slice(2))).toBe('OK');
    expect(await consumer.receive()).toEqual([]);
    await world.backend.advance(LEASE_MS + 1_000);
    const second = await consumer.receiveUntil(2);
    expect(bodies(second)).toEqual(['a2 2', 'a3 2']);
    await send('a', 'a4');
    expect(await consumer.ack(...second)).toBe('OK');
    expect(bodies(await consumer.receiveUntil(1))).toEqual(['a4 1']);
  });

  contract('are not handed out again to a repeated poll', async (world) => {
    const { topic, consumerGroup, send } = await litePlace(world);
    await send('a', 'a1', 'a2', 'a3');
    const consumer = await RawConsumer.openLite(world, topic, consumerGroup, ['a']);
    const first = await consumer.receiveUntil(3, { attemptId: 'one' });
    expect(bodies(first)).toEqual(['a1 1', 'a2 1', 'a3 1']);
    expect(await consumer.receive({ attemptId: 'one' })).toEqual([]);
    expect(await consumer.ack(...first)).toBe('OK');
  });

  contract('are released with all that was received of them, which counts once', async (world) => {
    const { topic, consumerGroup, send } = await litePlace(world);
    await send('a', 'a1', 'a2');
    const consumer = await RawConsumer.openLite(world, topic, consumerGroup, ['a']);
    const first = await consumer.receiveUntil(2);
    const [a1] = first;
    if (a1 === undefined) throw new Error('nothing was received');
    expect((await consumer.change(a1, 0, true)).code).toBe('OK');
    await world.backend.advance(0);
    const second = await consumer.receiveUntil(2);
    expect(bodies(second)).toEqual(['a1 2', 'a2 2']);
    const [again] = second;
    if (again !== undefined) expect((await consumer.change(again, 0, true)).code).toBe('OK');
    await world.backend.advance(0);
    const third = await consumer.receiveUntil(2);
    expect(bodies(third)).toEqual(['a1 2', 'a2 2']);
    expect(await consumer.ack(...third)).toBe('OK');
  });

  contract('are redelivered after an ack without their name', async (world) => {
    const { topic, consumerGroup, send } = await litePlace(world);
    await send('a', 'a1');
    const consumer = await RawConsumer.openLite(world, topic, consumerGroup, ['a']);
    await consumer.ackWithout(...(await consumer.receiveUntil(1)));
    await world.backend.advance(LEASE_MS + 1_000);
    const again = await consumer.receiveUntil(1);
    expect(bodies(again)).toEqual(['a1 2']);
    expect(await consumer.ack(...again)).toBe('OK');
  });

  contract('are received by ordinary groups of their topic, too', async (world) => {
    const { topic, send } = await litePlace(world);
    const { deliveries } = await world.record({ topic });
    await send('a', 'a1');
    await send('b', 'b1');
    await world.until('both have arrived', () => deliveries.length >= 2);
    await world.backend.quiet();
    const received = deliveries.map(({ text, message, attempt }) => [text, message.liteTopic, attempt]);
    expect(received.sort()).toEqual([
      ['a1', 'a', 1],
      ['b1', 'b', 1],
    ]);
  });

  contract('keep a lease that is renewed', async (world) => {
    const { topic, consumerGroup, send } = await litePlace(world);
    await send('a', 'a1');
    const consumer = await RawConsumer.openLite(world, topic, consumerGroup, ['a']);
    const [a1] = await consumer.receiveUntil(1);
    if (a1 === undefined) throw new Error('nothing was received');
    const { code, handle } = await consumer.change(a1, 3 * LEASE_MS);
    expect(code).toBe('OK');
    await world.backend.advance(2 * LEASE_MS);
    expect(await consumer.receive()).toEqual([]);
    expect(await consumer.ack({ ...a1, handle })).toBe('OK');
  });

  contract('reject consumers and groups that do not fit', async (world) => {
    const { topic, consumerGroup } = await litePlace(world);
    const [ordinary, other] = [await world.group(), await world.topic('lite')];
    const { LITE_PUSH_CONSUMER, PUSH_CONSUMER } = ClientType;
    const settled = async (group: string, ofTopic: string, type: ClientType) =>
      codeOfSettings(world.rawClient(), liteSettings(group, ofTopic, type));
    expect([
      await settled(consumerGroup, topic, LITE_PUSH_CONSUMER),
      await settled(consumerGroup, topic, PUSH_CONSUMER),
      await settled(consumerGroup, other, LITE_PUSH_CONSUMER),
      await settled(ordinary, topic, LITE_PUSH_CONSUMER),
    ]).toEqual(['OK', 'gRPC 3', 'gRPC 3', 'gRPC 3']);
    const synced = (group: string, ofTopic: string) =>
      codeOf(world.rawClient(), 'syncLiteSubscription', {
        topic: resource(ofTopic),
        group: resource(group),
        liteTopicSet: ['a'],
      });
    expect([await synced(consumerGroup, other), await synced(ordinary, topic)]).toEqual([
      'ILLEGAL_TOPIC',
      'ILLEGAL_TOPIC',
    ]);
  });

  contract('are described with the group that is bound to them', async (world) => {
    const { topic, consumerGroup, group } = await litePlace(world);
    const exclusive = await group({ exclusive: true, subscriptionQuota: 7 });
    const admin = world.admin();
    await admin.createGroup({ consumerGroup: exclusive, maxDeliveryAttempts: 5 }, { ifExists: 'update' });
    expect(await admin.describeGroup(consumerGroup)).toMatchObject({
      lite: { topic, subscriptionQuota: 2_000, exclusive: false },
    });
    expect(await admin.describeGroup(exclusive)).toMatchObject({
      maxDeliveryAttempts: 5,
      lite: { topic, subscriptionQuota: 7, exclusive: true },
    });
    expect(await admin.describeTopic(topic)).toMatchObject({ type: 'lite' });
    const again = admin.createGroup({ consumerGroup, lite: { topic: `${topic}-2` } });
    await expect(again).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  // The last one: it uses up what the server stores.
  contract('are rejected beyond the number that the server stores', async (world) => {
    const { topic, producer } = await litePlace(world);
    let rejection: unknown;
    let count = 0;
    // A real server counts a lite topic when it has dispatched its first message, which is after the answer.
    await world.until('one is rejected', async () => {
      const one = producer.send({ topic, body: 'x', liteTopic: `n${count++}` });
      rejection = await one.then(
        () => undefined,
        (error: unknown) => error,
      );
      return rejection !== undefined;
    });
    expect(count).toBeLessThan(10 * MAX_LITE_TOPICS);
    expect(rejection).toMatchObject({ code: 'LITE_TOPIC_QUOTA_EXCEEDED', outcome: 'rejected', retryable: false });
    await producer.send({ topic, body: 'another', liteTopic: 'n0' });
  });
});

function liteSettings(group: string, topic: string, type = ClientType.LITE_PUSH_CONSUMER) {
  const { pubSub, ...settings } = consumerSettings(group, type);
  const value = { group: resource(group), subscriptions: [{ topic: resource(topic), expression: undefined }] };
  return { ...settings, pubSub: pubSub && { $case: 'subscription' as const, value } };
}

/** Body and attempt of each. */
function bodies(received: Awaited<ReturnType<RawConsumer['receive']>>): string[] {
  return received.map(({ message, attempt }) => `${message.body.toString()} ${attempt}`);
}
