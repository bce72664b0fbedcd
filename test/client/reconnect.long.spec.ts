// A server that becomes unavailable and returns: producers and consumers recover by themselves.

import { afterEach, describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { Arrivals } from '../fixtures/arrivals.js';
import { transport } from '../fixtures/transport.js';

const TOPICS = [{ name: 'orders', type: 'transaction' as const }];
const GROUPS = [{ name: 'readers' }];

describe('a server that becomes unavailable', () => {
  const ends: (() => Promise<void> | void)[] = [];
  const brokers: EmbeddedBroker[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    for (const broker of brokers.splice(0)) await broker.stop();
  });

  async function startBroker(port: number): Promise<EmbeddedBroker> {
    const broker = new EmbeddedBroker({ port, strict: true, topics: TOPICS, groups: GROUPS });
    await broker.start();
    brokers.push(broker);
    return broker;
  }

  it('gets its producers and consumers back when it returns', async () => {
    const first = await startBroker(0);
    const connection = new Connection({ endpoints: first.endpoints, transport });
    ends.push(() => connection.close());
    const producer = new Producer(connection, { transactionCheckers: { orders: () => 'unknown' } });
    ends.push(() => producer.close());
    const arrivals = new Arrivals();
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'orders' }],
      handler: ({ body }) => arrivals.add(body.toString()),
    });
    ends.push(() => consumer.close());
    await Promise.all([producer.start(), consumer.start()]);
    const send = async (body: string): Promise<void> => {
      await producer.transact({ message: { topic: 'orders', body }, timeoutMs: 20_000 }, async () => {});
      await arrivals.of(body);
    };
    await send('before');
    await first.stop();
    const during = send('during');
    await startBroker(Number(first.endpoints.split(':')[1]));
    await during;
    await send('after');
    expect(arrivals.texts).toEqual(['before', 'during', 'after']);
  });

  it('is waited for at startup until the deadline, then reported', async () => {
    const gone = await startBroker(0);
    await gone.stop();
    const connection = new Connection({ endpoints: gone.endpoints, transport });
    ends.push(() => connection.close());
    const producer = new Producer(connection, { topics: { orders: 'transaction' } });
    ends.push(() => producer.close());
    await expect(producer.start({ timeoutMs: 600 })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'not-sent',
    });
  });

  it('is connected to at startup if it becomes available within the deadline', async () => {
    const gone = await startBroker(0);
    await gone.stop();
    const connection = new Connection({ endpoints: gone.endpoints, transport });
    ends.push(() => connection.close());
    const producer = new Producer(connection, { topics: { orders: 'transaction' } });
    ends.push(() => producer.close());
    const starting = producer.start({ timeoutMs: 20_000 });
    await startBroker(Number(gone.endpoints.split(':')[1]));
    await expect(starting).resolves.toBeUndefined();
  });
});
