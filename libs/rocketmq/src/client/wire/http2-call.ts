// One gRPC call on an HTTP/2 session, up to its final status. Sessions are in http2-session.ts, the channel is in http2-channel.ts.
// This is on the path of every message: listeners are shared, and strings are built only when they are needed.
// Over 300 lines: unary calls and streams share how a call ends.

import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import { LIMITS } from '../../protocol/model/limits.js';
import { abortReason } from '../../support/abort.js';
import { TransportError } from '../../support/errors.js';
import { FrameReader, wholeMessage } from '../../support/grpc/framing.js';
import { decodeStatusMessage, GRPC_STATUS, GrpcError, statusOfHttp } from '../../support/grpc/status.js';
import { type IoTimer, startIoTimer, stopIoTimer } from '../../support/io-timer.js';
import { nameOfCall, type WireCall } from '../channel.js';
import type { Http2Session } from './http2-session.js';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

/** The context of a call. */
export interface CallOwner {
  /** `host:port`, for errors. */
  readonly address: string;
  /** The name of the server in the `:authority` header. */
  readonly authority: string;
  /** Called with the headers of each answer. */
  onHeaders(headers: IncomingHttpHeaders, session: Http2Session): void;
  /** Called with each piece of a stream of answers. */
  onPiece(): void;
}

/** Why a call was canceled on this side. */
type BreakOff =
  | { readonly kind: 'deadline'; readonly wasWritten: boolean }
  | { readonly kind: 'abort'; readonly reason: Error }
  | { readonly kind: 'unreadable'; readonly error: GrpcError }
  /** The receiver of the answers threw. */
  | { readonly kind: 'refused'; readonly reason: Error };

const CALL = Symbol('call');
type CallStream = ClientHttp2Stream & { [CALL]: Http2Call | undefined };

/** A call in progress. Its creator writes to `stream`; subclasses handle the result. */
abstract class Http2Call {
  readonly stream: ClientHttp2Stream;
  private frames: FrameReader | undefined;
  private readonly timer: IoTimer | undefined;
  private status: number | undefined;
  private message: unknown;
  private brokenOff: BreakOff | undefined;
  private streamError: Error | undefined;
  private hasEnded = false;
  private onAbort: (() => void) | undefined;

  /** @throws Error of Node.js when the session was lost; nothing was written then */
  constructor(
    protected readonly owner: CallOwner,
    private readonly session: Http2Session,
    private readonly call: WireCall,
  ) {
    const stream = session.request(headersOf(call, owner.authority)) as CallStream;
    stream[CALL] = this;
    this.stream = stream;
    stream.on('response', onResponse);
    stream.on('trailers', onTrailers);
    stream.on('error', onError);
    stream.on('close', onClose);
    const { timeoutMs, signal } = call;
    if (timeoutMs !== undefined) this.timer = startIoTimer(timeoutMs, timeOut, this as Http2Call);
    if (signal === undefined) return;
    this.onAbort = () => this.breakOff({ kind: 'abort', reason: abortReason(signal) });
    signal.addEventListener('abort', this.onAbort, { once: true });
    if (signal.aborted) this.onAbort();
  }

  /** Called once, when the call has ended, with the error if there was one. */
  protected abstract end(failure: Error | undefined): void;

  /** @internal Takes a chunk of the answer. */
  abstract take(piece: Buffer): void;

  protected get isBrokenOff(): boolean {
    return this.brokenOff !== undefined;
  }

  /** Names call and server in errors. */
  get what(): string {
    return nameOfCall(this.call, this.owner.address);
  }

  /** Takes a chunk of the answer. @returns the messages that it completes; none once the answer is unreadable */
  read(piece: Buffer): Buffer[] {
    try {
      if (this.frames === undefined) {
        const message = wholeMessage(piece, LIMITS.receivedFrameBytes);
        if (message !== undefined) return [message];
        this.frames = new FrameReader(LIMITS.receivedFrameBytes);
      }
      return this.frames.push(piece);
    } catch (error) {
      this.breakOff({ kind: 'unreadable', error: error as GrpcError });
      return [];
    }
  }

  protected breakOff(why: BreakOff): void {
    if (this.stream.closed || this.brokenOff !== undefined) return;
    this.brokenOff = why;
    this.stream.close(NGHTTP2_CANCEL);
    // A stream that is held back by the server's limit closes only when its turn comes. Deferred, because the subclass may not be constructed yet.
    queueMicrotask(() => this.close());
    // Unread frames would use up the connection's flow-control window.
    this.stream.resume();
  }

  /** @internal */
  passDeadline(): void {
    if (!this.session.isHeldBack(this.stream)) this.breakOff({ kind: 'deadline', wasWritten: true });
    // The end of the stream that made room for this one may not have been reported yet.
    else startIoTimer(0, timeOutHeldBack, this as Http2Call);
  }

  /** @internal */
  passDeadlineHeldBack(): void {
    this.breakOff({ kind: 'deadline', wasWritten: !this.session.isHeldBack(this.stream) });
  }

  /** @internal */
  takeHeaders(headers: IncomingHttpHeaders): void {
    this.owner.onHeaders(headers, this.session);
    if (headers['grpc-status'] !== undefined) {
      this.takeStatus(headers);
      return;
    }
    const httpStatus = Number(headers[':status']);
    if (httpStatus === 200) return;
    this.status = statusOfHttp(httpStatus);
    this.message = `HTTP status ${httpStatus}: is this a RocketMQ proxy?`;
  }

  /** @internal */
  takeStatus(headers: IncomingHttpHeaders): void {
    this.status = Number(headers['grpc-status']);
    this.message = headers['grpc-message'];
  }

  /** @internal */
  takeError(error: Error): void {
    this.streamError = error;
  }

  /** @internal */
  streamClosed(): void {
    this.session.closed(this.stream);
    this.close();
    // The collector of short-lived objects keeps a closed stream, for its handle in the engine; so the stream must not keep the answers:
    // all received messages would grow old, and be left to the collector of long-lived ones.
    (this.stream as CallStream)[CALL] = undefined;
  }

  private close(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    stopIoTimer(this.timer);
    if (this.onAbort !== undefined) this.call.signal?.removeEventListener('abort', this.onAbort);
    const isWell = this.status === GRPC_STATUS.ok && this.brokenOff === undefined;
    this.end(isWell ? undefined : this.failure());
  }

  private failure(): Error {
    const { brokenOff, call, status, what } = this;
    switch (brokenOff?.kind) {
      case 'abort':
      case 'refused':
        return brokenOff.reason;
      case 'unreadable':
        return failed(`${what}: ${brokenOff.error.message}`, brokenOff.error);
      case 'deadline': {
        const text = `${what}: no answer within ${Math.round(call.timeoutMs ?? 0)} ms`;
        if (brokenOff.wasWritten) return new TransportError('DEADLINE_EXCEEDED', text, 'unknown', true);
        const why = 'the connection has as many calls in flight as the server allows; nothing was sent';
        return new TransportError('DEADLINE_EXCEEDED', `${text}: ${why}`, 'not-sent', true);
      }
      case undefined:
        if (status === undefined) return this.broken();
        return failureOf(status, `${what}: ${decodeStatusMessage(String(this.message ?? ''))}`);
    }
  }

  /** No status was received: the stream or the connection broke. */
  private broken(): Error {
    const { id, rstCode } = this.stream;
    const options = { cause: this.streamError };
    if (id === undefined || this.session.isHeldBack(this.stream)) {
      const why = this.streamError?.message ?? 'the connection was lost';
      return new TransportError('UNAVAILABLE', `${this.what}: ${why}; nothing was sent`, 'not-sent', true, options);
    }
    if (rstCode === NGHTTP2_REFUSED_STREAM) {
      const text = `${this.what}: the server refused the request before processing it`;
      return new TransportError('UNAVAILABLE', text, 'not-sent', true, options);
    }
    const how =
      this.streamError?.message ?? `the stream ended without a status (HTTP/2 code ${rstCode ?? NGHTTP2_NO_ERROR})`;
    return new TransportError('UNAVAILABLE', `${this.what}: the connection broke: ${how}`, 'unknown', true, options);
  }
}

/** One request, one answer. */
export class UnaryCall extends Http2Call {
  private answer: Buffer | undefined;

  constructor(
    owner: CallOwner,
    session: Http2Session,
    call: WireCall,
    private readonly resolve: (answer: Buffer) => void,
    private readonly reject: (failure: Error) => void,
  ) {
    super(owner, session, call);
    this.stream.on('data', onData);
  }

  override take(piece: Buffer): void {
    for (const message of this.read(piece)) this.answer = message;
  }

  protected end(failure: Error | undefined): void {
    if (failure !== undefined) this.reject(failure);
    else if (this.answer !== undefined) this.resolve(this.answer);
    else this.reject(failed(`${this.what}: the answer is empty`));
  }
}

/** A call with many answers. */
export class StreamCall extends Http2Call {
  private resolve: (failure: Error | undefined) => void = () => {};
  /** Resolves when the call has ended, with the error if there was one. */
  readonly ended = new Promise<Error | undefined>((resolve) => {
    this.resolve = resolve;
  });

  private onMessage: ((message: Buffer) => void) | undefined;

  /** Passes on each answer; if `onMessage` throws, the call is canceled. */
  passOn(onMessage: (message: Buffer) => void): void {
    this.onMessage = onMessage;
    this.stream.on('data', onData);
  }

  override take(piece: Buffer): void {
    this.owner.onPiece();
    if (this.isBrokenOff) return;
    const messages = this.read(piece);
    try {
      for (const message of messages) this.onMessage?.(message);
    } catch (error) {
      this.breakOff({ kind: 'refused', reason: error instanceof Error ? error : new Error(String(error)) });
    }
  }

  protected end(failure: Error | undefined): void {
    this.resolve(failure);
  }
}

function onResponse(this: ClientHttp2Stream, headers: IncomingHttpHeaders): void {
  (this as CallStream)[CALL]?.takeHeaders(headers);
}

function onTrailers(this: ClientHttp2Stream, trailers: IncomingHttpHeaders): void {
  (this as CallStream)[CALL]?.takeStatus(trailers);
}

function onData(this: ClientHttp2Stream, piece: Buffer): void {
  (this as CallStream)[CALL]?.take(piece);
}

function onError(this: ClientHttp2Stream, error: Error): void {
  (this as CallStream)[CALL]?.takeError(error);
}

function onClose(this: ClientHttp2Stream): void {
  (this as CallStream)[CALL]?.streamClosed();
}

function timeOut(call: Http2Call): void {
  call.passDeadline();
}

function timeOutHeldBack(call: Http2Call): void {
  call.passDeadlineHeldBack();
}

/** Rounds the deadline up: a header value that repeats takes one byte on the wire. The client's timeout is exact, the server's slightly later. */
const TIMEOUT_STEP_MS = 100;

/** Modifies the metadata in place, because they were created for this call. */
function headersOf({ path, metadata, timeoutMs }: WireCall, authority: string): Record<string, string> {
  metadata[':method'] = 'POST';
  metadata[':path'] = path;
  metadata[':authority'] = authority;
  metadata['content-type'] = 'application/grpc';
  metadata.te = 'trailers';
  if (timeoutMs !== undefined) {
    metadata['grpc-timeout'] = `${Math.max(1, Math.ceil(timeoutMs / TIMEOUT_STEP_MS)) * TIMEOUT_STEP_MS}m`;
  }
  return metadata;
}

/** The error for a gRPC status. */
function failureOf(status: number, text: string): TransportError {
  switch (status) {
    case GRPC_STATUS.unavailable:
      return new TransportError('UNAVAILABLE', text, 'unknown', true);
    case GRPC_STATUS.deadlineExceeded:
      return new TransportError('DEADLINE_EXCEEDED', text, 'unknown', true);
    case GRPC_STATUS.cancelled:
      return new TransportError('ABORTED', text, 'unknown', true);
    default:
      return failed(`${text} (gRPC status ${status})`);
  }
}

function failed(text: string, cause?: Error): TransportError {
  return new TransportError('RPC_FAILED', text, 'unknown', false, { cause });
}
