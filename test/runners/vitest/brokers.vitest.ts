// Brokers of tests in Vitest: by fixture in each scope, and by hooks.

import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import type { TestBroker } from 'nestjs-rocketmq/testing';
import { useTestBroker, withTestBroker } from 'nestjs-rocketmq/testing/vitest';
import { describe, expect, test } from 'vitest';

async function producerOf(broker: TestBroker): Promise<Producer> {
  const { endpoints, clock } = broker;
  const connection = broker.closeLater(new Connection({ endpoints, clock }));
  const producer = broker.closeLater(new Producer(connection));
  await producer.start();
  return producer;
}

describe.concurrent('tests that run at once', () => {
  const it = withTestBroker(test, { manualClock: true });
  for (const name of ['one', 'two', 'three']) {
    it(`do not see the messages of each other: ${name}`, async ({ broker }) => {
      const producer = await producerOf(broker);
      for (const body of [name, `${name} again`]) await producer.send({ topic: 'names', body });
      await expect(broker).toHaveSent('names', { times: 2 });
      await expect(broker).toHaveSent('names', { body: expect.stringContaining(name), times: 2 });
    });
  }
});

const listenerSaw: string[] = [];
const shared = withTestBroker(test, { scope: 'file', manualClock: true }).extend<{ listener: PushConsumer }>({
  listener: [
    async ({ broker }, use) => {
      const { endpoints, clock } = broker;
      const connection = new Connection({ endpoints, clock });
      const listener = new PushConsumer(connection, {
        consumerGroup: 'readers',
        subscriptions: [{ topic: 'names' }],
        handler: (message) => void listenerSaw.push(message.body.toString()),
      });
      await listener.start();
      await use(listener);
      await listener.close();
      await connection.close();
    },
    { scope: 'file' },
  ],
});

describe('tests that share the broker of a file', () => {
  const seen = new Set<TestBroker>();

  shared('leave messages and a delayed one behind', async ({ broker, listener }) => {
    seen.add(broker);
    expect(listener.isPaused()).toBe(false);
    const producer = await producerOf(broker);
    await producer.send({ topic: 'names', body: 'first' });
    await producer.send({ topic: 'later', body: 'first', delayMs: 1_000 });
    await expect(broker).toHaveDelivered('names', { group: 'readers' });
  });

  shared('begin without them, and with the listener of the file', async ({ broker, listener }) => {
    seen.add(broker);
    expect(seen.size).toBe(1);
    expect(listener.isPaused()).toBe(false);
    await expect(broker).not.toHaveSent('names');
    expect(broker.pending()).toEqual([]);
    await broker.advance(2_000);
    const producer = await producerOf(broker);
    await producer.send({ topic: 'names', body: 'second' });
    await expect(broker).toHaveDelivered('names', { group: 'readers', times: 1 });
    expect(listenerSaw).toEqual(['first', 'second']);
  });
});

describe('useTestBroker()', () => {
  const broker = useTestBroker();
  const seen = new Set<TestBroker>();

  for (const turn of [1, 2]) {
    test(`starts a broker for each test: ${turn}`, async () => {
      seen.add(broker());
      expect(seen.size).toBe(turn);
      await expect(broker()).not.toHaveSent('names');
      await (await producerOf(broker())).send({ topic: 'names', body: 'a name' });
    });
  }
});

const ofWorker = withTestBroker(test, { scope: 'worker' });

describe('a matcher', () => {
  ofWorker('prints what there is, and what differs', async ({ broker }) => {
    const producer = await producerOf(broker);
    await producer.send({ topic: 'orders', messageId: 'near', body: '{"id":"1","sku":"lamp"}' });
    const failure = await expect(broker)
      .toHaveSent('orders', { body: { id: expect.any(String), sku: 'chair' } })
      .catch(({ message }: Error) => message);
    expect(failure).toContain('expect(broker).toHaveSent("orders")');
    expect(failure).toContain('near');
    expect(failure).toContain('not delivered to any group');
    expect(failure).toMatch(/-.*"sku": "chair"/);
    expect(failure).toMatch(/\+.*"sku": "lamp"/);
    expect(failure).not.toMatch(/-.*"id"/);
    await expect(broker).not.toHaveDelivered('orders');
  });
});
