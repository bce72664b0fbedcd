// One call on one HTTP/2 stream: messages in, messages out, and a status at the end. Independent of the methods.
// Over 300 lines: each way in which a call ends must be seen beside the others.

import { HTTP2_CODE } from '../../../http2/frames.js';
import type { Headers } from '../../../http2/header-encoder.js';
import type { Http2Stream, StreamReceiver } from '../../../http2/stream.js';
import type { Clock, ScheduledTask } from '../../../support/clock.js';
import { FrameReader, wholeMessage } from '../../../support/grpc/framing.js';
import { encodeStatusMessage, GRPC_STATUS, GrpcError, type GrpcStatusName } from '../../../support/grpc/status.js';
import { timeoutMs } from '../../../support/grpc/timeout.js';
import type { CallMemory, UnfinishedCall } from '../call-memory.js';
import type { ServerConnection } from './server-connection.js';

/** The memory that an incomplete request counts in addition to its received bytes: headers and objects. */
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
  readonly responseHeaders: readonly Headers[];
  readonly memory: CallMemory;
}

/** The headers of every gRPC response. */
export const RESPONSE_HEADERS: Headers = {
  ':status': '200',
  'content-type': 'application/grpc',
  'grpc-accept-encoding': 'identity',
};
const OK_TRAILERS: readonly Headers[] = [{ 'grpc-status': String(GRPC_STATUS.ok) }];

/** A call, as its method sees it. Once it has ended, sending and ending do nothing. */
export class ServerCall implements UnfinishedCall, StreamReceiver {
  /** Messages that arrive in pieces. */
  private frames: FrameReader | undefined;
  /** Set until the call has ended. */
  private handler: CallHandler | undefined;
  private readonly deadlineAtMs: number;
  private timer: ScheduledTask | undefined;
  /** Resolves each send that is not written yet. */
  private unsent: Set<(isOut: boolean) => void> | undefined;
  private controller: AbortController | undefined;
  /** Whether its request counts, because it was incomplete after its first turn. */
  private isCounted = false;
  /** Whether {@link CallMemory} knows it. */
  private isHeld = false;
  private hasReceived = false;
  private isOver = false;
  private hasHeaders = false;

  /** @throws GrpcError for an invalid deadline; the caller must then {@link reject} the stream */
  constructor(
    private readonly stream: Http2Stream,
    /** What the client sent as headers. */
    readonly metadata: Headers,
    private readonly connection: ServerConnection,
    private readonly options: ServerCallOptions,
  ) {
    const allowedMs = timeoutMs(metadata['grpc-timeout']);
    this.deadlineAtMs = allowedMs === Number.POSITIVE_INFINITY ? allowedMs : options.clock.nowMs() + allowedMs;
    stream.receiver = this;
  }

  /** Milliseconds to the client's deadline; Infinity when it gave none. */
  get remainingMs(): number {
    return this.deadlineAtMs - this.options.clock.nowMs();
  }

  /** Whether the client reads more slowly than this call sends. If so, await the last send before the next. */
  get isCongested(): boolean {
    return this.stream.hasUnsent;
  }

  /** The number of bytes that wait until the client has read others. */
  get unreadBytes(): number {
    return this.stream.unsentBytes;
  }

  /** The address of the caller. */
  get remoteHost(): string {
    return this.connection.remoteHost;
  }

  /** The same with the port. */
  get remoteAddress(): string {
    const { remoteHost, remotePort } = this.connection;
    const host = remoteHost.includes(':') ? `[${remoteHost}]` : remoteHost;
    return host === '' ? '' : `${host}:${remotePort}`;
  }

  /** The port that the client connected to. */
  get localPort(): number {
    return this.connection.localPort;
  }

  /** Aborts when the call has ended, on either side. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    if (this.isOver) this.controller.abort();
    return this.controller.signal;
  }

  /** Passes received messages to the method. */
  serve(method: Method): void {
    try {
      const handler = method(this);
      if (!this.isOver) this.handler = handler;
    } catch (error) {
      this.failWith(error);
    }
  }

  /**
   * The call goes on after the turn of the event loop in which it began. Most calls do not: they need no timer for their deadline, and
   * what they hold is no more than what the turn has read.
   */
  outlast(): void {
    if (this.stream.isClosed) return;
    if (!this.isOver && !this.stream.isRemoteEnded) {
      this.isCounted = true;
      this.count();
    }
    if (this.deadlineAtMs === Number.POSITIVE_INFINITY || this.stream.isClosed) return;
    this.timer = this.options.clock.schedule(this.remainingMs, () => {
      if (this.stream.hasUnsent) this.breakOff();
      else this.fail('deadlineExceeded', 'the deadline of the call has passed');
    });
  }

  /** @internal Called by {@link CallMemory}. */
  giveWay(why: string): void {
    if (this.stream.hasUnsent) this.breakOff();
    else this.fail('resourceExhausted', why);
  }

  /** @internal Trailers of a client say nothing. */
  headers(): void {}

  /** @internal */
  data(piece: Buffer): void {
    // Data after the end is dropped.
    if (this.isOver) return;
    this.hasReceived = true;
    try {
      this.take(piece);
    } catch (error) {
      this.failWith(error);
      return;
    }
    if (this.isCounted && !this.isOver) this.count();
  }

  /** @internal */
  ended(): void {
    this.release();
    if (this.isOver) return;
    try {
      if (this.frames?.isInMessage === true)
        throw new GrpcError('internal', 'the request ends in the middle of a message');
      this.handler?.halfClosed();
    } catch (error) {
      this.failWith(error);
    }
  }

  /** @internal */
  closed(code: number): void {
    this.over();
    this.count();
    this.timer?.cancel();
    // What was passed on before a regular end may still leave this process.
    if (code !== HTTP2_CODE.noError && this.unsent !== undefined) for (const settle of [...this.unsent]) settle(false);
    this.connection.callEnded();
  }

  /** Sends a message with its prefix. @returns false if the call ended before all of it was within the client's window and had left this process */
  send(framed: Buffer): Promise<boolean> {
    if (this.isOver) return Promise.resolve(false);
    this.sendHeaders();
    this.unsent ??= new Set();
    const { unsent, connection } = this;
    return new Promise((resolve) => {
      const settle = (isOut: boolean): void => {
        unsent.delete(settle);
        resolve(isOut);
      };
      unsent.add(settle);
      const onSent = (isSent: boolean): void => {
        this.count();
        if (isSent) connection.whenWritten(settle);
        else settle(false);
      };
      this.stream.send(framed, false, onSent);
      if (this.isCongested) this.count();
    });
  }

  /** Sends the last message, with its prefix, and ends the call with OK. */
  answer(framed: Buffer): void {
    if (this.isOver) return;
    this.over();
    this.sendHeaders();
    this.stream.send(framed);
    this.stream.sendTrailers(OK_TRAILERS);
    if (this.isCongested) this.count();
  }

  /** Ends the call with OK. */
  finish(): void {
    if (this.isOver) return;
    this.over();
    this.sendHeaders();
    this.stream.sendTrailers(OK_TRAILERS);
  }

  /** Ends the call with an error status. */
  fail(status: GrpcStatusName, message: string): void {
    if (this.isOver) return;
    this.over();
    if (this.hasHeaders) this.stream.sendTrailers([statusTrailers(status, message)]);
    else reject(this.stream, status, message);
  }

  /** Resets the stream without a status, which would be queued behind data that the client does not read. */
  breakOff(): void {
    this.over();
    this.stream.reset(HTTP2_CODE.cancel);
  }

  /** Closes the connection of the call. */
  disconnect(): void {
    this.connection.destroy();
  }

  private take(piece: Buffer): void {
    const { frames, options } = this;
    const whole = frames?.isInMessage === true ? undefined : wholeMessage(piece, options.maxMessageBytes);
    if (whole !== undefined) {
      this.handler?.message(whole);
      return;
    }
    this.frames ??= new FrameReader(options.maxMessageBytes);
    for (const bytes of this.frames.push(piece)) if (!this.isOver) this.handler?.message(bytes);
  }

  /** Reports what it holds. May end the call. */
  private count(): void {
    const { memory } = this.options;
    const bytes = this.requestBytes() + this.stream.unsentBytes;
    if (bytes > 0) {
      this.isHeld = true;
      memory.hold(this, bytes);
    } else if (this.isHeld) {
      this.isHeld = false;
      memory.release(this);
    }
  }

  /** What it holds of an incomplete request. */
  private requestBytes(): number {
    const { frames, handler } = this;
    if (!this.isCounted) return 0;
    // A method that keeps nothing holds nothing between two messages.
    const isBetween = handler?.keptBytes === undefined && frames?.isInMessage !== true && this.hasReceived;
    return isBetween ? 0 : CALL_BYTES + (frames?.heldBytes ?? 0) + (handler?.keptBytes ?? 0);
  }

  private release(): void {
    if (!this.isCounted) return;
    this.isCounted = false;
    this.count();
  }

  private sendHeaders(): void {
    if (this.hasHeaders) return;
    this.hasHeaders = true;
    this.stream.sendHeaders(this.options.responseHeaders);
  }

  private failWith(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.fail(error instanceof GrpcError ? error.status : 'internal', message);
  }

  private over(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.release();
    this.handler = undefined;
    this.frames = undefined;
    this.controller?.abort();
  }
}

/**
 * Creates the handler of a method whose request is exactly one message.
 * @param subject passed on to `handle`, which avoids a closure for each call
 */
export function oneMessage(handle: (bytes: Buffer) => void): CallHandler;
export function oneMessage<T>(handle: (bytes: Buffer, subject: T) => void, subject: T): CallHandler;
export function oneMessage<T>(handle: (bytes: Buffer, subject: T) => void, subject?: T): CallHandler {
  return new OneMessage(handle, subject as T);
}

class OneMessage<T> implements CallHandler {
  private request: Buffer | undefined;

  constructor(
    private readonly handle: (bytes: Buffer, subject: T) => void,
    private readonly subject: T,
  ) {}

  get keptBytes(): number {
    return this.request?.length ?? 0;
  }

  message(bytes: Buffer): void {
    if (this.request !== undefined) throw new GrpcError('internal', 'more than one request message');
    this.request = bytes;
  }

  halfClosed(): void {
    const { request, handle } = this;
    if (request === undefined) throw new GrpcError('internal', 'no request message');
    this.request = undefined;
    handle(request, this.subject);
  }
}

/** Ends a stream with an error, without creating a call. */
export function reject(stream: Http2Stream, status: GrpcStatusName, message: string): void {
  stream.sendTrailers([RESPONSE_HEADERS, statusTrailers(status, message)]);
}

function statusTrailers(status: GrpcStatusName, message: string): Headers {
  return { 'grpc-status': String(GRPC_STATUS[status]), 'grpc-message': encodeStatusMessage(message) };
}
