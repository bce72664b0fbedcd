// One connection of a server: its open calls, whether it is alive, and how it is closed. Independent of what it carries.

import type { Socket } from 'node:net';
import { Http2Connection, type Http2ConnectionOptions } from '../../../http2/connection.js';
import type { Headers } from '../../../http2/header-encoder.js';
import type { Http2Stream } from '../../../http2/stream.js';
import type { ConnectionRoom } from '../connection-room.js';

/**
 * How many checks in a row may find that a peer has taken nothing of what waits for it. Either its process is stopped and the system's
 * buffers are full, or the connection is dead.
 */
const LOOKS_WHILE_ANSWERS_WAIT = 4;

/** What a connection needs of its server. */
export interface ConnectionServer {
  readonly room: ConnectionRoom;
  readonly http2: Http2ConnectionOptions;
  /** Serves a new stream, or rejects it. A call reports its end by {@link ServerConnection.callEnded}. */
  serve(stream: Http2Stream, headers: Headers, connection: ServerConnection): void;
  /** The connection and its socket are closed. */
  ended(connection: ServerConnection): void;
}

export class ServerConnection {
  /** The address of the client, which a closed socket would no longer have. */
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly localPort: number;
  private readonly http2: Http2Connection;
  private isBusy = false;
  private bytesRead = -1;
  private waitingBytes = 0;
  private checksWithoutProgress = 0;
  private isAsking = false;

  constructor(
    private readonly socket: Socket,
    private readonly server: ConnectionServer,
  ) {
    this.remoteHost = socket.remoteAddress ?? '';
    this.remotePort = socket.remotePort ?? 0;
    this.localPort = socket.localPort ?? 0;
    this.http2 = new Http2Connection(socket, server.http2, this);
    socket.once('close', () => server.ended(this));
  }

  /** Calls back when all that was sent has left this process: with false when the connection broke before. */
  whenWritten(callback: (isWritten: boolean) => void): void {
    this.http2.whenWritten(callback);
  }

  /** A call has ended on both sides. */
  callEnded(): void {
    if (!this.isBusy || this.http2.streamCount > 0) return;
    this.isBusy = false;
    this.server.room.answered(this.socket);
  }

  /**
   * Closes the connection if it is dead. Without a sign of life since the last check, it sends a ping: if nothing confirms its bytes, the
   * system ends the connection. A silent client stays connected, even if its process is stopped and answers no ping.
   */
  look(): void {
    const { bytesRead } = this.socket;
    const { waitingBytes } = this.http2;
    const isSilent = bytesRead === this.bytesRead;
    const isStuck = isSilent && waitingBytes > 0 && waitingBytes === this.waitingBytes;
    this.bytesRead = bytesRead;
    this.waitingBytes = waitingBytes;
    this.checksWithoutProgress = isStuck ? this.checksWithoutProgress + 1 : 0;
    if (this.checksWithoutProgress >= LOOKS_WHILE_ANSWERS_WAIT) this.socket.destroy();
    else if (isSilent && !isStuck) this.ask();
  }

  /** Sends GOAWAY to the client; the connection ends with its last open call. */
  close(): void {
    this.http2.leave();
  }

  /** Closes the connection immediately. */
  destroy(): void {
    this.http2.destroy();
  }

  /** @internal */
  stream(stream: Http2Stream, headers: Headers): void {
    if (!this.isBusy) {
      this.isBusy = true;
      this.server.room.begin(this.socket);
    }
    this.server.serve(stream, headers, this);
    // A stream that was refused is closed already.
    this.callEnded();
  }

  /** @internal The socket may still have to write its last bytes. */
  closed(): void {}

  /** @internal */
  ready(): void {}

  /** @internal A client that leaves finishes its calls. */
  goaway(): void {}

  private ask(): void {
    if (this.isAsking) return;
    this.isAsking = true;
    this.http2.ping(() => {
      this.isAsking = false;
    });
  }
}
