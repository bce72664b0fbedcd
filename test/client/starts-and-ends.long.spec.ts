// Starting and closing each kind of client at bad moments. The environment of every suite checks that no timer and no socket is left.

import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from 'nestjs-rocketmq/broker';
import { Connection, Producer, PushConsumer, SimpleConsumer } from 'nestjs-rocketmq/client';
import { transport } from '../fixtures/transport.js';

const READERS = { consumerGroup: 'readers', subscriptions: [{ topic: 'orders' }] };
const CLIENTS = {
  producer: (connection: Connection) => new Producer(connection, { topics: { orders: 'normal' } }),
  'push consumer': (connection: Connection) => new PushConsumer(connection, { ...READERS, handler: () => {} }),
  'simple consumer': (connection: Connection) => new SimpleConsumer(connection, READERS),
} as const;
const BROKER = { strict: true, topics: [{ name: 'orders', type: 'normal' as const }], groups: [{ name: 'readers' }] };

describe.each(Object.keys(CLIENTS) as (keyof typeof CLIENTS)[])('a %s', (kind) => {
  const ends: (() => Promise<void> | void)[] = [];
  let silent: Server;
  let sockets: Socket[];

  beforeEach(async () => {
    sockets = [];
    // Accepts connections and sends nothing.
    silent = createServer((socket) => {
      socket.on('error', () => {});
      sockets.push(socket);
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => silent.close(() => resolve()));
  });

  function clientOf(endpoints: string) {
    const connection = new Connection({ endpoints, transport, requestTimeoutMs: 300 });
    ends.push(() => connection.close());
    const client = CLIENTS[kind](connection);
    ends.push(() => client.close());
    return client;
  }

  async function startBroker(port = 0): Promise<EmbeddedBroker> {
    const broker = new EmbeddedBroker({ ...BROKER, port });
    await broker.start();
    ends.push(() => broker.stop());
    return broker;
  }

  /** An address where nothing listens. */
  async function deserted(): Promise<string> {
    const broker = await startBroker();
    await broker.stop();
    return broker.endpoints;
  }

  const silentEndpoints = (): string => {
    const address = silent.address();
    return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  };

  it('waits for an unavailable server when it starts, and finally reports that nothing was sent', async () => {
    const client = clientOf(await deserted());
    await expect(client.start({ timeoutMs: 700 })).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent' });
  });

  it('starts when the server becomes available in time', async () => {
    const endpoints = await deserted();
    const starting = clientOf(endpoints).start({ timeoutMs: 20_000 });
    await startBroker(Number(endpoints.split(':')[1]));
    await starting;
  });

  it('gives up on a server that accepts connections and sends nothing', async () => {
    const client = clientOf(silentEndpoints());
    await expect(client.start({ timeoutMs: 700 })).rejects.toMatchObject({ outcome: 'not-sent', retryable: true });
  });

  it.each(['deserted', 'silent'])(
    'can be closed while it starts, however long it would have waited: %s',
    async (where) => {
      const client = clientOf(where === 'deserted' ? await deserted() : silentEndpoints());
      const starting = expect(client.start({ timeoutMs: 60_000 })).rejects.toMatchObject({ code: 'CLOSED' });
      await new Promise((resolve) => setImmediate(resolve));
      await client.close();
      await starting;
    },
  );

  it('leaves no resources open after a failed start, whether it is closed or not', async () => {
    const endpoints = await deserted();
    const connection = new Connection({ endpoints, transport, requestTimeoutMs: 300 });
    await expect(CLIENTS[kind](connection).start({ timeoutMs: 300 })).rejects.toBeDefined();
    connection.close();
  });

  it('closes once, however often close is called, even before it was started', async () => {
    const broker = await startBroker();
    const client = clientOf(broker.endpoints);
    await client.start();
    expect(client.close()).toBe(client.close());
    await client.close();
    await expect(client.start()).rejects.toMatchObject({ code: 'CLOSED' });
    const idle = clientOf(broker.endpoints);
    await idle.close();
    await expect(idle.start()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('can be closed after the connection was closed', async () => {
    const broker = await startBroker();
    const connection = new Connection({ endpoints: broker.endpoints, transport });
    const client = CLIENTS[kind](connection);
    await client.start();
    connection.close();
    await client.close();
  });
});
