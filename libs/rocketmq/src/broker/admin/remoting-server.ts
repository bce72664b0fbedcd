// The admin port: frames in, answers out. What a request means is in admin-requests.ts.

import type { Socket } from 'node:net';
import { LIMITS } from '../../protocol/limits.js';
import { encodeFrame, FrameDecoder, MalformedFrame, type RemotingFrame } from '../../protocol/remoting-frame.js';
import { describeError, type Logger } from '../../support/logger.js';
import { AccessRefusal } from '../access/access-control.js';
import { Listener, type ListenerOptions } from '../services/listener.js';
import { type AdminAnswer, AdminRefusal, RESPONSE_CODES } from './admin-answer.js';

/** The largest request taken: a message with a body of 4 MiB and its properties. */
const MAX_REQUEST_BYTES = LIMITS.bodyBytes + 256 * 1024;

/** Answers a request; throws an {@link AdminRefusal} to answer with its code. */
export type AdminHandler = (request: RemotingFrame) => Promise<AdminAnswer>;

/** Serves remoting requests on one port. */
export class RemotingServer {
  private readonly listener: Listener;

  constructor(
    private readonly handler: AdminHandler,
    private readonly logger: Logger,
    port: ListenerOptions,
  ) {
    this.listener = new Listener((socket) => this.serve(socket), port);
  }

  /**
   * @returns the port that was bound
   * @throws StateError `PORT_IN_USE`
   */
  listen(host: string, port: number): Promise<number> {
    return this.listener.listen(host, port);
  }

  /** Closes the port and every connection. Repeating it is harmless. */
  stop(): void {
    this.listener.stopListening();
    this.listener.destroyConnections();
  }

  private serve(socket: Socket): void {
    const decoder = new FrameDecoder(MAX_REQUEST_BYTES);
    // One request after the other: a change is in force when the next request of its connection is read.
    let turn = Promise.resolve();
    socket.on('data', (chunk: Buffer) => {
      // Who asks and does not read the answers is not read from either.
      socket.pause();
      const requests = this.decode(decoder, chunk, socket);
      for (const request of requests) turn = turn.then(() => this.answer(request, socket));
      turn = turn.then(() => resume(socket));
    });
  }

  private decode(decoder: FrameDecoder, chunk: Buffer, socket: Socket): RemotingFrame[] {
    try {
      return decoder.push(chunk);
    } catch (error) {
      const problem = error instanceof MalformedFrame ? error.what : describeError(error);
      this.logger.warn('admin connection closed: it does not speak remoting', { problem });
      socket.destroy();
      return [];
    }
  }

  private async answer(request: RemotingFrame, socket: Socket): Promise<void> {
    if (request.isResponse) return;
    const answer = await this.answerTo(request);
    if (request.isOneWay || socket.destroyed) return;
    socket.write(encodeFrame({ ...answer, opaque: request.opaque, isResponse: true }));
  }

  private async answerTo(request: RemotingFrame): Promise<AdminAnswer> {
    try {
      return await this.handler(request);
    } catch (error) {
      if (error instanceof AccessRefusal) return { code: RESPONSE_CODES.noPermission, remark: error.message };
      if (error instanceof AdminRefusal) return { code: error.code, remark: error.message };
      this.logger.error('admin request failed', { code: request.code, error: describeError(error) });
      return { code: RESPONSE_CODES.systemError, remark: describeError(error) };
    }
  }
}

function resume(socket: Socket): void {
  if (socket.writableNeedDrain) socket.once('drain', () => socket.resume());
  else socket.resume();
}
