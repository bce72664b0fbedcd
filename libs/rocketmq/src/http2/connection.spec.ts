// Both sides on one wire, then each side beside Node's own, and peers that do not keep the protocol.

import {
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../tools/until.js';
import { Http2Connection, type Http2ConnectionOptions } from './connection.js';
import { CLIENT_PREFACE, HTTP2_CODE } from './frames.js';
import type { Headers } from './header-encoder.js';
import type { Http2Stream, StreamReceiver } from './stream.js';

const KIB = 1024;
const BOTH = {
  streamWindowBytes: 100 * KIB,
  connectionWindowBytes: 300 * KIB,
  maxHeaderBytes: 16 * KIB,
  unrepeatedHeaders: new Set<string>(),
  monotonicMs: () => performance.now(),
};
const CLIENT: Http2ConnectionOptions = { ...BOTH, role: 'client' };
const SERVER: Http2ConnectionOptions = { ...BOTH, role: 'server', maxStreams: 50, resets: { burst: 20, perSecond: 1 } };
const REQUEST: Headers = { ':method': 'POST', ':scheme': 'http', ':path': '/', ':authority': 'here' };

/** Collects what arrives on a stream. */
class Answer implements StreamReceiver {
  readonly heads: Headers[] = [];
  readonly pieces: Buffer[] = [];
  hasEnded = false;
  code: number | undefined;

  constructor(private readonly onEnd: () => void = () => {}) {}

  get body(): Buffer {
    return Buffer.concat(this.pieces);
  }

  headers(headers: Headers): void {
    this.heads.push({ ...headers });
  }

  data(piece: Buffer): void {
    this.pieces.push(Buffer.from(piece));
  }

  ended(): void {
    this.hasEnded = true;
    this.onEnd();
  }

  closed(code: number): void {
    expect(this.code).toBeUndefined();
    this.code = code;
  }
}

const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

interface Side {
  readonly connection: Http2Connection;
  readonly events: string[];
}

function side(
  socket: Socket,
  options: Http2ConnectionOptions,
  onStream: (stream: Http2Stream, headers: Headers) => void,
): Side {
  const events: string[] = [];
  const connection = new Http2Connection(socket, options, {
    ready: () => events.push('ready'),
    goaway: (code) => events.push(`goaway ${code}`),
    stream: onStream,
    closed: (error) => events.push(`closed ${error?.message ?? ''}`.trim()),
  });
  ends.push(() => connection.destroy());
  return { connection, events };
}

/** A server of ours. */
async function serve(
  onStream: (stream: Http2Stream, headers: Headers) => void,
  options = SERVER,
): Promise<{ port: number; sides: Side[] }> {
  const sides: Side[] = [];
  const server = createServer((socket) => sides.push(side(socket, options, onStream)));
  return { port: await listening(server), sides };
}

function client(port: number, options = CLIENT): Side {
  return side(connect({ port, host: '127.0.0.1', noDelay: true }), options, () => {});
}

/** Answers with what it got. */
function echo(stream: Http2Stream): void {
  const answer = new Answer(() => {
    stream.sendHeaders([{ ':status': '200' }]);
    stream.send(answer.body);
    // After the body, however long that waits for its window.
    stream.sendTrailers([{ 'grpc-status': '0' }]);
  });
  stream.receiver = answer;
}

const bodyOf = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, (_, index) => (index * 31) % 251));

describe('a connection', () => {
  it('carries hundreds of streams of all sizes at once, beyond every window and the limit of streams', async () => {
    const { port } = await serve(echo);
    const { connection, events } = client(port);
    // Before, it does not know the limit.
    await until(() => events.includes('ready'));
    const sizes = Array.from({ length: 200 }, (_, index) => (index % 20 === 0 ? 400 * KIB : index * 17));
    const answers = sizes.map((bytes) => {
      const answer = new Answer();
      connection.request([REQUEST], answer).send(bodyOf(bytes), true);
      return answer;
    });
    await until(() => answers.every(({ code }) => code !== undefined));
    for (const [index, { code, heads, body, hasEnded }] of answers.entries()) {
      expect([code, hasEnded, body.equals(bodyOf(sizes[index] as number))]).toEqual([HTTP2_CODE.noError, true, true]);
      expect(heads).toEqual([{ ':status': '200' }, { 'grpc-status': '0' }]);
    }
  });

  it('opens no more streams than the server accepts, in the order of the requests, and none that was given up', async () => {
    const seen: string[] = [];
    const open: Http2Stream[] = [];
    const { port } = await serve(
      (stream, headers) => {
        seen.push(headers[':path'] ?? '');
        open.push(stream);
      },
      { ...SERVER, maxStreams: 2 },
    );
    const { connection, events } = client(port);
    await until(() => events.includes('ready'));
    const streams = ['a', 'b', 'c', 'd', 'e'].map((path) =>
      connection.request([{ ...REQUEST, ':path': path }], new Answer()),
    );
    await until(() => seen.length === 2);
    expect(streams.map(({ id }) => id)).toEqual([1, 3, 0, 0, 0]);
    streams[2]?.reset(HTTP2_CODE.cancel);
    open[0]?.reset(HTTP2_CODE.cancel);
    open[1]?.reset(HTTP2_CODE.cancel);
    await until(() => seen.length === 4);
    expect(seen).toEqual(['a', 'b', 'd', 'e']);
  });

  it('lets a peer send no more than a window ahead when its data is credited later', async () => {
    let sent = 0;
    const { port } = await serve((stream) => {
      stream.sendHeaders([{ ':status': '200' }]);
      for (let piece = 0; piece < 50; piece++)
        stream.send(bodyOf(10 * KIB), false, (isSent) => void (isSent && sent++));
    });
    const { connection } = client(port);
    const answer = new Answer();
    const stream = connection.request([REQUEST], answer, false);
    await until(() => answer.body.length === BOTH.streamWindowBytes);
    expect(sent).toBe(10);
    stream.credit(answer.body.length);
    await until(() => answer.body.length === 2 * BOTH.streamWindowBytes);
  });

  it('reports what was not sent when a stream is reset', async () => {
    const results: boolean[] = [];
    const { port } = await serve((stream) => {
      stream.sendHeaders([{ ':status': '200' }]);
      for (let piece = 0; piece < 3; piece++) stream.send(bodyOf(60 * KIB), false, (isSent) => results.push(isSent));
      stream.receiver = new Answer();
    });
    const { connection } = client(port);
    const answer = new Answer();
    const stream = connection.request([REQUEST], answer, false);
    await until(() => answer.body.length === BOTH.streamWindowBytes);
    stream.reset(HTTP2_CODE.cancel);
    await until(() => results.length === 3);
    expect(results).toEqual([true, false, false]);
    expect(answer.code).toBe(HTTP2_CODE.cancel);
  });

  it('takes what was sent before a late reset arrived, and nothing more', async () => {
    const held: Http2Stream[] = [];
    const codes: (number | undefined)[] = [];
    const results: boolean[] = [];
    const { port } = await serve((stream) => {
      held.push(stream);
      stream.receiver = Object.assign(new Answer(), { closed: (code: number) => void codes.push(code) });
      stream.sendHeaders([{ ':status': '200' }]);
    });
    const { connection } = client(port);
    const answers = Array.from({ length: 3 }, () => new Answer());
    const [whole, part, sender] = answers.map((answer) => connection.request([REQUEST], answer)) as [
      Http2Stream,
      Http2Stream,
      Http2Stream,
    ];
    whole.send(bodyOf(1), true);
    part.send(bodyOf(1), true);
    sender.send(bodyOf(200 * KIB), false, (isSent) => results.push(isSent));
    await until(() => answers.every(({ heads }) => heads.length === 1));
    held[0]?.send(bodyOf(60 * KIB));
    held[0]?.sendTrailers([{ 'grpc-status': '0' }]);
    held[1]?.send(bodyOf(60 * KIB));
    for (const stream of [whole, part, sender]) {
      stream.resetLate(HTTP2_CODE.cancel);
      expect([stream.isClosed, stream.isEnded]).toEqual([false, true]);
    }
    await until(() => answers.every(({ code }) => code !== undefined));
    const { noError, cancel } = HTTP2_CODE;
    expect(answers.map(({ code }) => code)).toEqual([noError, cancel, cancel]);
    expect(answers.map(({ hasEnded }) => hasEnded)).toEqual([true, false, false]);
    expect(answers.map(({ body }) => body.length)).toEqual([60 * KIB, 60 * KIB, 0]);
    expect(codes).toEqual([noError, cancel, cancel]);
    expect(results).toEqual([false]);
    const last = new Answer();
    connection.request([REQUEST], last).send(bodyOf(1), true);
    await until(() => held.length === 4);
    held[3]?.sendTrailers([{ 'grpc-status': '0' }]);
    await until(() => last.code !== undefined);
    expect(last.code).toBe(noError);
  });

  it('ends on both sides when one leaves: open streams go on, new ones are rejected, no socket stays', async () => {
    const held: Http2Stream[] = [];
    const { port, sides } = await serve((stream) => void held.push(stream));
    const near = client(port);
    const answer = new Answer();
    near.connection.request([REQUEST], answer).send(Buffer.alloc(0), true);
    await until(() => held.length === 1);
    sides[0]?.connection.leave();
    await until(() => near.events.includes('goaway 0'));
    expect(() => near.connection.request([REQUEST], new Answer())).toThrow('no more streams');
    held[0]?.sendTrailers([{ ':status': '200' }]);
    await until(() => near.events.includes('closed') && sides[0]?.events.at(-1) === 'closed');
    expect([answer.code, answer.hasEnded]).toEqual([HTTP2_CODE.noError, true]);
  });

  it('answers pings, and reports those that never can be answered', async () => {
    const { port } = await serve(() => {});
    const { connection } = client(port);
    expect(await new Promise((resolve) => connection.ping(resolve))).toBe(true);
    const unanswered = new Promise((resolve) => connection.ping(resolve));
    connection.destroy();
    expect(await unanswered).toBe(false);
    expect(await new Promise((resolve) => connection.ping(resolve))).toBe(false);
  });
});

describe("beside Node's own HTTP/2", () => {
  it('a client gets every body from its server, whatever its settings', async () => {
    for (const settings of [
      {},
      { initialWindowSize: 1_000, headerTableSize: 0 },
      { maxFrameSize: 1_000_000, headerTableSize: 50 },
    ]) {
      const server = createHttp2Server({ settings });
      server.on('stream', (stream: ServerHttp2Stream, headers) => {
        stream.respond({ ':status': 200, 'x-name': headers['x-name'] }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'the end' }));
        stream.pipe(stream);
      });
      const port = await listening(server as unknown as Server);
      const { connection } = client(port);
      const answers = Array.from({ length: 30 }, (_, index) => {
        const answer = new Answer();
        const stream = connection.request([REQUEST, { 'x-name': `name ${index % 9}` }], answer);
        stream.send(bodyOf(index ** 3));
        stream.send(bodyOf(index), true);
        return answer;
      });
      await until(() => answers.every(({ code }) => code !== undefined));
      for (const [index, { code, body, heads }] of answers.entries()) {
        expect([code, body.equals(Buffer.concat([bodyOf(index ** 3), bodyOf(index)]))]).toEqual([0, true]);
        expect(heads).toMatchObject([{ ':status': '200', 'x-name': `name ${index % 9}` }, { 'x-end': 'the end' }]);
      }
      connection.destroy();
    }
  });

  it('a client loses nothing beside a server with the smallest settings that are legal, which pads its frames', async () => {
    const server = createHttp2Server({
      settings: { headerTableSize: 0, initialWindowSize: 1, maxConcurrentStreams: 1, maxFrameSize: 16_384 },
      paddingStrategy: constants.PADDING_STRATEGY_MAX,
    });
    let open = 0;
    let maxOpen = 0;
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      maxOpen = Math.max(maxOpen, ++open);
      stream.on('close', () => open--);
      stream.respond({ ':status': 200, 'x-name': headers['x-name'] }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'the end' }));
      stream.pipe(stream);
    });
    const { connection, events } = client(await listening(server as unknown as Server));
    // Before, it does not know the limits.
    await until(() => events.includes('ready'));
    const answers = Array.from({ length: 60 }, (_, index) => {
      const answer = new Answer();
      connection.request([REQUEST, { 'x-name': `name ${index % 9}` }], answer).send(bodyOf(index * 10), true);
      return answer;
    });
    await until(() => answers.every(({ code }) => code !== undefined));
    for (const [index, { code, body, heads }] of answers.entries()) {
      expect([code, body.equals(bodyOf(index * 10))]).toEqual([HTTP2_CODE.noError, true]);
      expect(heads).toMatchObject([{ ':status': '200', 'x-name': `name ${index % 9}` }, { 'x-end': 'the end' }]);
    }
    expect(maxOpen).toBe(1);
    connection.destroy();
  });

  it('a server answers its client', async () => {
    const { port } = await serve(echo);
    const session = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1_000 } });
    ends.push(() => session.destroy());
    const bodies = Array.from({ length: 40 }, (_, index) => bodyOf(index * index * 13));
    const echoed = await Promise.all(
      bodies.map(
        (body, index) =>
          new Promise<Buffer>((resolve, reject) => {
            const stream = session.request({ ':method': 'POST', ':path': '/', 'x-long': 'y'.repeat(index * 100) });
            const pieces: Buffer[] = [];
            stream.on('data', (piece: Buffer) => pieces.push(piece));
            stream.on('end', () => resolve(Buffer.concat(pieces)));
            stream.on('error', reject);
            stream.end(body);
          }),
      ),
    );
    for (const [index, body] of bodies.entries()) expect(echoed[index]?.equals(body)).toBe(true);
  });
});

/** A frame in hexadecimal. */
function frameHex(type: string, flags: string, streamId: number, payload = ''): string {
  const length = (payload.length / 2).toString(16).padStart(6, '0');
  return `${length}${type}${flags}${streamId.toString(16).padStart(8, '0')}${payload}`;
}

/** `x: y`, and `content-length: 5`. */
const FIELD = '0001780179';
const FIVE_BYTES = '0f0d0135';
const data = (bytes: number, flags = '00'): string => frameHex('00', flags, 1, 'aa'.repeat(bytes));
const headers = (block: string, flags = '04'): string => frameHex('01', flags, 1, block);
/** What may stand behind the headers of either side, on stream 1, that announce five bytes, and with which code the stream is reset. */
const MALFORMED: [string, string[], number][] = [
  ['a body that is shorter than its content-length', [data(3, '01')], HTTP2_CODE.protocolError],
  ['a body that is longer', [data(6)], HTTP2_CODE.protocolError],
  ['a body that is longer by its second part', [data(3), data(3, '01')], HTTP2_CODE.protocolError],
  ['a body that is too short when trailers end it', [data(3), headers(FIELD, '05')], HTTP2_CODE.protocolError],
  ['no body but trailers', [headers(FIELD, '05')], HTTP2_CODE.protocolError],
  ['a pseudo-header among trailers', [data(5), headers('84', '05')], HTTP2_CODE.protocolError],
  ['second headers that do not end the message', [headers(FIELD)], HTTP2_CODE.protocolError],
  ['a window update of nothing', [frameHex('08', '00', 1, '00000000')], HTTP2_CODE.protocolError],
  ['a window that is too large', [frameHex('08', '00', 1, '7fffffff')], HTTP2_CODE.flowControlError],
];

const FRAMES = {
  settings: '000000040000000000',
  ping: '000008060000000000' + '0000000000000000',
};

describe('a server whose client does not keep the protocol', () => {
  const start = Buffer.concat([CLIENT_PREFACE, Buffer.from(FRAMES.settings, 'hex')]);
  /** `:method: POST`, `:scheme: http`, `:path: /`. */
  const open = (id: number, flags = 4): string => `00000301${`0${flags}`}${id.toString(16).padStart(8, '0')}838684`;
  const reset = (id: number): string => `0000040300${id.toString(16).padStart(8, '0')}00000008`;

  it.each([
    ['no preface', Buffer.from('GET / HTTP/1.1\r\n\r\n'.padEnd(40, 'x')), 'PROTOCOL_ERROR'],
    ['a ping before its settings', Buffer.concat([CLIENT_PREFACE, Buffer.from(FRAMES.ping, 'hex')]), 'PROTOCOL_ERROR'],
    ['a frame above the limit', ['004001000000000001'], 'FRAME_SIZE_ERROR'],
    ['data on a stream that was never opened', ['000001000000000003aa'], 'PROTOCOL_ERROR'],
    ['a stream with an even id', [open(2)], 'PROTOCOL_ERROR'],
    ['headers on stream 0', [open(0)], 'PROTOCOL_ERROR'],
    ['a push', ['000004050400000001' + '00000002'], 'PROTOCOL_ERROR'],
    ['a ping of five bytes', ['000005060000000000' + '0000000000'], 'FRAME_SIZE_ERROR'],
    ['half a setting', ['000003040000000000' + '000000'], 'FRAME_SIZE_ERROR'],
    ['a window that is too large', ['000004080000000000' + '7fffffff'], 'FLOW_CONTROL_ERROR'],
    ['a window update of nothing', ['000004080000000000' + '00000000'], 'PROTOCOL_ERROR'],
    ['an unreadable header', ['000001010500000001' + 'be'], 'COMPRESSION_ERROR'],
    ['a continuation of nothing', ['000001090400000001' + '82'], 'PROTOCOL_ERROR'],
    ['headers interrupted by a ping', [open(1, 0), FRAMES.ping], 'PROTOCOL_ERROR'],
    [
      'headers that never end',
      [open(1, 0), ...Array.from({ length: 100 }, () => '000000090000000001')],
      'ENHANCE_YOUR_CALM',
    ],
    [
      'streams that it resets by the dozen',
      Array.from({ length: 25 }, (_, index) => open(2 * index + 1) + reset(2 * index + 1)),
      'ENHANCE_YOUR_CALM',
    ],
  ])('closes the connection after %s', async (_, sent, code) => {
    const { port, sides } = await serve(echo);
    const socket = connect(port, '127.0.0.1');
    ends.push(() => socket.destroy());
    const received: Buffer[] = [];
    socket.on('data', (piece) => received.push(piece));
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(Buffer.isBuffer(sent) ? sent : Buffer.concat([start, Buffer.from(sent.join(''), 'hex')]));
    await closed;
    expect(sides[0]?.events.at(-1)).toContain(`closed ${code}`);
    // The client learns why.
    expect(Buffer.concat(received).toString('latin1')).toContain(code);
  });

  it('resets a stream that is malformed, and serves the others', async () => {
    const { port, sides } = await serve(echo);
    const socket = connect(port, '127.0.0.1');
    ends.push(() => socket.destroy());
    let received = Buffer.alloc(0);
    socket.on('data', (piece) => {
      received = Buffer.concat([received, piece]);
    });
    // Without a path; then with all it needs, and END_STREAM.
    socket.write(Buffer.concat([start, Buffer.from(`0000020105000000018386${open(3, 5)}`, 'hex')]));
    await until(() => received.toString('hex').includes('00000403000000000100000001'));
    await until(() => received.toString('hex').includes('00000101040000000388'));
    expect(sides[0]?.events).toEqual(['ready']);
  });

  it.each([
    ...MALFORMED.map(([what, frames, code]) => [what, [headers(`838684${FIVE_BYTES}`), ...frames], code] as const),
    ['a content-length without a body', [headers(`838684${FIVE_BYTES}`, '05')], HTTP2_CODE.protocolError] as const,
    [
      'a content-length that is no number',
      [headers('8386840f0d0178'), data(5, '01')],
      HTTP2_CODE.protocolError,
    ] as const,
  ])('resets a stream with %s, and serves the others', async (_, frames, code) => {
    const { port, sides } = await serve(echo);
    const socket = connect(port, '127.0.0.1');
    ends.push(() => socket.destroy());
    let received = '';
    socket.on('data', (piece: Buffer) => {
      received += piece.toString('hex');
    });
    socket.write(Buffer.concat([start, Buffer.from(`${frames.join('')}${open(3, 5)}`, 'hex')]));
    await until(() => received.includes(frameHex('03', '00', 1, `0000000${code}`)));
    await until(() => received.includes('00000101040000000388'));
    expect(sides[0]?.events).toEqual(['ready']);
  });

  it.each([
    ['data', [open(1), reset(1), data(3, '01')]],
    ['data in two frames', [open(1), reset(1), data(3), data(3, '01')]],
    ['trailers', [open(1), reset(1), headers(FIELD, '05')]],
  ])('resets a stream that its client continues with %s behind a reset, and serves the others', async (_, frames) => {
    const { port, sides } = await serve(echo);
    const socket = connect(port, '127.0.0.1');
    ends.push(() => socket.destroy());
    let received = '';
    socket.on('data', (piece: Buffer) => {
      received += piece.toString('hex');
    });
    socket.write(Buffer.concat([start, Buffer.from(`${frames.join('')}${open(3, 5)}`, 'hex')]));
    await until(() => received.includes('00000101040000000388'));
    expect(received.split(frameHex('03', '00', 1, '00000005'))).toHaveLength(2);
    expect(sides[0]?.events).toEqual(['ready']);
  });

  it('ignores what its client sends behind a reset on a stream that was answered meanwhile', async () => {
    const { port, sides } = await serve((stream) => stream.sendTrailers([{ ':status': '200' }]));
    const socket = connect(port, '127.0.0.1');
    ends.push(() => socket.destroy());
    let received = '';
    socket.on('data', (piece: Buffer) => {
      received += piece.toString('hex');
    });
    socket.write(Buffer.concat([start, Buffer.from([open(1), reset(1), data(3, '01'), open(3, 5)].join(''), 'hex')]));
    await until(() => received.includes('00000101050000000388'));
    expect(sides[0]?.events).toEqual(['ready']);
  });

  it('reads nothing more of a client that asks and does not read, until it does', async () => {
    const { port, sides } = await serve(echo);
    const socket = connect(port, '127.0.0.1');
    ends.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.pause();
    socket.write(start);
    const pings = Buffer.alloc(1_000 * 17, Buffer.from(FRAMES.ping, 'hex'));
    let asked = 0;
    let isStuck = false;
    const ask = (): void => {
      if (socket.destroyed || isStuck) return;
      asked++;
      if (socket.write(pings)) setImmediate(ask);
      else socket.once('drain', ask);
    };
    ask();
    await until(() => (sides[0]?.connection.waitingBytes ?? 0) > 1024 * KIB);
    const { connection } = sides[0] as Side;
    isStuck = true;
    expect(connection.waitingBytes).toBeLessThan(2 * 1024 * KIB);
    let received = 0;
    socket.on('data', (piece: Buffer) => {
      received += piece.length;
    });
    socket.resume();
    await until(() => received >= asked * pings.length);
    expect(connection.isUsable).toBe(true);
  });
});

describe('a client whose server does not keep the protocol', () => {
  const first = `88${FIVE_BYTES}`;

  it.each([
    ...MALFORMED.map(([what, frames, code]) => [what, [headers(first), ...frames], code] as const),
    ['a content-length without a body', [headers(first, '05')], HTTP2_CODE.protocolError] as const,
    ['a body before the headers', [data(5)], HTTP2_CODE.protocolError] as const,
    ['no status', [headers(FIELD, '05')], HTTP2_CODE.protocolError] as const,
    ['a status that is no number', [headers('0803616263', '05')], HTTP2_CODE.protocolError] as const,
    ['a pseudo-header of requests', [headers('8882', '05')], HTTP2_CODE.protocolError] as const,
    ['an interim response that ends the stream', [headers('0803313030', '05')], HTTP2_CODE.protocolError] as const,
    [
      'an interim response behind the response',
      [headers('88'), headers('0803313030')],
      HTTP2_CODE.protocolError,
    ] as const,
  ])('resets a stream with %s, and goes on with the others', async (_, frames, code) => {
    const { bad, good, events, received } = await twoStreams(frames);
    expect([bad.code, bad.hasEnded, good.code, good.body.toString('hex')]).toEqual([
      code,
      false,
      HTTP2_CODE.noError,
      'bb',
    ]);
    await until(() => received().includes(frameHex('03', '00', 1, `0000000${code}`)));
    expect(events).toEqual(['ready']);
  });

  it('goes on with the other streams when one continues behind a reset of the server', async () => {
    const frames = [headers('88'), frameHex('03', '00', 1, '00000008'), data(3), headers(FIELD, '05')];
    const { bad, good, events, received } = await twoStreams(frames);
    expect([bad.code, good.code]).toEqual([HTTP2_CODE.cancel, HTTP2_CODE.noError]);
    await until(() => received().includes(frameHex('03', '00', 1, '00000005')));
    expect(events).toEqual(['ready']);
  });

  /** The ends of two streams, of which a server sends these frames on the first, and then a good answer on the other. */
  async function twoStreams(frames: readonly string[]) {
    let received = '';
    const port = await listening(
      createServer((socket) => {
        ends.push(() => socket.destroy());
        socket.write(Buffer.from(FRAMES.settings, 'hex'));
        socket.on('data', (piece: Buffer) => {
          received += piece.toString('hex');
        });
        // Both streams are open by then.
        void until(() => /01040000000[13].*01040000000[13]/.test(received)).then(() => {
          const good = `${frameHex('01', '04', 3, '88')}${frameHex('00', '00', 3, 'bb')}${frameHex('01', '05', 3, FIELD)}`;
          socket.write(Buffer.from(frames.join('') + good, 'hex'));
        });
      }),
    );
    const { connection, events } = client(port);
    const [bad, good] = [new Answer(), new Answer()];
    connection.request([REQUEST], bad);
    connection.request([REQUEST], good).send(Buffer.from('x'), true);
    await until(() => bad.code !== undefined && good.code !== undefined);
    return { bad, good, events, received: () => received };
  }
});

describe('a client whose server sends little at a time', () => {
  it('gets a response of padded frames, some of them empty, with headers of one byte a frame', async () => {
    const block = Buffer.from(`88${FIELD}`, 'hex');
    // Between two bytes of padding each.
    const padded = (type: string, flags: string, bytes: string): string => frameHex(type, flags, 1, `02${bytes}0000`);
    const pieces = [...block.subarray(1)].map((byte, index) => {
      const isLast = index === block.length - 2;
      return frameHex('09', isLast ? '04' : '00', 1, byte.toString(16).padStart(2, '0'));
    });
    const response = [
      padded('01', '08', block.toString('hex', 0, 1)),
      ...pieces,
      padded('00', '08', 'aa'),
      padded('00', '08', ''),
      frameHex('00', '00', 1),
      padded('00', '08', 'bb'),
      padded('01', '0d', FIELD),
    ];
    const port = await listening(
      createServer((socket) => {
        ends.push(() => socket.destroy());
        socket.write(Buffer.from(FRAMES.settings, 'hex'));
        socket.once('data', () => socket.write(Buffer.from(response.join(''), 'hex')));
      }),
    );
    const { connection } = client(port);
    const answer = new Answer();
    connection.request([REQUEST], answer).send(Buffer.from('x'), true);
    await until(() => answer.code !== undefined);
    expect([answer.code, answer.body.toString('hex')]).toEqual([HTTP2_CODE.noError, 'aabb']);
    expect(answer.heads).toEqual([{ ':status': '200', x: 'y' }, { x: 'y' }]);
  });
});
