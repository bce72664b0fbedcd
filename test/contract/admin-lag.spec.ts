import { describe, expect } from '@jest/globals';
import type { TopicLag } from 'nestjs-rocketmq/admin';
import { SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { texts, type World } from './support/world.js';

const contract = contractSuite();

async function topicOf(world: World, queues: number, type: 'normal' | 'fifo' = 'normal'): Promise<string> {
  const topic = world.name();
  await world.admin().createTopic({ topic, type, queues });
  return topic;
}

async function lagIn(world: World, consumerGroup: string, topic: string): Promise<TopicLag | undefined> {
  const { topics, failures } = await world.admin().groupLag(consumerGroup, { topic });
  expect(failures).toEqual([]);
  return topics[0];
}

/** A broker stores a message a moment before it is in its queue. */
async function queued(world: World, topic: string, count: number): Promise<void> {
  await world.until('all are in their queues', async () => (await world.admin().topicOffsets(topic)).total === count);
}

describe('the lag of a group', () => {
  contract('is of no topic before it has consumed anything, and so for a group that does not exist', async (world) => {
    const consumerGroup = await world.group();
    const nothing = { topics: [], lag: 0, failures: [] };
    await expect(world.admin().groupLag(consumerGroup)).resolves.toEqual({ consumerGroup, ...nothing });
    await expect(world.admin().groupLag('no-such-group')).resolves.toMatchObject(nothing);
  });

  contract(
    'is what it will read of a topic that it has not started on, by the position where it begins',
    async (world) => {
      const topic = await topicOf(world, 2);
      const consumerGroup = await world.group();
      const producer = await world.producer();
      for (const body of ['a', 'b', 'c']) await producer.send({ topic, body });
      await queued(world, topic, 3);
      const expected = await lagIn(world, consumerGroup, topic);
      expect(expected).toMatchObject({ topic, lag: 3, retries: 0 });
      expect(expected?.queues.map(({ consumerOffset, hasStarted }) => ({ consumerOffset, hasStarted }))).toEqual([
        { consumerOffset: 0, hasStarted: false },
        { consumerOffset: 0, hasStarted: false },
      ]);
      // Reading the lag does not create a position.
      expect(await lagIn(world, consumerGroup, topic)).toEqual(expected);
      await expect(world.admin().groupLag(world.name(), { topic })).resolves.toMatchObject({ topics: [], lag: 0 });
      const recorder = await world.record({ topic, consumerGroup });
      await world.until('it reads as many', () => recorder.deliveries.length === 3);
      await world.until('it stands behind all', async () => (await lagIn(world, consumerGroup, topic))?.lag === 0);
      const { queues = [] } = (await lagIn(world, consumerGroup, topic)) ?? {};
      expect(queues.map(({ hasStarted }) => hasStarted)).toEqual([true, true]);
    },
  );

  contract(
    'is known of every topic to which a connected consumer subscribes, though it receives nothing',
    async (world) => {
      const topic = await topicOf(world, 1);
      const consumerGroup = await world.group();
      const producer = await world.producer();
      for (const body of ['a', 'b']) await producer.send({ topic, body });
      await queued(world, topic, 2);
      await world.simpleConsumer(topic, consumerGroup);
      await world.until('the subscription is known', async () => {
        const { topics } = await world.admin().groupLag(consumerGroup);
        return topics.length === 1;
      });
      await expect(world.admin().groupLag(consumerGroup)).resolves.toMatchObject({
        topics: [{ topic, lag: 2, queues: [{ hasStarted: false }] }],
        lag: 2,
      });
    },
  );

  contract('counts what was not handed out yet, queue by queue', async (world) => {
    const topic = await topicOf(world, 2);
    const consumerGroup = await world.group();
    const producer = await world.producer();
    for (let index = 0; index < 6; index++) await producer.send({ topic, body: `${index}` });
    await queued(world, topic, 6);
    const consumer = await world.simpleConsumer(topic, consumerGroup);
    const [message] = await consumer.receive({ longPollingTimeoutMs: 10_000, maxMessages: 1 });
    if (message === undefined) throw new Error('nothing came');
    // For an unordered group the server reports only deliveries, which are not settlements, and a thread of its own
    // commits their offsets after the answer.
    await world.until('the delivery is counted', async () => (await lagIn(world, consumerGroup, topic))?.lag === 5);
    const lag = await lagIn(world, consumerGroup, topic);
    expect(lag).toMatchObject({ topic, retries: 0 });
    expect(lag?.queues.map(({ queueId }) => queueId)).toEqual([0, 1]);
    const queue = lag?.queues.find(({ queueId }) => queueId === message.queueId);
    expect(queue).toMatchObject({ consumerOffset: 1, pullOffset: 1 });
    expect(queue?.lastTimestampMs).toBe(message.storeTimestampMs);
    const other = lag?.queues.find(({ queueId }) => queueId !== message.queueId);
    expect(other).toMatchObject({ consumerOffset: 0, lastTimestampMs: undefined });
    expect((queue?.brokerOffset ?? 0) + (other?.brokerOffset ?? 0)).toBe(6);
    const { topics, lag: total } = await world.admin().groupLag(consumerGroup);
    expect({ topics, total }).toEqual({ topics: [lag], total: 5 });
    await consumer.ack(message);
  });

  contract('counts what was not settled yet, when the group is ordered', async (world) => {
    const topic = await topicOf(world, 1, 'fifo');
    const consumerGroup = await world.group({ fifo: true });
    const producer = await world.producer();
    for (let index = 0; index < 3; index++) await producer.send({ topic, body: `${index}`, messageGroup: 'g' });
    await queued(world, topic, 3);
    const consumer = await world.simpleConsumer(topic, consumerGroup);
    const messages = await consumer.receive({ longPollingTimeoutMs: 10_000, maxMessages: 2 });
    expect(messages).toHaveLength(2);
    expect(await lagIn(world, consumerGroup, topic)).toMatchObject({ lag: 3, queues: [{ consumerOffset: 0 }] });
    for (const message of messages.slice(0, 1)) await consumer.ack(message);
    expect(await lagIn(world, consumerGroup, topic)).toMatchObject({ lag: 2, queues: [{ consumerOffset: 1 }] });
    for (const message of messages.slice(1)) await consumer.ack(message);
  });

  contract('counts what waits to be handed out again once, when the group is ordered', async (world) => {
    const topic = await topicOf(world, 1, 'fifo');
    const consumerGroup = await world.group({ fifo: true });
    const producer = await world.producer();
    for (let index = 0; index < 3; index++) await producer.send({ topic, body: `${index}`, messageGroup: 'g' });
    await queued(world, topic, 3);
    const consumer = await world.simpleConsumer(topic, consumerGroup);
    const poll = { invisibleDurationMs: 10_000, longPollingTimeoutMs: 10_000 };
    expect(await consumer.receive({ ...poll, maxMessages: 2 })).toHaveLength(2);
    await world.backend.advanceDuringWork(10_000 + SERVER_SLACK_MS);
    const total = async () => (await world.admin().groupLag(consumerGroup)).lag;
    expect(await total()).toBe(3);
    expect(await consumer.receive({ ...poll, maxMessages: 1 })).toHaveLength(1);
    expect(await total()).toBe(3);
  });

  contract('counts what waits to be handed out again', async (world) => {
    const topic = await topicOf(world, 1);
    const consumerGroup = await world.group();
    await (await world.producer()).send({ topic, body: 'x' });
    const consumer = await world.simpleConsumer(topic, consumerGroup);
    const [message] = await consumer.receive({ longPollingTimeoutMs: 10_000 });
    if (message === undefined) throw new Error('nothing came');
    await consumer.changeInvisibleDuration(message, 0);
    await world.backend.advance(5_000);
    expect(await lagIn(world, consumerGroup, topic)).toMatchObject({ retries: 1, lag: 1, queues: [{ lag: 0 }] });
    const [again] = await consumer.receive({ longPollingTimeoutMs: 10_000 });
    if (again !== undefined) await consumer.ack(again);
    expect(await lagIn(world, consumerGroup, topic)).toMatchObject({ retries: 0, lag: 0 });
  });
});

describe('a group that is rewound', () => {
  contract('to the beginning gets everything again', async (world) => {
    const topic = await topicOf(world, 2);
    const consumerGroup = await world.group();
    const producer = await world.producer();
    for (const body of ['a', 'b', 'c']) await producer.send({ topic, body });
    const recorder = await world.record({ topic, consumerGroup });
    await world.until('all came', () => recorder.deliveries.length === 3);
    await world.backend.quiet();
    const offsets = await world.admin().rewindGroup({ consumerGroup, topic, to: { kind: 'beginning' } });
    expect(offsets).toMatchObject([
      { queueId: 0, offset: 0 },
      { queueId: 1, offset: 0 },
    ]);
    await world.until('everything was redelivered', () => recorder.deliveries.length === 6);
    expect(texts(recorder.deliveries.slice(3)).sort()).toEqual(['a', 'b', 'c']);
    expect(recorder.deliveries.slice(3).map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
  });

  contract('to the end leaves out what waits', async (world) => {
    const topic = await topicOf(world, 1);
    const consumerGroup = await world.group();
    const producer = await world.producer();
    for (const body of ['a', 'b', 'c']) await producer.send({ topic, body });
    await queued(world, topic, 3);
    const [offset] = await world.admin().rewindGroup({ consumerGroup, topic, to: { kind: 'end' } });
    expect(offset).toMatchObject({ queueId: 0, offset: 3 });
    const recorder = await world.record({ topic, consumerGroup });
    await producer.send({ topic, body: 'd' });
    await world.until('the new one came', () => recorder.deliveries.length === 1);
    expect(texts(recorder.deliveries)).toEqual(['d']);
  });

  contract('to a time gets what was stored then or later', async (world) => {
    const topic = await topicOf(world, 1);
    const consumerGroup = await world.group();
    const producer = await world.producer();
    await producer.send({ topic, body: 'before' });
    await world.backend.advance(1_000);
    // Nearer to the message before it: brokers before 5.1.1 look for the nearest.
    const time = new Date(world.nowMs());
    await world.backend.advance(3_000);
    for (const body of ['after 1', 'after 2']) await producer.send({ topic, body });
    await queued(world, topic, 3);
    const offsets = await world.admin().rewindGroup({ consumerGroup, topic, to: { kind: 'time', time } });
    expect(offsets).toMatchObject([{ queueId: 0, offset: 1 }]);
    const recorder = await world.record({ topic, consumerGroup });
    await world.until('the later ones came', () => recorder.deliveries.length === 2);
    await world.backend.quiet();
    expect(texts(recorder.deliveries).sort()).toEqual(['after 1', 'after 2']);
  });

  contract('to an offset gets that queue from there on, and the others as before', async (world) => {
    const topic = await topicOf(world, 1);
    const consumerGroup = await world.group();
    const producer = await world.producer();
    for (const body of ['a', 'b', 'c']) await producer.send({ topic, body });
    const recorder = await world.record({ topic, consumerGroup });
    await world.until('all came', () => recorder.deliveries.length === 3);
    await world.backend.quiet();
    const lag = await lagIn(world, consumerGroup, topic);
    const broker = lag?.queues[0]?.broker ?? '';
    const to = { kind: 'offset', broker, queueId: 0, offset: 2 } as const;
    await expect(world.admin().rewindGroup({ consumerGroup, topic, to })).resolves.toEqual([
      { broker, queueId: 0, offset: 2 },
    ]);
    await world.until('the last was redelivered', () => recorder.deliveries.length === 4);
    expect(texts(recorder.deliveries.slice(3))).toEqual(['c']);
  });

  contract('while it is ordered gets everything again in order', async (world) => {
    const topic = await topicOf(world, 1, 'fifo');
    const consumerGroup = await world.group({ fifo: true });
    const producer = await world.producer();
    for (const body of ['a', 'b', 'c']) await producer.send({ topic, body, messageGroup: 'g' });
    const recorder = await world.record({ topic, consumerGroup });
    await world.until('all came', () => recorder.deliveries.length === 3);
    await world.backend.quiet();
    await world.admin().rewindGroup({ consumerGroup, topic, to: { kind: 'beginning' } });
    await world.until('everything was redelivered', () => recorder.deliveries.length >= 6);
    expect(texts(recorder.deliveries.slice(3, 6))).toEqual(['a', 'b', 'c']);
  });

  contract('must exist, as must its topic and queue, and the offset must lie in it', async (world) => {
    const admin = world.admin();
    const topic = await topicOf(world, 1);
    const consumerGroup = await world.group();
    const to = { kind: 'end' } as const;
    const broker = (await admin.describeTopic(topic))?.brokers[0]?.name ?? '';
    await expect(admin.rewindGroup({ consumerGroup, topic: world.name(), to })).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    });
    await expect(admin.rewindGroup({ consumerGroup: world.name(), topic, to })).rejects.toMatchObject({
      code: 'SUBSCRIPTION_GROUP_NOT_EXIST',
      outcome: 'rejected',
    });
    const rewindTo = (queueId: number, offset: number) =>
      admin.rewindGroup({ consumerGroup, topic, to: { kind: 'offset', broker, queueId, offset } });
    await expect(rewindTo(1, 0)).rejects.toMatchObject({ code: 'UNKNOWN_QUEUE' });
    await expect(rewindTo(0, 100)).rejects.toMatchObject({ code: 'ILLEGAL_OFFSET', outcome: 'not-sent' });
    expect((await admin.groupLag(consumerGroup)).topics).toEqual([]);
  });
});
