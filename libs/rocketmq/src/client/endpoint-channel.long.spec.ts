import { constants, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { forwardTo, type TcpForwarder } from '../../../../test/fixtures/tcp-forwarder.js';
import { eventually, until } from '../../../../tools/until.js';
import type { Http2Connection } from '../http2/connection.js';
import { Producer } from '../producer/producer.js';
import type { ProducerOptions } from '../producer/producer-options.js';
import type { TransactionIdentity } from '../producer/transactions/transaction.js';
import { frame } from '../support/grpc/framing.js';
import { systemRandom } from '../support/random.js';
import { TestBroker, type TestBrokerOptions } from '../testing/test-broker.js';
import type { WireCall } from './channel.js';
import { Connection } from './connection.js';
import { parseEndpoints } from './endpoint.js';
import { EndpointChannel } from './endpoint-channel.js';
import { openConnection } from './wire/client-connection.js';
import { Http2Channel } from './wire/http2-channel.js';

const TOPICS = [{ name: 'orders', type: 'transaction' as const }, { name: 'plain' }];
/** Nothing listens there. */
const DEAD = '127.0.0.1:1';

describe('an endpoint with several addresses', () => {
  const ends: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function broker(options: TestBrokerOptions = {}): Promise<{ broker: TestBroker; forwarder: TcpForwarder }> {
    const started = await TestBroker.start({ strict: true, topics: TOPICS, manualClock: true, ...options });
    const forwarder = await forwardTo(Number(started.endpoints.split(':')[1]));
    ends.push(
      () => started.stop(),
      () => forwarder.close(),
    );
    return { broker: started, forwarder };
  }

  async function producerOf(endpoints: string, options: ProducerOptions = {}): Promise<Producer> {
    const connection = new Connection({ endpoints, useBootstrapEndpoints: true });
    const producer = new Producer(connection, { transactionCheckers: { orders: () => 'commit' }, ...options });
    ends.push(
      () => connection.close(),
      () => producer.close(),
    );
    await producer.start();
    return producer;
  }

  const order = { topic: 'orders', body: 'one' };

  it('uses the first available address, with one connection for everything', async () => {
    const { broker: alive, forwarder } = await broker();
    const producer = await producerOf(`${DEAD};127.0.0.1:${forwarder.port}`);
    await producer.transact({ message: order }, async () => {});
    await producer.transact({ message: order }, async () => {});
    expect(alive.messages('orders')).toHaveLength(2);
    expect(await eventually(forwarder.openConnections, (open) => open === 1)).toBe(1);
  });

  it('moves everything, including settings, to the next address when one fails', async () => {
    const [first, second] = [await broker(), await broker()];
    const producer = await producerOf(`127.0.0.1:${first.forwarder.port};127.0.0.1:${second.forwarder.port}`);
    await producer.send({ topic: 'plain', body: 'to the first' });
    await first.forwarder.close();
    await producer.send({ topic: 'plain', body: 'to the second' });
    await producer.transact({ message: order }, async () => {});
    const bodies = (one: TestBroker): string[] => one.messages('plain').map(({ body }) => body.toString());
    expect([bodies(first.broker), bodies(second.broker)]).toEqual([['to the first'], ['to the second']]);
    expect(second.broker.messages('orders')).toHaveLength(1);
    expect(await eventually(second.forwarder.openConnections, (open) => open === 1)).toBe(1);
  });

  it('moves its telemetry, too, when a single call finds the address unavailable', async () => {
    const quick = { manualClock: false, transactionFirstCheckMs: 50, transactionCheckIntervalMs: 200 };
    // The first keeps a transaction, too, and must not be the one that asks.
    const [first, second] = [await broker(), await broker(quick)];
    const { promise: checked, onChecked } = nextCheck();
    const producer = await producerOf(`${first.broker.endpoints};${second.broker.endpoints}`, {
      events: { onChecked },
    });
    first.broker.faults.add({ rpc: 'sendMessage', action: { kind: 'dropResponse' } });
    await expect(producer.beginTransaction(order)).rejects.toMatchObject({ outcome: 'unknown' });
    second.broker.faults.add({ rpc: 'endTransaction', action: { kind: 'answer', code: 'INTERNAL_SERVER_ERROR' } });
    await producer.transact({ message: order }, async () => {});
    // Its end was rejected, so the second server asks, and can ask only over a stream of its own.
    const { messageId } = await checked;
    expect(second.broker.halfMessages().concat(second.broker.messages('orders') as never)).toMatchObject([
      { messageId },
    ]);
  });
});

describe('calls on an endpoint with several addresses', () => {
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  const GRPC = { ':status': 200, 'content-type': 'application/grpc' };
  const nothing = frame(Buffer.alloc(0));

  /** A server that hands each of its streams over. */
  async function serve(onStream: (stream: ServerHttp2Stream) => void): Promise<string> {
    const server = createServer();
    server.on('session', (session) => {
      session.on('error', () => {});
      ends.push(() => session.destroy());
    });
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      onStream(stream);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ends.unshift(() => new Promise((resolve) => server.close(resolve)));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  function answer(stream: ServerHttp2Stream, text: string): void {
    stream.respond(GRPC, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(frame(Buffer.from(text)));
  }

  const rejections: [string, (stream: ServerHttp2Stream) => void][] = [
    ['refuses a stream', (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM)],
    ['answers UNAVAILABLE', (stream) => stream.respond({ ...GRPC, 'grpc-status': '14' }, { endStream: true })],
    ['sends GOAWAY', (stream) => stream.session?.goaway(0, stream.id ?? 0)],
  ];
  it.each(rejections)(
    'are answered where they began when their server %s, and new ones go to the next',
    async (_, reject) => {
      const held: ServerHttp2Stream[] = [];
      const first = await serve((stream) => {
        held.push(stream);
        if (held.length === 4) reject(stream);
      });
      const second = await serve((stream) => answer(stream, 'second'));
      const open = (address: string): Http2Channel => new Http2Channel(address, systemRandom);
      const channel = new EndpointChannel(parseEndpoints(`${first};${second}`), open, 3_000);
      ends.push(() => channel.close());
      const call = (): WireCall => ({ path: '/service/Method', metadata: {}, timeoutMs: 20_000 });
      const unary = async (): Promise<string> => Buffer.from(await channel.unary(call(), nothing)).toString();
      const polled: string[] = [];
      const inFlight = [unary(), unary(), channel.serverStream(call(), nothing, (one) => polled.push(String(one)))];
      await until(() => held.length === 3);
      // A stream without a deadline notices the GOAWAY, as telemetry does in a client.
      const telemetry = channel.stream({ ...call(), timeoutMs: undefined });
      const end = telemetry.frames[Symbol.asyncIterator]()
        .next()
        .catch((error: unknown) => error);
      expect(await end).toMatchObject({ code: expect.stringMatching(/UNAVAILABLE|ABORTED/) });
      expect(await unary()).toBe('second');
      for (const stream of held.slice(0, 3)) answer(stream, 'first');
      expect(await Promise.all(inFlight)).toEqual(['first', 'first', undefined]);
      expect(polled).toEqual(['first']);
    },
  );

  it('stay with the first address over one new connection when stream ids run out, and none fails', async () => {
    const sessions = new Set<unknown>();
    const served = (name: string) => (stream: ServerHttp2Stream) => {
      const isTelemetry = sessions.size === 0;
      sessions.add(stream.session);
      if (isTelemetry) stream.respond(GRPC);
      else answer(stream, name);
    };
    const addresses = [await serve(served('first')), await serve(served('second'))];
    let isOld = true;
    const open = (address: string): Http2Channel => {
      return new Http2Channel(address, systemRandom, undefined, async (...to) => {
        const opened = await openConnection(...to);
        // Only the first connection is that old: telemetry, and then two calls.
        if (isOld) (opened as unknown as { http2: Http2Connection }).http2.nextStreamId = 2 ** 30 - 3;
        isOld = false;
        return opened;
      });
    };
    const channel = new EndpointChannel(parseEndpoints(addresses.join(';')), open, 3_000);
    ends.push(() => channel.close());
    const call = (): WireCall => ({ path: '/service/Method', metadata: {}, timeoutMs: 20_000 });
    const unary = async (): Promise<string> => Buffer.from(await channel.unary(call(), nothing)).toString();
    const telemetry = channel.stream({ ...call(), timeoutMs: undefined });
    const end = telemetry.frames[Symbol.asyncIterator]()
      .next()
      .catch((error: unknown) => error);
    expect(await unary()).toBe('first');
    // In one turn: the first of them takes the last id.
    expect(await Promise.all([1, 2, 3, 4].map(unary))).toEqual(Array(4).fill('first'));
    expect(await end).toMatchObject({ retryable: true });
    expect(await unary()).toBe('first');
    expect(sessions.size).toBe(2);
  });

  it('that are answered UNAVAILABLE everywhere do not cost a connection each', async () => {
    const sessions = new Set<unknown>();
    const away = (stream: ServerHttp2Stream): void => {
      sessions.add(stream.session);
      stream.respond({ ...GRPC, 'grpc-status': '14' }, { endStream: true });
    };
    const addresses = [await serve(away), await serve(away)];
    const open = (address: string): Http2Channel => new Http2Channel(address, systemRandom);
    const channel = new EndpointChannel(parseEndpoints(addresses.join(';')), open, 3_000);
    ends.push(() => channel.close());
    const call = (): WireCall => ({ path: '/service/Method', metadata: {}, timeoutMs: 20_000 });
    for (let calls = 0; calls < 20; calls++) {
      const failure = await channel.unary(call(), nothing).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'UNAVAILABLE' });
    }
    expect(sessions.size).toBe(2);
  });

  it('with a short timeout do not abort a connection that is still being established for others', async () => {
    const first = await serve((stream) => answer(stream, 'first'));
    const second = await serve((stream) => answer(stream, 'second'));
    const far = await forwardTo(Number(first.split(':')[1]));
    ends.push(() => far.close());
    far.delay(100);
    const open = (address: string): Http2Channel => new Http2Channel(address, systemRandom);
    const channel = new EndpointChannel(parseEndpoints(`127.0.0.1:${far.port};${second}`), open, 3_000);
    ends.push(() => channel.close());
    const call = (timeoutMs: number): WireCall => ({ path: '/service/Method', metadata: {}, timeoutMs });
    const patient = channel.unary(call(20_000), nothing);
    const hasty = await Promise.all([1, 20].map((ms) => channel.unary(call(ms), nothing).catch((error) => error)));
    for (const failure of hasty) expect(failure).toMatchObject({ code: 'DEADLINE_EXCEEDED', outcome: 'not-sent' });
    expect(Buffer.from(await patient).toString()).toBe('first');
  });

  it('with a short timeout move on from a server that only acknowledges pings', async () => {
    // Node acknowledges pings by itself; the streams of the first connection stay without an answer.
    const address = await serve((stream) => {
      first ??= stream.session;
      if (stream.session !== first) answer(stream, 'from a new connection');
    });
    let first: unknown;
    const open = (to: string): Http2Channel => new Http2Channel(to, systemRandom);
    const channel = new EndpointChannel(parseEndpoints(address), open, 3_000);
    ends.push(() => channel.close());
    const call = (): WireCall => ({ path: '/service/Method', metadata: {}, timeoutMs: 50 });
    let answered: string | undefined;
    while (answered === undefined) {
      answered = await channel.unary(call(), nothing).then(
        (bytes) => Buffer.from(bytes).toString(),
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
          return undefined;
        },
      );
    }
    expect(answered).toBe('from a new connection');
  }, 60_000);

  it('that wait for a connection go to the next address when it fails', async () => {
    const second = await serve((stream) => answer(stream, 'second'));
    const open = (address: string): Http2Channel => new Http2Channel(address, systemRandom);
    const channel = new EndpointChannel(parseEndpoints(`${DEAD};${second}`), open, 3_000);
    ends.push(() => channel.close());
    const call = (): WireCall => ({ path: '/service/Method', metadata: {}, timeoutMs: 20_000 });
    const failures = await Promise.all(
      [0, 1, 2].map(() => channel.unary(call(), nothing).catch((error: unknown) => error)),
    );
    for (const failure of failures) expect(failure).toMatchObject({ outcome: 'not-sent', retryable: true });
    expect(Buffer.from(await channel.unary(call(), nothing)).toString()).toBe('second');
  });
});

function nextCheck(): { promise: Promise<TransactionIdentity>; onChecked(transaction: TransactionIdentity): void } {
  let onChecked = (_: TransactionIdentity): void => {};
  const promise = new Promise<TransactionIdentity>((resolve) => {
    onChecked = resolve;
  });
  return { promise, onChecked: (transaction) => onChecked(transaction) };
}
