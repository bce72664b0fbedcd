// The first error of a connection to an address where no proxy listens.

import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../../../test/fixtures/certificates.js';
import { until } from '../../../../../tools/until.js';
import { encodeFrame, FrameDecoder } from '../../protocol/remoting/frame.js';
import { frame } from '../../support/grpc/framing.js';
import { silentLogger } from '../../support/logger.js';
import { systemRandom } from '../../support/random.js';
import { type ResolvedTls, resolveTls } from '../../support/tls.js';
import type { Channel, WireCall } from '../channel.js';
import { GrpcChannel } from './grpc-channel.js';
import { Http2Channel } from './http2-channel.js';

const CALL: WireCall = { path: '/service/Method', metadata: {}, timeoutMs: 5_000 };
const NOTHING = frame(Buffer.alloc(0));
const TLS_GREETING = 0x16;
const EMPTY_SETTINGS = Buffer.from('\0\0\0\x04\0\0\0\0\0', 'latin1');
const NAME_SERVER = 0;
const BROKER = 3;

const authority = new CertificateAuthority();
const identity = authority.issue();
const anyCertificate = resolveTls({ dangerouslyAcceptAnyCertificate: true }, silentLogger);
afterAll(() => authority.remove());

/**
 * A server of the remoting protocol.
 * @param breakOff what becomes of a connection on which something else is said
 */
function answersRemoting(socket: Socket, code: number, breakOff = (): unknown => socket.destroy()): void {
  const decoder = new FrameDecoder();
  socket.on('error', () => {});
  socket.on('data', (piece) => {
    try {
      for (const { opaque } of decoder.push(piece)) socket.write(encodeFrame({ code, opaque, isResponse: true }));
    } catch {
      breakOff();
    }
  });
}

describe.each([
  ['http2', (address: string, tls?: ResolvedTls): Channel => new Http2Channel(address, systemRandom, tls)],
  ['grpc-js', (address: string, tls?: ResolvedTls): Channel => new GrpcChannel(grpc, address, tls)],
])('the first error of a connection on %s', (_, channelTo) => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function listening(server: Server): Promise<string> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => server.close(resolve)));
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** As name servers and brokers are by default: TLS is taken beside plaintext, and says nothing to HTTP/2. */
  function remotingServer(code: number, heard: string[] = []): Promise<string> {
    const secure = createTlsServer(identity, (socket) => answersRemoting(socket, code, () => socket.pause()));
    secure.on('tlsClientError', () => {});
    const server = createServer((socket) => {
      socket.once('error', () => {});
      socket.once('readable', () => {
        const first: Buffer | null = socket.read();
        if (first === null) return;
        socket.unshift(first);
        heard.push(first.toString('latin1', 0, 4));
        if (first[0] === TLS_GREETING) secure.emit('connection', socket);
        else answersRemoting(socket, code);
      });
    });
    return listening(server);
  }

  function connect(address: string, tls?: ResolvedTls): Channel {
    const channel = channelTo(address, tls);
    ends.push(() => channel.close());
    return channel;
  }

  const rejection = (text: string) => ({
    code: 'NOT_A_PROXY',
    outcome: 'not-sent',
    retryable: false,
    message: expect.stringContaining(text),
  });

  it.each([
    ['a name server', NAME_SERVER, 'the server is a RocketMQ name server (remoting protocol), not a proxy'],
    ['a broker', BROKER, 'the server is a RocketMQ broker (remoting protocol), not a proxy'],
  ])('names %s, and the port of proxies', async (_, code, text) => {
    const rejected = connect(await remotingServer(code)).unary(CALL, NOTHING);
    await expect(rejected).rejects.toMatchObject(rejection(text));
    await expect(rejected).rejects.toThrow('usually on port 8081');
  });

  it('names a name server that accepts only TLS', async () => {
    const secure = createTlsServer(identity, (socket) => answersRemoting(socket, NAME_SERVER));
    secure.on('tlsClientError', () => {});
    const rejected = connect(await listening(secure)).unary(CALL, NOTHING);
    await expect(rejected).rejects.toMatchObject(rejection('a RocketMQ name server'));
  });

  it('names a name server to a client over TLS, whose handshake it completes', async () => {
    const channel = connect(await remotingServer(NAME_SERVER), anyCertificate);
    const rejected = channel.unary(CALL, NOTHING);
    await expect(rejected).rejects.toMatchObject(rejection('a RocketMQ name server'));
  });

  it('does not say that only TLS is accepted when a server that takes both has started a moment ago', async () => {
    let hasStarted = false;
    const secure = createTlsServer(identity, (socket) => socket.on('error', () => {}));
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (first) => {
        if (first[0] === TLS_GREETING) {
          hasStarted = true;
          socket.pause();
          socket.unshift(first);
          secure.emit('connection', socket);
        } else if (hasStarted) socket.write(EMPTY_SETTINGS);
        else socket.destroy();
      });
    });
    const failed = connect(await listening(server)).unary(CALL, NOTHING);
    await expect(failed).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true });
  });

  it.each([
    ['plaintext', undefined],
    ['TLS', anyCertificate],
  ])('names an HTTP/1 server to a client of %s', async (_, tls) => {
    const address = await listening(createHttpServer((_, response) => response.end('hello')));
    await expect(connect(address, tls).unary(CALL, NOTHING)).rejects.toMatchObject(
      rejection('the server is an HTTP/1 server, not a proxy'),
    );
  });

  it('reports a server that accepts connections and sends nothing', async () => {
    const address = await listening(createServer((socket) => socket.on('error', () => {})));
    const rejected = connect(address).unary({ ...CALL, timeoutMs: 3_000 }, NOTHING);
    await expect(rejected).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent', retryable: true });
    await expect(rejected).rejects.toThrow(`${address} accepts connections but sends nothing`);
  });

  it('does not probe the server for each call that fails with a connection', async () => {
    const heard: string[] = [];
    const channel = connect(await remotingServer(NAME_SERVER, heard));
    const calls = await Promise.allSettled(Array.from({ length: 20 }, () => channel.unary(CALL, NOTHING)));
    expect(calls.map(({ status }) => status)).toEqual(Array(20).fill('rejected'));
    const probes = heard.filter((word) => word.startsWith('\0')).length;
    expect(probes).toBeGreaterThan(0);
    // One for each connection: on a starved machine some calls wait for another one.
    expect(probes).toBeLessThan(calls.length / 4);
  });

  it('does not delay a call beyond its timeout to probe the server', async () => {
    // Closes connections that are not HTTP/1, and does not answer HTTP/1.
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (piece) => {
        if (!piece.toString('latin1').startsWith('HEAD')) socket.destroy();
      });
    });
    const channel = connect(await listening(server));
    const order: string[] = [];
    const long = channel.unary(CALL, NOTHING).catch(() => order.push('5 s'));
    const short = channel.unary({ ...CALL, timeoutMs: 200 }, NOTHING).catch(() => order.push('200 ms'));
    await Promise.all([long, short]);
    expect(order).toEqual(['200 ms', '5 s']);
  });

  it('leaves no probe open when the channel is closed', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      socket.once('data', (piece) => {
        if (piece.toString('latin1').startsWith('PRI')) socket.destroy();
        else socket.resume();
      });
    });
    const channel = connect(await listening(server));
    const call = channel.unary(CALL, NOTHING).catch(() => {});
    await until(() => sockets.size >= 2);
    channel.close();
    await until(() => sockets.size === 0);
    await call;
  });
});
