// Tests that fail, and leave nothing behind: runners.long.spec.ts looks at how the process ends.

import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import type { TestBroker } from 'nestjs-rocketmq/testing';
import { withTestBroker } from 'nestjs-rocketmq/testing/vitest';
import { expect, test } from 'vitest';

const it = withTestBroker(test);

async function openAll(broker: TestBroker): Promise<Producer> {
  const connection = broker.closeLater(new Connection({ endpoints: broker.endpoints }));
  const producer = broker.closeLater(new Producer(connection));
  const consumer = new PushConsumer(connection, {
    consumerGroup: 'stuck',
    subscriptions: [{ topic: 'names' }],
    handler: () => new Promise(() => {}),
  });
  broker.closeLater({ close: () => consumer.close({ shutdownGraceMs: 10 }) });
  await consumer.start();
  await producer.start();
  return producer;
}

it('fails', async ({ broker }) => {
  const producer = await openAll(broker);
  await producer.send({ topic: 'names', body: 'a name' });
  expect('this test').toBe('failing');
});

it('times out', { timeout: 500 }, async ({ broker }) => {
  const producer = await openAll(broker);
  await producer.send({ topic: 'names', body: 'a name' });
  await broker.idle({ guardMs: 60_000 });
});

it('runs after them with a broker of its own', async ({ broker }) => {
  await expect(broker).not.toHaveSent('names');
});
