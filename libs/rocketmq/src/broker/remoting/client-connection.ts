// A connection of a client of the remoting protocol, which both sides send requests over.

import type { Socket } from 'node:net';
import type { RemotingFrame, UnnumberedFrame } from '../../protocol/remoting/frame.js';
import { writeFrame } from '../../protocol/remoting/frame.js';
import type { Clock } from '../../support/clock.js';
import { SocketOutput } from '../../support/socket-output.js';

/** How many requests of the broker may wait for the answer of one client. */
const MAX_ASKED = 100;
/** How many pulls of one connection may wait for messages: one for each queue that a process consumes. */
const MAX_SUSPENDED = 4_096;

/** Sends answers and requests to one client. */
export class ClientConnection {
  /** `host:port` of the client. */
  readonly address: string;
  readonly output: SocketOutput;
  private readonly asked = new Map<number, (answer: RemotingFrame | undefined) => void>();
  private readonly closers = new Set<() => void>();
  private nextOpaque = 1;
  private suspendedCount = 0;

  /**
   * @param clock real time
   * @param release see `RemotingFrame.version`
   * @param resumed called when a request ends its wait, or begins it
   */
  constructor(
    private readonly socket: Socket,
    private readonly clock: Clock,
    private readonly release: () => number,
    private readonly resumed: () => void,
  ) {
    const { remoteAddress = '', remotePort = 0 } = socket;
    this.address = remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
    this.output = new SocketOutput(socket);
    socket.once('close', () => this.closed());
  }

  /** The address of the client without its port. */
  get host(): string {
    return this.socket.remoteAddress ?? '';
  }

  get isClosed(): boolean {
    return this.socket.destroyed;
  }

  /** How many requests wait for something to happen, and hold up nothing. */
  get suspended(): number {
    return this.suspendedCount;
  }

  /** Closes the connection at once. */
  close(): void {
    this.socket.destroy();
  }

  /** Calls back once when the connection is closed. @returns a function that cancels this */
  whenClosed(callback: () => void): () => void {
    this.closers.add(callback);
    return () => this.closers.delete(callback);
  }

  /**
   * A request begins to wait, and no longer counts as one in progress.
   * @returns a function to call once when the wait is over; undefined when too many wait already
   */
  suspend(): (() => void) | undefined {
    if (this.suspendedCount >= MAX_SUSPENDED) return undefined;
    this.suspendedCount++;
    this.resumed();
    return () => {
      this.suspendedCount--;
    };
  }

  /** Sends a request that the client does not answer. */
  notify(request: UnnumberedFrame): void {
    this.write({ ...request, isOneWay: true }, this.nextOpaque++);
  }

  /** Sends a request. @returns undefined when the client does not answer in time */
  ask(request: UnnumberedFrame, timeoutMs: number): Promise<RemotingFrame | undefined> {
    if (this.isClosed || this.asked.size >= MAX_ASKED) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const opaque = this.nextOpaque++;
      const timer = this.clock.schedule(timeoutMs, () => this.answered(opaque, undefined));
      this.asked.set(opaque, (answer) => {
        timer.cancel();
        resolve(answer);
      });
      this.write(request, opaque);
    });
  }

  /** Takes the answer to a request of the broker. */
  take(answer: RemotingFrame): void {
    this.answered(answer.opaque, answer);
  }

  /** Writes a frame with the release of the broker. */
  write(frame: UnnumberedFrame, opaque: number): void {
    if (!this.isClosed) writeFrame(this.output, { ...frame, version: this.release(), isBodyFinal: true }, opaque);
  }

  private answered(opaque: number, answer: RemotingFrame | undefined): void {
    const resolve = this.asked.get(opaque);
    this.asked.delete(opaque);
    resolve?.(answer);
  }

  private closed(): void {
    for (const opaque of [...this.asked.keys()]) this.answered(opaque, undefined);
    for (const callback of [...this.closers]) callback();
    this.closers.clear();
  }
}
