// Replaces node:net: sockets and servers on the simulated network.

import { EventEmitter } from 'node:events';
import type { End, Network } from './network.js';
import type { Simulation } from './simulation.js';

/** The used part of `net.Socket`. */
export class SimulatedSocket extends EventEmitter {
  end_: End | undefined;
  destroyed = false;
  remoteAddress: string | undefined;
  remotePort: number | undefined;
  /** Gives up a connection that is being made. */
  private give: (() => void) | undefined;
  /** Data written before the connection was established. */
  private readonly unsent: Buffer[] = [];
  /** Received data that was not read yet. */
  private readonly unread: Buffer[] = [];
  private isPaused = false;
  private isEnding = false;

  /** @internal The end of a connection that a server accepted. */
  static accepted(simulation: Simulation, end: End): SimulatedSocket {
    const socket = new SimulatedSocket(simulation);
    socket.take(end);
    socket.remoteAddress = end.peer.process.host;
    socket.remotePort = 40_000;
    return socket;
  }

  constructor(private readonly simulation: Simulation) {
    super();
  }

  connect(network: Network, address: string): this {
    const { current } = this.simulation;
    if (current === undefined) throw new Error('only a process can connect');
    this.give = network.connect(current, address, (opened) => {
      if (this.destroyed) return;
      if (opened instanceof Error) {
        this.emit('error', opened);
        this.destroy();
        return;
      }
      this.take(opened);
      this.emit('connect');
    });
    return this;
  }

  get bytesRead(): number {
    return this.end_?.bytesRead ?? 0;
  }

  get bytesWritten(): number {
    return this.end_?.bytesWritten ?? 0;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  /** The network takes everything at once. */
  get writableLength(): number {
    return 0;
  }

  get writableEnded(): boolean {
    return this.isEnding;
  }

  /** Without bytes: a greeting that no server understands. It is not transmitted, and ends the connection. */
  write(bytes?: Uint8Array, written?: (error: Error | null) => void): boolean {
    if (this.isEnding) return false;
    if (bytes === undefined) this.end_?.close();
    else if (this.end_ === undefined) this.unsent.push(Buffer.from(bytes));
    else this.end_.send(Buffer.from(bytes));
    if (written !== undefined) process.nextTick(written, null);
    return true;
  }

  cork(): void {}

  uncork(): void {}

  /** Callers that wait for a write are notified first. */
  destroySoon(): void {
    this.isEnding = true;
    process.nextTick(() => this.destroy());
  }

  override on(name: string, listener: (...values: never[]) => void): this {
    super.on(name, listener as (...values: unknown[]) => void);
    // Like Node, in a later turn.
    if (name === 'data') this.simulation.soon(() => this.flow());
    return this;
  }

  pause(): this {
    this.isPaused = true;
    return this;
  }

  resume(): this {
    this.isPaused = false;
    this.flow();
    return this;
  }

  read(): Buffer | null {
    return this.unread.length === 0 ? null : Buffer.concat(this.unread.splice(0));
  }

  unshift(bytes: Buffer): void {
    this.unread.unshift(bytes);
  }

  destroy(): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.give?.();
    if (this.end_?.isClosed === false) this.end_.close();
    this.simulation.soon(() => this.emit('close'));
    return this;
  }

  private take(end: End): void {
    this.end_ = end;
    for (const bytes of this.unsent.splice(0)) this.write(bytes);
    end.onBytes = (bytes) => {
      this.unread.push(bytes);
      this.flow();
    };
    end.onClosed = (error) => {
      if (this.destroyed) return;
      if (error !== undefined) this.emit('error', error);
      this.destroy();
    };
  }

  private flow(): void {
    if (this.listenerCount('data') === 0) {
      if (this.unread.length > 0) this.emit('readable');
      return;
    }
    while (!this.isPaused && !this.destroyed) {
      const bytes = this.unread.shift();
      if (bytes === undefined) return;
      this.emit('data', bytes);
    }
  }
}

/** The used part of `net.Server`. */
export class SimulatedServer extends EventEmitter {
  listening = false;
  private port = 0;
  private stop: (() => void) | undefined;

  constructor(
    private readonly simulation: Simulation,
    private readonly network: Network,
    onConnection: (socket: SimulatedSocket) => void,
  ) {
    super();
    this.on('connection', onConnection);
  }

  listen({ host, port }: { readonly host: string; readonly port: number }, listening: () => void): this {
    const process = this.simulation.current;
    if (process === undefined) throw new Error('only a process can listen');
    try {
      this.stop = this.network.listen(`${host}:${port}`, process, (end) => {
        const socket = SimulatedSocket.accepted(this.simulation, end);
        this.emit('connection', socket);
      });
    } catch (error) {
      this.simulation.soon(() => this.emit('error', error));
      return this;
    }
    this.port = port;
    this.listening = true;
    this.simulation.soon(listening);
    return this;
  }

  address(): { readonly port: number } | null {
    return this.listening ? { port: this.port } : null;
  }

  close(): this {
    this.listening = false;
    this.stop?.();
    return this;
  }
}
