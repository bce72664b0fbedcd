// A cluster that is partly unavailable, before a client starts or while it runs: the available servers are used.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection, Producer, PushConsumer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { until } from '../../tools/until.js';
import { RecordingServer } from '../fixtures/recording-server.js';
import { transport } from '../fixtures/transport.js';

const READERS = { consumerGroup: 'readers', subscriptions: [{ topic: 'orders' }] };

describe('a cluster with an unavailable broker', () => {
  let there: RecordingServer;
  let away: RecordingServer;
  let connection: Connection;
  const ends: (() => Promise<void> | void)[] = [];

  beforeEach(async () => {
    there = new RecordingServer();
    away = new RecordingServer();
    await there.start();
    await away.start();
    there.cluster = [there, away];
    away.stop();
    connection = new Connection({ endpoints: there.endpoints, transport, requestTimeoutMs: 5_000 });
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    connection.close();
    there.stop();
  });

  function owned<T extends { close(): Promise<void> }>(client: T): T {
    ends.push(() => client.close());
    return client;
  }

  it('lets producers start and send to the other brokers', async () => {
    const producer = owned(new Producer(connection, { topics: { orders: 'normal' } }));
    await producer.start();
    for (let count = 0; count < 4; count++) await producer.send({ topic: 'orders', body: 'one' });
    expect(there.of('sendMessage')).toHaveLength(4);
  });

  it('lets consumers start and receive from the other brokers', async () => {
    const consumer = owned(new PushConsumer(connection, { ...READERS, handler: () => {} }));
    const simple = owned(new SimpleConsumer(connection, READERS));
    await Promise.all([consumer.start(), simple.start()]);
    await until(() => there.of('receiveMessage').length > 0);
  });

  it('lets consumers change their subscriptions; a broker that returns gets them before anything else', async () => {
    const simple = owned(new SimpleConsumer(connection, READERS));
    await simple.start();
    await simple.subscribe({ topic: 'returns' });
    const back = new RecordingServer();
    await back.start(Number(away.endpoints.split(':')[1]));
    ends.push(() => back.stop());
    await until(() => back.recorded.length > 0);
    expect(back.recorded[0]).toMatchObject({
      rpc: 'telemetry',
      request: {
        command: {
          $case: 'settings',
          value: {
            pubSub: { value: { subscriptions: [{ topic: { name: 'orders' } }, { topic: { name: 'returns' } }] } },
          },
        },
      },
    });
  });
});
