import { describe, expect } from '@jest/globals';
import {
  type BackoffPolicy,
  deadLetterTopicOf,
  type ReceivedMessage,
  RetryLaterError,
  SECOND_MS,
} from 'nestjs-rocketmq/client';
import { resource } from '../../tools/wire/raw-grpc-client.js';
import { testTransport } from '../fixtures/transport.js';
import { SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { RawConsumer } from './support/raw-consumer.js';
import { texts, type World } from './support/world.js';

const contract = contractSuite();

/** The shortest lease that the server grants. */
const LEASE_MS = 10 * SECOND_MS;
/** Its polls may take 5 s to end. */
const CLOSED_MS = 12 * SECOND_MS;
const BACKOFF: BackoffPolicy = { kind: 'customized', nextMs: [SECOND_MS] };

/** Three messages of one message group. `receive` polls, acknowledges some, waits until the leases of the others are over, and returns what it got. */
async function pollOfThree(world: World, maxDeliveryAttempts: number) {
  const topic = await world.topic('fifo');
  const consumerGroup = await world.group({ fifo: true, maxDeliveryAttempts });
  const producer = await world.producer();
  for (const body of ['first', 'second', 'third']) await producer.send({ topic, body, messageGroup: 'order-1' });
  const consumer = await world.simpleConsumer(topic, consumerGroup);
  const receive = async (
    acked: (all: readonly ReceivedMessage[]) => readonly ReceivedMessage[],
    maxMessages = 3,
  ): Promise<string[]> => {
    const longPollingTimeoutMs = 5 * SECOND_MS;
    const all = await consumer.receive({ invisibleDurationMs: LEASE_MS, longPollingTimeoutMs, maxMessages });
    for (const message of acked(all)) await consumer.ack(message);
    if (acked(all).length < all.length) await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
    return all.map(({ body, deliveryAttempt }) => `${body} ${deliveryAttempt}`);
  };
  return { receive, consumerGroup };
}

describe('ordered messages', () => {
  contract('a message group keeps its order', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    const consumerGroup = await world.group({ fifo: true });
    const recorder = await world.record({ topic, consumerGroup, requireFifo: true });
    for (let step = 0; step < 10; step++) {
      for (const messageGroup of ['a', 'b', 'c']) {
        await producer.send({ topic, body: `${messageGroup}${step}`, messageGroup });
      }
    }
    await world.until('all have arrived', () => recorder.deliveries.length === 30);
    for (const messageGroup of ['a', 'b', 'c']) {
      const own = texts(recorder.deliveries.filter(({ message }) => message.messageGroup === messageGroup));
      expect(own).toEqual(Array.from({ length: 10 }, (_, step) => `${messageGroup}${step}`));
    }
  });

  contract('messages of a group that are sent at once are stored in the order of the calls', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    const recorder = await world.record({ topic, consumerGroup: await world.group({ fifo: true }), requireFifo: true });
    const bodies = Array.from({ length: 100 }, (_, index) => String(index));
    const groupOf = (body: string): string => `g${Number(body) % 2}`;
    await Promise.all(bodies.map((body) => producer.send({ topic, body, messageGroup: groupOf(body) })));
    await world.until('all have arrived', () => recorder.deliveries.length === bodies.length);
    for (const group of ['g0', 'g1']) {
      const own = texts(recorder.deliveries.filter(({ message }) => message.messageGroup === group));
      expect(own).toEqual(bodies.filter((body) => groupOf(body) === group));
    }
  });

  contract('a failing message holds back its group until it succeeds', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    const recorder = await world.record({
      topic,
      consumerGroup: await world.group({ fifo: true, backoff: BACKOFF }),
      requireFifo: true,
      handle: ({ text, attempt }) => {
        if (text === 'second' && attempt < 3) throw new Error(`attempt ${attempt} fails`);
      },
    });
    for (const body of ['first', 'second', 'third']) await producer.send({ topic, body, messageGroup: 'order-1' });
    for (let round = 0; round < 10 && recorder.deliveries.length < 5; round++) await world.backend.advance(SECOND_MS);
    await world.until('all are done', () => recorder.deliveries.length >= 5);
    await world.backend.quiet();
    expect(texts(recorder.deliveries)).toEqual(['first', 'second', 'second', 'second', 'third']);
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 3, 1]);
  });

  contract(
    'a consumer that closes while a retry waits leaves it to the next one, and what was settled stays so',
    async (world) => {
      const topic = await world.topic('fifo');
      const producer = await world.producer();
      const consumerGroup = await world.group({ fifo: true, backoff: { kind: 'customized', nextMs: [5 * SECOND_MS] } });
      const options = { topic, consumerGroup, requireFifo: true };
      const first = await world.record({
        ...options,
        handle: ({ text }) => {
          if (text === 'second') throw new Error('not now');
        },
      });
      for (const body of ['first', 'second', 'third']) await producer.send({ topic, body, messageGroup: 'order-1' });
      await world.until('the second has failed', () => first.deliveries.length === 2);
      const beganAtMs = performance.now();
      await first.consumer.close();
      // Far less than the grace period of handlers: none runs.
      expect(performance.now() - beganAtMs).toBeLessThan(CLOSED_MS);
      const next = await world.record(options);
      for (let round = 0; round < 20 && next.deliveries.length < 2; round++) await world.backend.advance(SECOND_MS);
      await world.until('the rest is handled', () => next.deliveries.length >= 2);
      await world.backend.quiet();
      expect([texts(first.deliveries), texts(next.deliveries)]).toEqual([
        ['first', 'second'],
        ['second', 'third'],
      ]);
    },
  );

  contract('a message whose handler says "not now" holds back its group without an attempt', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    let calls = 0;
    const recorder = await world.record({
      topic,
      consumerGroup: await world.group({ fifo: true, maxDeliveryAttempts: 2, backoff: BACKOFF }),
      requireFifo: true,
      handle: ({ text }) => {
        const isEarly = text === 'first' && calls++ < 3;
        if (isEarly) throw new RetryLaterError({ delayMs: SECOND_MS, countsAsAttempt: false });
      },
    });
    for (const body of ['first', 'second']) await producer.send({ topic, body, messageGroup: 'order-1' });
    for (let round = 0; round < 10 && recorder.deliveries.length < 5; round++) await world.backend.advance(SECOND_MS);
    await world.until('both are handled', () => recorder.deliveries.length >= 5);
    expect(texts(recorder.deliveries)).toEqual(['first', 'first', 'first', 'first', 'second']);
    expect(recorder.deliveries.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1]);
  });

  contract('a message that never succeeds becomes a dead letter, and its group goes on', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    const consumerGroup = await world.group({ fifo: true, maxDeliveryAttempts: 2, backoff: BACKOFF });
    const recorder = await world.record({
      topic,
      consumerGroup,
      requireFifo: true,
      handle: ({ text }) => {
        if (text === 'poison') throw new Error('always');
      },
    });
    for (const body of ['poison', 'next']) await producer.send({ topic, body, messageGroup: 'order-1' });
    for (let round = 0; round < 10 && recorder.deliveries.length < 3; round++) await world.backend.advance(SECOND_MS);
    await world.until('the next one is delivered', () => texts(recorder.deliveries).includes('next'));
    const grave = await world.record({ topic: deadLetterTopicOf(consumerGroup) });
    await world.until('the dead letter is read', () => grave.deliveries.length === 1);
    expect(texts(recorder.deliveries)).toEqual(['poison', 'poison', 'next']);
    expect(texts(grave.deliveries)).toEqual(['poison']);
  });

  contract('what was acknowledged behind an unsettled message of its poll is redelivered with it', async (world) => {
    const { receive } = await pollOfThree(world, 17);
    await receive((all) => all.slice(1));
    expect(await receive((all) => all)).toEqual(['first 2', 'second 2', 'third 2']);
  });

  contract(
    'what was acknowledged behind an unsettled message of its poll shares the end of its attempts',
    async (world) => {
      const { receive, consumerGroup } = await pollOfThree(world, 2);
      for (const attempt of [1, 2]) {
        expect(await receive((all) => all.slice(1))).toEqual(
          ['first', 'second', 'third'].map((one) => `${one} ${attempt}`),
        );
      }
      // By name server, this client decides about the dead letters: only the first message is certainly one.
      const isOurs = testTransport === 'remoting';
      expect(await receive((all) => all)).toEqual(isOurs ? ['second 3', 'third 3'] : []);
      const grave = await world.simpleConsumer(deadLetterTopicOf(consumerGroup));
      const dead: string[] = [];
      for (let poll = 0; poll < 5 && dead.length < (isOurs ? 1 : 3); poll++) {
        for (const message of await grave.receive()) {
          dead.push(message.body.toString());
          await grave.ack(message);
        }
      }
      expect(dead.sort()).toEqual(isOurs ? ['first'] : ['first', 'second', 'third']);
    },
  );

  contract(
    'a poll that takes less than was handed out forgets the attempts and the acks of the rest',
    async (world) => {
      const { receive } = await pollOfThree(world, 17);
      expect(await receive((all) => all.slice(1, 2))).toEqual(['first 1', 'second 1', 'third 1']);
      expect(await receive((all) => all, 1)).toEqual(['first 2']);
      expect(await receive(() => [])).toEqual(['second 1', 'third 1']);
      expect(await receive((all) => all)).toEqual(['second 2', 'third 2']);
    },
  );

  contract('a message that becomes a dead letter counts towards the size of its poll', async (world) => {
    const { receive } = await pollOfThree(world, 1);
    expect(await receive(() => [])).toEqual(['first 1', 'second 1', 'third 1']);
    expect(await receive((all) => all, 1)).toEqual([]);
    expect(await receive((all) => all)).toEqual(['second 1', 'third 1']);
  });

  contract(
    'a repeated poll starts at the first message that is not acknowledged, and takes new ones',
    async (world) => {
      const topic = await world.topic('fifo');
      const consumerGroup = await world.group({ fifo: true });
      const producer = await world.producer();
      for (const body of ['first', 'second', 'third', 'fourth']) {
        await producer.send({ topic, body, messageGroup: 'order-1' });
      }
      const raw = await RawConsumer.open(world, topic, consumerGroup);
      const poll = async (batchSize: number) => {
        const all = await raw.receive({ batchSize, attemptId: 'one' });
        return { all, seen: all.map(({ message, attempt }) => `${Buffer.from(message.body)} ${attempt}`) };
      };
      expect((await poll(2)).seen).toEqual(['first 1', 'second 1']);
      const { all, seen } = await poll(3);
      expect(seen).toEqual(['first 1', 'second 1', 'third 1']);
      expect(await raw.ack(...all.slice(0, 1))).toBe('OK');
      expect((await poll(3)).seen).toEqual(['second 1', 'third 1', 'fourth 1']);
    },
  );

  contract('a poll without room for all of a second queue forgets the acks of what is left in it', async (world) => {
    const topic = await world.topic('fifo');
    const consumerGroup = await world.group({ fifo: true });
    const producer = await world.producer();
    const consumer = await world.simpleConsumer(topic, consumerGroup);
    const receive = (maxMessages: number) =>
      consumer.receive({ invisibleDurationMs: LEASE_MS, longPollingTimeoutMs: 2 * SECOND_MS, maxMessages });
    // By message group, which has a queue: two of them, in two queues.
    const queues = new Map<number, string>();
    for (let number = 0; queues.size < 2; number++) {
      await producer.send({ topic, body: 'where', messageGroup: `group-${number}` });
      let message: ReceivedMessage | undefined;
      while (message === undefined) [message] = await receive(1);
      queues.set(message.queueId, `group-${number}`);
      await consumer.ack(message);
    }
    for (const body of ['first', 'second']) {
      for (const messageGroup of queues.values()) await producer.send({ topic, body, messageGroup });
    }
    // At once: several polls can take longer than a lease.
    for (let count = 0; count < 4; ) {
      const some = await receive(4 - count);
      count += some.length;
      for (const message of some) if (message.body.toString() === 'second') await consumer.ack(message);
    }
    await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
    const three = await receive(3);
    expect(three.map(({ body }) => body.toString()).sort()).toEqual(['first', 'first', 'second']);
    for (const message of three) await consumer.ack(message);
    const left = await receive(3);
    expect(left.map(({ body, deliveryAttempt }) => `${body} ${deliveryAttempt}`)).toEqual(['second 1']);
    expect(left[0]?.queueId).not.toBe(three.find(({ body }) => body.toString() === 'second')?.queueId);
  });

  contract('a consumer gets its share of a group that it shares with clients that poll each queue', async (world) => {
    const topic = await world.topic('fifo');
    const consumerGroup = await world.group({ fifo: true });
    const producer = await world.producer();
    const ours = await world.record({ topic, consumerGroup, requireFifo: true });
    const raws = [
      await RawConsumer.open(world, topic, consumerGroup),
      await RawConsumer.open(world, topic, consumerGroup),
    ];
    const resources = { topic: resource(topic), group: resource(consumerGroup), endpoints: undefined };
    const { assignments } = (await raws[0]?.client.call('queryAssignment', resources)) ?? { assignments: [] };
    let theirs = 0;
    let isOver = false;
    const polls = raws.flatMap((raw) =>
      assignments.map(async () => {
        while (!isOver) {
          const received = await raw.receive();
          theirs += received.length;
          if (received.length > 0) await raw.ack(...received);
        }
      }),
    );
    const sent = 240;
    for (let count = 0; count < sent; count++) {
      await producer.send({ topic, body: String(count), messageGroup: `group-${count % 40}` });
    }
    await world.until('all are received', () => ours.deliveries.length + theirs >= sent);
    isOver = true;
    await Promise.all(polls);
    expect(assignments.length).toBeGreaterThan(3);
    // A third would be its share.
    expect(ours.deliveries.length / sent).toBeGreaterThan(1 / 6);
  });

  contract('an ordered listener does not start on a group that the server does not hold as ordered', async (world) => {
    const topic = await world.topic('fifo');
    const consumerGroup = await world.group();
    await expect(world.record({ topic, consumerGroup, requireFifo: true })).rejects.toMatchObject({
      code: 'CONSUMER_GROUP_NOT_FIFO',
    });
  });

  contract('a consumer that goes on without the order of its group says so, with the command', async (world) => {
    const topic = await world.topic('fifo');
    const consumerGroup = await world.group({ fifo: true });
    const warnings: Record<string, unknown>[] = [];
    const warn = (_: string, fields = {}): void => void warnings.push(fields);
    const connection = world.connection({ logger: { debug() {}, info() {}, warn, error() {} } });
    const { consumer } = await world.record({ topic, consumerGroup }, connection);
    await world.admin().createGroup({ consumerGroup, fifo: false }, { ifExists: 'update' });
    await world.until('it is reported', async () => {
      // Sends the settings again, as a reconnect does.
      await consumer.subscribe({ topic });
      return warnings.some(({ ordered }) => ordered === 'yes before, no now');
    });
    expect(warnings.at(-1)?.command).toContain(`group create ${consumerGroup} --fifo --yes`);
  });
});
