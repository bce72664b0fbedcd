// Limits the number of connections of a port, and how long one may be idle. Independent of the protocol.

import type { Socket } from 'node:net';
import type { Clock, ScheduledTask } from '../../support/clock.js';

interface ConnectionRoomOptions {
  /** The maximum number of connections. */
  readonly max: number;
  /** How long a connection may be idle before it is closed, in real time. Default: forever. */
  readonly idle?: { readonly clock: Clock; readonly maxMs: number };
}

/**
 * Limits connections. A connection without a request in progress is idle. At the limit, a new connection replaces the one that has
 * been idle for longest, so that unused connections do not keep clients out.
 */
export class ConnectionRoom {
  /** The longest idle first, each with its timer. */
  private readonly idle = new Map<Socket, ScheduledTask | undefined>();
  private readonly busy = new Set<Socket>();

  constructor(private readonly options: ConnectionRoomOptions) {}

  /** Adds a connection when it is accepted, idle at first. @returns false if all others are busy; the connection is then destroyed */
  take(socket: Socket): boolean {
    if (this.idle.size + this.busy.size >= this.options.max) {
      const [longestIdle] = this.idle.keys();
      this.end(longestIdle ?? socket);
      if (longestIdle === undefined) return false;
    }
    this.rest(socket);
    socket.once('close', () => this.forget(socket));
    return true;
  }

  /** Replaces a connection by its TLS socket, `secured`. */
  replace(socket: Socket | undefined, secured: Socket): boolean {
    if (socket !== undefined) this.forget(socket);
    return this.take(secured);
  }

  /** A request on the connection has begun. */
  begin(socket: Socket): void {
    if (!this.idle.has(socket)) return;
    this.forget(socket);
    this.busy.add(socket);
  }

  /** The request was answered. */
  answered(socket: Socket): void {
    if (this.busy.delete(socket)) this.rest(socket);
  }

  private rest(socket: Socket): void {
    const { idle } = this.options;
    this.idle.set(
      socket,
      idle?.clock.schedule(idle.maxMs, () => this.end(socket)),
    );
  }

  private end(socket: Socket): void {
    this.forget(socket);
    socket.destroy();
  }

  private forget(socket: Socket): void {
    this.busy.delete(socket);
    this.idle.get(socket)?.cancel();
    this.idle.delete(socket);
  }
}
