// A port of the remoting protocol: decodes requests, and encodes the answers. What a request means is defined elsewhere.

import type { Socket } from 'node:net';
import { LIMITS } from '../../protocol/model/limits.js';
import { RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { FrameDecoder, MalformedFrame, type RemotingFrame } from '../../protocol/remoting/frame.js';
import { type Clock, MINUTE_MS } from '../../support/clock.js';
import { describeError, type Logger } from '../../support/logger.js';
import { AccessRejection } from '../access/access-control.js';
import { type AdminAnswer, AdminRejection } from '../admin/admin-answer.js';
import { Rejection } from '../engine/rejection.js';
import { CallMemory, type UnfinishedCall } from '../services/call-memory.js';
import { ConnectionRoom } from '../services/connection-room.js';
import { Listener, type PortTls } from '../services/listener.js';
import { ClientConnection } from './client-connection.js';

/** The largest request: a message with a body of 4 MiB and its properties. */
const MAX_REQUEST_BYTES = LIMITS.bodyBytes + 256 * 1024;
/** The maximum memory for the incomplete frames and the unread answers of all connections. */
const MAX_UNFINISHED_BYTES = 64 * 1024 * 1024;
/** The maximum number of connections; further ones replace idle ones. */
const MAX_CONNECTIONS = 256;
/** The real server's limit for idle connections (`serverChannelMaxIdleTimeSeconds`); here also for the arrival of a frame. */
const MAX_IDLE_MS = 2 * MINUTE_MS;
/** A connection with so many requests in progress, or so many bytes of them, is not read from. */
const MAX_RUNNING = 256;
const MAX_RUNNING_BYTES = 4 * MAX_REQUEST_BYTES;

/** After so many requests of one connection, what they answered is looked at, and others have their turn. */
const BEGUN_AT_ONCE = 16;

/** Answers a request; undefined for none. Throws an {@link AdminRejection} to answer with its code. */
export type RequestAnswerer = (
  request: RemotingFrame,
  connection: ClientConnection,
) => Promise<AdminAnswer | undefined>;

interface RemotingServerOptions {
  readonly answer: RequestAnswerer;
  /** Real time. */
  readonly clock: Clock;
  readonly logger: Logger;
  /** Undefined for plaintext. */
  readonly tls: PortTls | undefined;
  /** Whether to serve a new connection to the port. Default: always. */
  readonly admits?: (port: number) => boolean;
  /** What the frames state. @see `RemotingFrame.version` */
  readonly release: () => number;
}

/** Serves remoting requests on one port. */
export class RemotingServer {
  private readonly listener: Listener;
  private readonly room: ConnectionRoom;
  private readonly memory: CallMemory;
  private readonly connections = new Set<ClientConnection>();

  constructor(private readonly options: RemotingServerOptions) {
    const { clock, tls, admits } = options;
    this.room = new ConnectionRoom({ max: MAX_CONNECTIONS, idle: { clock, maxMs: MAX_IDLE_MS } });
    this.listener = new Listener((socket) => this.serve(socket), { clock, tls, admits, room: this.room });
    this.memory = new CallMemory({ clock, maxBytes: MAX_UNFINISHED_BYTES });
  }

  /**
   * @returns the port that was bound
   * @throws StateError `PORT_IN_USE`
   */
  listen(host: string, port: number): Promise<number> {
    return this.listener.listen(host, port);
  }

  /** Closes the port and all connections. Idempotent. */
  stop(): void {
    this.listener.stopListening();
    this.listener.destroyConnections();
  }

  /** The bound port; 0 before it is bound. */
  get port(): number {
    return this.listener.port;
  }

  /** Closes the connections that are meant at once. */
  breakConnections(isMeant: (connection: ClientConnection) => boolean): void {
    for (const connection of [...this.connections]) if (isMeant(connection)) connection.close();
  }

  private serve(socket: Socket): void {
    const { options, room, memory } = this;
    const { connection } = new ServedConnection(socket, { options, room, memory });
    this.connections.add(connection);
    connection.whenClosed(() => this.connections.delete(connection));
  }
}

interface ServerParts {
  readonly options: RemotingServerOptions;
  readonly room: ConnectionRoom;
  readonly memory: CallMemory;
}

/** The requests of one connection. They begin in their order, and are answered when each is done. */
class ServedConnection {
  private readonly decoder = new FrameDecoder(MAX_REQUEST_BYTES);
  readonly connection: ClientConnection;
  private readonly unfinished: UnfinishedCall;
  /** What one chunk brought, and has not begun. */
  private readonly received: RemotingFrame[] = [];
  /** In this turn of the event loop: several chunks can arrive in one. */
  private begun = 0;
  private running = 0;
  private runningBytes = 0;

  constructor(
    private readonly socket: Socket,
    private readonly parts: ServerParts,
  ) {
    const { clock, release } = parts.options;
    this.connection = new ClientConnection(socket, clock, release, () => this.pace());
    this.unfinished = { giveWay: () => socket.destroy() };
    socket.once('close', () => parts.memory.release(this.unfinished));
    socket.on('drain', () => this.pace());
    socket.on('data', (chunk: Buffer) => {
      this.received.push(...this.decode(chunk));
      this.pace();
    });
  }

  private decode(chunk: Buffer): RemotingFrame[] {
    try {
      return this.decoder.push(chunk);
    } catch (error) {
      const problem = error instanceof MalformedFrame ? error.what : describeError(error);
      this.parts.options.logger.warn('connection closed: the client does not use the remoting protocol', { problem });
      this.socket.destroy();
      return [];
    }
  }

  /** Begins and reads nothing for a peer that does not read its answers, or has asked for more than can be done at a time. */
  private pace(): void {
    const { socket, connection, decoder } = this;
    this.begin();
    if (socket.destroyed) return;
    const held = decoder.heldBytes + (connection.output.isCongested ? connection.output.waitingBytes : 0);
    if (held > 0) this.parts.memory.hold(this.unfinished, held);
    else this.parts.memory.release(this.unfinished);
    if (this.isFull || this.received.length > 0) socket.pause();
    else socket.resume();
  }

  /** Begins some requests at a time, because what they answer is not known before: small requests can have large answers. */
  private begin(): void {
    while (this.begun < BEGUN_AT_ONCE && !this.socket.destroyed && !this.isFull) {
      const frame = this.received.shift();
      if (frame === undefined) return;
      if (this.begun++ === 0) setImmediate(() => this.turn());
      if (frame.isResponse) this.connection.take(frame);
      else void this.answer(frame);
    }
  }

  /** What was begun in this turn of the event loop has answered, unless it waits for something. */
  private turn(): void {
    this.begun = 0;
    this.pace();
  }

  private get isFull(): boolean {
    const { connection, running, runningBytes } = this;
    return (
      connection.output.isCongested ||
      running - connection.suspended >= MAX_RUNNING ||
      runningBytes >= MAX_RUNNING_BYTES
    );
  }

  private async answer(request: RemotingFrame): Promise<void> {
    const bytes = request.body.length;
    this.running++;
    this.runningBytes += bytes;
    this.parts.room.begin(this.socket);
    const answer = await this.answerTo(request);
    this.running--;
    this.runningBytes -= bytes;
    if (this.running === 0) this.parts.room.answered(this.socket);
    if (answer !== undefined && !request.isOneWay) {
      this.connection.write({ ...answer, isResponse: true }, request.opaque);
    }
    this.pace();
  }

  private async answerTo(request: RemotingFrame): Promise<AdminAnswer | undefined> {
    try {
      return await this.parts.options.answer(request, this.connection);
    } catch (error) {
      if (error instanceof AccessRejection) return { code: RESPONSE_CODES.noPermission, remark: error.message };
      if (error instanceof AdminRejection) return { code: error.code, remark: error.message };
      if (error instanceof Rejection && error.reason === 'group-paused')
        return { code: RESPONSE_CODES.noPermission, remark: error.message };
      // The real server's code when its disk is full.
      if (error instanceof Rejection && error.reason === 'store-full')
        return { code: RESPONSE_CODES.serviceNotAvailable, remark: error.message };
      if (error instanceof Rejection && error.reason === 'too-many-lite-topics')
        return { code: RESPONSE_CODES.lmqQuotaExceeded, remark: error.message };
      this.parts.options.logger.error('remoting request failed', { code: request.code, error: describeError(error) });
      return { code: RESPONSE_CODES.systemError, remark: describeError(error) };
    }
  }
}
