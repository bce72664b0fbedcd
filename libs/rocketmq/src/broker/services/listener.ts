// The port: accepts connections, over TLS where it is told to, and owns their sockets. What is spoken on them is not its business.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { StateError } from '../../support/errors.js';

/** A listening TCP port. */
export class Listener {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  /**
   * @param tls what its TLS is made of; undefined for plaintext
   * @param admits asked for each connection, with the port it came to; one that is not admitted is broken at once
   */
  constructor(
    onConnection: (socket: Socket) => void,
    tls?: TlsOptions,
    private readonly admits: (port: number) => boolean = () => true,
  ) {
    this.server = tls === undefined ? createServer() : createTlsServer(tls);
    this.server.on('connection', (socket: Socket) => {
      if (this.takes(socket) && tls === undefined) onConnection(socket);
    });
    this.server.on('secureConnection', (socket: Socket) => {
      socket.on('error', () => {});
      onConnection(socket);
    });
  }

  private takes(socket: Socket): boolean {
    if (!this.admits(this.port)) {
      socket.destroy();
      return false;
    }
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    // A peer that vanishes is no news here; its streams are told by HTTP/2.
    socket.on('error', () => {});
    socket.setNoDelay(true);
    return true;
  }

  /** The port that was bound; 0 before. */
  get port(): number {
    return (this.server.address() as AddressInfo | null)?.port ?? 0;
  }

  /**
   * @returns the port that was bound
   * @throws StateError `PORT_IN_USE`
   */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => reject(nameError(error, host, port));
      this.server.once('error', onError);
      // `exclusive`: a second broker must fail here, also in a cluster worker.
      this.server.listen({ host, port, exclusive: true }, () => {
        this.server.off('error', onError);
        resolve(this.port);
      });
    });
  }

  /** Takes no more connections. Repeating it is harmless. */
  stopListening(): void {
    if (this.server.listening) this.server.close();
  }

  /** Breaks the connections that are left. */
  destroyConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

function nameError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const where = `the embedded broker cannot listen on ${host}:${port}`;
  if (error.code === 'EADDRINUSE') {
    const message = `${where}, another process uses port ${port}; stop it or choose another port`;
    return new StateError('PORT_IN_USE', message, { cause: error });
  }
  return new StateError('CANNOT_LISTEN', `${where}: ${error.message}`, { cause: error });
}
