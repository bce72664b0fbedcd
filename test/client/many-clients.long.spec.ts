// Many clients on one connection in one process do not interfere. The environment of every suite checks that event listeners do not
// accumulate (test/fixtures/leak-checking-environment.mjs).

import { afterEach, describe, expect, it } from '@jest/globals';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { TestBroker } from 'nestjs-rocketmq/testing';
import { Arrivals } from '../fixtures/arrivals.js';

const MANY = 25;

describe.each(['http2', 'grpc-js'] as const)('many clients on one connection of %s', (transport) => {
  const ends: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function start() {
    const groups = Array.from({ length: MANY }, (_, index) => ({ name: `group-${index}` }));
    const broker = await TestBroker.start({ topics: [{ name: 'orders', type: 'normal' }], groups });
    ends.push(() => broker.stop());
    // Client and server share one thread, and a busy machine.
    const connection = new Connection({ endpoints: broker.endpoints, transport, requestTimeoutMs: 20_000 });
    ends.push(() => connection.close());
    return { broker, connection };
  }

  it('all work concurrently', async () => {
    const { connection } = await start();
    const arrivals = new Arrivals();
    const producers = Array.from({ length: MANY }, () => new Producer(connection));
    const consumers = Array.from({ length: MANY }, (_, index) => {
      const consumerGroup = `group-${index}`;
      const handler = (): void => arrivals.add(consumerGroup);
      return new PushConsumer(connection, { consumerGroup, subscriptions: [{ topic: 'orders' }], handler });
    });
    ends.push(async () => void (await Promise.all([...producers, ...consumers].map((client) => client.close()))));
    await Promise.all([...producers, ...consumers].map((client) => client.start()));
    await producers[0]?.send({ topic: 'orders', body: 'one' });
    await Promise.all(consumers.map((_, index) => arrivals.of(`group-${index}`)));
  });

  it('can be opened and closed one after the other', async () => {
    const { broker, connection } = await start();
    for (let turn = 0; turn < MANY; turn++) {
      const producer = new Producer(connection);
      await producer.start();
      await producer.send({ topic: 'orders', body: String(turn) });
      await producer.close();
    }
    expect(broker.messages('orders')).toHaveLength(MANY);
  });
});
