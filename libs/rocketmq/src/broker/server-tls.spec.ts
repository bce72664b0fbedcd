// Clients with and without TLS on one port.

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../../test/fixtures/certificates.js';
import { until } from '../../../../tools/until.js';
import { Connection } from '../client/connection.js';
import { RocketMQAdmin } from '../entries/admin.js';
import { Producer } from '../producer/producer.js';
import { MINUTE_MS } from '../support/clock.js';
import { ManualClock } from '../support/manual-clock.js';
import type { TlsOptions } from '../support/tls.js';
import { EmbeddedBroker } from './embedded-broker.js';
import type { EmbeddedBrokerOptions } from './embedded-broker-options.js';
import { selfSignedCertificate } from './self-signed-certificate.js';
import type { BrokerTlsOptions } from './server-tls.js';
import { ConnectionRoom } from './services/connection-room.js';
import { Listener } from './services/listener.js';

const authority = new CertificateAuthority();
const identity = authority.issue();
const UNVERIFIED: TlsOptions = { dangerouslyAcceptAnyCertificate: true };
const closers: (() => unknown)[] = [];

afterAll(() => authority.remove());
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(options: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> {
  const broker = new EmbeddedBroker(options);
  closers.push(() => broker.stop());
  await broker.start();
  return broker;
}

/** Sends a message. @returns its id */
async function send({ endpoints }: EmbeddedBroker, tls?: TlsOptions): Promise<string> {
  const connection = new Connection({ endpoints, ...(tls && { tls }) });
  closers.push(() => connection.close());
  const producer = new Producer(connection, {});
  closers.push(() => producer.close());
  await producer.start();
  return (await producer.send({ topic: 'orders', body: 'one' })).messageId;
}

async function administer({ nameServerEndpoint: nameServer }: EmbeddedBroker, tls?: TlsOptions): Promise<void> {
  const admin = new RocketMQAdmin({ nameServer, ...(tls && { tls }) });
  closers.push(() => admin.close());
  await admin.createTopic({ topic: 'made', type: 'normal' });
}

async function certificateOf({ endpoints }: EmbeddedBroker): Promise<X509Certificate> {
  const [host, port] = endpoints.split(':') as [string, string];
  const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const certificate = socket.getPeerX509Certificate() as X509Certificate;
  socket.destroy();
  return certificate;
}

describe('the ports of a broker without the option tls', () => {
  it('serve clients with TLS and without, as those of a real server do', async () => {
    const broker = await serve({ nameServerPort: 0 });
    for (const tls of [undefined, UNVERIFIED]) {
      await expect(send(broker, tls)).resolves.toMatch(/^01/);
      await administer(broker, tls);
    }
  });

  it('use a self-signed certificate, the same for every client', async () => {
    const broker = await serve();
    const certificate = await certificateOf(broker);
    expect((await certificateOf(broker)).fingerprint256).toBe(certificate.fingerprint256);
    expect((await certificateOf(await serve())).fingerprint256).not.toBe(certificate.fingerprint256);
    await expect(send(broker, { ca: authority.cert })).rejects.toMatchObject({ code: 'TLS_FAILED' });
    await expect(send(broker, { ca: certificate.toString() })).resolves.toMatch(/^01/);
  });
});

describe('an invalid TLS handshake', () => {
  it.each([
    ['noise', Buffer.from(`16${'00ff'.repeat(400)}`, 'hex')],
    ['half a greeting', Buffer.from('1603010200010001fc0303', 'hex')],
  ])('of %s ends its own connection only', async (_what, bytes) => {
    const broker = await serve({ nameServerPort: 0 });
    for (const endpoint of [broker.endpoints, broker.nameServerEndpoint]) {
      const socket = connectPlain(Number(endpoint.split(':')[1]), '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      socket.end(bytes);
      await new Promise((resolve) => socket.once('close', resolve));
    }
    await expect(send(broker, UNVERIFIED)).resolves.toMatch(/^01/);
    await administer(broker, UNVERIFIED);
  });
});

describe('the ports of a broker with a certificate', () => {
  it('reject clients without TLS', async () => {
    const broker = await serve({ tls: identity, nameServerPort: 0 });
    await expect(send(broker)).rejects.toMatchObject({ code: 'TLS_FAILED', outcome: 'not-sent' });
    await expect(administer(broker)).rejects.toMatchObject({ code: 'TLS_FAILED' });
    await expect(send(broker, { ca: authority.cert })).resolves.toMatch(/^01/);
  });

  it('use new certificates for new connections, the admin and control ports, too', async () => {
    let served = identity;
    let clientCa = authority.cert;
    const tls = { cert: () => served.cert, key: () => served.key, clientCa: () => clientCa };
    const broker = await serve({ tls, nameServerPort: 0, controlPort: 0 });
    const own = authority.issue();
    await expect(send(broker, { ca: authority.cert, ...own })).resolves.toMatch(/^01/);
    const strangers = new CertificateAuthority('strangers');
    closers.push(() => strangers.remove());
    served = strangers.issue();
    const trusted = { ca: strangers.cert, ...own };
    await expect(send(broker, { ca: authority.cert, ...own })).rejects.toMatchObject({ code: 'TLS_FAILED' });
    await expect(send(broker, trusted)).resolves.toMatch(/^01/);
    await administer(broker, trusted);
    clientCa = strangers.cert;
    await expect(send(broker, trusted)).rejects.toMatchObject({ code: 'TLS_FAILED' });
    await expect(administer(broker, trusted)).rejects.toThrow();
    await expect(send(broker, { ca: strangers.cert, ...strangers.issue() })).resolves.toMatch(/^01/);
    const address = new URL(broker.controlEndpoint);
    const socket = connectTls({ host: address.hostname, port: Number(address.port), ca: strangers.cert, ...served });
    closers.push(() => socket.destroy());
    await once(socket, 'secureConnect');
  });

  it('serve both with allowPlaintext', async () => {
    const broker = await serve({ tls: { ...identity, allowPlaintext: true }, nameServerPort: 0, controlPort: 0 });
    for (const tls of [undefined, { ca: authority.cert }]) {
      await expect(send(broker, tls)).resolves.toMatch(/^01/);
      await administer(broker, tls);
    }
    expect(broker.controlEndpoint).toMatch(/^https:/);
    await expect(fetch(broker.controlEndpoint.replace('https:', 'http:'))).rejects.toThrow();
  });

  it.each<[string, Partial<BrokerTlsOptions>]>([
    [
      'option tls.allowPlaintext cannot be combined with tls.clientCa',
      { allowPlaintext: true, clientCa: authority.cert },
    ],
    ['option tls.allowPlaintext must be true or false', { allowPlaintext: 'yes' as never }],
    ['option tls.cert is missing', { cert: undefined as never, key: undefined as never }],
  ])('are rejected with "%s"', (text, options) => {
    expect(() => new EmbeddedBroker({ tls: { ...identity, ...options } })).toThrow(text);
  });
});

describe('a port for TLS and plaintext', () => {
  const clock = new ManualClock();

  interface Opened {
    /** The bytes of the first plaintext connection that ends. */
    readonly received: Promise<string>;
    readonly socket: Socket;
    another(): Promise<Socket>;
  }

  /**
   * @param max the maximum number of connections
   * @returns the bytes of plaintext connections, and a connection to the port
   */
  async function open(max = 100): Promise<Opened> {
    let heard = (_text: string): void => {};
    const received = new Promise<string>((resolve) => {
      heard = resolve;
    });
    const onConnection = (socket: Socket): void => {
      socket.write('welcome');
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.once('end', () => heard(Buffer.concat(chunks).toString()));
    };
    const tls = { allowsPlaintext: true, serverOptions: () => identity };
    const listener = new Listener(onConnection, { clock, tls, room: new ConnectionRoom({ max }) });
    const port = await listener.listen('127.0.0.1', 0);
    closers.push(() => {
      listener.stopListening();
      listener.destroyConnections();
    });
    const another = async (): Promise<Socket> => {
      const socket = connectPlain(port, '127.0.0.1');
      closers.push(() => socket.destroy());
      socket.on('error', () => {});
      await once(socket, 'connect');
      return socket;
    };
    return { received, socket: await another(), another };
  }

  async function secure(socket: Socket): Promise<Socket> {
    const secured = connectTls({ socket, rejectUnauthorized: false });
    secured.on('error', () => {});
    // The client's handshake completes before that of the port.
    await once(secured, 'data');
    return secured;
  }

  it('passes on all bytes of a plaintext connection, however they are split', async () => {
    const { received, socket } = await open();
    for (const piece of ['P', 'RI ', '* HTTP/2.0']) {
      await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
    expect(await received).toBe('PRI * HTTP/2.0');
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['only the begin of a TLS handshake', Buffer.from([0x16])],
  ])('makes room for others by those that send %s, the oldest first', async (_, bytes) => {
    const { socket, another } = await open(3);
    const sockets = [socket];
    while (sockets.length < 6) sockets.push(await another());
    for (const each of sockets) each.resume().write(bytes);
    await until(() => sockets.filter(({ closed }) => closed).length === 3);
    expect(sockets.map(({ closed }) => closed)).toEqual([true, true, true, false, false, false]);
    await secure(await another());
    await until(() => sockets[3]?.closed === true);
  });

  it('counts a connection with TLS once, and can replace it', async () => {
    const { socket, another } = await open(2);
    const first = await secure(socket);
    const second = await secure(await another());
    expect(first.closed).toBe(false);
    const third = await secure(await another());
    await until(() => first.closed);
    expect([second.closed, third.closed]).toEqual([false, false]);
  });

  it('closes a connection that sends nothing', async () => {
    const { socket } = await open();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await until(() => clock.nextDueAtMs() !== undefined);
    clock.advanceTo(clock.nowMs() + 2 * MINUTE_MS);
    await closed;
  });

  it('releases a connection that ends without a byte', async () => {
    const { socket } = await open();
    await until(() => clock.nextDueAtMs() !== undefined);
    socket.end();
    await until(() => clock.nextDueAtMs() === undefined);
  });
});

describe('a self-signed certificate', () => {
  it.each(['2026-02-03T04:05:06Z', '2044-12-31T23:59:59Z'])('of %s is valid for this machine, for years', (now) => {
    const nowMs = Date.parse(now);
    const { cert, key } = selfSignedCertificate(nowMs);
    const certificate = new X509Certificate(cert);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(Date.parse(certificate.validFrom)).toBeLessThan(nowMs);
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(nowMs + 9 * 365 * 24 * 60 * MINUTE_MS);
    expect(key).toContain('BEGIN PRIVATE KEY');
  });
});
