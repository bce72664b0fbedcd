// Each link fault, as both ends see it.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { freePort } from '../../scripts/demo/demo-ports.js';
import type { LinkFault } from './fault-plan.js';
import { Link } from './link.js';

/** What one end of a connection has received. */
class Peer {
  heard = '';
  isEnded = false;
  error: string | undefined;
  private readonly closed: Promise<unknown>;
  private changed = (): void => {};

  constructor(readonly socket: Socket) {
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('data', (bytes) => {
      this.heard += bytes.toString();
      this.changed();
    });
    socket.on('end', () => {
      this.isEnded = true;
      this.changed();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
  }

  async until(holds: (peer: this) => boolean): Promise<void> {
    while (!holds(this)) {
      await new Promise<void>((resolve) => {
        this.changed = resolve;
      });
    }
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  get gone(): Promise<unknown> {
    return this.closed;
  }
}

describe('a link', () => {
  const peers: Peer[] = [];
  let server: Server;
  let link: Link;
  let port: number;
  let serverPort: number;
  const accepted: Peer[] = [];
  let onAccepted = (): void => {};

  beforeEach(async () => {
    accepted.length = 0;
    server = createServer({ allowHalfOpen: true }, (socket) => {
      accepted.push(peerOf(socket));
      onAccepted();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    serverPort = (server.address() as AddressInfo).port;
    port = await freePort();
    link = await Link.open(port, serverPort);
  });
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.close()));
    await link.close();
    const closed = once(server, 'close');
    server.close();
    await closed;
  });

  function peerOf(socket: Socket): Peer {
    const peer = new Peer(socket);
    peers.push(peer);
    return peer;
  }

  /** Both ends of a new connection. */
  async function connection(): Promise<{ app: Peer; far: Peer }> {
    const app = peerOf(connect({ port, host: '127.0.0.1', allowHalfOpen: true }));
    while (accepted.length === 0) {
      await new Promise<void>((resolve) => {
        onAccepted = resolve;
      });
    }
    return { app, far: accepted.shift() as Peer };
  }

  async function talk({ app, far }: { app: Peer; far: Peer }, text: string): Promise<void> {
    app.socket.write(`question ${text}`);
    await far.until(({ heard }) => heard.endsWith(text));
    far.socket.write(`answer ${text}`);
    await app.until(({ heard }) => heard.endsWith(text));
  }

  it('without a fault transmits both directions and both ends', async () => {
    const pair = await connection();
    await talk(pair, 'one');
    pair.app.socket.end();
    await pair.far.until(({ isEnded }) => isEnded);
    pair.far.socket.end('last words');
    await pair.app.until(({ isEnded }) => isEnded);
    expect(pair.app.heard).toBe('answer onelast words');
  });

  it('that drops all loses open and new connections without notice, and serves later ones', async () => {
    const before = await connection();
    await talk(before, 'one');
    link.suffer({ kind: 'drop', lost: 'everything' });
    const during = await connection();
    for (const { app, far } of [before, during]) {
      app.socket.write('lost');
      far.socket.write('lost');
    }
    link.heal();
    before.app.socket.write('lost');
    const after = await connection();
    await talk(after, 'two');
    expect([before.far.heard, before.app.heard, before.far.isEnded]).toEqual(['question one', 'answer one', false]);
    expect([during.far.heard, during.app.heard]).toEqual(['', '']);
    expect([before.app, before.far, during.app].map(({ socket }) => socket.destroyed)).toEqual([false, false, false]);
  });

  it('that drops answers transmits requests', async () => {
    const pair = await connection();
    link.suffer({ kind: 'drop', lost: 'answers' });
    pair.app.socket.write('question');
    await pair.far.until(({ heard }) => heard === 'question');
    pair.far.socket.write('answer');
    link.heal();
    await talk(await connection(), 'two');
    expect(pair.app.heard).toBe('');
  });

  it('that delays transmits everything in order, late', async () => {
    const pair = await connection();
    await talk(pair, 'one');
    link.suffer({ kind: 'delay', delayMs: 100 });
    const beganAtMs = performance.now();
    pair.app.socket.write(' a');
    pair.app.socket.end(' b');
    await pair.far.until(({ isEnded }) => isEnded);
    expect(performance.now() - beganAtMs).toBeGreaterThanOrEqual(99);
    expect(pair.far.heard).toBe('question one a b');
  });

  it.each<['app' | 'server', 'app' | 'far', 'app' | 'far']>([
    ['app', 'app', 'far'],
    ['server', 'far', 'app'],
  ])(
    'that half-closes towards the %s ends one direction and still carries the other',
    async (towards, hears, other) => {
      const pair = await connection();
      await talk(pair, 'one');
      link.suffer({ kind: 'half-close', towards });
      await pair[hears].until(({ isEnded }) => isEnded);
      pair[other].socket.write('unheard');
      pair[hears].socket.write('still here');
      await pair[other].until(({ heard }) => heard.endsWith('still here'));
      expect(pair[hears].heard).not.toContain('unheard');
      expect(pair[other].isEnded).toBe(false);
      link.heal();
      await talk(await connection(), 'two');
    },
  );

  it('that resets breaks open and new connections until it is healed', async () => {
    const before = await connection();
    await talk(before, 'one');
    link.suffer({ kind: 'reset' } satisfies LinkFault);
    await Promise.all([before.app.gone, before.far.gone]);
    expect([before.app.error, before.far.error]).toEqual(['ECONNRESET', 'ECONNRESET']);
    const during = peerOf(connect({ port, host: '127.0.0.1' }));
    await during.gone;
    expect(during.error).toBe('ECONNRESET');
    link.heal();
    await talk(await connection(), 'two');
  });

  it('to an unavailable server closes at once', async () => {
    const away = await freePort();
    const other = await freePort();
    const toNobody = await Link.open(other, away);
    const app = peerOf(connect({ port: other, host: '127.0.0.1' }));
    await app.gone;
    await toNobody.close();
    expect([app.isEnded, app.heard]).toEqual([true, '']);
  });
});
