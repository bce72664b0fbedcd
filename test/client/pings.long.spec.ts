// The server's gRPC library closes connections whose clients ping more often than every five minutes.

import { createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Connection, Producer } from 'nestjs-rocketmq/client';

const REQUEST_MS = 200;

describe.each(['http2', 'grpc-js'] as const)('a server that answers pings and no call, over %s', (transport) => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  it('is pinged at most twice on a connection, which it tolerates', async () => {
    let most = 0;
    const sessions = new Set<ServerHttp2Session>();
    const server = createServer();
    server.on('session', (session) => {
      sessions.add(session);
      session.on('error', () => {});
      let pings = 0;
      session.on('ping', () => {
        most = Math.max(most, ++pings);
      });
    });
    server.on('stream', (stream) => stream.on('error', () => {}));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => server.close(resolve)));
    ends.push(() => {
      for (const session of sessions) session.destroy();
    });
    const endpoints = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const connection = new Connection({ endpoints, transport, requestTimeoutMs: REQUEST_MS });
    ends.push(() => connection.close());
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    ends.push(() => producer.close());
    await expect(producer.start({ timeoutMs: 12 * REQUEST_MS })).rejects.toMatchObject({ outcome: 'not-sent' });
    expect(most).toBeLessThanOrEqual(2);
  });
});
