// A TCP forwarder on a port of its own, as NAT and published container ports are.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpForwarder {
  readonly port: number;
  /** How many connections went through. */
  connections(): number;
  close(): Promise<void>;
}

export async function forwardTo(port: number): Promise<TcpForwarder> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((near) => {
    connections++;
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
