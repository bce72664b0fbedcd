// What the client makes of a move of time that takes several requests, and of servers that are no control port.

import { createServer, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { AdvanceInterruptedError, ControlClient, ControlError } from './control-client.js';
import type { AdvancedTime } from './control-views.js';

const MINUTE_MS = 60_000;

/** A broker that moves its time by half of the way in the first request; the next one is answered as the spec says. */
function halfway(next: () => AdvancedTime): { readonly control: ControlClient; readonly bodies: unknown[] } {
  const bodies: unknown[] = [];
  const inside = async (_: unknown, body: Buffer | undefined): Promise<Buffer> => {
    const first = {
      nowMs: 50 * MINUTE_MS,
      offsetMs: 50 * MINUTE_MS,
      targetMs: 100 * MINUTE_MS,
      passed: 3,
      done: false,
    };
    bodies.push(JSON.parse(String(body)));
    return Buffer.from(JSON.stringify(bodies.length === 1 ? first : next()));
  };
  return { control: new ControlClient({ endpoint: 'http://127.0.0.1:1' }, inside), bodies };
}

describe('a move of time in several requests', () => {
  it('goes on with what is left, and adds up what was passed', async () => {
    const last = {
      nowMs: 100 * MINUTE_MS,
      offsetMs: 100 * MINUTE_MS,
      targetMs: 100 * MINUTE_MS,
      passed: 2,
      done: true,
    };
    const { control, bodies } = halfway(() => last);
    const moved = await control.advanceTime({ byMs: 100 * MINUTE_MS, duringWork: true });
    expect(moved).toEqual({ ...last, passed: 5 });
    expect(bodies).toEqual([
      { byMs: 100 * MINUTE_MS, duringWork: true },
      { byMs: 50 * MINUTE_MS, duringWork: true },
    ]);
  });

  it.each([
    ['another request moves the time meanwhile', 'TIME_MOVING'],
    ['a consumer holds a message', 'NOT_QUIET'],
  ])('says how far it came when %s', async (_, code) => {
    const { control } = halfway(() => {
      throw new ControlError(code, 'nothing was changed', 409);
    });
    const failed = await control.advanceTime({ byMs: 100 * MINUTE_MS }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(AdvanceInterruptedError);
    // Repeating it would move the time too far.
    expect(failed).toMatchObject({
      code: 'ADVANCE_INTERRUPTED',
      outcome: 'unknown',
      retryable: false,
      message: expect.stringContaining('moved to 1970-01-01T00:50:00.000Z, not to 1970-01-01T01:40:00.000Z'),
      done: { nowMs: 50 * MINUTE_MS, passed: 3 },
      cause: { code },
    });
  });
});

describe('a server that is no control port', () => {
  /** It answers every request with these bytes, and keeps the connection open. */
  async function answering(bytes: string) {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      socket.once('data', () => socket.write(bytes));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { readonly port: number };
    const close = (): Promise<unknown> => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    };
    return { port, control: new ControlClient({ endpoint: `127.0.0.1:${port}` }), close };
  }

  const page = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

  it.each([
    ['a page', page('<html>')],
    ['nothing', page('')],
    ['null', page('null')],
  ])('is named as such when it answers with %s', async (_, bytes) => {
    const { control, close } = await answering(bytes);
    const calls = [control.state(), control.faults(), control.advanceTime({ byMs: 1 }), control.clearFaults()];
    const ends = await Promise.allSettled(calls);
    await close();
    const reason = expect.objectContaining({ code: 'NO_CONTROL_PORT', status: 200 });
    expect(ends).toEqual(calls.map(() => ({ status: 'rejected', reason })));
  });

  it('leaves open whether a change was made when an intermediary answers for it', async () => {
    const { control, close } = await answering('HTTP/1.1 504 Late\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    const calls = [control.state(), control.advanceTime({ byMs: 1 }), control.clearFaults()];
    const ends = await Promise.all(calls.map((call) => call.catch(({ code, outcome }) => [code, outcome])));
    await close();
    expect(ends).toEqual([
      ['NO_CONTROL_PORT', 'not-sent'],
      ['NO_CONTROL_PORT', 'unknown'],
      ['NO_CONTROL_PORT', 'unknown'],
    ]);
  });

  it('is named as such when it speaks HTTP/2', async () => {
    const { control, close } = await answering('\0\0\0\x04\0\0\0\0\0');
    const read = await control.state().catch((error: unknown) => error);
    await close();
    const message = expect.stringContaining('the server does not speak HTTP/1.1');
    expect(read).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent', message });
  });

  it('gets a change of an https address never: it has no TLS', async () => {
    const { port, close } = await answering(page(''));
    const control = new ControlClient({ endpoint: `https://127.0.0.1:${port}` });
    const change = await control.clearFaults().catch((error: unknown) => error);
    await close();
    const message = expect.stringContaining('does not use TLS on this port');
    expect(change).toMatchObject({ code: 'TLS_FAILED', outcome: 'not-sent', retryable: false, message });
  });

  it('ends a call when it switches to another protocol', async () => {
    const { control, close } = await answering('HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    const read = await control.state().catch((error: unknown) => error);
    await close();
    expect(read).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-sent' });
  });
});
