import { once } from 'node:events';
import { type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../../../tools/until.js';
import { answerOn, framed, Http2Peer, type PeerAnswer } from '../../../../../../tools/wire/http2-peer.js';
import { SystemClock } from '../../../support/clock.js';
import { Listener } from '../listener.js';
import { GrpcHttp2Server, type GrpcHttp2ServerOptions } from './grpc-http2-server.js';
import { type Method, oneMessage, type ServerCall } from './server-call.js';

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Answers with what it got. */
const echo: Method = (call) => oneMessage((bytes) => call.answer(framed(bytes)));

/** A server with the given methods and a peer of it. */
async function serve(methods: Record<string, Method>, given: Partial<GrpcHttp2ServerOptions> = {}) {
  const options = { clock: new SystemClock(), maxMessageBytes: 1_000, ...given };
  const server = new GrpcHttp2Server(new Map(Object.entries(methods)), options);
  const tls = { allowsPlaintext: true, serverOptions: () => ({}) };
  const sockets: Socket[] = [];
  const accept = (socket: Socket): void => {
    sockets.push(socket);
    server.accept(socket);
  };
  const listener = new Listener(accept, { ...options, tls, room: server.room });
  const port = await listener.listen('127.0.0.1', 0);
  const peer = new Http2Peer(`127.0.0.1:${port}`);
  closers.push(async () => {
    listener.stopListening();
    peer.close();
    await server.stop(100);
    listener.destroyConnections();
  });
  return { server, listener, peer, port, sockets };
}

/** A method that leaves its calls to the test. */
function held(): { method: Method; next(): Promise<ServerCall> } {
  const calls: ServerCall[] = [];
  let wake = (): void => {};
  return {
    method: (call) => {
      calls.push(call);
      wake();
      return { message() {}, halfClosed() {} };
    },
    async next() {
      while (calls.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return calls.shift() as ServerCall;
    },
  };
}

const MEBIBYTE = 1024 * 1024;

/** Opens another connection. */
function peerOf(port: number): Http2Peer {
  const peer = new Http2Peer(`127.0.0.1:${port}`);
  closers.push(() => peer.close());
  return peer;
}

/** Waits until the server has read everything sent before. */
const reached = (peer: Http2Peer): Promise<void> => new Promise((resolve) => peer.session.ping(() => resolve()));

function write(stream: ClientHttp2Stream, bytes: Buffer): ClientHttp2Stream {
  stream.write(bytes);
  return stream;
}

const aborted = (call: ServerCall): Promise<void> =>
  new Promise((resolve) => {
    if (call.signal.aborted) resolve();
    else call.signal.addEventListener('abort', () => resolve(), { once: true });
  });

describe('the gRPC server', () => {
  it('answers a call with headers, the message and the status as trailers', async () => {
    const { peer } = await serve({ '/s/Echo': echo });
    const answer = await peer.call('/s/Echo', [framed(Buffer.from('hi'))]);
    expect(answer).toMatchObject({ status: '0', message: undefined, data: framed(Buffer.from('hi')) });
    expect(answer.headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc' });
  });

  it('assembles a request from small pieces', async () => {
    const { peer } = await serve({ '/s/Echo': echo });
    const request = framed(Buffer.from('in pieces'));
    const answer = await peer.call(
      '/s/Echo',
      Array.from(request, (byte) => Buffer.from([byte])),
    );
    expect(answer.data).toEqual(request);
  });

  it.each<[string, string, Buffer[], Record<string, string>, number]>([
    ['a method that is not there', '/s/Missing', [framed(Buffer.from('x'))], {}, 12],
    ['a message over the limit', '/s/Echo', [framed(Buffer.alloc(0), 0, 1_001)], {}, 8],
    ['a compressed message', '/s/Echo', [framed(Buffer.from('x'), 1)], {}, 12],
    ['bytes that are no message', '/s/Echo', [Buffer.from('GET / HTTP/1.1\r\n')], {}, 13],
    ['a request that ends early', '/s/Echo', [framed(Buffer.from('abc')).subarray(0, 6)], {}, 13],
    ['no message', '/s/Echo', [], {}, 13],
    ['two messages', '/s/Echo', [framed(Buffer.from('a')), framed(Buffer.from('b'))], {}, 13],
    ['a deadline that is none', '/s/Echo', [framed(Buffer.from('x'))], { 'grpc-timeout': 'soon' }, 13],
  ])('ends a call with %s with a status, and serves the next', async (_what, path, pieces, headers, status) => {
    const { peer } = await serve({ '/s/Echo': echo });
    expect((await peer.call(path, pieces, headers)).status).toBe(String(status));
    expect((await peer.call('/s/Echo', [framed(Buffer.from('next'))])).status).toBe('0');
  });

  it('resets the stream of a client that continues to send after its call was rejected', async () => {
    const { peer } = await serve({ '/s/Echo': echo });
    const stream = peer.open('/s/Echo');
    const answer = answerOn(stream);
    stream.write(framed(Buffer.alloc(0), 0, 2_000_000));
    expect(await answer).toMatchObject({ status: '8', resetCode: 0 });
    expect(stream.closed).toBe(true);
  });

  it.each([
    ['another content type', { 'content-type': 'text/plain' }],
    ['another method', { ':method': 'GET' }],
  ])('rejects requests with %s with an HTTP status', async (_what, headers) => {
    const { peer } = await serve({ '/s/Echo': echo });
    const answer = await peer.call('/s/Echo', [], headers);
    expect(answer.headers[':status']).toBe(415);
  });

  it.each([
    ['headers that are too large', { 'x-large': 'x'.repeat(20_000) }, constants.NGHTTP2_ENHANCE_YOUR_CALM],
    ['another length than it announces', { 'content-length': '7' }, constants.NGHTTP2_PROTOCOL_ERROR],
    ['no path', { ':path': '' }, constants.NGHTTP2_PROTOCOL_ERROR],
  ])('resets a request with %s, and serves the next', async (_what, headers, code) => {
    const { peer } = await serve({ '/s/Echo': echo });
    const answer = await peer.call('/s/Echo', [framed(Buffer.from('x'))], headers);
    expect(answer).toMatchObject({ status: undefined, resetCode: code });
    expect((await peer.call('/s/Echo', [framed(Buffer.from('next'))])).status).toBe('0');
  });

  it('writes an answer with its headers and its status at once', async () => {
    const { peer, sockets } = await serve({ '/s/Echo': echo });
    await peer.call('/s/Echo', [framed(Buffer.from('x'))]);
    let writes = 0;
    for (const socket of sockets) {
      const write = socket.write.bind(socket) as (...values: unknown[]) => boolean;
      socket.write = (...values: unknown[]) => {
        writes++;
        return write(...values);
      };
    }
    await peer.call('/s/Echo', [framed(Buffer.from('x'))]);
    expect(writes).toBe(1);
  });

  it('does not count as read what had not left the process when the connection broke', async () => {
    const { method, next } = held();
    const { port } = await serve({ '/s/Hold': method });
    // Its windows are larger than all that the system buffers.
    const session = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 2 ** 31 - 1 } });
    session.on('error', () => {});
    closers.push(() => session.destroy());
    await once(session, 'connect');
    session.setLocalWindowSize(2 ** 31 - 1);
    const stream = session.request({ ':method': 'POST', ':path': '/s/Hold', 'content-type': 'application/grpc' });
    stream.on('error', () => {});
    const call = await next();
    stream.pause();
    expect(await call.send(framed(Buffer.from('first')))).toBe(true);
    const stuck = call.send(framed(Buffer.alloc(64 * MEBIBYTE)));
    session.destroy();
    expect(await stuck).toBe(false);
  });

  it.each([
    ['what is not gRPC', '828486410161'],
    ['a call', `838644072f732f4563686f4101615f106170706c69636174696f6e2f67727063`],
  ])('continues when a client cancels %s in the first bytes of its connection', async (_what, headers) => {
    const signals: AbortSignal[] = [];
    const method: Method = (call) => {
      signals.push(call.signal);
      return echo(call);
    };
    const { peer, port } = await serve({ '/s/Echo': method });
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    const frames = [
      '000000040000000000',
      `${(headers.length / 2).toString(16).padStart(6, '0')}010500000001${headers}`,
      '00000403000000000100000008',
    ];
    const socket = connect(port, '127.0.0.1');
    socket.write(Buffer.concat([preface, ...frames.map((frame) => Buffer.from(frame, 'hex'))]));
    // Once its ping is answered, everything before it has been processed.
    const ping = Buffer.from('000008060000000000aabbccddeeff0011', 'hex');
    socket.write(ping);
    await new Promise<void>((resolve) => {
      socket.on('data', (bytes: Buffer) => bytes.includes(ping.subarray(9)) && resolve());
    });
    socket.destroy();
    expect((await peer.call('/s/Echo', [framed(Buffer.from('next'))])).status).toBe('0');
    expect(signals.map(({ aborted }) => aborted)).toEqual(signals.map(() => true));
  });

  it('accepts a deadline of 60 years or none, and ends a call whose deadline has passed', async () => {
    const { method, next } = held();
    const { peer } = await serve({ '/s/Hold': method });
    const long = answerOn(peer.open('/s/Hold', { 'grpc-timeout': '31535999M' }));
    const call = await next();
    expect(call.remainingMs).toBeGreaterThan(50 * 365 * 86_400_000);
    const endless = answerOn(peer.open('/s/Hold'));
    const second = await next();
    expect(second.remainingMs).toBe(Number.POSITIVE_INFINITY);
    const short = answerOn(peer.open('/s/Hold', { 'grpc-timeout': '1m' }));
    await aborted(await next());
    expect((await short).status).toBe('4');
    call.finish();
    second.fail('unavailable', 'größer');
    expect((await long).status).toBe('0');
    expect(await endless).toMatchObject({ status: '14', message: 'gr%C3%B6%C3%9Fer' });
  });

  it('notifies a method when its client resets the stream or disconnects, even during a response', async () => {
    const { method, next } = held();
    const { peer } = await serve({ '/s/Hold': method });
    const stream = peer.open('/s/Hold');
    const call = await next();
    stream.close(8);
    await aborted(call);
    expect(await call.send(framed(Buffer.from('late')))).toBe(false);
    peer.open('/s/Hold').pause();
    const second = await next();
    expect(await second.send(framed(Buffer.from('first')))).toBe(true);
    // More than the client's window, so it cannot be sent completely.
    const stuck = second.send(framed(Buffer.alloc(1_000_000)));
    peer.close();
    await aborted(second);
    expect(await stuck).toBe(false);
  });

  it('does not count as read what a client had not read when it reset the stream', async () => {
    const { method, next } = held();
    const { peer } = await serve({ '/s/Hold': method });
    const stream = peer.open('/s/Hold');
    stream.pause();
    const call = await next();
    const sent = [call.send(framed(Buffer.alloc(500_000))), call.send(framed(Buffer.alloc(1_000)))];
    call.finish();
    await new Promise((resolve) => peer.session.ping(() => resolve(undefined)));
    stream.close(8);
    expect(await Promise.all(sent)).toEqual([false, false]);
  });

  it('waits for a client that reads slowly', async () => {
    const { method, next } = held();
    const { peer } = await serve({ '/s/Hold': method });
    const stream = peer.open('/s/Hold');
    stream.pause();
    const call = await next();
    let isOut = false;
    const sent = call.send(framed(Buffer.alloc(500_000, 1))).then((out) => {
      isOut = out;
    });
    await new Promise((resolve) => peer.session.ping(() => resolve(undefined)));
    expect(isOut).toBe(false);
    const answer = answerOn(stream);
    stream.resume();
    await sent;
    expect(isOut).toBe(true);
    call.finish();
    expect((await answer).data.length).toBe(500_005);
  });

  it.each([
    ['that has ended', (call: ServerCall) => call.finish()],
    ['that goes on', () => {}],
  ])('keeps data that a client does not read only until the deadline of a call %s', async (_which, after) => {
    const { method, next } = held();
    const { peer } = await serve({ '/s/Hold': method });
    const stream = peer.open('/s/Hold', { 'grpc-timeout': '300m' });
    stream.pause();
    const call = await next();
    const sent = [call.send(framed(Buffer.alloc(500_000))), call.send(framed(Buffer.alloc(1_000)))];
    after(call);
    expect(await Promise.all(sent)).toEqual([false, false]);
    expect((await peer.call('/s/Missing', [])).status).toBe('12');
  });

  it('serves many calls on one connection at once', async () => {
    const { peer } = await serve({ '/s/Echo': echo });
    const texts = Array.from({ length: 500 }, (_, index) => `call ${index}`);
    const answers = await Promise.all(texts.map((text) => peer.call('/s/Echo', [framed(Buffer.from(text))])));
    expect(answers.map(({ data }) => data.subarray(5).toString())).toEqual(texts);
  });

  it('keeps a connection whose client cancels 900 calls at once, as when they time out together', async () => {
    const { peer } = await serve({ '/s/Echo': echo, '/s/Hold': held().method });
    const calls = Array.from({ length: 900 }, () => peer.open('/s/Hold'));
    await peer.call('/s/Echo', [framed(Buffer.from('behind them'))]);
    for (const call of calls) call.close(8);
    expect((await peer.call('/s/Echo', [framed(Buffer.from('x'))])).status).toBe('0');
    expect(peer.goaways).toBe(0);
  });

  it('transmits messages in both directions until one side ends', async () => {
    const chat: Method = (call) => ({
      message: (bytes) => void call.send(framed(bytes)),
      halfClosed: () => call.finish(),
    });
    const { peer } = await serve({ '/s/Chat': chat });
    const answer = await peer.call('/s/Chat', [framed(Buffer.from('a')), framed(Buffer.from('b'))]);
    expect(answer).toMatchObject({
      status: '0',
      data: Buffer.concat([framed(Buffer.from('a')), framed(Buffer.from('b'))]),
    });
  });

  it('ends a call whose method throws with INTERNAL', async () => {
    const broken: Method = () => {
      throw new Error('out of order');
    };
    const { peer } = await serve({ '/s/Broken': broken });
    expect(await peer.call('/s/Broken', [])).toMatchObject({ status: '13', message: 'out of order' });
  });

  it('ends the oldest incomplete requests when all together exceed the memory limit, and serves the newest', async () => {
    const { port, peer } = await serve(
      { '/s/Echo': echo },
      { maxMessageBytes: MEBIBYTE, maxUnfinishedBytes: 2 * MEBIBYTE },
    );
    const hoards: Promise<PeerAnswer>[] = [];
    for (let index = 0; index < 6; index++) {
      const hoarder = peerOf(port);
      hoards.push(answerOn(write(hoarder.open('/s/Echo'), framed(Buffer.alloc(600_000), 0, MEBIBYTE))));
      await reached(hoarder);
    }
    const ended = await Promise.all(hoards.slice(0, 4));
    expect(new Set(ended.map(({ status }) => status))).toEqual(new Set(['8']));
    expect(ended[0]?.message).toContain('send it again');
    const large = framed(Buffer.alloc(MEBIBYTE, 1));
    expect((await peer.call('/s/Echo', [large])).data).toEqual(large);
  });

  it('counts the received bytes of a request until it is complete', async () => {
    const { port, peer } = await serve(
      { '/s/Echo': echo },
      { maxMessageBytes: MEBIBYTE, maxUnfinishedBytes: 2 * MEBIBYTE },
    );
    const whole = answerOn(write(peerOf(port).open('/s/Echo'), framed(Buffer.alloc(MEBIBYTE))));
    const others = [1, 2].map(() => answerOn(write(peerOf(port).open('/s/Echo'), framed(Buffer.alloc(MEBIBYTE)))));
    const first = await Promise.race([whole, ...others]);
    expect(first.status).toBe('8');
    expect((await peer.call('/s/Echo', [framed(Buffer.from('x'))])).status).toBe('0');
  });

  it('resets the calls whose answers have waited longest when all unread answers exceed the memory limit', async () => {
    const large: Method = (call) => oneMessage(() => call.answer(framed(Buffer.alloc(600_000))));
    const { port } = await serve({ '/s/Large': large }, { maxUnfinishedBytes: 2 * MEBIBYTE });
    const streams: ClientHttp2Stream[] = [];
    const answers: Promise<PeerAnswer>[] = [];
    for (let index = 0; index < 8; index++) {
      const peer = peerOf(port);
      const stream = peer.open('/s/Large').pause();
      streams.push(stream);
      answers.push(answerOn(stream));
      stream.end(framed(Buffer.from('x')));
      await once(stream, 'response');
      await reached(peer);
    }
    for (const stream of streams) stream.resume();
    const read = await Promise.all(answers);
    const isWhole = read.map(({ data }) => data.length === 600_005);
    expect(isWhole).toEqual([false, false, false, false, false, true, true, true]);
    expect(read.map(({ resetCode }) => resetCode)).toEqual([8, 8, 8, 8, 8, 0, 0, 0]);
  });

  it('replaces connections without a call when the maximum is reached, but none with a call', async () => {
    const { method, next } = held();
    const { port } = await serve({ '/s/Hold': method, '/s/Echo': echo }, { maxConnections: 4 });
    const [calling, first, second] = [peerOf(port), peerOf(port), peerOf(port)];
    const stream = calling.open('/s/Hold');
    await next();
    for (const peer of [first, second]) await reached(peer);
    // The peer that serve() created has never sent a request; after it, the first of the others.
    for (const number of [1, 2]) {
      expect((await peerOf(port).call('/s/Echo', [framed(Buffer.from(`${number}`))])).status).toBe('0');
    }
    await first.closed;
    expect([stream.closed, second.session.closed]).toEqual([false, false]);
  });

  it('replaces the oldest connections that send nothing when the maximum is reached', async () => {
    const { port } = await serve({ '/s/Echo': echo }, { maxConnections: 4 });
    const silent: Socket[] = [];
    for (let count = 0; count < 8; count++) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      closers.push(() => void socket.destroy());
      await once(socket.resume(), 'connect');
      silent.push(socket);
    }
    expect((await peerOf(port).call('/s/Echo', [framed(Buffer.from('x'))])).status).toBe('0');
    await until(() => silent.filter(({ closed }) => closed).length === 5);
  });

  it('answers pings, and survives connections that do not speak HTTP/2 or send endless headers', async () => {
    const { peer, port } = await serve({ '/s/Echo': echo });
    const noise = connect(port, '127.0.0.1', () => noise.write('GET / HTTP/1.1\r\n\r\n'));
    noise.on('error', () => {});
    noise.resume();
    await new Promise((resolve) => noise.once('close', resolve));
    for (let round = 0; round < 20; round++) {
      await new Promise<void>((resolve) => peer.session.ping(() => resolve()));
    }
    const large = await peer.call('/s/Echo', [framed(Buffer.from('x'))], { 'x-large': 'x'.repeat(30_000) });
    expect(large.status).not.toBe('0');
    expect((await peer.call('/s/Echo', [framed(Buffer.from('x'))])).status).toBe('0');
  });

  it('stops with GOAWAY: open calls may end, and the rest is broken after the grace period', async () => {
    const { method, next } = held();
    const { server, peer } = await serve({ '/s/Hold': method });
    const ending = answerOn(peer.open('/s/Hold'));
    const first = await next();
    const stuck = answerOn(peer.open('/s/Hold'));
    const second = await next();
    const stopped = server.stop(100);
    first.answer(framed(Buffer.from('bye')));
    expect((await ending).status).toBe('0');
    await stopped;
    await aborted(second);
    expect((await stuck).status).toBeUndefined();
    await peer.closed;
    expect(peer.goaways).toBeGreaterThan(0);
  });
});
