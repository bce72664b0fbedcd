import { describe, expect } from '@jest/globals';
import {
  type BackoffPolicy,
  DeadLetterError,
  deadLetterTopicOf,
  HOUR_MS,
  RetryLaterError,
  retryProperties,
  SECOND_MS,
} from 'nestjs-rocketmq/client';
import { REQUEST_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import { RemotingClient } from '../../libs/rocketmq/src/remoting/remoting-client.js';
import { withDeadline } from '../../libs/rocketmq/src/support/deadline.js';
import { SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { RawConsumer } from './support/raw-consumer.js';
import { type Recorder, texts, type World } from './support/world.js';

const contract = contractSuite();

const BACKOFF: BackoffPolicy = { kind: 'customized', nextMs: [SECOND_MS, 2 * SECOND_MS] };

/** Waits for backoffs until there were this many deliveries. */
async function letRetriesCome(world: World, { deliveries }: Recorder, count: number): Promise<void> {
  for (let round = 0; round < count * 4 && deliveries.length < count; round++) {
    await world.backend.advance(2 * SECOND_MS);
  }
  await world.until(`${count} deliveries`, () => deliveries.length >= count);
}

describe('retries', () => {
  contract('a failed message is redelivered with a higher attempt, and not once it succeeds', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const recorder = await world.record({
      topic,
      consumerGroup: await world.group({ backoff: BACKOFF }),
      handle: ({ attempt }) => {
        if (attempt < 3) throw new Error(`attempt ${attempt} fails`);
      },
    });
    const { messageId } = await producer.send({
      topic,
      body: 'stubborn',
      tag: 'a',
      keys: ['k'],
      properties: { p: 'q' },
    });
    await letRetriesCome(world, recorder, 3);
    await world.backend.advance(4 * SECOND_MS + SERVER_SLACK_MS);
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    for (const { message } of recorder.deliveries) {
      expect(message).toMatchObject({ messageId, topic, tag: 'a', keys: ['k'], properties: { p: 'q' } });
    }
  });

  contract('a message has attempts and delays of its own, within what its group allows', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const { consumer, deliveries } = await world.record({
      topic,
      consumerGroup: await world.group({ maxDeliveryAttempts: 3 }),
      backoff: { kind: 'customized', nextMs: [HOUR_MS] },
      handle: ({ text }) => {
        throw new Error(`${text} fails`);
      },
    });
    const attemptsOf = (body: string) => deliveries.flatMap(({ text, attempt }) => (text === body ? [attempt] : []));
    const retries = { fewer: { maxAttempts: 2, backoff: SECOND_MS }, more: { maxAttempts: 9, backoff: [SECOND_MS] } };
    await producer.send({ topic, body: 'of the group' });
    await producer.send({ topic, body: 'fewer', properties: retryProperties(retries.fewer) });
    await producer.send({ topic, body: 'more', properties: retryProperties(retries.more) });
    await letRetriesCome(world, { consumer, deliveries }, 6);
    await world.backend.advance(4 * SECOND_MS + SERVER_SLACK_MS);
    expect(attemptsOf('of the group')).toEqual([1]);
    expect(attemptsOf('fewer')).toEqual([1, 2]);
    expect(attemptsOf('more')).toEqual([1, 2, 3]);
  });

  contract('a handler says itself when it wants the message again', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const recorder = await world.record({
      topic,
      handle: ({ attempt }) => {
        if (attempt === 1) throw new RetryLaterError({ delayMs: 6 * SECOND_MS });
      },
    });
    await producer.send({ topic, body: 'not now' });
    await world.until('the first delivery', () => recorder.deliveries.length === 1);
    await world.backend.advance(3 * SECOND_MS);
    const early = recorder.deliveries.length;
    await world.backend.advance(3 * SECOND_MS + SERVER_SLACK_MS);
    await world.until('the second delivery', () => recorder.deliveries.length === 2);
    expect(early).toBe(1);
    expect(recorder.deliveries[1]?.attempt).toBe(2);
  });

  contract('a handler says "not now", and the message keeps its number of attempts', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    let calls = 0;
    const recorder = await world.record({
      topic,
      consumerGroup: await world.group({ maxDeliveryAttempts: 2, backoff: BACKOFF }),
      handle: () => {
        calls++;
        if (calls <= 3) throw new RetryLaterError({ delayMs: SECOND_MS, countsAsAttempt: false });
        if (calls === 4) throw new Error('this one counts');
      },
    });
    const { messageId } = await producer.send({ topic, body: 'not now' });
    await letRetriesCome(world, recorder, 5);
    await world.backend.advance(4 * SECOND_MS + SERVER_SLACK_MS);
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 2]);
    expect(new Set(recorder.deliveries.map(({ message }) => message.messageId))).toEqual(new Set([messageId]));
  });

  contract('an application that receives messages itself postpones one without an attempt', async (world) => {
    const topic = await world.topic();
    const consumer = await world.simpleConsumer(topic);
    const producer = await world.producer();
    await producer.send({ topic, body: 'not now' });
    const attempts: number[] = [];
    for (const countsAsAttempt of [false, true, undefined]) {
      const [message] = await consumer.receive({ invisibleDurationMs: 30 * SECOND_MS });
      if (message === undefined) throw new Error('nothing was received');
      attempts.push(message.deliveryAttempt);
      if (countsAsAttempt === undefined) await consumer.ack(message);
      else await consumer.changeInvisibleDuration(message, SECOND_MS, { countsAsAttempt });
      await world.backend.advance(SECOND_MS);
    }
    expect(attempts).toEqual([1, 1, 2]);
  });

  contract('after its last attempt a message is in the dead letter queue, where it can be read', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group({ maxDeliveryAttempts: 2, backoff: BACKOFF });
    const deadLetters: string[] = [];
    const recorder = await world.record({
      topic,
      consumerGroup,
      events: { onDeadLetter: (message) => void deadLetters.push(message.messageId) },
      handle: () => {
        throw new Error('always');
      },
    });
    const { messageId } = await producer.send({ topic, body: 'poison', tag: 'a', keys: ['k'] });
    await letRetriesCome(world, recorder, 2);
    await world.until('the hook is called', () => deadLetters.length === 1);
    const grave = await world.record({ topic: deadLetterTopicOf(consumerGroup) });
    await world.until('the dead letter is read', () => grave.deliveries.length === 1);
    await world.backend.advance(4 * SECOND_MS + SERVER_SLACK_MS);
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(deadLetters).toEqual([messageId]);
    expect(grave.deliveries[0]?.message).toMatchObject({ messageId, tag: 'a', keys: ['k'] });
    expect(texts(grave.deliveries)).toEqual(['poison']);
  });

  contract('an error that cannot be looked at counts as any other', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group({ maxDeliveryAttempts: 2, backoff: BACKOFF });
    const unnamed = Object.defineProperty(new Error('e'), 'name', {
      get(): never {
        throw new Error('no name');
      },
    });
    const recorder = await world.record({
      topic,
      consumerGroup,
      maxAttempts: 2,
      handle: ({ attempt }) => {
        if (attempt > 1) throw unnamed;
        const { proxy, revoke } = Proxy.revocable(new Error('e'), {});
        revoke();
        throw proxy;
      },
    });
    await (await world.producer()).send({ topic, body: 'odd' });
    await letRetriesCome(world, recorder, 2);
    const dead = await world.record({ topic: deadLetterTopicOf(consumerGroup), consumerGroup: await world.group() });
    await world.until('the dead letter', () => dead.deliveries.length > 0);
    expect([texts(recorder.deliveries), texts(dead.deliveries)]).toEqual([['odd', 'odd'], ['odd']]);
  });

  contract('a handler can give a message up at once', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group();
    const recorder = await world.record({
      topic,
      consumerGroup,
      handle: () => {
        throw new DeadLetterError('no such customer');
      },
    });
    await producer.send({ topic, body: 'hopeless' });
    await world.until('it is delivered', () => recorder.deliveries.length === 1);
    await world.backend.quiet();
    const grave = await world.record({ topic: deadLetterTopicOf(consumerGroup) });
    await world.until('the dead letter is read', () => grave.deliveries.length === 1);
    expect(texts(grave.deliveries)).toEqual(['hopeless']);
    expect(recorder.deliveries).toHaveLength(1);
  });
});

/** Sets `retryMaxTimes` as `mqadmin updateSubGroup -r` does, which sends any number. */
async function setRetries(world: World, consumerGroup: string, retryMaxTimes: number): Promise<void> {
  const [{ address } = { address: '' }] = (await world.admin().describeGroup(consumerGroup))?.brokers ?? [];
  const client = new RemotingClient({ connectTimeoutMs: 5_000, tls: undefined, credentials: undefined });
  try {
    const body = Buffer.from(JSON.stringify({ groupName: consumerGroup, retryMaxTimes }));
    await withDeadline('retries', 10_000, undefined, (deadline) =>
      client.call(address, { code: REQUEST_CODES.updateAndCreateSubscriptionGroup, body }, deadline),
    );
  } finally {
    await client.close();
  }
}

describe.each([
  [-1, 0],
  [2 ** 31 - 1, 2 ** 31],
])('a group whose retryMaxTimes is %i', (retryMaxTimes, maxDeliveryAttempts) => {
  contract('is shown as it is, and no consumer of it starts before it is altered', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    const admin = world.admin();
    const producer = await world.producer();
    await setRetries(world, consumerGroup, retryMaxTimes);
    await expect(admin.describeGroup(consumerGroup)).resolves.toMatchObject({ maxDeliveryAttempts });
    for (const settings of [{}, { maxDeliveryAttempts: 17 }]) {
      const same = admin.createGroup({ consumerGroup, ...settings });
      await expect(same).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    }
    await producer.send({ topic, body: 'kept' });
    const rejected = { code: 'CONSUMER_GROUP_WITHOUT_ATTEMPTS', outcome: 'rejected', retryable: false };
    await expect(world.record({ topic, consumerGroup })).rejects.toMatchObject({
      ...rejected,
      command: expect.stringContaining(`group create ${consumerGroup} --max-attempts 17 --yes`),
    });
    await expect(world.simpleConsumer(topic, consumerGroup)).rejects.toMatchObject(rejected);
    await admin.createGroup({ consumerGroup, maxDeliveryAttempts: 17 }, { ifExists: 'update' });
    const recorder = await world.record({ topic, consumerGroup });
    await world.until('it arrives', () => recorder.deliveries.length > 0);
    expect(texts(recorder.deliveries)).toEqual(['kept']);
  });

  contract('does not lose its messages unseen when it is altered while a consumer runs', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    const producer = await world.producer();
    const { consumer, deliveries } = await world.record({ topic, consumerGroup });
    await setRetries(world, consumerGroup, retryMaxTimes);
    // By name server, the client goes by what it knows: a message is handled. A proxy makes it a dead letter, which ends the session.
    const isReported = (): boolean =>
      consumer.health.sessions.some(({ status, error = '' }) => status === 'rejected' && error.includes('no attempts'));
    await producer.send({ topic, body: 'one' });
    await world.until('it is handled, or the loss is reported', () => isReported() || deliveries.length > 0);
  });

  contract('has only dead letters for a consumer of another kind', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    const producer = await world.producer();
    await setRetries(world, consumerGroup, retryMaxTimes);
    const consumer = await RawConsumer.open(world, topic, consumerGroup);
    await producer.send({ topic, body: 'buried' });
    await world.until('it is a dead letter', async () => {
      expect(await consumer.receive()).toEqual([]);
      return (await world.admin().listDeadLetters(consumerGroup, { limit: 1 })).total === 1;
    });
  });
});
