// The port: accepts connections, in plaintext, over TLS or both, and owns their sockets. What is spoken on them is not its business.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { type Clock, MINUTE_MS } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import type { ConnectionRoom } from './connection-room.js';

/** The first byte of a TLS connection: a record of its handshake. No request in plaintext begins with it. */
const TLS_HANDSHAKE = 0x16;
/** A connection on which nothing is sent by then is ended. A client begins at once; TLS alone has as long for its handshake. */
const FIRST_BYTE_MS = 2 * MINUTE_MS;

/** How a port speaks TLS. */
export interface PortTls {
  /** Whether a connection may be plaintext as well: its first byte decides. */
  readonly allowsPlaintext: boolean;
  /** The same at each call. */
  readonly serverOptions: () => TlsOptions;
}

/** A port, and what it asks of connections. */
export interface ListenerOptions {
  /** Real time. */
  readonly clock: Clock;
  /** Default: plaintext only. */
  readonly tls?: PortTls | undefined;
  /** Asked for each connection, with the port it came to; one that is not admitted is broken at once. Default: all are. */
  readonly admits?: (port: number) => boolean;
  /** Where each connection is taken as soon as it is accepted: those that send nothing, or no handshake, give way like any idle one. */
  readonly room: ConnectionRoom;
}

/** A listening TCP port. */
export class Listener {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  /** Those whose TLS handshake is not done, by their addresses: Node does not say which of them a secured one is. */
  private readonly securing = new Map<string, Socket>();
  /** Listens to no port of its own: it is handed connections. */
  private tlsServer: Server | undefined;

  constructor(
    private readonly onConnection: (socket: Socket) => void,
    private readonly options: ListenerOptions,
  ) {
    this.server = createServer((socket) => {
      if (!this.takes(socket)) return;
      const { tls } = options;
      if (tls === undefined) onConnection(socket);
      else if (tls.allowsPlaintext) this.detectTls(socket, tls);
      else this.secure(socket, tls);
    });
  }

  private detectTls(socket: Socket, tls: PortTls): void {
    const late = this.options.clock.schedule(FIRST_BYTE_MS, () => socket.destroy());
    socket.once('close', () => late.cancel());
    socket.once('readable', () => {
      const begin = socket.read() as Buffer | null;
      // The connection ended before it sent anything.
      if (begin === null) return;
      late.cancel();
      // HTTP/2 and TLS take over what was read and not used.
      socket.unshift(begin);
      if (begin[0] === TLS_HANDSHAKE) this.secure(socket, tls);
      else this.onConnection(socket);
    });
  }

  private secure(socket: Socket, { serverOptions }: PortTls): void {
    this.tlsServer ??= createTlsServer(serverOptions(), (secured) => {
      secured.on('error', () => {});
      const plain = this.securing.get(addressesOf(secured));
      if (this.options.room.replace(plain, secured)) this.onConnection(secured);
    });
    const addresses = addressesOf(socket);
    this.securing.set(addresses, socket);
    socket.once('close', () => {
      if (this.securing.get(addresses) === socket) this.securing.delete(addresses);
    });
    this.tlsServer.emit('connection', socket);
  }

  private takes(socket: Socket): boolean {
    if (this.options.admits?.(this.port) === false) {
      socket.destroy();
      return false;
    }
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    // Nothing to do when a peer disconnects; HTTP/2 ends its streams.
    socket.on('error', () => {});
    if (!this.options.room.take(socket)) return false;
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

function addressesOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

function nameError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const where = `the embedded broker cannot listen on ${host}:${port}`;
  if (error.code === 'EADDRINUSE') {
    const message = `${where}: another process uses port ${port}; stop it or choose another port`;
    return new StateError('PORT_IN_USE', message, { cause: error });
  }
  return new StateError('CANNOT_LISTEN', `${where}: ${error.message}`, { cause: error });
}
