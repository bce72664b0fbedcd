// A TCP forwarder on a port of its own, as NAT and published container ports are.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpForwarder {
  readonly port: number;
  /** How many connections went through. */
  connections(): number;
  /** From now on nothing passes on the connections that are open, and nobody is told. New ones are served. */
  freeze(): void;
  /** From now on what the server says on the connections that are open is lost; what is said to it arrives. */
  loseAnswers(): void;
  /** Breaks every open connection with a reset. New ones are served. */
  reset(): void;
  close(): Promise<void>;
}

/** @param alter what becomes of what the server says; default: nothing */
export async function forwardTo(
  port: number,
  alter: (bytes: Buffer) => Buffer = (bytes) => bytes,
): Promise<TcpForwarder> {
  const sockets = new Set<Socket>();
  const frozen = new WeakSet<Socket>();
  const servers = new Set<Socket>();
  let connections = 0;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    connections++;
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    servers.add(far);
    far.on('close', () => servers.delete(far));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      // What is read from a frozen connection is dropped, as on a way that loses every packet.
      from.on('data', (bytes) => {
        if (frozen.has(from)) return;
        if (!to.write(from === far ? alter(bytes) : bytes)) from.pause();
      });
      to.on('drain', () => from.resume());
      from.on('end', () => {
        if (!frozen.has(from)) to.end();
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        if (!frozen.has(from)) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    freeze: () => {
      for (const socket of sockets) frozen.add(socket);
    },
    loseAnswers: () => {
      for (const socket of servers) frozen.add(socket);
    },
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
