import { mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateAuthority, type Identity, OTHER_NAME } from '../../../../test/fixtures/certificates.js';
import { forwardTo } from '../../../../test/fixtures/tcp-forwarder.js';
import { eventually } from '../../../../tools/until.js';
import { EmbeddedBroker } from '../broker/embedded-broker.js';
import type { BrokerTlsOptions } from '../broker/server-tls.js';
import { Producer } from '../producer/producer.js';
import type { Logger } from '../support/logger.js';
import type { TlsOptions } from '../support/tls.js';
import { Connection } from './connection.js';
import type { ConnectionOptions, Transport } from './connection-options.js';

const authority = new CertificateAuthority();
const strangers = new CertificateAuthority('strangers');

afterAll(() => {
  authority.remove();
  strangers.remove();
});

describe.each<Transport>(['http2', 'grpc-js'])('a connection over TLS by %s', (transport) => {
  const identities = {
    good: authority.issue(),
    otherName: authority.issue({ names: [`DNS:${OTHER_NAME}`] }),
    expired: authority.issue({ isExpired: true }),
    client: authority.issue(),
    strange: strangers.issue(),
  };
  const { good, client, strange } = identities;
  const ca = authority.cert;
  const closers: (() => unknown)[] = [];

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  /** @returns where it listens, by name; without a certificate it is a server that knows no TLS */
  async function serve(tls: BrokerTlsOptions | undefined): Promise<string> {
    if (tls === undefined) return servePlaintext();
    const broker = new EmbeddedBroker({ tls });
    closers.push(() => broker.stop());
    await broker.start();
    return broker.endpoints.replace('127.0.0.1', 'localhost');
  }

  async function servePlaintext(): Promise<string> {
    const server = createHttp2Server();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    return `localhost:${(server.address() as AddressInfo).port}`;
  }

  /** Starts a producer and sends a message. */
  async function send(options: ConnectionOptions): Promise<string> {
    const connection = new Connection({ transport, useBootstrapEndpoints: true, ...options });
    closers.push(() => connection.close());
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    closers.push(() => producer.close());
    await producer.start({ timeoutMs: 20_000 });
    const { messageId } = await producer.send({ topic: 'orders', body: 'one' });
    return messageId;
  }

  it('connects to a server whose authority it trusts', async () => {
    await expect(send({ endpoints: await serve(good), tls: { ca } })).resolves.toMatch(/^01/);
  });

  it('is enabled by https:// in the endpoints', async () => {
    const endpoints = `https://${await serve(strange)}`;
    await expect(send({ endpoints })).rejects.toMatchObject({ code: 'TLS_FAILED' });
  });

  it('connects to a server with the name in serverName', async () => {
    const endpoints = await serve(identities.otherName);
    await expect(send({ endpoints, tls: { ca, serverName: OTHER_NAME } })).resolves.toMatch(/^01/);
  });

  it('presents the client certificate to a server that requires one', async () => {
    const endpoints = await serve({ ...good, clientCa: ca });
    await expect(send({ endpoints, tls: { ca, ...client } })).resolves.toMatch(/^01/);
  });

  it('accepts any certificate when configured to, and logs a warning', async () => {
    const warnings: string[] = [];
    const logger: Logger = { debug() {}, info() {}, warn: (text) => warnings.push(text), error() {} };
    const endpoints = await serve(strange);
    await expect(send({ endpoints, logger, tls: { dangerouslyAcceptAnyCertificate: true } })).resolves.toMatch(/^01/);
    expect(warnings).toEqual([expect.stringContaining('not verified')]);
  });

  describe('fails immediately with the cause, and nothing was sent:', () => {
    it.each<[string, BrokerTlsOptions | undefined, true | TlsOptions | undefined, string]>([
      ['an unknown certificate authority', strange, { ca }, 'signed by an untrusted authority'],
      [
        'an authority that is not a system CA',
        good,
        true,
        'set the option tls.ca to the certificate of that authority',
      ],
      ['another name', identities.otherName, { ca }, 'the option tls.serverName'],
      ['an expired certificate', identities.expired, { ca }, 'has expired'],
      ['a missing client certificate', { ...good, clientCa: ca }, { ca }, 'set the options tls.cert and tls.key'],
      [
        'a client certificate of another authority',
        { ...good, clientCa: ca },
        { ca, ...strange },
        'does it trust the certificate in the option tls.cert?',
      ],
      ['a server without TLS', undefined, { ca }, 'does not use TLS on this port'],
      ['a server that accepts only TLS', good, undefined, 'the server accepts only TLS: set the option tls'],
      ['such a server that requires certificates', { ...good, clientCa: ca }, undefined, 'the server accepts only TLS'],
    ])('%s', async (_, server, tls, text) => {
      const rejected = send({ endpoints: await serve(server), tls });
      await expect(rejected).rejects.toMatchObject({ code: 'TLS_FAILED', outcome: 'not-sent', retryable: false });
      await expect(rejected).rejects.toThrow(text);
    });
  });

  it('uses the certificates that its functions return at each new connection', async () => {
    const lines: string[] = [];
    const line = (text: string): void => void lines.push(text);
    const logger: Logger = { debug() {}, info: line, warn: line, error() {} };
    const folder = mkdtempSync(join(tmpdir(), 'rotation-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    const at = (name: string): string => join(folder, name);
    const write = (name: string, { cert, key }: Identity): void => {
      writeFileSync(at(`${name}.key`), key);
      writeFileSync(at(`${name}.crt`), cert);
    };
    const read = (name: string) => () => readFileSync(at(name));
    write('broker', good);
    write('client', client);
    writeFileSync(at('ca-of-broker'), ca);
    writeFileSync(at('ca-of-clients'), ca);
    const broker = new EmbeddedBroker({
      tls: { cert: read('broker.crt'), key: read('broker.key'), clientCa: read('ca-of-clients') },
    });
    closers.push(() => broker.stop());
    await broker.start();
    const way = await forwardTo(Number(broker.endpoints.split(':')[1]));
    closers.push(() => way.close());
    const connection = new Connection({
      transport,
      logger,
      useBootstrapEndpoints: true,
      endpoints: `localhost:${way.port}`,
      tls: { ca: read('ca-of-broker'), cert: read('client.crt'), key: read('client.key') },
    });
    closers.push(() => connection.close());
    const producer = new Producer(connection, { topics: { orders: 'normal' } });
    closers.push(() => producer.close());
    await producer.start({ timeoutMs: 20_000 });
    const result = (): Promise<string> =>
      producer.send({ topic: 'orders', body: 'one' }).then(
        () => 'sent',
        (error: Error) => error.message,
      );
    /** Sends until this is the result. */
    const becomes = async (text: string): Promise<void> => {
      expect(await eventually(result, (last) => last.includes(text), 20_000)).toContain(text);
    };
    await becomes('sent');

    // The broker trusts other clients from now on.
    writeFileSync(at('ca-of-clients'), strangers.cert);
    await becomes('sent');
    way.reset();
    await becomes('does it trust the certificate in the option tls.cert?');
    unlinkSync(at('client.key'));
    const warning = expect.stringContaining('cannot be read again');
    expect(
      await eventually(
        () => lines,
        (all) => all.some((text) => text.includes('cannot be read')),
      ),
    ).toContainEqual(warning);
    await becomes('does it trust the certificate in the option tls.cert?');
    write('client', strange);
    await becomes('sent');

    // The broker has a certificate of another authority from now on.
    write('broker', strangers.issue());
    way.reset();
    await becomes('signed by an untrusted authority');
    writeFileSync(at('ca-of-broker'), strangers.cert);
    await becomes('sent');
    expect(lines.filter((text) => text.includes('cannot be read'))).toHaveLength(1);
  }, 60_000);

  it('is not blamed when a server that serves both closes a connection', async () => {
    const broker = new EmbeddedBroker();
    closers.push(() => broker.stop());
    await broker.start();
    for (const tls of [undefined, { dangerouslyAcceptAnyCertificate: true }]) {
      broker.faults.refuseConnections({ times: 1 });
      await expect(send({ endpoints: broker.endpoints, tls })).resolves.toMatch(/^01/);
    }
  });

  describe('a server that closes every connection', () => {
    let server: Server;
    let endpoints: string;
    beforeAll(async () => {
      server = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      endpoints = `127.0.0.1:${(server.address() as { port: number }).port}`;
    });
    afterAll(() => void server.close());

    it.each([undefined, true])('is reported as unavailable with the option tls: %s', async (tls) => {
      const connection = new Connection({ transport, endpoints, tls });
      closers.push(() => connection.close());
      const producer = new Producer(connection, { topics: { orders: 'normal' } });
      closers.push(() => producer.close());
      await expect(producer.start({ timeoutMs: 1_500 })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        retryable: true,
      });
    });
  });

  it.each<[Partial<ConnectionOptions>, string]>([
    [{ endpoints: 'https://a:1', tls: false }, 'endpoints begins with "https://" and option tls is false'],
    [{ endpoints: 'http://a:1', tls: true }, 'endpoints begins with "http://" and option tls is set'],
    [{ endpoints: 'a:1', tls: { cert: 'x' } }, 'option tls.key is missing'],
  ])('rejects contradicting options: %j', (options, text) => {
    expect(() => new Connection(options as ConnectionOptions)).toThrow(text);
  });
});
