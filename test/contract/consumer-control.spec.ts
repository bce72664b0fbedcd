import { describe, expect } from '@jest/globals';
import { SECOND_MS } from 'nestjs-rocketmq/client';
import { consumerSettings as rawConsumerSettings } from '../../tools/wire/raw-grpc-client.js';
import { SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { LEASE_MS } from './support/raw-consumer.js';
import { type Recorder, texts, type World } from './support/world.js';

const contract = contractSuite();
/** Of each topic. */
const QUEUES = 8;

const all = (...recorders: Recorder[]): string[] => recorders.flatMap(({ deliveries }) => texts(deliveries)).sort();
const attempts = ({ deliveries }: Recorder): number[] => deliveries.map(({ attempt }) => attempt);

const sql = (expression: string) => ({ kind: 'sql', expression }) as const;

/** Waits until released messages are redelivered. */
async function letReturn(world: World, isThere: () => boolean): Promise<void> {
  for (let round = 0; round < 10 && !isThere(); round++) await world.backend.advance(SECOND_MS);
  await world.until('it is redelivered', isThere);
}

describe('a consumer that is paused', () => {
  contract('a server that knows `suspend` can be recognized by its settings', async (world) => {
    const { reply } = await world.rawClient().settle(rawConsumerSettings(await world.group()));
    const settings = reply.command?.$case === 'settings' ? reply.command.value : undefined;
    const subscription = settings?.pubSub?.$case === 'subscription' ? settings.pubSub.value : undefined;
    expect(subscription?.liteSubscriptionQuota).toBeGreaterThan(0);
  });

  contract('a pause costs no message an attempt, and begins no handler', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const recorder = await world.record({ topic });
    recorder.consumer.pause();
    for (const body of ['one', 'two', 'three']) await producer.send({ topic, body });
    await world.backend.quiet();
    expect(recorder.deliveries).toEqual([]);
    recorder.consumer.resume();
    await letReturn(world, () => recorder.deliveries.length === 3);
    await world.backend.quiet();
    expect([all(recorder), attempts(recorder)]).toEqual([
      ['one', 'three', 'two'],
      [1, 1, 1],
    ]);
  });

  contract('a paused consumer leaves the messages to others of its group, without an attempt', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumerGroup = await world.group();
    const paused = await world.record({ topic, consumerGroup });
    paused.consumer.pause();
    await producer.send({ topic, body: 'one' });
    await world.backend.quiet();
    const other = await world.record({ topic, consumerGroup });
    await letReturn(world, () => other.deliveries.length === 1);
    expect([attempts(other), paused.deliveries]).toEqual([[1], []]);
  });

  contract('a pause keeps the messages of an ordered group, for longer than a lease, and in order', async (world) => {
    const topic = await world.topic('fifo');
    const producer = await world.producer();
    const consumerGroup = await world.group({ fifo: true });
    const recorder = await world.record({ topic, consumerGroup, requireFifo: true, invisibleDurationMs: LEASE_MS });
    recorder.consumer.pause();
    for (const body of ['1', '2', '3']) await producer.send({ topic, body, messageGroup: 'g' });
    await world.backend.quiet();
    for (let passedMs = 0; passedMs < LEASE_MS + SERVER_SLACK_MS; passedMs += 2 * SECOND_MS) {
      await world.backend.advanceDuringWork(2 * SECOND_MS);
    }
    recorder.consumer.resume();
    await world.until('all come', () => recorder.deliveries.length >= 3);
    await world.backend.quiet();
    expect([texts(recorder.deliveries), attempts(recorder)]).toEqual([
      ['1', '2', '3'],
      [1, 1, 1],
    ]);
  });
});

describe('subscriptions of a consumer that runs', () => {
  contract('a topic can be added, and taken off again', async (world) => {
    const [first, second] = [await world.topic(), await world.topic()];
    const producer = await world.producer();
    const consumerGroup = await world.group();
    const recorder = await world.record({ topic: first, consumerGroup });
    await recorder.consumer.subscribe({ topic: second });
    await producer.send({ topic: second, body: 'of the second' });
    await world.until('it comes', () => recorder.deliveries.length === 1);
    await recorder.consumer.unsubscribe(second);
    await producer.send({ topic: second, body: 'for others' });
    await producer.send({ topic: first, body: 'of the first' });
    await world.until('the other comes', () => recorder.deliveries.length === 2);
    const other = await world.record({ topic: second, consumerGroup });
    await letReturn(world, () => other.deliveries.length === 1);
    await world.backend.quiet();
    expect([texts(recorder.deliveries), texts(other.deliveries)]).toEqual([
      ['of the second', 'of the first'],
      ['for others'],
    ]);
  });

  contract('a filter can be changed, from the next poll on', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const recorder = await world.record({ topic });
    await recorder.consumer.subscribe({ topic, filter: { kind: 'tag', expression: 'a' } });
    // Ends the poll that uses the former filter.
    await producer.send({ topic, body: 'former', tag: 'b' });
    await world.until('it comes', () => recorder.deliveries.length === 1);
    await world.backend.quiet();
    await producer.send({ topic, body: 'passed over', tag: 'b' });
    await producer.send({ topic, body: 'wanted', tag: 'a' });
    await world.until('the wanted one comes', () => recorder.deliveries.length === 2);
    await world.backend.quiet();
    expect(texts(recorder.deliveries)).toEqual(['former', 'wanted']);
  });

  contract(
    'a filter that the server cannot read has nothing delivered that the former one passes over',
    async (world) => {
      const topic = await world.topic();
      const producer = await world.producer();
      const [former, filter] = [sql('amount > 5'), sql('amount >')];
      const recorder = await world.record({ topic, filter: former });
      // A proxy, and a broker that has POP, reject the polls instead.
      const rejection: unknown = await recorder.consumer.subscribe({ topic, filter }).catch((error: unknown) => error);
      if (rejection === undefined) await recorder.consumer.subscribe({ topic, filter: former });
      // In each queue, the poll that waits may have the former filter, and the next one another.
      for (const round of [1, 2]) {
        for (const amount of ['3', '7']) {
          const message = { topic, body: amount, properties: { amount } };
          for (let index = 0; index < QUEUES; index++) await producer.send(message);
        }
        await world.until('what is wanted comes', () => recorder.deliveries.length >= round * QUEUES);
        await world.backend.quiet();
      }
      expect(texts(recorder.deliveries)).toEqual(Array.from({ length: 2 * QUEUES }, () => '7'));
    },
  );
});

describe('acks that share requests', () => {
  contract('each ack of many in a request has a result of its own', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumer = await world.simpleConsumer(topic);
    const receive = async (count: number) => {
      const messages = [];
      for (let poll = 0; messages.length < count && poll < 20; poll++) {
        messages.push(
          ...(await consumer.receive({ invisibleDurationMs: LEASE_MS, longPollingTimeoutMs: 5 * SECOND_MS })),
        );
      }
      return messages;
    };
    await producer.send({ topic, body: 'too late' });
    const late = await receive(1);
    await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
    for (const body of ['a', 'b', 'c']) await producer.send({ topic, body });
    const [back] = late;
    const rest = await receive(4);
    const fresh = rest.filter(({ messageId }) => messageId !== back?.messageId);
    const outcomes = await consumer.ackBatch([...fresh.slice(0, 1), ...late, ...fresh.slice(1)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['acked', 'failed', 'acked', 'acked']);
    expect(outcomes[1]).toMatchObject({ error: { code: 'INVALID_RECEIPT_HANDLE' } });
    await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
    const again = await receive(1);
    expect(again.map(({ body }) => body.toString())).toEqual(['too late']);
    await consumer.ackBatch(again);
  });

  contract('what was acked together is never redelivered', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const sent = Array.from({ length: 150 }, (_, index) => `message ${index}`);
    await producer.sendBatch(sent.map((body) => ({ topic, body })));
    const recorder = await world.record({ topic, invisibleDurationMs: LEASE_MS, concurrency: 64 });
    await world.until('all come', () => recorder.deliveries.length >= sent.length);
    await world.backend.advance(LEASE_MS + SERVER_SLACK_MS);
    expect(all(recorder)).toEqual([...sent].sort());
  });
});
