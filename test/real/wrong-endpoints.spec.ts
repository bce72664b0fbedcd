// Ports of a real broker, configured instead of the proxy's. For name servers see test/contract/connections.spec.ts.

import { afterAll, describe, expect, it } from '@jest/globals';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { serverAdmin } from '../fixtures/real-server.js';
import { transport } from '../fixtures/transport.js';

const admin = serverAdmin();
afterAll(() => admin.close());

/** The VIP port of a broker is its port minus two. */
const portsOf = (address: string): string[] => {
  const [host, port] = address.split(':');
  return [address, `${host}:${Number(port) - 2}`];
};

describe('a client whose endpoint is a port of a broker', () => {
  it.each([
    ['plaintext', undefined],
    ['TLS', { dangerouslyAcceptAnyCertificate: true }],
  ])('says so over %s, and which port to give', async (_, tls) => {
    const { brokers } = await admin.brokerVersions();
    const endpoints = brokers.flatMap(({ address }) => portsOf(address));
    expect(endpoints).toHaveLength(2);
    for (const one of endpoints) {
      const connection = new Connection({ endpoints: one, transport, tls });
      const producer = new Producer(connection);
      try {
        const starting = producer.start({ timeoutMs: 30_000 });
        await expect(starting).rejects.toMatchObject({ code: 'NOT_A_PROXY', outcome: 'not-sent', retryable: false });
        await expect(starting).rejects.toThrow(
          /a RocketMQ broker \(remoting protocol\), not a proxy.*usually on port 8081/,
        );
      } finally {
        await producer.close();
        connection.close();
      }
    }
  });
});
