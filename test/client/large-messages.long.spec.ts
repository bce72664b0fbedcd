// Bodies larger than a server accepts by default. An operator can raise the limit, and other clients can use it.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Connection, SimpleConsumer } from 'nestjs-rocketmq/client';
import { RecordingServer, recordedMessage } from '../fixtures/recording-server.js';

describe.each(['http2', 'grpc-js'] as const)('a message of more than 4 MiB, over %s', (transport) => {
  let server: RecordingServer;
  let connection: Connection;
  let consumer: SimpleConsumer;

  beforeEach(async () => {
    server = new RecordingServer();
    await server.start();
    connection = new Connection({ endpoints: server.endpoints, transport });
    consumer = new SimpleConsumer(connection, { consumerGroup: 'readers', subscriptions: [{ topic: 'orders' }] });
    await consumer.start();
  });
  afterEach(async () => {
    await consumer.close();
    connection.close();
    server.stop();
  });

  it('is received', async () => {
    const body = Buffer.alloc(9 * 1024 * 1024, 'a');
    server.deliver(recordedMessage('orders', 'large', { body }));
    const [received] = await consumer.receive();
    expect(received?.body.equals(body)).toBe(true);
  });
});
