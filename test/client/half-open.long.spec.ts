// Connections that stay open but lose all packets, as when a firewall drops their state or a machine loses power.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, PushConsumer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { Arrivals } from '../fixtures/arrivals.js';
import { blockThread } from '../fixtures/blocked-loop.js';
import { forwardTo, type TcpForwarder } from '../fixtures/tcp-forwarder.js';

describe.each(['http2', 'grpc-js'] as const)('a connection over %s that has gone silent', (transport) => {
  let broker: EmbeddedBroker;
  let forwarder: TcpForwarder;
  let connection: Connection;

  beforeEach(async () => {
    broker = new EmbeddedBroker({ topics: [{ name: 'orders', type: 'normal' }] });
    await broker.start();
    forwarder = await forwardTo(Number(broker.endpoints.split(':')[1]));
    const endpoints = `127.0.0.1:${forwarder.port}`;
    connection = new Connection({ endpoints, transport, useBootstrapEndpoints: true, requestTimeoutMs: 1_000 });
  });
  afterEach(async () => {
    connection.close();
    await forwarder.close();
    await broker.stop();
  });

  it('is replaced after a request time-out and an unanswered ping, and the send succeeds on the new one', async () => {
    // On a busy machine this may take several attempts.
    const producer = new Producer(connection, { maxAttempts: 20 });
    await producer.start();
    await producer.send({ topic: 'orders', body: 'before' });
    forwarder.freeze();
    await expect(producer.send({ topic: 'orders', body: 'after' })).resolves.toHaveProperty('messageId');
    // On a busy machine, the new one may seem silent as well.
    expect(forwarder.connections()).toBeGreaterThanOrEqual(2);
    await producer.close();
  });

  it('is detected by the regular requests of a waiting consumer, which receives what was sent meanwhile', async () => {
    const arrivals = new Arrivals();
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'orders' }],
      handler: ({ body }) => arrivals.add(body.toString()),
    });
    await consumer.start();
    const direct = new Connection({ endpoints: broker.endpoints });
    const producer = new Producer(direct);
    await producer.send({ topic: 'orders', body: 'before' });
    await arrivals.of('before');
    forwarder.freeze();
    await producer.send({ topic: 'orders', body: 'after' });
    await arrivals.of('after');
    await consumer.close();
    await producer.close();
    direct.close();
  });

  it('does not hold up a close, however patient requests are', async () => {
    const endpoints = `127.0.0.1:${forwarder.port}`;
    const patient = new Connection({ endpoints, transport, useBootstrapEndpoints: true, requestTimeoutMs: 600_000 });
    const subscriptions = [{ topic: 'orders' }];
    const producer = new Producer(patient);
    const push = new PushConsumer(patient, { consumerGroup: 'readers', subscriptions, handler: () => {} });
    const simple = new SimpleConsumer(patient, { consumerGroup: 'readers', subscriptions });
    for (const client of [producer, push, simple]) await client.start();
    await producer.send({ topic: 'orders', body: 'before' });
    const received = simple.receive().catch(() => []);
    forwarder.freeze();
    await Promise.all([producer.close(), push.close(), simple.close()]);
    await received;
    patient.close();
  });

  it('is the only one when this process was busy while it was established', async () => {
    const producer = new Producer(connection);
    const started = producer.start();
    await new Promise((resolve) => setImmediate(resolve));
    // The broker runs in this thread, too.
    blockThread(1_200);
    await started;
    await producer.send({ topic: 'orders', body: 'one' });
    expect(forwarder.connections()).toBe(1);
    await producer.close();
  });

  it('is kept when this process was too busy to read the answers', async () => {
    const producer = new Producer(connection);
    await producer.start();
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 200 }, times: 1 });
    const sent = producer.send({ topic: 'orders', body: 'one' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    blockThread(1_500);
    await sent;
    await producer.send({ topic: 'orders', body: 'two' });
    expect(forwarder.connections()).toBe(1);
    await producer.close();
  });

  it('is kept while the server answers others slowly', async () => {
    const producer = new Producer(connection);
    await producer.start();
    broker.faults.add({ rpc: 'sendMessage', action: { kind: 'delay', delayMs: 1_800 }, times: 1 });
    const slow = producer.send({ topic: 'orders', body: 'slow' });
    for (let sent = 0; sent < 20; sent++) await producer.send({ topic: 'orders', body: 'quick' });
    await slow;
    expect(forwarder.connections()).toBe(1);
    await producer.close();
  });
});
