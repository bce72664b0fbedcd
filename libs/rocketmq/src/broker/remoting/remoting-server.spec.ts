import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../../../../../tools/until.js';
import { encodeFrame, FrameDecoder, type RemotingFrame } from '../../protocol/remoting/frame.js';
import { silentLogger } from '../../support/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import type { PortTls } from '../services/listener.js';
import { RemotingServer, type RequestAnswerer } from './remoting-server.js';

const MINUTE_MS = 60_000;
const MEBIBYTE = 1024 * 1024;
const request = encodeFrame({ code: 106, opaque: 1 });
/** A frame of maximum size without its last byte. */
const unfinished = encodeFrame({ code: 106, opaque: 1, body: Buffer.alloc(4 * MEBIBYTE) }).subarray(0, -1);

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

async function serve(answer: RequestAnswerer = async () => ({ code: 0 }), tls?: PortTls) {
  const clock = new ManualClock();
  const server = new RemotingServer({ answer, clock, logger: silentLogger, tls, release: () => 513 });
  const port = await server.listen('127.0.0.1', 0);
  closers.push(() => server.stop());
  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    closers.push(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  const ask = async (socket: Socket): Promise<Buffer> => {
    const answered = once(socket, 'data');
    socket.write(request);
    return (await answered)[0] as Buffer;
  };
  return { clock, open, ask };
}

/** The frames that a connection receives. */
function framesOf(socket: Socket): RemotingFrame[] {
  const frames: RemotingFrame[] = [];
  const decoder = new FrameDecoder();
  socket.on('data', (chunk: Buffer) => frames.push(...decoder.push(chunk)));
  return frames;
}

describe('a remoting port', () => {
  it('answers a request while an earlier one of the same connection still waits', async () => {
    let end = (): void => {};
    const waits = new Promise<void>((resolve) => {
      end = resolve;
    });
    const { open } = await serve(async ({ code }) => {
      if (code === 11) await waits;
      return { code: 0 };
    });
    const socket = await open();
    const frames = framesOf(socket);
    socket.write(Buffer.concat([encodeFrame({ code: 11, opaque: 1 }), encodeFrame({ code: 34, opaque: 2 })]));
    await until(() => frames.length === 1);
    end();
    await until(() => frames.length === 2);
    expect(frames.map(({ opaque }) => opaque)).toEqual([2, 1]);
  });

  it('asks its client, whose answer is found by number, and gives up one that does not answer', async () => {
    const answers: (RemotingFrame | undefined)[] = [];
    const { clock, open } = await serve(async (_, connection) => {
      for (const code of [307, 309]) {
        void connection.ask({ code }, MINUTE_MS).then((answer) => answers.push(answer));
      }
      connection.notify({ code: 40, fields: { consumerGroup: 'g' } });
      return undefined;
    });
    const socket = await open();
    const frames = framesOf(socket);
    socket.write(request);
    await until(() => frames.length === 3);
    expect(frames.map(({ code, isOneWay }) => [code, isOneWay])).toEqual([
      [307, false],
      [309, false],
      [40, true],
    ]);
    socket.write(encodeFrame({ code: 0, opaque: frames[1]?.opaque ?? 0, isResponse: true, remark: 'done' }));
    await until(() => answers.length === 1);
    clock.advanceTo(clock.nowMs() + MINUTE_MS);
    await until(() => answers.length === 2);
    expect(answers).toEqual([expect.objectContaining({ remark: 'done' }), undefined]);
  });

  it('does not read more from a client that reads no answers', async () => {
    let asked = 0;
    const { open, ask } = await serve(async ({ code }) => {
      if (code === 11) asked++;
      return { code: 0, body: Buffer.alloc(code === 11 ? MEBIBYTE : 0) };
    });
    const socket = await open();
    const other = await open();
    socket.pause();
    for (let index = 0; index < 200; index++) {
      socket.write(encodeFrame({ code: 11, opaque: index }));
      await ask(other);
    }
    expect(asked).toBeLessThan(150);
    socket.resume();
    await until(() => asked === 200);
  });

  it('closes a connection without a complete request for two minutes, even within a frame', async () => {
    const { clock, open, ask } = await serve();
    const [silent, slow, asking] = [await open(), await open(), await open()];
    slow.write(unfinished.subarray(0, 100));
    await ask(silent);
    clock.advanceTo(clock.nowMs() + MINUTE_MS);
    await ask(asking);
    slow.write(unfinished.subarray(100, 200));
    const closed = [silent, slow].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    clock.advanceTo(clock.nowMs() + MINUTE_MS);
    await Promise.all(closed);
    expect((await ask(asking)).length).toBeGreaterThan(0);
  });

  it('does not close a connection that waits for a response', async () => {
    let answer = (): void => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    let asked = 0;
    const { clock, open, ask } = await serve(async () => {
      asked++;
      await answered;
      return { code: 0 };
    });
    const waiting = ask(await open());
    await until(() => asked === 1);
    clock.advanceTo(clock.nowMs() + 10 * MINUTE_MS);
    answer();
    expect((await waiting).length).toBeGreaterThan(0);
  });

  it.each([
    ['without TLS', undefined],
    ['with TLS as well', { allowsPlaintext: true, serverOptions: () => ({}) }],
  ])(
    'serves a new connection when 300 others ask nothing: those that were silent for longest give way; %s',
    async (_, tls) => {
      const { open, ask } = await serve(undefined, tls);
      const sockets: Socket[] = [];
      for (let index = 0; index < 300; index++) sockets.push(await open());
      const newest = await open();
      expect((await ask(newest)).length).toBeGreaterThan(0);
      await until(() => sockets.slice(0, 45).every((socket) => socket.destroyed));
      expect(sockets.slice(45).filter((socket) => socket.destroyed)).toEqual([]);
    },
  );

  it('closes the connections with the oldest incomplete frames when all together exceed the memory limit', async () => {
    const { open, ask } = await serve();
    const hoarders: Socket[] = [];
    for (let index = 0; index < 20; index++) {
      const socket = await open();
      await new Promise((resolve) => socket.write(unfinished, resolve));
      hoarders.push(socket);
    }
    await until(() => hoarders.filter((socket) => socket.destroyed).length >= 4);
    expect((await ask(await open())).length).toBeGreaterThan(0);
    expect(hoarders.at(-1)?.destroyed).toBe(false);
  });
});
