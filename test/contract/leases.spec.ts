import { describe, expect } from '@jest/globals';
import { type ReceivedMessage, SECOND_MS } from 'nestjs-rocketmq/client';
import { SteppedClock } from '../fixtures/stepped-clock.js';
import { SERVER_SLACK_MS } from './support/backend.js';
import { contractSuite } from './support/contract.js';
import { texts } from './support/world.js';

const contract = contractSuite();

/** The shortest lease that the server grants. */
const LEASE_MS = 10 * SECOND_MS;

/** So many that each queue of a topic has several of them. */
const BODIES = Array.from({ length: 24 }, (_, index) => `message ${index}`);

describe('leases', () => {
  contract('a message whose lease ends is delivered again, one that was acknowledged is not', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumer = await world.simpleConsumer(topic);
    await producer.send({ topic, body: 'kept' });
    const [first] = await consumer.receive({ invisibleDurationMs: LEASE_MS });
    expect(first).toMatchObject({ deliveryAttempt: 1 });
    await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
    const [second] = await consumer.receive({ invisibleDurationMs: LEASE_MS });
    expect(second).toMatchObject({ messageId: first?.messageId, deliveryAttempt: 2 });
    if (second !== undefined) await consumer.ack(second);
    await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
    expect(await consumer.receive({ invisibleDurationMs: LEASE_MS, longPollingTimeoutMs: 5 * SECOND_MS })).toEqual([]);
  });

  contract('a lease that was renewed holds, and its old handle is void', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumer = await world.simpleConsumer(topic);
    await producer.send({ topic, body: 'renewed' });
    const [message] = await consumer.receive({ invisibleDurationMs: LEASE_MS });
    if (message === undefined) throw new Error('nothing was received');
    await consumer.changeInvisibleDuration(message, 3 * LEASE_MS);
    await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
    expect(await consumer.receive({ invisibleDurationMs: LEASE_MS, longPollingTimeoutMs: 5 * SECOND_MS })).toEqual([]);
    await consumer.ack(message);
  });

  contract(
    'messages that arrived together and were postponed do not come back once they are acknowledged',
    async (world) => {
      const topic = await world.topic();
      const producer = await world.producer();
      const consumer = await world.simpleConsumer(topic);
      await Promise.all(BODIES.map((body) => producer.send({ topic, body })));
      const received: ReceivedMessage[] = [];
      while (received.length < BODIES.length) {
        received.push(...(await consumer.receive({ invisibleDurationMs: LEASE_MS, maxMessages: BODIES.length })));
      }
      // Twice, because a change also ends what the former one began.
      for (let times = 0; times < 2; times++) {
        await Promise.all(received.map((message) => consumer.changeInvisibleDuration(message, LEASE_MS)));
      }
      await Promise.all(received.map((message) => consumer.ack(message)));
      await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
      expect(await consumer.receive({ invisibleDurationMs: LEASE_MS, longPollingTimeoutMs: 5 * SECOND_MS })).toEqual(
        [],
      );
    },
  );

  contract('messages that wait for one handler until their leases were renewed arrive once', async (world) => {
    const topic = await world.topic();
    const consumerGroup = await world.group();
    await world.begin(consumerGroup, [topic]);
    const producer = await world.producer();
    await Promise.all(BODIES.map((body) => producer.send({ topic, body })));
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const options = { topic, consumerGroup, concurrency: 1, invisibleDurationMs: LEASE_MS };
    const recorder = await world.record({ ...options, handle: () => finished });
    await world.until('the handler has begun', () => recorder.deliveries.length === 1);
    for (let passedMs = 0; passedMs < LEASE_MS + SERVER_SLACK_MS; passedMs += 2 * SECOND_MS) {
      await world.backend.advanceDuringWork(2 * SECOND_MS);
    }
    finish();
    await world.until('all were handled', () => recorder.deliveries.length >= BODIES.length);
    await world.backend.advance(LEASE_MS + SERVER_SLACK_MS);
    expect(texts(recorder.deliveries).sort()).toEqual([...BODIES].sort());
  });

  contract('a handler that runs longer than its lease keeps its message', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const recorder = await world.record({ topic, invisibleDurationMs: LEASE_MS, handle: () => finished });
    await producer.send({ topic, body: 'slow' });
    await world.until('the handler has begun', () => recorder.deliveries.length === 1);
    for (let passedMs = 0; passedMs < 2 * LEASE_MS + SERVER_SLACK_MS; passedMs += 2 * SECOND_MS) {
      await world.backend.advanceDuringWork(2 * SECOND_MS);
    }
    finish();
    await world.backend.advance(LEASE_MS + SERVER_SLACK_MS);
    expect(texts(recorder.deliveries)).toEqual(['slow']);
  });

  contract(
    'a step of the wall clock ends no lease: what was handled is acknowledged, and not delivered again',
    async (world) => {
      const topic = await world.topic();
      const clock = new SteppedClock(world.backend.clock);
      const producer = await world.producer();
      let finish = (): void => {};
      const finished = new Promise<void>((resolve) => {
        finish = resolve;
      });
      const options = { topic, invisibleDurationMs: LEASE_MS, handle: () => finished };
      const { deliveries } = await world.record(options, world.connection({ clock }));
      const sent = ['1', '2', '3', '4', '5'];
      for (const body of sent) await producer.send({ topic, body });
      await world.until('the handlers have begun', () => deliveries.length === sent.length);
      clock.step(LEASE_MS);
      finish();
      await world.backend.quiet();
      for (let second = 0; second < 16; second++) await world.backend.advance(SECOND_MS);
      expect(texts(deliveries).sort()).toEqual(sent);
    },
  );

  contract('a message whose lease ended cannot be acknowledged any more', async (world) => {
    const topic = await world.topic();
    const producer = await world.producer();
    const consumer = await world.simpleConsumer(topic);
    await producer.send({ topic, body: 'too late' });
    const [message] = await consumer.receive({ invisibleDurationMs: LEASE_MS });
    if (message === undefined) throw new Error('nothing was received');
    await world.backend.advanceDuringWork(LEASE_MS + SERVER_SLACK_MS);
    await expect(consumer.ack(message)).rejects.toMatchObject({ code: 'INVALID_RECEIPT_HANDLE' });
  });
});
