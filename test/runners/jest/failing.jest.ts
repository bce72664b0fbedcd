// Tests that fail, and leave nothing behind: runners.long.spec.ts looks at how the process ends.

import { expect, it } from '@jest/globals';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { useTestBroker } from 'nestjs-rocketmq/testing/jest-globals';

const broker = useTestBroker();

async function openAll(): Promise<Producer> {
  const connection = broker().closeLater(new Connection({ endpoints: broker().endpoints }));
  const producer = broker().closeLater(new Producer(connection));
  const consumer = new PushConsumer(connection, {
    consumerGroup: 'stuck',
    subscriptions: [{ topic: 'names' }],
    handler: () => new Promise(() => {}),
  });
  broker().closeLater({ close: () => consumer.close({ shutdownGraceMs: 10 }) });
  await consumer.start();
  await producer.start();
  return producer;
}

it('fails', async () => {
  const producer = await openAll();
  await producer.send({ topic: 'names', body: 'a name' });
  expect('this test').toBe('failing');
});

it('times out', async () => {
  const producer = await openAll();
  await producer.send({ topic: 'names', body: 'a name' });
  await broker().idle({ guardMs: 60_000 });
}, 500);

it('runs after them with a broker of its own', async () => {
  await expect(broker()).not.toHaveSent('names');
});
