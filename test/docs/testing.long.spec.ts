// The examples of docs/guide/testing.md and of the control port run; those of testing.md's first parts are run by sending.long.spec.ts and
// documents.long.spec.ts.

import { expect, it } from '@jest/globals';
import { MINUTE_MS } from 'nestjs-rocketmq';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { hurry } from '../../docs/examples/control.js';
import { aDayLater } from '../../docs/examples/time-travel.js';
import '../../docs/examples/box-office.test.js';
import '../../docs/examples/unpaid-order.test.js';

it('time travel: a day passes for the broker', async () => {
  const broker = new EmbeddedBroker({ controlPort: 0, timeTravel: true });
  await broker.start();
  const connection = new Connection({ endpoints: broker.endpoints });
  const producer = new Producer(connection);
  await producer.start();
  await producer.send({ topic: 'payment-due', body: 'order-1', delayMs: 30 * MINUTE_MS });
  expect(await aDayLater(broker.controlEndpoint)).toEqual({ next: ['delayed on payment-due in 30 min'], passed: 1 });
  await producer.close();
  await connection.close();
  await broker.stop();
});

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
