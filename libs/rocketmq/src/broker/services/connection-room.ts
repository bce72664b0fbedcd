// How many connections a port has at a time, and how long one may be idle. What is spoken on them is not known here.

import type { Socket } from 'node:net';
import type { Clock, ScheduledTask } from '../../support/clock.js';

export interface ConnectionRoomOptions {
  /** How many connections there may be. */
  readonly most: number;
  /** After how long an idle one is ended, and by which clock: real time. Default: never. */
  readonly idle?: { readonly clock: Clock; readonly longestMs: number };
}

/**
 * Room for connections. One that is asking nothing is idle; when there is no room left, the one that has been idle for longest gives
 * way, so that connections which are only held keep nobody out.
 */
export class ConnectionRoom {
  /** The longest idle first, each with what ends it. */
  private readonly idle = new Map<Socket, ScheduledTask | undefined>();
  private readonly busy = new Set<Socket>();

  constructor(private readonly options: ConnectionRoomOptions) {}

  /** Takes a connection as soon as it is accepted, idle at first. @returns false when all others are busy; it is broken then */
  take(socket: Socket): boolean {
    if (this.idle.size + this.busy.size >= this.options.most) {
      const [longestIdle] = this.idle.keys();
      this.end(longestIdle ?? socket);
      if (longestIdle === undefined) return false;
    }
    this.rest(socket);
    socket.once('close', () => this.forget(socket));
    return true;
  }

  /** Takes `secured` instead: it speaks TLS over a connection that was taken. */
  replace(socket: Socket | undefined, secured: Socket): boolean {
    if (socket !== undefined) this.forget(socket);
    return this.take(secured);
  }

  /** It has asked something. */
  begin(socket: Socket): void {
    if (!this.idle.has(socket)) return;
    this.forget(socket);
    this.busy.add(socket);
  }

  /** It was answered. */
  answered(socket: Socket): void {
    if (this.busy.delete(socket)) this.rest(socket);
  }

  private rest(socket: Socket): void {
    const { idle } = this.options;
    this.idle.set(
      socket,
      idle?.clock.schedule(idle.longestMs, () => this.end(socket)),
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
