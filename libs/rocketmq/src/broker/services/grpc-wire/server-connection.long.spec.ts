import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { connect as connectTls, type TlsOptions } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { CertificateAuthority } from '../../../../../../test/fixtures/certificates.js';
import { until } from '../../../../../../tools/until.js';
import { FRAME_TYPE, headerBlock, http2Frame, PREFACE } from '../../../../../../tools/wire/http2-frames.js';
import { answerOn, framed, Http2Peer } from '../../../../../../tools/wire/http2-peer.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { serverTlsOf } from '../../server-tls.js';
import { Listener } from '../listener.js';
import { GrpcHttp2Server } from './grpc-http2-server.js';
import { type Method, oneMessage } from './server-call.js';

const MEBIBYTE = 1024 * 1024;
const LOOK_MS = 5_000;
/** The checks after which a dead connection with unsent responses is closed. */
const LOOKS_TO_THE_END = 5;
const GRACE_MS = 100;
/** More than the system buffers for a client that does not read. */
const LARGE_BYTES = 64 * MEBIBYTE;
const END_STREAM = 1;
const END_HEADERS = 4;

const opening = Buffer.concat([PREFACE, http2Frame(FRAME_TYPE.settings, 0, 0)]);
const callTo = (path: string): Buffer => {
  const fields = [
    ':method POST',
    ':scheme http',
    `:path ${path}`,
    ':authority broker',
    'content-type application/grpc',
  ];
  return http2Frame(FRAME_TYPE.headers, END_HEADERS, 1, headerBlock(fields.map((field) => pairOf(field))));
};
const pairOf = (field: string): [string, string] => field.split(' ') as [string, string];
const message = (flags = 0): Buffer => http2Frame(FRAME_TYPE.data, flags, 1, framed(Buffer.from('x')));
const ping = (bytes: number): Buffer => http2Frame(FRAME_TYPE.ping, 0, 0, Buffer.alloc(bytes));
const halfTrailers = http2Frame(FRAME_TYPE.headers, 0, 1, headerBlock([['trailer', 'x'.repeat(50)]]));
const halfBlock = Buffer.concat([callTo('/s/Hold'), message(), halfTrailers, ping(8)]);

/** Input after which a connection cannot go on. */
const REJECTED: [string, Buffer][] = [
  ['data of no stream', http2Frame(FRAME_TYPE.data, 0, 0, Buffer.alloc(4))],
  ['a ping of five bytes', ping(5)],
  ['settings of five bytes', http2Frame(FRAME_TYPE.settings, 0, 0, Buffer.alloc(5))],
  ['a frame over the size that is allowed', http2Frame(FRAME_TYPE.data, 0, 1, Buffer.alloc(20_000))],
  ['headers that cannot be read', http2Frame(FRAME_TYPE.headers, END_HEADERS, 1, Buffer.alloc(6, 0xff))],
  ['a continuation of nothing', http2Frame(FRAME_TYPE.continuation, END_HEADERS, 1, Buffer.alloc(8))],
  ['data after the end of a call', Buffer.concat([callTo('/s/Hold'), message(END_STREAM), message()])],
  ['an answer that did not go out', Buffer.concat([callTo('/s/Echo'), message(END_STREAM), ping(5)])],
  ['half a header block in a call', halfBlock],
];

const closers: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const METHODS: Record<string, Method> = {
  '/s/Echo': (call) => oneMessage((bytes) => call.answer(framed(bytes))),
  '/s/Hold': () => ({ message() {}, halfClosed() {} }),
  '/s/Large': (call) => oneMessage(() => call.answer(framed(Buffer.alloc(LARGE_BYTES)))),
};

/** A server on a manual clock, and its sockets. */
async function serve(identity?: TlsOptions) {
  const tls = { allowsPlaintext: identity === undefined, serverOptions: () => identity ?? {} };
  const clock = new ManualClock();
  const server = new GrpcHttp2Server(new Map(Object.entries(METHODS)), { clock, maxMessageBytes: 1_000 });
  const accepted: Socket[] = [];
  const onConnection = (socket: Socket): void => {
    server.accept(socket);
    accepted.push(socket);
  };
  const listener = new Listener(onConnection, { clock, tls, room: server.room });
  const port = await listener.listen('127.0.0.1', 0);
  const stop = async (): Promise<void> => {
    listener.stopListening();
    const stopped = server.stop(GRACE_MS);
    clock.advanceTo(clock.nowMs() + GRACE_MS);
    await stopped;
  };
  /** Makes the server check its connections this many times. */
  const look = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) {
      clock.advanceTo(clock.nowMs() + LOOK_MS);
      for (let turns = 0; turns < 3; turns++) await turn();
    }
  };
  closers.push(async () => {
    await stop();
    listener.destroyConnections();
  });
  return { port, accepted, stop, look, clock };
}

/** Sends bytes and waits for the server's GOAWAY. `closed` resolves when the server has closed the connection. */
async function rejectTo(socket: Socket, bytes: Buffer): Promise<{ closed: Promise<unknown> }> {
  socket.on('error', () => {});
  closers.push(() => socket.destroy());
  const closed = once(socket, 'close');
  const goaway = Buffer.from([FRAME_TYPE.goaway, 0, 0, 0, 0, 0]);
  let received = Buffer.alloc(0);
  const rejected = new Promise<void>((resolve) => {
    socket.on('data', (piece: Buffer) => {
      received = Buffer.concat([received, piece]);
      if (received.includes(goaway)) resolve();
    });
  });
  socket.write(Buffer.concat([opening, bytes]));
  await Promise.race([rejected, closed]);
  return { closed };
}

/** A process with one HTTP/2 session that follows commands: call, or call and report when the response begins, before it reads on. */
function client(port: number) {
  const script = `
    const { connect } = require('node:http2');
    const session = connect('http://127.0.0.1:${port}', { settings: { initialWindowSize: 2 ** 31 - 1 } });
    session.on('error', () => {});
    session.on('close', () => process.send('closed'));
    session.on('connect', () => { session.setLocalWindowSize(2 ** 31 - 1); process.send('connected'); });
    process.on('message', ({ path, waits }) => {
      let bytes = 0;
      const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
      stream.on('error', () => {});
      if (waits) stream.once('data', () => { stream.pause(); process.send('begins', () => setTimeout(() => stream.resume(), 200)); });
      stream.on('data', (piece) => { bytes += piece.length; });
      stream.on('close', () => process.send(bytes));
      stream.end(Buffer.from([0, 0, 0, 0, 1, 120]));
    });`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  closers.push(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
  const report = async (): Promise<unknown> => (await once(child, 'message'))[0];
  return {
    report,
    command: (task: { path: string; waits?: boolean }) => child.send(task),
    stand: () => child.kill('SIGSTOP'),
    goOn: () => child.kill('SIGCONT'),
  };
}

const PLAIN: [string, string][] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
];

describe('a request that is not gRPC', () => {
  /** Sends its headers and what follows them. @returns all that the server has sent */
  async function ask(bytes: Buffer, more: readonly [string, string][] = []) {
    const { port, look } = await serve();
    const socket = connect(port, '127.0.0.1');
    closers.push(() => socket.destroy());
    const received = { bytes: Buffer.alloc(0) };
    socket.on('data', (piece: Buffer) => {
      received.bytes = Buffer.concat([received.bytes, piece]);
    });
    const headers = http2Frame(FRAME_TYPE.headers, END_HEADERS, 1, headerBlock([...PLAIN, ...more]));
    socket.write(Buffer.concat([opening, headers, bytes, ping(8)]));
    // The answer to the ping stands behind all that was done before it.
    await until(() => received.bytes.includes(http2Frame(FRAME_TYPE.ping, 1, 0, Buffer.alloc(8))));
    return { received, look };
  }

  const frameOf = (type: number, flags: number) => Buffer.from([type, flags, 0, 0, 0, 1]);
  const answered = frameOf(FRAME_TYPE.headers, END_STREAM | END_HEADERS);
  const reset = (code: number) => http2Frame(FRAME_TYPE.reset, 0, 1, Buffer.from([0, 0, 0, code]));

  it('is rejected when it is complete', async () => {
    const { received } = await ask(http2Frame(FRAME_TYPE.data, END_STREAM, 1, Buffer.from('x')));
    expect(received.bytes.includes(answered)).toBe(true);
    expect(received.bytes.includes(Buffer.from('415'))).toBe(true);
  });

  it.each<[string, Buffer, [string, string][], number]>([
    [
      'a body of another length',
      http2Frame(FRAME_TYPE.data, END_STREAM, 1, Buffer.from('x')),
      [['content-length', '2']],
      1,
    ],
    ['a pseudo-header among its trailers', http2Frame(FRAME_TYPE.headers, 5, 1, headerBlock([[':path', '/']])), [], 1],
    ['second headers', http2Frame(FRAME_TYPE.headers, END_HEADERS, 1, headerBlock([['a', 'b']])), [], 1],
    ['a window update of nothing', http2Frame(FRAME_TYPE.window, 0, 1, Buffer.alloc(4)), [], 1],
    ['a window that is too large', http2Frame(FRAME_TYPE.window, 0, 1, Buffer.from([0x7f, 255, 255, 255])), [], 3],
  ])('with %s is reset, as any other', async (_, bytes, more, code) => {
    const { received } = await ask(bytes, more);
    expect(received.bytes.includes(reset(code))).toBe(true);
    expect(received.bytes.includes(answered)).toBe(false);
  });

  it('is rejected before its end when that does not come', async () => {
    const { received, look } = await ask(Buffer.alloc(0));
    await look(23);
    expect(received.bytes.includes(answered)).toBe(false);
    await look(2);
    await until(() => received.bytes.includes(answered));
  });

  it('is rejected before its end when its body is long', async () => {
    const body = http2Frame(FRAME_TYPE.data, 0, 1, Buffer.alloc(16_384));
    const { received } = await ask(Buffer.concat([body, body]));
    expect(received.bytes.includes(Buffer.concat([answered]))).toBe(true);
    expect(received.bytes.includes(reset(0))).toBe(true);
  });
});

describe('a connection', () => {
  it.each(REJECTED)('is closed after %s', async (_what, bytes) => {
    const { port, accepted, look } = await serve();
    const { closed } = await rejectTo(connect(port, '127.0.0.1'), bytes);
    await look(LOOKS_TO_THE_END);
    await closed;
    expect(accepted.map((socket) => socket.destroyed)).toEqual([true]);
  });

  it('is closed over TLS, too, while a valid one continues to be served', async () => {
    const authority = new CertificateAuthority();
    closers.push(() => authority.remove());
    const { port, look } = await serve(serverTlsOf(authority.issue()));
    const options = { port, host: '127.0.0.1', ca: authority.cert, ALPNProtocols: ['h2'] };
    const good = connectTls(options);
    closers.push(() => good.destroy());
    good.write(opening);
    await once(good, 'data');
    const { closed } = await rejectTo(connectTls(options), ping(5));
    await look(LOOKS_TO_THE_END);
    await closed;
    const answered = once(good, 'data');
    good.write(ping(8));
    await answered;
    expect(good.destroyed).toBe(false);
  });

  it('is rejected over TLS when its client does not choose HTTP/2', async () => {
    const authority = new CertificateAuthority();
    closers.push(() => authority.remove());
    const { port } = await serve(serverTlsOf(authority.issue()));
    const socket = connectTls({ port, host: '127.0.0.1', ca: authority.cert });
    closers.push(() => socket.destroy());
    let text = '';
    socket.on('data', (piece: Buffer) => {
      text += piece.toString();
    });
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.0 403 .*ALPN/s);
  });

  it('is closed by a stop while it has an incomplete header block in a call', async () => {
    const { port, stop } = await serve();
    const many = Array.from({ length: 10 }, () => rejectTo(connect(port, '127.0.0.1'), halfBlock));
    const ends = await Promise.all(many);
    await stop();
    await Promise.all(ends.map(({ closed }) => closed));
  });

  it('stays open when its client is idle', async () => {
    const { port, look, accepted } = await serve();
    const peer = new Http2Peer(`127.0.0.1:${port}`);
    closers.push(() => peer.close());
    await peer.call('/s/Echo', [framed(Buffer.from('x'))]);
    await look(30);
    expect((await peer.call('/s/Echo', [framed(Buffer.from('x'))])).status).toBe('0');
    expect(accepted).toHaveLength(1);
  });

  it('ends a request that is incomplete after two minutes, but not one whose response takes long', async () => {
    const { port, look } = await serve();
    const peer = new Http2Peer(`127.0.0.1:${port}`);
    closers.push(() => peer.close());
    // Node answers a ping itself while it is connecting.
    await peer.call('/s/Echo', [framed(Buffer.from('x'))]);
    const waiting = peer.open('/s/Hold');
    waiting.end(framed(Buffer.from('x')));
    const stream = peer.open('/s/Echo');
    const answer = answerOn(stream);
    stream.write(framed(Buffer.from('x')).subarray(0, 3));
    await new Promise<void>((resolve) => peer.session.ping(() => resolve()));
    await look(23);
    expect(stream.closed).toBe(false);
    await look(2);
    expect(await answer).toMatchObject({ status: '8', message: expect.stringContaining('was incomplete') });
    expect(waiting.closed).toBe(false);
  });

  it('stays open while its client process is stopped, however long', async () => {
    const { port, look, accepted } = await serve();
    const { report, command, stand, goOn } = client(port);
    await report();
    const echo = async (): Promise<unknown> => {
      command({ path: '/s/Echo' });
      return report();
    };
    expect(await echo()).toBe(6);
    stand();
    await look(30);
    goOn();
    expect(await echo()).toBe(6);
    expect(accepted).toHaveLength(1);
  });

  it('stays open for a while when its client process is stopped during a response, and then continues', async () => {
    const { port, look, accepted } = await serve();
    const { report, command, stand, goOn } = client(port);
    await report();
    command({ path: '/s/Large', waits: true });
    await report();
    stand();
    await until(() => (accepted[0]?.bytesWritten ?? 0) > MEBIBYTE);
    await look(LOOKS_TO_THE_END - 1);
    goOn();
    expect(await report()).toBe(LARGE_BYTES + 5);
    expect(accepted).toHaveLength(1);
  });
});
