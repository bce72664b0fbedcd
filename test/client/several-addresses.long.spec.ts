// One broker with two addresses, one of which fails.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { Arrivals } from '../fixtures/arrivals.js';

describe.each(['http2', 'grpc-js'] as const)('a server with two addresses, over %s', (transport) => {
  let broker: EmbeddedBroker;
  let connection: Connection;

  beforeEach(async () => {
    broker = new EmbeddedBroker({ morePorts: [0], topics: [{ name: 'orders', type: 'normal' }] });
    await broker.start();
    connection = new Connection({ endpoints: broker.endpoints, transport });
  });
  afterEach(async () => {
    connection.close();
    await broker.stop();
  });

  it.each([0, 1])('remains available when address %i is lost', async (lost) => {
    const arrivals = new Arrivals();
    const producer = new Producer(connection);
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'orders' }],
      handler: ({ body }) => arrivals.add(body.toString()),
    });
    try {
      await Promise.all([producer.start(), consumer.start()]);
      await producer.send({ topic: 'orders', body: 'before' });
      await arrivals.of('before');
      const port = Number(broker.endpoints.split(';')[lost]?.split(':')[1]);
      broker.faults.refuseConnections({ port });
      broker.faults.cutConnections(port);
      await producer.send({ topic: 'orders', body: 'after' });
      await arrivals.of('after');
    } finally {
      await consumer.close({ shutdownGraceMs: 1_000 });
      await producer.close();
    }
    expect(new Set(arrivals.texts)).toEqual(new Set(['before', 'after']));
  });
});
