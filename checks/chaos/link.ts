// The link from an app to the server: a TCP forwarder with faults.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { LinkFault } from './fault-plan.js';

const HOST = '127.0.0.1';

/** One direction of a connection. Delayed data stays in order. */
interface Lane {
  readonly from: Socket;
  readonly to: Socket;
  /** Lost: what is read is dropped, and neither side sees an end. */
  isLost: boolean;
  readonly late: { readonly dueAtMs: number; readonly pass: () => void }[];
  timer: NodeJS.Timeout | undefined;
}

interface Way {
  readonly app: Socket;
  readonly server: Socket;
  /** What the app sends, and what it receives. */
  readonly toServer: Lane;
  readonly toApp: Lane;
}

/** Changes what the server sends, chunk by chunk of one connection. The results may be fewer and larger. */
export type Rewrite = (bytes: Buffer) => Buffer;

export class Link {
  private readonly ways = new Set<Way>();
  private fault: LinkFault | undefined;

  private constructor(
    private readonly listener: Server,
    private readonly serverPort: number,
    private readonly newRewrite: () => Rewrite,
  ) {}

  /** Forwards from `port` to `serverPort`. @param newRewrite called for each connection; default: nothing is changed */
  static async open(port: number, serverPort: number, newRewrite: () => Rewrite = () => same): Promise<Link> {
    const listener = createServer({ allowHalfOpen: true });
    const link = new Link(listener, serverPort, newRewrite);
    listener.on('connection', (socket) => link.accept(socket));
    listener.listen(port, HOST);
    await once(listener, 'listening');
    return link;
  }

  /** Applies a fault to open and new connections, until {@link heal}. */
  suffer(fault: LinkFault): void {
    this.fault = fault;
    for (const way of this.ways) hit(way, fault);
  }

  /** Ends the fault. What was lost, closed or broken stays so. */
  heal(): void {
    this.fault = undefined;
  }

  async close(): Promise<void> {
    const closed = once(this.listener, 'close');
    this.listener.close();
    for (const way of this.ways) end(way);
    await closed;
  }

  private accept(app: Socket): void {
    if (this.fault?.kind === 'reset') {
      app.resetAndDestroy();
      return;
    }
    const server = connect({ port: this.serverPort, host: HOST, allowHalfOpen: true });
    const way: Way = { app, server, toServer: laneOf(app, server), toApp: laneOf(server, app) };
    this.ways.add(way);
    this.carry(way.toServer, way, same);
    this.carry(way.toApp, way, this.newRewrite());
    if (this.fault !== undefined) hit(way, this.fault);
  }

  private carry(lane: Lane, way: Way, rewrite: Rewrite): void {
    const { from, to } = lane;
    from.on('data', (read: Buffer) => {
      const bytes = rewrite(read);
      if (bytes.length === 0) return;
      this.pass(lane, () => {
        // After the end of a stream nothing more can be written to it.
        if (!to.writableEnded && !to.write(bytes)) from.pause();
      });
    });
    to.on('drain', () => from.resume());
    from.on('end', () => this.pass(lane, () => to.end()));
    // Reported by `close`.
    from.on('error', () => {});
    from.on('close', (hadError) => {
      if (way.app.destroyed && way.server.destroyed) this.ways.delete(way);
      // Delayed data is lost if the connection broke, but still transmitted after a regular close.
      if (hadError) lane.late.length = 0;
      this.pass(lane, () => to.destroy());
    });
  }

  private pass(lane: Lane, pass: () => void): void {
    if (lane.isLost) return;
    const delayMs = this.fault?.kind === 'delay' ? this.fault.delayMs : 0;
    lane.late.push({ dueAtMs: performance.now() + delayMs, pass });
    if (lane.timer === undefined) run(lane);
  }
}

function same(bytes: Buffer): Buffer {
  return bytes;
}

function laneOf(from: Socket, to: Socket): Lane {
  return { from, to, isLost: false, late: [], timer: undefined };
}

/** Transmits what is due, and waits for the next. */
function run(lane: Lane): void {
  lane.timer = undefined;
  for (let next = lane.late[0]; next !== undefined; next = lane.late[0]) {
    const waitMs = next.dueAtMs - performance.now();
    if (waitMs > 0) {
      lane.timer = setTimeout(() => run(lane), waitMs);
      return;
    }
    lane.late.shift();
    if (!lane.isLost) next.pass();
  }
}

function hit(way: Way, fault: LinkFault): void {
  switch (fault.kind) {
    case 'drop':
      way.toApp.isLost = true;
      if (fault.lost === 'everything') way.toServer.isLost = true;
      break;
    case 'half-close':
      (fault.towards === 'app' ? way.app : way.server).end();
      break;
    case 'reset':
      for (const socket of [way.app, way.server]) socket.resetAndDestroy();
      break;
    case 'delay':
  }
}

function end({ app, server, toServer, toApp }: Way): void {
  for (const lane of [toServer, toApp]) {
    clearTimeout(lane.timer);
    lane.isLost = true;
  }
  for (const socket of [app, server]) socket.destroy();
}
