// A port: accepts connections in plaintext, over TLS or both, and owns their sockets. Independent of the protocol.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions, type Server as TlsServer } from 'node:tls';
import { type Clock, MINUTE_MS } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import type { ConnectionRoom } from './connection-room.js';

/** The first byte of a TLS connection, a handshake record. No plaintext request begins with it. */
const TLS_HANDSHAKE = 0x16;
/** A connection that sends nothing for this long is closed. Clients send at once; Node gives a TLS handshake the same time. */
const FIRST_BYTE_MS = 2 * MINUTE_MS;

/** The TLS of a port. */
export interface PortTls {
  /** Whether plaintext is accepted, too. The first byte of a connection decides. */
  readonly allowsPlaintext: boolean;
  /** For the next connection: the same certificates as before, or new ones. */
  readonly serverOptions: () => TlsOptions;
}

/** The options of a port. */
interface ListenerOptions {
  /** Real time. */
  readonly clock: Clock;
  /** Default: plaintext only. */
  readonly tls?: PortTls | undefined;
  /** Called for each connection with its port; a connection that is not admitted is destroyed. Default: all are admitted. */
  readonly admits?: ((port: number) => boolean) | undefined;
  /** Limits connections from the moment they are accepted; those that send nothing, or no handshake, count as idle. */
  readonly room: ConnectionRoom;
}

/** A listening TCP port. */
export class Listener {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  /** Sockets with an unfinished TLS handshake, by address, because Node does not report to which of them a TLS socket belongs. */
  private readonly securing = new Map<string, Socket>();
  /** Does not listen itself; receives connections from this listener. */
  private tlsServer: TlsServer | undefined;
  private tlsOptions: TlsOptions = {};
  private isStopped = false;

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
      // HTTP/2 and TLS read these bytes again.
      socket.unshift(begin);
      if (begin[0] === TLS_HANDSHAKE) this.secure(socket, tls);
      else this.onConnection(socket);
    });
  }

  private secure(socket: Socket, { serverOptions }: PortTls): void {
    const tlsServer = this.tlsServerWith(serverOptions());
    const addresses = addressesOf(socket);
    this.securing.set(addresses, socket);
    socket.once('close', () => {
      if (this.securing.get(addresses) === socket) this.securing.delete(addresses);
    });
    tlsServer.emit('connection', socket);
  }

  private tlsServerWith(options: TlsOptions): TlsServer {
    const { cert, key, ca } = this.tlsOptions;
    const hasChanged = cert !== options.cert || key !== options.key || ca !== options.ca;
    // Its handshakes from now on, and no ticket of an earlier one: a client whose certificate is no longer trusted cannot resume.
    if (this.tlsServer !== undefined && hasChanged) this.tlsServer.setSecureContext(options);
    this.tlsOptions = options;
    this.tlsServer ??= createTlsServer(options, (secured) => {
      secured.on('error', () => {});
      const plain = this.securing.get(addressesOf(secured));
      if (this.options.room.replace(plain, secured)) this.onConnection(secured);
    });
    return this.tlsServer;
  }

  private takes(socket: Socket): boolean {
    if (this.options.admits?.(this.port) === false) {
      socket.destroy();
      return false;
    }
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    // Nothing to do when a peer disconnects: HTTP/2 ends its streams.
    socket.on('error', () => {});
    if (!this.options.room.take(socket)) return false;
    socket.setNoDelay(true);
    return true;
  }

  /** The bound port; 0 before it is bound. */
  get port(): number {
    return (this.server.address() as AddressInfo | null)?.port ?? 0;
  }

  /**
   * @returns the port that was bound
   * @throws StateError `PORT_IN_USE`; `CLOSED` when it was stopped meanwhile, which cannot keep Node from binding the port
   */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => reject(nameError(error, host, port));
      this.server.once('error', onError);
      // `exclusive`: a second broker must fail here, even in a cluster worker.
      this.server.listen({ host, port, exclusive: true }, () => {
        this.server.off('error', onError);
        if (!this.isStopped) resolve(this.port);
        else this.server.close(() => reject(new StateError('CLOSED', 'the embedded broker has stopped')));
      });
    });
  }

  /** Stops accepting connections, also those of a port that is being bound. Idempotent. */
  stopListening(): void {
    this.isStopped = true;
    if (this.server.listening) this.server.close();
  }

  /** Destroys the remaining connections. */
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
  return new StateError('CANNOT_LISTEN', `${where}: ${error.message}; choose another host or port`, { cause: error });
}
