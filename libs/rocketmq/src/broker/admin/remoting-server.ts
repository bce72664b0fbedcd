// The admin port: decodes request frames and encodes the answers. admin-requests.ts maps requests to handlers.

import type { Socket } from 'node:net';
import { LIMITS } from '../../protocol/model/limits.js';
import { RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { encodeFrame, FrameDecoder, MalformedFrame, type RemotingFrame } from '../../protocol/remoting/frame.js';
import { type Clock, MINUTE_MS } from '../../support/clock.js';
import { describeError, type Logger } from '../../support/logger.js';
import { AccessRefusal } from '../access/access-control.js';
import { Refusal } from '../engine/refusal.js';
import { RELEASE } from '../engine/server-names.js';
import { CallMemory, type UnfinishedCall } from '../services/call-memory.js';
import { ConnectionRoom } from '../services/connection-room.js';
import { Listener, type PortTls } from '../services/listener.js';
import { type AdminAnswer, AdminRefusal } from './admin-answer.js';

/** The largest request: a message with a body of 4 MiB and its properties. */
const MAX_REQUEST_BYTES = LIMITS.bodyBytes + 256 * 1024;

/** The maximum memory for the incomplete frames of all connections. */
const MAX_UNFINISHED_BYTES = 64 * 1024 * 1024;
/** The maximum number of connections; further ones replace idle ones. */
const MAX_CONNECTIONS = 256;
/** The real server's limit for idle connections (`serverChannelMaxIdleTimeSeconds`); here also for the arrival of a frame. */
const MAX_IDLE_MS = 2 * MINUTE_MS;

/** Answers a request; throws an {@link AdminRefusal} to answer with its code. */
export type AdminHandler = (request: RemotingFrame) => Promise<AdminAnswer>;

interface RemotingServerOptions {
  readonly handler: AdminHandler;
  /** Real time. */
  readonly clock: Clock;
  readonly logger: Logger;
  /** Undefined for plaintext. */
  readonly tls: PortTls | undefined;
}

/** Serves remoting requests on one port. */
export class RemotingServer {
  private readonly listener: Listener;
  private readonly room: ConnectionRoom;
  private readonly memory: CallMemory;

  constructor(private readonly options: RemotingServerOptions) {
    const { clock, tls } = options;
    this.room = new ConnectionRoom({ most: MAX_CONNECTIONS, idle: { clock, longestMs: MAX_IDLE_MS } });
    this.listener = new Listener((socket) => this.serve(socket), { clock, tls, room: this.room });
    this.memory = new CallMemory({ clock, mostBytes: MAX_UNFINISHED_BYTES });
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

  private serve(socket: Socket): void {
    const decoder = new FrameDecoder(MAX_REQUEST_BYTES);
    const unfinished: UnfinishedCall = { giveWay: () => socket.destroy() };
    socket.once('close', () => this.memory.release(unfinished));
    socket.on('data', (chunk: Buffer) => {
      // Backpressure: reads nothing from a peer that does not read its answers.
      socket.pause();
      const requests = this.decode(decoder, chunk, socket);
      if (decoder.heldBytes > 0 && !socket.destroyed) this.memory.hold(unfinished, decoder.heldBytes);
      else this.memory.release(unfinished);
      void this.answerAll(requests, socket);
    });
  }

  private decode(decoder: FrameDecoder, chunk: Buffer, socket: Socket): RemotingFrame[] {
    try {
      return decoder.push(chunk);
    } catch (error) {
      const problem = error instanceof MalformedFrame ? error.what : describeError(error);
      this.options.logger.warn('admin connection closed: the client does not use the remoting protocol', { problem });
      socket.destroy();
      return [];
    }
  }

  /** Handles one request after the other: a change takes effect before the next request of its connection is read. */
  private async answerAll(requests: readonly RemotingFrame[], socket: Socket): Promise<void> {
    if (requests.length > 0) this.room.begin(socket);
    for (const request of requests) {
      await this.answer(request, socket);
      if (socket.destroyed) return;
    }
    this.room.answered(socket);
    socket.resume();
  }

  private async answer(request: RemotingFrame, socket: Socket): Promise<void> {
    if (request.isResponse) return;
    const answer = await this.answerTo(request);
    if (request.isOneWay || socket.destroyed) return;
    const isTaken = socket.write(
      encodeFrame({ ...answer, opaque: request.opaque, isResponse: true, version: RELEASE.number }),
    );
    if (!isTaken) await drained(socket);
  }

  private async answerTo(request: RemotingFrame): Promise<AdminAnswer> {
    try {
      return await this.options.handler(request);
    } catch (error) {
      if (error instanceof AccessRefusal) return { code: RESPONSE_CODES.noPermission, remark: error.message };
      if (error instanceof AdminRefusal) return { code: error.code, remark: error.message };
      // The real server's code when its disk is full.
      if (error instanceof Refusal && error.reason === 'store-full')
        return { code: RESPONSE_CODES.serviceNotAvailable, remark: error.message };
      this.options.logger.error('admin request failed', { code: request.code, error: describeError(error) });
      return { code: RESPONSE_CODES.systemError, remark: describeError(error) };
    }
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.once('drain', done).once('close', done);
  });
}
