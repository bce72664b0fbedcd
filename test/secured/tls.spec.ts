// A connection over TLS, and the errors when it fails. Client certificates are tested in the client's
// specs, because the gRPC port of the real server does not use them.

import { describe, expect } from '@jest/globals';
import type { ConnectionOptions } from 'nestjs-rocketmq/client';
import { contractSuite } from '../contract/support/contract.js';
import type { World } from '../contract/support/world.js';
import { CertificateAuthority } from '../fixtures/certificates.js';
import { testTransport } from '../fixtures/transport.js';
import { OTHER_NAME, type SecuredBackend, startSecured } from './support/secured-backend.js';

const contract = contractSuite(startSecured);

const secured = (world: World): SecuredBackend => world.backend as SecuredBackend;

/** Sends a message to a new topic. */
async function send(world: World, options: Partial<ConnectionOptions>): Promise<string> {
  const topic = await world.topic();
  const producer = await world.producer({ topics: { [topic]: 'normal' } }, world.connection(options));
  return (await producer.send({ topic, body: 'x' })).messageId;
}

const FAILED = { code: 'TLS_FAILED', outcome: 'not-sent', retryable: false };

describe('a connection over TLS', () => {
  contract('succeeds with the authority that signed the certificate', async (world) => {
    await expect(send(world, { tls: { ca: secured(world).ca } })).resolves.toMatch(/^01/);
  });

  contract('succeeds by another name that the certificate holds', async (world) => {
    await expect(send(world, { tls: { ca: secured(world).ca, serverName: OTHER_NAME } })).resolves.toMatch(/^01/);
  });

  contract('succeeds unchecked only when that is asked for by name', async (world) => {
    await expect(send(world, { tls: { dangerouslyAcceptAnyCertificate: true } })).resolves.toMatch(/^01/);
  });

  contract('fails by https:// alone, or tls: true, where the authority is not one of the machine', async (world) => {
    const { endpoints } = world.backend;
    const isUrl = testTransport !== 'remoting';
    const sending = send(world, isUrl ? { endpoints: `https://${endpoints}`, tls: undefined } : { tls: true });
    await expect(sending).rejects.toMatchObject(FAILED);
    await expect(sending).rejects.toThrow('set the option tls.ca to the certificate of that authority');
  });

  contract('fails with the authority of someone else', async (world) => {
    const strangers = new CertificateAuthority('strangers');
    try {
      await expect(send(world, { tls: { ca: strangers.cert } })).rejects.toMatchObject(FAILED);
    } finally {
      strangers.remove();
    }
  });

  contract('fails for a name that the certificate does not hold', async (world) => {
    const sending = send(world, { tls: { ca: secured(world).ca, serverName: 'elsewhere.test' } });
    await expect(sending).rejects.toMatchObject(FAILED);
    await expect(sending).rejects.toThrow('tls.serverName');
  });

  contract('is asked for where there was none', async (world) => {
    const sending = send(world, { tls: undefined });
    await expect(sending).rejects.toMatchObject(FAILED);
    await expect(sending).rejects.toThrow('the server accepts only TLS');
  });

  contract('is asked for by administration, too', async (world) => {
    const admin = world.admin({ tls: undefined });
    const creating = admin.createTopic({ topic: world.name(), type: 'normal', queues: 1 });
    await expect(creating).rejects.toMatchObject({ code: 'TLS_FAILED' });
    const stranger = world.admin({ tls: true });
    const other = stranger.createTopic({ topic: world.name(), type: 'normal', queues: 1 });
    await expect(other).rejects.toThrow('set the option tls.ca to the certificate of that authority');
  });
});
