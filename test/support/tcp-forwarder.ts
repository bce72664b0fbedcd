// A TCP forwarder on its own port, like NAT and published container ports.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpForwarder {
  readonly port: number;
  /** The number of forwarded connections. */
  connections(): number;
  /** How many of them are open. */
  openConnections(): number;
  /** Silently drops everything on the connections that are open. New ones are served. */
  freeze(): void;
  /** Drops everything that the server sends on the connections that are open; what it receives still arrives. */
  loseAnswers(): void;
  /** Breaks every open connection with a reset. New ones are served. */
  reset(): void;
  /** Delays each chunk by this much, in each direction. */
  delay(delayMs: number): void;
  /** Sends GOAWAY to the clients on the open connections in the server's place. */
  goaway(): void;
  close(): Promise<void>;
}

const FRAME_HEADER_BYTES = 9;
/** A frame of 8 bytes, type 7, on stream 0: the last stream id is the highest, the code NO_ERROR. */
const GOAWAY = Buffer.from('0000080700000000007fffffff00000000', 'hex');

/** Tracks the HTTP/2 frames that a server sends, so that a frame can be inserted between two of them. */
class FrameBorders {
  private isWanted = false;
  /** The received part of the current frame's header. */
  private header = Buffer.alloc(0);
  /** The remaining bytes of its payload. */
  private leftBytes = 0;

  constructor(private readonly near: Socket) {}

  goaway(): void {
    this.isWanted = true;
    if (this.isBetweenFrames) this.near.write(this.inserted());
  }

  /** @returns the chunk, with the frame inserted if requested */
  take(piece: Buffer): Buffer {
    const parts: Buffer[] = [];
    let rest = piece;
    while (rest.length > 0) {
      if (this.isBetweenFrames) parts.push(this.inserted());
      const size = this.leftBytes > 0 ? this.leftBytes : FRAME_HEADER_BYTES - this.header.length;
      const part = rest.subarray(0, size);
      rest = rest.subarray(part.length);
      parts.push(part);
      this.pass(part);
    }
    if (this.isBetweenFrames) parts.push(this.inserted());
    return Buffer.concat(parts);
  }

  private pass(part: Buffer): void {
    if (this.leftBytes > 0) {
      this.leftBytes -= part.length;
      return;
    }
    this.header = Buffer.concat([this.header, part]);
    if (this.header.length < FRAME_HEADER_BYTES) return;
    this.leftBytes = this.header.readUIntBE(0, 3);
    this.header = Buffer.alloc(0);
  }

  private get isBetweenFrames(): boolean {
    return this.leftBytes === 0 && this.header.length === 0;
  }

  private inserted(): Buffer {
    if (!this.isWanted) return Buffer.alloc(0);
    this.isWanted = false;
    return GOAWAY;
  }
}

/**
 * @param alter changes the bytes that the server sends. Default: no change
 * @param at the port to listen on. Default: a free port
 */
export async function forwardTo(
  port: number,
  alter: (bytes: Buffer) => Buffer = (bytes) => bytes,
  at = 0,
): Promise<TcpForwarder> {
  const sockets = new Set<Socket>();
  const borders = new Map<Socket, FrameBorders>();
  const timers = new Set<NodeJS.Timeout>();
  let delayMs = 0;
  const later = (pass: () => void): void => {
    if (delayMs === 0) {
      pass();
      return;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      pass();
    }, delayMs);
    timers.add(timer);
  };
  const frozen = new WeakSet<Socket>();
  const servers = new Set<Socket>();
  let connections = 0;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    connections++;
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    servers.add(far);
    const frames = new FrameBorders(near);
    borders.set(near, frames);
    near.on('close', () => borders.delete(near));
    far.on('close', () => servers.delete(far));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      // Data of a frozen connection is dropped, as on a network that loses every packet.
      from.on('data', (bytes) => {
        if (frozen.has(from)) return;
        const passed = from === far ? frames.take(alter(bytes)) : bytes;
        later(() => {
          if (!to.destroyed && !to.writableEnded && !to.write(passed)) from.pause();
        });
      });
      to.on('drain', () => from.resume());
      from.on('end', () => {
        if (!frozen.has(from)) later(() => to.end());
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        if (!frozen.has(from)) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    openConnections: () => borders.size,
    freeze: () => {
      for (const socket of sockets) frozen.add(socket);
    },
    loseAnswers: () => {
      for (const socket of servers) frozen.add(socket);
    },
    reset: () => {
      // Node cannot reset a socket that is ending, and then never closes its handle.
      for (const socket of sockets) socket.writableEnded ? socket.destroy() : socket.resetAndDestroy();
    },
    delay: (ms) => {
      delayMs = ms;
    },
    goaway: () => {
      for (const frames of borders.values()) frames.goaway();
    },
    close: () =>
      new Promise((resolve) => {
        for (const timer of timers) clearTimeout(timer);
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
