// Both channels against servers with unusual but valid gRPC behavior. All other suites cover the normal cases.

import { getEventListeners } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../../tools/until.js';
import { EMBEDDED_BROKER_METADATA } from '../../protocol/credentials/metadata.js';
import type { TransportError } from '../../support/errors.js';
import { frame } from '../../support/grpc/framing.js';
import { systemRandom } from '../../support/random.js';
import type { Channel, WireCall } from '../channel.js';
import { GrpcChannel } from './grpc-channel.js';
import { Http2Channel } from './http2-channel.js';

const CALL: WireCall = { path: '/service/Method', metadata: { 'x-mq-client-id': 'a' }, timeoutMs: 5_000 };
const NOTHING = frame(Buffer.alloc(0));
const OK = { 'grpc-status': '0' };
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };

describe.each([
  ['http2', (address: string): Channel => new Http2Channel(address, systemRandom)],
  ['grpc-js', (address: string): Channel => new GrpcChannel(grpc, address)],
])('the channel on %s', (transport, channelTo) => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** A server whose every stream is answered by `answer`. */
  async function serve(
    answer: (stream: ServerHttp2Stream, session: ServerHttp2Session, count: number) => void,
    settings = {},
  ): Promise<{ channel: Channel; server: Http2Server; connections: () => number }> {
    const sessions = new Set<ServerHttp2Session>();
    let count = 0;
    let connections = 0;
    const server = createServer({ settings });
    server.on('session', (session) => {
      connections++;
      sessions.add(session);
      session.on('error', () => {});
    });
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      answer(stream, stream.session as ServerHttp2Session, ++count);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.push(
      () => new Promise((resolve) => server.close(resolve)),
      () => {
        for (const session of sessions) session.destroy();
      },
    );
    const channel = channelTo(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    ends.push(() => channel.close());
    return { channel, server, connections: () => connections };
  }

  function answerWith(stream: ServerHttp2Stream, bytes: Buffer, trailers: Record<string, string> = OK): void {
    stream.respond(GRPC, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(bytes);
  }

  /** Every stream that the server gets. */
  function eachStream(server: Http2Server): ServerHttp2Stream[] {
    const seen: ServerHttp2Stream[] = [];
    server.on('stream', (stream) => seen.push(stream));
    return seen;
  }

  const echo = (stream: ServerHttp2Stream): void => {
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => answerWith(stream, Buffer.concat(pieces)));
  };

  it('sends and receives a large message', async () => {
    const { channel } = await serve(echo);
    const large = Buffer.alloc(4 * 1024 * 1024, 'x');
    expect((await channel.unary(CALL, frame(large))).length).toBe(large.length);
  });

  it('assembles an answer that arrives in small chunks', async () => {
    const { channel } = await serve((stream) => {
      stream.respond(GRPC, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers(OK));
      const bytes = frame(Buffer.from('in pieces'));
      for (const byte of bytes) stream.write(Buffer.from([byte]));
      stream.end();
    });
    expect(Buffer.from(await channel.unary(CALL, NOTHING)).toString()).toBe('in pieces');
  });

  it('reports a rejection in the headers, with its message', async () => {
    const { channel } = await serve((stream) => {
      stream.respond({ ...GRPC, 'grpc-status': '3', 'grpc-message': 'nicht m%C3%B6glich' }, { endStream: true });
    });
    await expect(channel.unary(CALL, NOTHING)).rejects.toMatchObject({
      code: 'RPC_FAILED',
      retryable: false,
      message: expect.stringContaining('nicht möglich'),
    });
  });

  it('treats an answer without a status as a call of unknown outcome', async () => {
    const { channel } = await serve((stream) => {
      stream.respond(GRPC);
      stream.end(frame(Buffer.from('half an answer')));
    });
    await expect(channel.unary(CALL, NOTHING)).rejects.toMatchObject({ outcome: 'unknown' });
  });

  it('rejects an answer over the limit before it buffers its bytes', async () => {
    const { channel } = await serve((stream) => {
      stream.respond(GRPC, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers(OK));
      stream.write(Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]));
    });
    await expect(channel.unary(CALL, NOTHING)).rejects.toMatchObject({
      code: 'RPC_FAILED',
      outcome: 'unknown',
    });
  });

  it('fails at the deadline, and says that the call may have taken effect', async () => {
    const { channel } = await serve((stream, _, count) => {
      if (count === 1) answerWith(stream, frame(Buffer.from('connected')));
    });
    // Connect first, so that the timeout of the call is not spent on that.
    await channel.unary(CALL, NOTHING);
    await expect(channel.unary({ ...CALL, timeoutMs: 50 }, NOTHING)).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      outcome: 'unknown',
    });
  });

  it('sends the server the deadline, and a cancellation when the caller aborts', async () => {
    let headers: Record<string, unknown> = {};
    let gone = (): void => {};
    const wasReset = new Promise<void>((resolve) => {
      gone = resolve;
    });
    const { channel, server } = await serve((stream) => stream.once('close', gone));
    server.on('stream', (_, received) => {
      headers = received;
      controller.abort(new Error('changed my mind'));
    });
    const controller = new AbortController();
    const call = channel.unary({ ...CALL, signal: controller.signal }, NOTHING);
    await expect(call).rejects.toThrow('changed my mind');
    await wasReset;
    expect(headers).toMatchObject({ 'grpc-timeout': expect.stringMatching(/^\d+[a-zA-Z]$/), 'x-mq-client-id': 'a' });
  });

  it('listens to the signal of a call until the call ends, successful or not', async () => {
    const { signal } = new AbortController();
    const listening = (): boolean => getEventListeners(signal, 'abort').length > 0;
    const seen: boolean[] = [];
    const { channel } = await serve((stream, _, count) => {
      seen.push(listening());
      if (count % 2 === 1) echo(stream);
      else stream.respond({ ...GRPC, 'grpc-status': '3' }, { endStream: true });
    });
    const call = { ...CALL, signal };
    for (const begin of [
      () => channel.unary(call, frame(Buffer.from('x'))),
      () => channel.serverStream(call, frame(Buffer.from('x')), () => {}),
    ]) {
      await begin();
      seen.push(listening());
      await expect(begin()).rejects.toMatchObject({ code: 'RPC_FAILED' });
      seen.push(listening());
    }
    expect(seen).toEqual([true, false, true, false, true, false, true, false]);
  });

  it('reconnects after the server sent GOAWAY, and loses no call that it still answers', async () => {
    const { channel, connections } = await serve((stream, session, count) => {
      if (count > 1) return echo(stream);
      session.goaway(0, stream.id);
      stream.session?.ping(() => echo(stream));
    });
    const body = Buffer.from('one');
    expect(Buffer.from(await channel.unary(CALL, frame(body))).toString()).toBe('one');
    expect(Buffer.from(await channel.unary(CALL, frame(body))).toString()).toBe('one');
    expect(connections()).toBe(2);
  });

  it('reconnects after the connection broke', async () => {
    const { channel } = await serve((stream, session, count) => {
      if (count === 1) session.destroy();
      else echo(stream);
    });
    await expect(channel.unary(CALL, frame(Buffer.from('lost')))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'unknown',
    });
    expect(Buffer.from(await channel.unary(CALL, frame(Buffer.from('kept')))).toString()).toBe('kept');
  });

  it('reports a peer that is not alive, without failing a call, when the connection just broke', async () => {
    const { channel } = await serve((stream, session, count) => {
      if (count === 1) echo(stream);
      // A turn later, because Node.js 22 aborts when a session is destroyed while it reads (nodejs/node#64850).
      else setImmediate(() => session.destroy());
    });
    await channel.unary(CALL, NOTHING);
    const [alive] = await Promise.all([channel.isAlive(5_000), channel.unary(CALL, NOTHING).catch(() => {})]);
    channel.close();
    expect([alive, await channel.isAlive(5_000)]).toContain(false);
  });

  it('holds back calls beyond the concurrency limit of the server', async () => {
    let open = 0;
    let most = 0;
    const { channel } = await serve(
      (stream) => {
        most = Math.max(most, ++open);
        stream.once('close', () => open--);
        echo(stream);
      },
      { maxConcurrentStreams: 2 },
    );
    await channel.unary(CALL, frame(Buffer.from('the limit is known from here on')));
    const calls = Array.from({ length: 20 }, () => channel.unary(CALL, frame(Buffer.from('x'))));
    expect(await Promise.all(calls)).toHaveLength(20);
    expect(most).toBeLessThanOrEqual(2);
  });

  it("ends a call that the server's limit holds back at its deadline or by its signal, and frees its place", async () => {
    const held: ServerHttp2Stream[] = [];
    const { channel } = await serve((stream) => (held.length === 0 ? held.push(stream) : echo(stream)), {
      maxConcurrentStreams: 1,
    });
    const first = channel.unary(CALL, NOTHING);
    await until(() => held.length === 1);
    const impatient = channel.unary({ ...CALL, timeoutMs: 50 }, NOTHING);
    const outcome = transport === 'http2' ? 'not-sent' : 'unknown';
    await expect(impatient).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome });
    const poll = channel.serverStream({ ...CALL, timeoutMs: 50 }, NOTHING, () => {});
    await expect(poll).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const controller = new AbortController();
    const aborted = channel.unary({ ...CALL, timeoutMs: 60_000, signal: controller.signal }, NOTHING);
    controller.abort(new Error('no longer wanted'));
    await expect(aborted).rejects.toThrow('no longer wanted');
    const patient = channel.unary(CALL, frame(Buffer.from('patient')));
    echo(held[0] as ServerHttp2Stream);
    expect(Buffer.from(await patient).toString()).toBe('patient');
    await first;
  });

  it('never reports "not sent" for a call that the server has received, even if it lowers its limit meanwhile', async () => {
    const { channel, server } = await serve(() => {}, { maxConcurrentStreams: 100 });
    const seen = eachStream(server);
    const calls = [1, 2].map(() =>
      channel.unary({ ...CALL, timeoutMs: 500 }, NOTHING).catch((error: unknown) => error),
    );
    await until(() => seen.length === 2);
    seen[0]?.session?.settings({ maxConcurrentStreams: 1 });
    for (const failure of await Promise.all(calls)) {
      expect(failure).toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'unknown' });
    }
  });

  it('reports "not sent" for a call that the concurrency limit held back until the connection was lost', async () => {
    const { channel, server } = await serve(() => {}, { maxConcurrentStreams: 1 });
    const seen = eachStream(server);
    const calls = [1, 2].map(() => channel.unary(CALL, NOTHING).catch((error: unknown) => error));
    await until(() => seen.length === 1);
    seen[0]?.session?.destroy();
    const outcomes = (await Promise.all(calls)).map((failure) => (failure as TransportError).outcome);
    expect(outcomes).toEqual(transport === 'http2' ? ['unknown', 'not-sent'] : ['unknown', 'unknown']);
    expect(seen).toHaveLength(1);
  });

  it('streams messages until the server ends the stream, and cancels the stream when the receiver throws', async () => {
    let stopped = (): void => {};
    const wasStopped = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    const { channel } = await serve((stream, _, count) => {
      if (count === 1) return answerWith(stream, Buffer.concat([frame(Buffer.from('a')), frame(Buffer.from('b'))]));
      stream.respond(GRPC);
      stream.write(frame(Buffer.from('c')));
      stream.once('close', stopped);
    });
    const texts: string[] = [];
    await channel.serverStream(CALL, NOTHING, (message) => texts.push(Buffer.from(message).toString()));
    const rejected = channel.serverStream(CALL, NOTHING, (message) => {
      texts.push(Buffer.from(message).toString());
      throw new Error('enough');
    });
    await expect(rejected).rejects.toThrow('enough');
    await wasStopped;
    expect(texts).toEqual(['a', 'b', 'c']);
  });

  it('recognizes an embedded broker on the connection on which it identifies itself', async () => {
    const { channel } = await serve((stream, session, count) => {
      const announced = count === 2 ? { [EMBEDDED_BROKER_METADATA]: '5.5.0' } : {};
      if (count === 4) return session.destroy();
      stream.respond({ ...GRPC, ...announced }, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers(OK));
      stream.end(frame(Buffer.from('x')));
    });
    const knows: boolean[] = [channel.isEmbeddedBroker];
    for (let call = 0; call < 5; call++) {
      await channel.unary(CALL, NOTHING).catch(() => {});
      knows.push(channel.isEmbeddedBroker);
    }
    expect(knows).toEqual([false, false, true, true, false, false]);
  });

  it('does not buffer unread messages of a bidirectional stream', async () => {
    let written = 0;
    const { channel } = await serve((stream, _, count) => {
      if (count > 1) return stream.respond({ ...GRPC, 'grpc-status': '12' }, { endStream: true });
      stream.respond(GRPC);
      const piece = frame(Buffer.alloc(1024 * 1024));
      const write = (): void => {
        while (written < 200 && !stream.destroyed) {
          written++;
          if (!stream.write(piece)) return void stream.once('drain', write);
        }
      };
      write();
    });
    const stream = channel.stream({ ...CALL, timeoutMs: undefined });
    const reading = stream.frames[Symbol.asyncIterator]();
    stream.write(Buffer.alloc(0));
    await reading.next();
    // Another call on the connection is answered although the first stream is full.
    expect(await channel.isAlive(2_000)).toBe(true);
    expect(written).toBeLessThan(100);
    stream.cancel();
  });

  it('fails immediately where nothing listens, and says that nothing was sent', async () => {
    const { channel, server } = await serve(echo);
    await new Promise((resolve) => server.close(resolve));
    await expect(channel.unary(CALL, NOTHING)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'not-sent',
    });
    expect(channel.isConnected).toBe(false);
  });

  it('gives up on a server that accepts connections and sends nothing, at the deadline of the call', async () => {
    const silent = createTcpServer((socket) => ends.push(() => socket.destroy()));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => silent.close(resolve)));
    const channel = channelTo(`127.0.0.1:${(silent.address() as AddressInfo).port}`);
    ends.push(() => channel.close());
    await expect(channel.unary({ ...CALL, timeoutMs: 200 }, NOTHING)).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      outcome: 'not-sent',
    });
  });

  it('does not mistake a web server for a proxy', async () => {
    const web = createHttpServer((_, response) => response.end('hello'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => web.close(resolve)));
    const channel = channelTo(`127.0.0.1:${(web.address() as AddressInfo).port}`);
    ends.push(() => channel.close());
    await expect(channel.unary(CALL, NOTHING)).rejects.toMatchObject({ outcome: 'not-sent' });
  });

  it('ends its calls when it is closed', async () => {
    const { channel } = await serve(() => channel.close());
    const call = channel.unary({ ...CALL, timeoutMs: transport === 'http2' ? 60_000 : 1_000 }, NOTHING);
    await expect(call).rejects.toMatchObject({ outcome: 'unknown' });
  });
});
