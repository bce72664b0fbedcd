// The channel on our own HTTP/2, where grpc-js does otherwise or has nothing to do.

import { constants, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../../tools/until.js';
import type { Http2Connection } from '../../http2/connection.js';
import { frame } from '../../support/grpc/framing.js';
import { systemRandom } from '../../support/random.js';
import type { WireCall } from '../channel.js';
import { type ClientConnection, openConnection } from './client-connection.js';
import { Http2Channel } from './http2-channel.js';

const CALL: WireCall = { path: '/service/Method', metadata: { 'x-mq-client-id': 'a' }, timeoutMs: 5_000 };
const NOTHING = frame(Buffer.alloc(0));
const OK = { 'grpc-status': '0' };
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };
const http2Of = (connection: ClientConnection): Http2Connection =>
  (connection as unknown as { http2: Http2Connection }).http2;

describe('the channel on http2', () => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function serve(
    onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
    onOpened: (connection: Http2Connection) => void = () => {},
    settings = {},
  ): Promise<{ channel: Http2Channel; connections: () => number; sockets: Set<Socket> }> {
    const sockets = new Set<Socket>();
    let connections = 0;
    const server = createServer({ settings });
    server.on('session', (session) => {
      connections++;
      session.on('error', () => {});
    });
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      onStream(stream, headers);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => server.close(resolve)));
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const channel = new Http2Channel(address, systemRandom, undefined, async (...to) => {
      const opened = await openConnection(...to);
      onOpened(http2Of(opened));
      return opened;
    });
    ends.push(() => channel.close());
    return { channel, connections: () => connections, sockets };
  }

  const answer = (stream: ServerHttp2Stream, text = 'answer'): void => {
    stream.respond(GRPC, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(OK));
    stream.end(frame(Buffer.from(text)));
  };

  it('moves to a new connection long before stream ids run out, and calls in flight are answered', async () => {
    const held: ServerHttp2Stream[] = [];
    let opened = 0;
    const { channel, connections } = await serve(
      (stream) => (held.length === 0 ? void held.push(stream) : answer(stream)),
      // Only the first connection is that old.
      (connection) => {
        if (opened++ === 0) connection.nextStreamId = 2 ** 30 - 5;
      },
    );
    const early = channel.unary(CALL, NOTHING);
    const later = [];
    for (let call = 0; call < 6; call++) later.push((await channel.unary(CALL, NOTHING)).length);
    expect(later).toEqual(Array(6).fill('answer'.length));
    expect(connections()).toBe(2);
    answer(held[0] as ServerHttp2Stream, 'in the end');
    expect(Buffer.from(await early).toString()).toBe('in the end');
  });

  it('reopens its telemetry stream when stream ids run out', async () => {
    const { channel } = await serve((stream) => (stream.id === 1 ? stream.respond(GRPC) : answer(stream)));
    const frames = channel.stream({ ...CALL, timeoutMs: undefined }).frames[Symbol.asyncIterator]();
    const end = frames.next().catch((error: unknown) => error);
    await channel.unary(CALL, NOTHING);
    const [connection] = (channel as unknown as { connections: Set<ClientConnection> }).connections;
    http2Of(connection as ClientConnection).nextStreamId = 2 ** 30 + 1;
    await channel.unary(CALL, NOTHING);
    expect(await end).toMatchObject({ code: 'ABORTED', retryable: true });
  });

  it('reports "not sent" for a call for which no stream id is left', async () => {
    const { channel } = await serve(
      (stream) => answer(stream),
      (connection) => {
        connection.nextStreamId = 2 ** 31 + 1;
      },
    );
    await expect(channel.unary(CALL, NOTHING)).rejects.toMatchObject({ outcome: 'not-sent', retryable: true });
  });

  it('reports "not sent" for a call that the system took nothing of, because the server had broken the connection', async () => {
    const { channel, sockets, connections } = await serve((stream) => answer(stream));
    await channel.unary(CALL, NOTHING);
    // The client has had no chance to notice.
    for (const socket of sockets) socket.resetAndDestroy();
    const broken = { code: 'UNAVAILABLE', outcome: 'not-sent', retryable: true };
    await expect(channel.unary(CALL, NOTHING)).rejects.toMatchObject(broken);
    expect((await channel.unary(CALL, NOTHING)).length).toBe('answer'.length);
    expect(connections()).toBe(2);
  });

  it('sends each call with its own headers, however large they are', async () => {
    const { channel } = await serve((stream, headers) => answer(stream, String(headers['x-token'] ?? '')));
    await channel.unary(CALL, NOTHING);
    const tokens = ['a', 'b', 'c'].map((letter) => letter.repeat(9_000));
    const calls = tokens.map((token) => channel.unary({ ...CALL, metadata: { 'x-token': token } }, NOTHING));
    expect((await Promise.all(calls)).map((bytes) => Buffer.from(bytes).toString())).toEqual(tokens);
  });

  it('rejects an invalid header before the wire, also of a call that would wait, and no other call notices', async () => {
    const held: ServerHttp2Stream[] = [];
    const { channel } = await serve(
      (stream) => void held.push(stream),
      () => {},
      { maxConcurrentStreams: 1 },
    );
    const first = channel.unary(CALL, NOTHING);
    await until(() => held.length === 1);
    const invalid = { ...CALL, metadata: { 'x-token': 'ü' } };
    const rejection = { code: 'RPC_FAILED', outcome: 'not-sent', retryable: false };
    await expect(channel.unary(invalid, NOTHING)).rejects.toMatchObject(rejection);
    const last = channel.unary(CALL, NOTHING);
    answer(held[0] as ServerHttp2Stream, 'first');
    expect(Buffer.from(await first).toString()).toBe('first');
    await until(() => held.length === 2);
    answer(held[1] as ServerHttp2Stream, 'last');
    expect(Buffer.from(await last).toString()).toBe('last');
  });

  it('reports an HTTP error by its status, whatever its body is', async () => {
    const { channel } = await serve((stream) => {
      stream.respond({ ':status': 502, 'content-type': 'text/html' });
      stream.end('<html>Bad Gateway</html>');
    });
    await expect(channel.unary(CALL, NOTHING)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
  });

  it('waits longer than a timer of Node can, and sends a deadline of at most eight digits', async () => {
    const timeouts: unknown[] = [];
    const { channel } = await serve((stream, headers) => {
      timeouts.push(headers['grpc-timeout']);
      answer(stream);
    });
    for (const timeoutMs of [60_050, 100_000_000, 2 ** 31, Number.POSITIVE_INFINITY]) {
      expect(Buffer.from(await channel.unary({ ...CALL, timeoutMs }, NOTHING)).toString()).toBe('answer');
    }
    // What has passed of the first one when it is sent depends on the machine.
    expect(timeouts).toEqual([expect.stringMatching(/^(59\d|60[01])00m$/), '100000S', '2147484S', '99999999S']);
  });

  it('passes on what was on its way when a stream was aborted, which succeeds if nothing is missing', async () => {
    const { channel } = await serve((stream) => {
      stream.respond(GRPC, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers(OK));
      stream.end(Buffer.concat(['a', 'b', 'c'].map((text) => frame(Buffer.from(text)))));
    });
    const controller = new AbortController();
    const texts: string[] = [];
    await channel.serverStream({ ...CALL, signal: controller.signal }, NOTHING, (message) => {
      texts.push(Buffer.from(message).toString());
      controller.abort(new Error('enough'));
    });
    expect(texts).toEqual(['a', 'b', 'c']);
  });

  it('cancels a stream that is aborted, with the reason of its caller when the rest is missing', async () => {
    let wasReset = false;
    const { channel } = await serve((stream) => {
      stream.respond(GRPC);
      stream.write(frame(Buffer.from('a')));
      stream.once('close', () => {
        wasReset = true;
      });
    });
    const controller = new AbortController();
    const texts: string[] = [];
    const call = channel.serverStream({ ...CALL, signal: controller.signal }, NOTHING, (message) => {
      texts.push(Buffer.from(message).toString());
      controller.abort(new Error('enough'));
    });
    await expect(call).rejects.toThrow('enough');
    expect(texts).toEqual(['a']);
    await until(() => wasReset);
  });

  it('does not wait for a server that is silent when a stream is aborted', async () => {
    const paused: Socket[] = [];
    const { channel, sockets } = await serve(() => {
      for (const socket of sockets) {
        socket.pause();
        paused.push(socket);
      }
      controller.abort(new Error('enough'));
    });
    const controller = new AbortController();
    const call = channel.serverStream({ ...CALL, signal: controller.signal }, NOTHING, () => {});
    await expect(call).rejects.toThrow('enough');
    expect(paused).toHaveLength(1);
  });

  it('fails when the answer ends in the middle of a message, in spite of its status', async () => {
    const { channel } = await serve((stream) => {
      stream.respond(GRPC, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers(OK));
      stream.end(frame(Buffer.from('cut off')).subarray(0, 8));
    });
    await expect(channel.serverStream(CALL, NOTHING, () => {})).rejects.toThrow('in the middle of a message');
    const { frames } = channel.stream({ ...CALL, timeoutMs: undefined });
    await expect(frames[Symbol.asyncIterator]().next()).rejects.toThrow('in the middle of a message');
  });

  it('does not claim that nothing was sent when a stream is refused after its answer began', async () => {
    const { channel } = await serve((stream) => {
      stream.respond(GRPC);
      stream.write(frame(Buffer.from('done')), () => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    });
    await expect(channel.unary(CALL, NOTHING)).rejects.toMatchObject({ outcome: 'unknown' });
  });

  it('finishes the calls that wait for a stream before it leaves a connection', async () => {
    const held: ServerHttp2Stream[] = [];
    const { channel } = await serve(
      (stream) => void held.push(stream),
      () => {},
      { maxConcurrentStreams: 1 },
    );
    const calls = [channel.unary(CALL, NOTHING), channel.unary(CALL, NOTHING)];
    await until(() => held.length === 1);
    const retired = channel.retire();
    answer(held[0] as ServerHttp2Stream, 'one');
    await until(() => held.length === 2);
    answer(held[1] as ServerHttp2Stream, 'two');
    expect((await Promise.all(calls)).map((bytes) => Buffer.from(bytes).toString())).toEqual(['one', 'two']);
    await retired;
  });

  it('gives up a bidirectional stream whose server reads nothing, before that fills the memory', async () => {
    const { channel } = await serve((stream) => {
      stream.pause();
      stream.respond(GRPC);
    });
    const stream = channel.stream({ ...CALL, timeoutMs: undefined });
    const ended = stream.frames[Symbol.asyncIterator]().next();
    ended.catch(() => {});
    let written = 0;
    while (written < 1_000 && stream.write(Buffer.alloc(100_000))) written++;
    expect(written).toBeLessThan(200);
    await expect(ended).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('leaves no socket open when a server sends GOAWAY and never closes its half', async () => {
    const silent = createTcpServer({ allowHalfOpen: true });
    const near = new Set<Socket>();
    silent.on('connection', (socket) => {
      near.add(socket);
      socket.on('error', () => {});
      // Settings, an acknowledgement of the client's, GOAWAY; then nothing more, and no end.
      socket.write(
        Buffer.from('000000040000000000' + '000000040100000000' + '0000080700000000007fffffff00000000', 'hex'),
      );
      socket.resume();
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => silent.close(resolve)));
    ends.push(() => {
      for (const socket of near) socket.destroy();
    });
    const channel = new Http2Channel(`127.0.0.1:${(silent.address() as AddressInfo).port}`, systemRandom);
    await expect(channel.unary({ ...CALL, timeoutMs: 300 }, NOTHING)).rejects.toMatchObject({
      outcome: expect.any(String),
    });
    channel.close();
    const open = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    const servers = near.size;
    await until(() => open() === servers);
  });
});
