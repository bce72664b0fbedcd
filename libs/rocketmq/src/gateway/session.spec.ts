import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../../test/fixtures/certificates.js';
import { ClientType, type Settings } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { TelemetryCommand } from '../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { RemotingClient } from '../remoting/remoting-client.js';
import { GatewaySession } from './session.js';

describe('a session with a broker', () => {
  const closers: (() => Promise<unknown> | unknown)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  it('says that the broker accepts only TLS, not that the connection was lost', async () => {
    const authority = new CertificateAuthority();
    closers.push(() => authority.remove());
    const server = createServer(authority.issue());
    closers.push(() => server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = new RemotingClient({ connectTimeoutMs: 1_000 });
    closers.push(() => client.close());
    const port = {
      clientId: 'client',
      client,
      timeoutMs: 5_000,
      brokers: async () => [],
      address,
      group: undefined,
      consumption: 'pop' as const,
      onJoin: async () => {},
      onAnswer: () => {},
      onRegistered: () => {},
    };
    const session = new GatewaySession(port);
    const publishing = { topics: [], maxBodySize: 0, validateMessageType: false };
    const pubSub: Settings['pubSub'] = { $case: 'publishing', value: publishing };
    const value: Partial<Settings> = { clientType: ClientType.PRODUCER, pubSub };
    session.write(TelemetryCommand.fromPartial({ command: { $case: 'settings', value } }));
    const read = session.commands[Symbol.asyncIterator]().next();
    await expect(read).rejects.toMatchObject({ code: 'TLS_FAILED', outcome: 'not-sent' });
  });
});
