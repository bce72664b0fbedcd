// One call on one HTTP/2 stream: messages in, messages out, and a status at the end. Independent of the methods.
// Over 300 lines: each way in which a call ends must be seen beside the others.

import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Clock, ScheduledTask } from '../../../support/clock.js';
import { FrameReader } from '../../../support/grpc/framing.js';
import { encodeStatusMessage, GRPC_STATUS, GrpcError, type GrpcStatusName } from '../../../support/grpc/status.js';
import type { RequestMemory, UnfinishedRequest } from '../request-memory.js';
import { timeoutMs } from './grpc-timeout.js';

/** The memory that an incomplete request counts in addition to its received bytes: headers, and Node's objects for the stream. */
const CALL_BYTES = 16 * 1024;

/** Receives the messages of a call. If it throws, the call ends with the status of the {@link GrpcError}, or INTERNAL. */
export interface CallHandler {
  /** The bytes that it keeps until the request is complete. Omit it if each message is processed when it arrives. */
  readonly keptBytes?: number;
  message(bytes: Buffer): void;
  /** The client has sent its last message. */
  halfClosed(): void;
}

/** Serves one method; called once for each call. */
export type Method = (call: ServerCall) => CallHandler;

export interface ServerCallOptions {
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  /** The headers of responses, including {@link RESPONSE_HEADERS}. */
  readonly responseHeaders: OutgoingHttpHeaders;
  /** Counts the memory of incomplete requests. */
  readonly memory: RequestMemory;
  /** Called for a call with a deadline, which must be {@link ServerCall.armDeadline armed} after this turn of the event loop. */
  readonly timed: (call: ServerCall) => void;
}

/** The headers of every gRPC response. */
export const RESPONSE_HEADERS: OutgoingHttpHeaders = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': 'identity',
};
/** The gRPC protocol has no date header, and the real server sends none. */
const RESPOND_OPTIONS = { waitForTrailers: true, sendDate: false } as const;
const OK_TRAILERS: OutgoingHttpHeaders = { 'grpc-status': String(GRPC_STATUS.ok) };

/** A call, as its method sees it. Once it has ended, sending and ending do nothing. */
export class ServerCall implements UnfinishedRequest {
  private readonly clock: Clock;
  private readonly memory: RequestMemory;
  private readonly frames: FrameReader;
  /** Set until the call has ended. */
  private handler: CallHandler | undefined;
  private readonly responseHeaders: OutgoingHttpHeaders;
  private readonly deadlineAtMs: number;
  private timer: ScheduledTask | undefined;
  /** Resolves each send that is not written yet. */
  private unsent: Set<(isOut: boolean) => void> | undefined;
  private controller: AbortController | undefined;
  private isOver = false;
  private hasHeaders = false;
  private trailers = OK_TRAILERS;

  /** @throws GrpcError for an invalid deadline; the caller must then {@link refuse} the stream */
  constructor(
    private readonly stream: ServerHttp2Stream,
    /** The metadata of the client. */
    readonly headers: IncomingHttpHeaders,
    { clock, maxMessageBytes, responseHeaders, memory, timed }: ServerCallOptions,
  ) {
    this.clock = clock;
    this.memory = memory;
    this.responseHeaders = responseHeaders;
    this.frames = new FrameReader(maxMessageBytes);
    const allowedMs = timeoutMs(headers['grpc-timeout']);
    this.deadlineAtMs = clock.nowMs() + allowedMs;
    if (allowedMs !== Number.POSITIVE_INFINITY) timed(this);
    stream.on('aborted', () => this.over());
    stream.on('close', () => {
      this.over();
      this.timer?.cancel();
      for (const settle of [...(this.unsent ?? [])]) settle(false);
      // Node's streams survive a minor garbage collection, and everything that they reference would be copied with them.
      stream.removeAllListeners().on('error', ignore);
    });
  }

  /** Most calls end within a turn of the event loop and need no timer for their deadline. */
  armDeadline(): void {
    if (this.isOver && !this.isUnsent) return;
    this.timer = this.clock.schedule(this.remainingMs, () => {
      if (this.isUnsent) this.breakOff();
      else this.fail('deadlineExceeded', 'the deadline of the call has passed');
    });
  }

  /** Milliseconds to the client's deadline; Infinity when it gave none. */
  get remainingMs(): number {
    return this.deadlineAtMs - this.clock.nowMs();
  }

  /** Whether the client reads more slowly than this call sends. If so, await the last send before the next. */
  get isCongested(): boolean {
    return this.stream.writableNeedDrain;
  }

  private get isReset(): boolean {
    return this.stream.closed && this.stream.rstCode !== constants.NGHTTP2_NO_ERROR;
  }

  /** Approximate number of bytes sent that the client has not read. */
  get unreadBytes(): number {
    return this.stream.writableLength;
  }

  /** Whether sent data is still waiting for the client's flow-control window. */
  private get isUnsent(): boolean {
    return this.unsent !== undefined && this.unsent.size > 0;
  }

  /** The address of the caller; empty if the connection is closed. */
  get remoteHost(): string {
    return this.stream.session?.socket?.remoteAddress ?? '';
  }

  /** The same with the port. */
  get remoteAddress(): string {
    const { remoteHost } = this;
    const host = remoteHost.includes(':') ? `[${remoteHost}]` : remoteHost;
    return host === '' ? '' : `${host}:${this.stream.session?.socket?.remotePort ?? 0}`;
  }

  /** Aborts when the call has ended, on either side. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.isOver) this.controller.abort();
    return this.controller.signal;
  }

  /** Passes received messages to the method. */
  serve(method: Method): void {
    this.memory.hold(this, CALL_BYTES);
    const handler = this.guarded(() => method(this));
    if (!this.isOver) this.handler = handler;
    this.stream.on('data', (piece: Buffer) => this.take(piece));
    this.stream.on('end', () => {
      this.memory.release(this);
      if (this.isOver) return;
      this.guarded(() => {
        if (this.frames.isInMessage) throw new GrpcError('internal', 'the request ends in the middle of a message');
        this.handler?.halfClosed();
      });
    });
  }

  /** @internal Called by {@link RequestMemory}. */
  giveWay(why: string): void {
    this.fail('resourceExhausted', why);
  }

  private take(piece: Buffer): void {
    // Data after the end is read and dropped, so that it does not fill the connection's window.
    if (this.isOver) return;
    this.guarded(() => {
      for (const bytes of this.frames.push(piece)) if (!this.isOver) this.handler?.message(bytes);
    });
    if (this.isOver) return;
    const { keptBytes } = this.handler ?? {};
    if (keptBytes === undefined && !this.frames.isInMessage) this.memory.release(this);
    else this.memory.hold(this, CALL_BYTES + this.frames.heldBytes + (keptBytes ?? 0));
  }

  /** Sends a message with its prefix. @returns false if the call ended before the client's window accepted all of it */
  send(framed: Buffer): Promise<boolean> {
    if (this.isOver) return Promise.resolve(false);
    this.sendHeaders();
    this.unsent ??= new Set();
    const { unsent } = this;
    return new Promise((resolve) => {
      const settle = (isOut: boolean): void => {
        unsent.delete(settle);
        if (this.isOver && unsent.size === 0) this.timer?.cancel();
        resolve(isOut);
      };
      unsent.add(settle);
      // Node reports no error for a write that was aborted by a reset.
      this.stream.write(framed, (error) => settle((error === undefined || error === null) && !this.isReset));
    });
  }

  /** Sends the last message, with its prefix, and ends the call with OK. */
  answer(framed: Buffer): void {
    if (this.isOver) return;
    this.sendHeaders();
    this.end(framed);
  }

  /** Ends the call with OK. */
  finish(): void {
    if (this.isOver) return;
    this.sendHeaders();
    this.end();
  }

  /** Ends the call with an error status. */
  fail(status: GrpcStatusName, message: string): void {
    if (this.isOver) return;
    const trailers = statusTrailers(status, message);
    if (this.hasHeaders) {
      this.trailers = trailers;
      this.end();
      return;
    }
    this.over();
    respondOnlyTrailers(this.stream, trailers);
  }

  /** Resets the stream without a status, which would be queued behind data that the client does not read. */
  breakOff(): void {
    this.over();
    this.stream.close(constants.NGHTTP2_CANCEL);
  }

  private sendHeaders(): void {
    if (this.hasHeaders) return;
    this.hasHeaders = true;
    this.stream.respond(this.responseHeaders, RESPOND_OPTIONS);
    this.stream.on('wantTrailers', () => {
      this.stream.sendTrailers(this.trailers);
      closeUnfinished(this.stream);
    });
  }

  private end(last?: Buffer): void {
    this.over();
    if (last === undefined) this.stream.end();
    else this.stream.end(last);
  }

  private guarded<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.fail(error instanceof GrpcError ? error.status : 'internal', message);
      return undefined;
    }
  }

  private over(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.memory.release(this);
    this.handler = undefined;
    this.frames.drop();
    // Data that a slow client has not accepted yet is kept until the deadline.
    if (!this.isUnsent) this.timer?.cancel();
    this.controller?.abort();
  }
}

const ignore = (): void => {};

/** Ends a stream with an error, without creating a call. */
export function refuse(stream: ServerHttp2Stream, status: GrpcStatusName, message: string): void {
  respondOnlyTrailers(stream, statusTrailers(status, message));
}

/** Creates the handler of a method whose request is exactly one message. */
export function oneMessage(handle: (bytes: Buffer) => void): CallHandler {
  let request: Buffer | undefined;
  return {
    get keptBytes() {
      return request?.length ?? 0;
    },
    message(bytes) {
      if (request !== undefined) throw new GrpcError('internal', 'more than one request message');
      request = bytes;
    },
    halfClosed() {
      const bytes = request;
      if (bytes === undefined) throw new GrpcError('internal', 'no request message');
      request = undefined;
      handle(bytes);
    },
  };
}

function statusTrailers(status: GrpcStatusName, message: string): OutgoingHttpHeaders {
  return { 'grpc-status': String(GRPC_STATUS[status]), 'grpc-message': encodeStatusMessage(message) };
}

function respondOnlyTrailers(stream: ServerHttp2Stream, trailers: OutgoingHttpHeaders): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond({ ...RESPONSE_HEADERS, ...trailers }, { endStream: true });
  closeUnfinished(stream);
}

/**
 * Resets the stream if the client has not finished sending; otherwise it would stay open. This happens a turn later, because in the
 * same turn the reset would overtake the status.
 */
export function closeUnfinished(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return;
  setImmediate(() => {
    if (!stream.readableEnded && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
  });
}
