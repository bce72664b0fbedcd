// The examples of docs/guide/testing.md and of the control port run; those of testing.md's first parts are run by sending.spec.ts and
// documents.spec.ts.

import { expect, it } from '@jest/globals';
import { MINUTE_MS } from 'nestjs-rocketmq';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { hurry } from '../../docs/examples/control.js';
import '../../docs/examples/box-office.test.js';
import '../../docs/examples/unpaid-order.test.js';

it('control: a time-out is delivered at once', async () => {
  const broker = await TestBroker.start({ controlPort: 0 });
  const connection = new Connection({ endpoints: broker.endpoints });
  const producer = new Producer(connection);
  await producer.start();
  const { messageId } = await producer.send({ topic: 'payment-due', body: 'order-1', delayMs: 30 * MINUTE_MS });
  const consumer = new SimpleConsumer(connection, {
    consumerGroup: 'orders',
    subscriptions: [{ topic: 'payment-due' }],
  });
  await consumer.start();
  expect(await hurry(broker.controlEndpoint, messageId)).toEqual([]);
  const messages = await consumer.receive();
  expect(messages.map(({ body }) => body.toString())).toEqual(['order-1']);
  for (const message of messages) await consumer.ack(message);
  await consumer.close();
  await producer.close();
  await connection.close();
  await broker.stop();
});
