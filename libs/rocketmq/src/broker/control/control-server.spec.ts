import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../../../test/fixtures/certificates.js';
import { EmbeddedBroker } from '../embedded-broker.js';
import type { EmbeddedBrokerOptions } from '../embedded-broker-options.js';
import { ControlClient } from './control-client.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(options: EmbeddedBrokerOptions = {}) {
  const broker = new EmbeddedBroker({ controlPort: 0, ...options });
  await broker.start();
  ends.push(() => broker.stop());
  return { endpoint: broker.controlEndpoint, port: Number(new URL(broker.controlEndpoint).port) };
}

describe('the control port', () => {
  it('answers a valid request at once, however many connections send nothing or an endless request', async () => {
    const { endpoint, port } = await start();
    const head =
      'POST /faults HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{';
    for (let count = 0; count < 200; count++) {
      const socket = connect({ host: '127.0.0.1', port });
      ends.push(() => socket.destroy());
      socket.on('error', () => {}).resume();
      await once(socket, 'connect');
      if (count % 2 === 0) await new Promise((resolve) => socket.write(head, resolve));
    }
    expect(await new ControlClient({ endpoint }).topics()).toEqual({ items: [] });
  });

  it('speaks HTTP/1.1 over TLS, and negotiates it with curl, fetch and Prometheus', async () => {
    const authority = new CertificateAuthority();
    ends.push(() => authority.remove());
    const { endpoint, port } = await start({ tls: authority.issue() });
    const overHttp = new ControlClient({ endpoint: endpoint.replace('https:', 'http:') }).topics();
    await expect(overHttp).rejects.toMatchObject({
      code: 'TLS_FAILED',
      outcome: 'not-sent',
      retryable: false,
      message: expect.stringContaining(`set the endpoint to https://127.0.0.1:${port}`),
    });
    const socket = connectTls({ host: '127.0.0.1', port, ca: authority.cert, ALPNProtocols: ['h2', 'http/1.1'] });
    ends.push(() => socket.destroy());
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe('http/1.1');

    const folder = await mkdtemp(join(tmpdir(), 'control-'));
    ends.push(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'ca.pem'), authority.cert);
    const script = `fetch('${endpoint}/state').then(async (answer) => process.stdout.write(await answer.text()))`;
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') };
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { env });
    expect(JSON.parse(stdout)).toMatchObject({ storage: { medium: 'memory' } });
  });
});
