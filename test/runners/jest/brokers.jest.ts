// Brokers of tests in Jest, with matchers and hooks by its globals.

import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import type { TestBroker } from 'nestjs-rocketmq/testing';
import { useTestBroker } from 'nestjs-rocketmq/testing/jest';

async function producerOf(broker: TestBroker): Promise<Producer> {
  const { endpoints, clock } = broker;
  const connection = broker.closeLater(new Connection({ endpoints, clock }));
  const producer = broker.closeLater(new Producer(connection));
  await producer.start();
  return producer;
}

describe('a broker for each test', () => {
  const broker = useTestBroker();
  const seen = new Set<TestBroker>();
  let producer: Producer;

  beforeEach(async () => {
    producer = await producerOf(broker());
  });

  it.each([1, 2])('sees no messages of another: %s', async (turn) => {
    seen.add(broker());
    expect(seen.size).toBe(turn);
    await expect(broker()).not.toHaveSent('names');
    await producer.send({ topic: 'names', body: 'a name' });
    await expect(broker()).toHaveSent('names', { body: expect.stringMatching(/name/), times: 1 });
  });
});

describe('a broker that tests share', () => {
  const broker = useTestBroker({ scope: 'file', manualClock: true });
  const got: string[] = [];
  let producer: Producer;

  beforeAll(async () => {
    producer = await producerOf(broker());
    const { endpoints, clock } = broker();
    const connection = broker().closeLater(new Connection({ endpoints, clock }));
    const listener = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'names' }],
      handler: (message) => void got.push(message.body.toString()),
    });
    broker().closeLater(listener);
    await listener.start();
  });

  it.each(['first', 'second'])('has the messages of one test only: %s', async (body) => {
    expect(broker().pending()).toEqual([]);
    await expect(broker()).not.toHaveSent('names');
    await producer.send({ topic: 'names', body });
    await producer.send({ topic: 'later', body, delayMs: 1_000 });
    await expect(broker()).toHaveDelivered('names', { group: 'readers', body, times: 1 });
  });

  it('delivered each once', async () => {
    await broker().advance(2_000);
    await expect(broker()).not.toHaveSent('later');
    expect(got).toEqual(['first', 'second']);
  });
});
