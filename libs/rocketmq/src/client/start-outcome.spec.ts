// What the failed start of a client says on a server that accepts connections and does not answer: a start sends no message, so nothing took effect.

import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { PushConsumer } from '../consumer/push-consumer.js';
import { SimpleConsumer } from '../consumer/simple/simple-consumer.js';
import { Producer } from '../producer/producer.js';
import { Connection } from './connection.js';

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function silentServer(): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as { readonly port: number }).port;
}

const CONSUMER = { consumerGroup: 'shop', subscriptions: [{ topic: 'orders' }] };
const STARTS = {
  producer: (connection: Connection) => new Producer(connection, { topics: { orders: 'normal' } }),
  'push consumer': (connection: Connection) => new PushConsumer(connection, { ...CONSUMER, handler: async () => {} }),
  'simple consumer': (connection: Connection) => new SimpleConsumer(connection, CONSUMER),
};

describe.each([
  ['a proxy', '', 'http2'],
  ['a proxy, with grpc-js', '', 'grpc-js'],
  ['a name server', 'name-server:', undefined],
] as const)('on %s that does not answer', (_, prefix, transport) => {
  it.each(Object.entries(STARTS))('the start of a %s says that nothing took effect', async (_name, create) => {
    const endpoints = `${prefix}127.0.0.1:${await silentServer()}`;
    const connection = new Connection({ endpoints, requestTimeoutMs: 300, transport });
    closers.push(() => connection.close());
    const client = create(connection);
    closers.push(() => client.close());
    const error = await client.start({ timeoutMs: 700 }).catch((failure) => failure);
    expect(error).toMatchObject({ outcome: 'not-sent', message: expect.not.stringContaining('may have') });
  });
});
