// A server that advertises an unreachable address, behind a forwarder that clients can reach.

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, type ConnectionOptions, Producer, PushConsumer } from 'nestjs-rocketmq/client';
import { forwardTo, type TcpForwarder } from '../fixtures/tcp-forwarder.js';
import { transport } from '../fixtures/transport.js';

/** Nothing listens on this port. */
const UNREACHABLE = { host: '127.0.0.1', port: 1 };

describe('a server that advertises an unreachable address', () => {
  let broker: EmbeddedBroker;
  let forwarder: TcpForwarder;

  beforeEach(async () => {
    broker = new EmbeddedBroker({ advertisedAddress: UNREACHABLE, topics: [{ name: 'orders', type: 'normal' }] });
    await broker.start();
    forwarder = await forwardTo(Number(broker.endpoints.split(':')[1]));
  });
  afterEach(async () => {
    await forwarder.close();
    await broker.stop();
  });

  /** Sends one message and receives it. */
  async function roundTrip(options: Partial<ConnectionOptions>): Promise<string> {
    const connection = new Connection({ endpoints: `127.0.0.1:${forwarder.port}`, transport, ...options });
    const producer = new Producer(connection);
    let arrive = (_: string): void => {};
    const arrived = new Promise<string>((resolve) => {
      arrive = resolve;
    });
    const consumer = new PushConsumer(connection, {
      consumerGroup: 'readers',
      subscriptions: [{ topic: 'orders' }],
      handler: (message) => arrive(message.body.toString()),
    });
    try {
      await Promise.all([producer.start(), consumer.start()]);
      await producer.send({ topic: 'orders', body: 'through' });
      return await arrived;
    } finally {
      await consumer.close();
      await producer.close();
      connection.close();
    }
  }

  it('is used through the bootstrap endpoints when configured so', async () => {
    expect(await roundTrip({ useBootstrapEndpoints: true })).toBe('through');
    expect(forwarder.connections()).toBeGreaterThan(0);
  });

  it('is used through mapped addresses', async () => {
    const mapped: unknown[] = [];
    const addressMapping: ConnectionOptions['addressMapping'] = (address) => {
      mapped.push(address);
      return { host: '127.0.0.1', port: forwarder.port };
    };
    expect(await roundTrip({ addressMapping })).toBe('through');
    expect(mapped).toContainEqual(UNREACHABLE);
  });

  it('is distinguished from a server that is down: the error names the address and states that nothing was sent', async () => {
    const connection = new Connection({ endpoints: `127.0.0.1:${forwarder.port}`, transport });
    const producer = new Producer(connection);
    const sending = producer.send({ topic: 'orders', body: 'lost?' }, { timeoutMs: 3_000 });
    await expect(sending).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent' });
    await expect(sending).rejects.toThrow('127.0.0.1:1');
    await producer.close();
    connection.close();
  });
});
