// One gRPC call, up to its final status. The connection is in client-connection.ts, the channel is in http2-channel.ts.
// This is on the path of every message: listeners are shared, and strings are built only when they are needed.
// Over 300 lines: unary calls and streams share how a call ends.

import { HTTP2_CODE, nameOfCode } from '../../http2/frames.js';
import type { Headers } from '../../http2/header-encoder.js';
import type { Http2Stream, StreamReceiver } from '../../http2/stream.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { onAbort, reasonOf } from '../../support/abort-source.js';
import { TransportError } from '../../support/errors.js';
import { FrameReader, wholeMessage } from '../../support/grpc/framing.js';
import { decodeStatusMessage, GRPC_STATUS, GrpcError, statusOfHttp } from '../../support/grpc/status.js';
import { timeoutText } from '../../support/grpc/timeout.js';
import { IoTimer } from '../../support/io-timer.js';
import { nameOfCall, type WireCall } from '../channel.js';
import type { ClientConnection } from './client-connection.js';
import { statusFailure } from './status-failure.js';

/** How long what is on its way may take: longer than a round trip, and less than a close can afford. */
const LATE_MS = 300;

/** The context of a call. */
export interface CallOwner {
  /** `host:port`, for errors. */
  readonly address: string;
  /** The pseudo-header fields of a call. */
  headOf(path: string): Headers;
  /** Called with the headers of each answer. */
  onHeaders(headers: Headers, connection: ClientConnection): void;
  /** Called with each piece of a stream of answers. */
  onPiece(): void;
}

/** Why a call was canceled on this side. */
type BreakOff =
  | { readonly kind: 'deadline'; readonly wasWritten: boolean }
  /** `isLate`: what is on its way is still taken. */
  | { readonly kind: 'abort'; readonly reason: Error; readonly isLate: boolean }
  | { readonly kind: 'unreadable'; readonly error: GrpcError }
  /** The receiver of the answers threw. */
  | { readonly kind: 'rejected'; readonly reason: Error };

/** A call in progress: created, then {@link start started}. Subclasses handle the result. */
abstract class Http2Call implements StreamReceiver {
  private under: Http2Stream | undefined;
  private frames: FrameReader | undefined;
  private timer: IoTimer<Http2Call> | undefined;
  private hasHeaders = false;
  private isHttpError = false;
  private status: number | undefined;
  private message: unknown;
  private brokenOff: BreakOff | undefined;
  private code: number = HTTP2_CODE.noError;
  private unlisten: (() => void) | undefined;

  constructor(
    protected readonly owner: CallOwner,
    private readonly connection: ClientConnection,
    private readonly call: WireCall,
  ) {}

  /** Called once, when the call has ended, with the error if there was one. */
  protected abstract end(failure: Error | undefined): void;

  /** Takes a chunk of the answer. */
  abstract data(piece: Buffer): void;

  /**
   * @param request all that is sent; undefined when messages are sent one by one
   * @param isCreditedOnArrival as of {@link Http2Stream}
   * @throws Error when the connection was lost, or a header is invalid; nothing was written then
   */
  start(request: Buffer | undefined, isCreditedOnArrival = true): this {
    const { timeoutMs, signal } = this.call;
    this.under = this.connection.request(this.headersOf(this.call), this, isCreditedOnArrival);
    if (request !== undefined) this.under.send(request, true);
    if (timeoutMs !== undefined) this.timer = new IoTimer(timeoutMs, timeOut, this as Http2Call);
    if (signal !== undefined) {
      this.unlisten = onAbort(signal, () => this.abort(reasonOf(signal)));
    }
    return this;
  }

  /** The stream of a call that was started. */
  get stream(): Http2Stream {
    return this.under as Http2Stream;
  }

  /** The error when what was read ends in the middle of a message. */
  protected cutOff(): Error | undefined {
    if (this.frames?.isInMessage !== true) return undefined;
    return failed(`${this.what}: the answer ends in the middle of a message`);
  }

  /** Whether nothing that arrives is of use any more. */
  protected get isBrokenOff(): boolean {
    return this.brokenOff !== undefined && !(this.brokenOff.kind === 'abort' && this.brokenOff.isLate);
  }

  /** Names call and server in errors. */
  get what(): string {
    return nameOfCall(this.call, this.owner.address);
  }

  /** Takes a chunk of the answer. @returns the messages that it completes; none once the answer is unreadable */
  read(piece: Buffer): Buffer[] {
    // The body of an HTTP error is not gRPC.
    if (this.isHttpError || this.brokenOff?.kind === 'unreadable') return [];
    try {
      if (this.frames === undefined) {
        const message = wholeMessage(piece, LIMITS.receivedFrameBytes);
        if (message !== undefined) return [message];
        this.frames = new FrameReader(LIMITS.receivedFrameBytes, 'client');
      }
      return this.frames.push(piece);
    } catch (error) {
      this.breakOff({ kind: 'unreadable', error: error as GrpcError });
      return [];
    }
  }

  protected breakOff(why: BreakOff): void {
    if (this.stream.isClosed || this.isBrokenOff) return;
    this.brokenOff = why;
    this.stream.reset(HTTP2_CODE.cancel);
  }

  /** The caller gives the call up. */
  protected abort(reason: Error): void {
    this.breakOff({ kind: 'abort', reason, isLate: false });
  }

  /**
   * As {@link abort}, but what the server sent before it knew of it is still taken, for a short time at most; if that is all there is, the
   * call succeeds.
   */
  protected abortLate(reason: Error): void {
    if (this.stream.isClosed || this.brokenOff !== undefined) return;
    this.brokenOff = { kind: 'abort', reason, isLate: true };
    this.timer?.stop();
    this.timer = new IoTimer(LATE_MS, timeOut, this as Http2Call);
    this.stream.resetLate(HTTP2_CODE.cancel);
  }

  /** @internal */
  passDeadline(): void {
    if (this.brokenOff?.kind === 'abort') this.stream.reset(HTTP2_CODE.cancel);
    else this.breakOff({ kind: 'deadline', wasWritten: this.stream.id !== 0 });
  }

  headers(headers: Headers): void {
    if (this.hasHeaders) {
      this.takeStatus(headers);
      return;
    }
    this.hasHeaders = true;
    this.owner.onHeaders(headers, this.connection);
    if (headers['grpc-status'] !== undefined) {
      this.takeStatus(headers);
      return;
    }
    const httpStatus = Number(headers[':status']);
    if (httpStatus === 200) return;
    this.isHttpError = true;
    this.status = statusOfHttp(httpStatus);
    this.message = `HTTP status ${httpStatus}: is this a RocketMQ proxy?`;
  }

  ended(): void {
    // The server has answered without reading everything.
    if (this.stream.hasUnsent || !this.stream.isEnded) this.stream.reset(HTTP2_CODE.noError);
  }

  closed(code: number): void {
    this.code = code;
    this.timer?.stop();
    this.unlisten?.();
    const isWell = this.status === GRPC_STATUS.ok && !this.isBrokenOff;
    this.end(isWell ? undefined : this.failure());
  }

  private takeStatus(headers: Headers): void {
    const text = headers['grpc-status'] ?? '';
    this.status = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    this.message = headers['grpc-message'];
  }

  private headersOf({ path, metadata, timeoutMs }: WireCall): Headers[] {
    const { owner } = this;
    if (timeoutMs === undefined) return [owner.headOf(path), metadata, FIXED_HEADERS];
    return [owner.headOf(path), metadata, FIXED_HEADERS, { 'grpc-timeout': timeoutText(timeoutMs) }];
  }

  private failure(): Error {
    const { brokenOff, call, status, what } = this;
    switch (brokenOff?.kind) {
      case 'abort':
      case 'rejected':
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
        return statusFailure(status, `${what}: ${decodeStatusMessage(String(this.message ?? ''))}`);
    }
  }

  /** No status was received: the stream or the connection broke. */
  private broken(): Error {
    const { code, what } = this;
    const { failure: cause } = this.connection;
    const options = { cause };
    if (this.stream.id === 0) {
      const why = cause?.message ?? 'the connection was lost';
      return new TransportError('UNAVAILABLE', `${what}: ${why}; nothing was sent`, 'not-sent', true, options);
    }
    // After an answer it would be untrue.
    if (code === HTTP2_CODE.refusedStream && !this.hasHeaders) {
      const text = `${what}: the server rejected the request before processing it`;
      return new TransportError('UNAVAILABLE', text, 'not-sent', true, options);
    }
    const how =
      cause === undefined
        ? `the answer ended without a status (HTTP/2 code ${nameOfCode(code)})`
        : `the connection broke: ${cause.message}`;
    return new TransportError('UNAVAILABLE', `${what}: ${how}`, 'unknown', true, options);
  }
}

/** One request, one answer. */
export class UnaryCall extends Http2Call {
  private answer: Buffer | undefined;

  constructor(
    owner: CallOwner,
    connection: ClientConnection,
    call: WireCall,
    private readonly resolve: (answer: Buffer) => void,
    private readonly reject: (failure: Error) => void,
  ) {
    super(owner, connection, call);
  }

  override data(piece: Buffer): void {
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
  readonly finished = new Promise<Error | undefined>((resolve) => {
    this.resolve = resolve;
  });

  /** @param onMessage called with each answer; if it throws, the call is canceled */
  constructor(
    owner: CallOwner,
    connection: ClientConnection,
    call: WireCall,
    private readonly onMessage: (message: Buffer) => void,
  ) {
    super(owner, connection, call);
  }

  /** The messages of a poll that are on their way belong to this client until their leases end. */
  protected override abort(reason: Error): void {
    this.abortLate(reason);
  }

  override data(piece: Buffer): void {
    this.owner.onPiece();
    if (this.isBrokenOff) return;
    try {
      for (const message of this.read(piece)) if (!this.isBrokenOff) this.onMessage(message);
    } catch (error) {
      this.breakOff({ kind: 'rejected', reason: error instanceof Error ? error : new Error(String(error)) });
    }
  }

  protected end(failure: Error | undefined): void {
    this.resolve(failure ?? this.cutOff());
  }
}

/** A call whose answers are read one by one: the server sends no more than a window of them ahead. */
export class DuplexCall extends Http2Call {
  private readonly pieces: Buffer[] = [];
  private outcome: { readonly error: Error | undefined } | undefined;
  private wake = (): void => {};

  override data(piece: Buffer): void {
    this.owner.onPiece();
    this.pieces.push(piece);
    this.wake();
  }

  protected end(failure: Error | undefined): void {
    this.outcome = { error: failure };
    this.wake();
  }

  /** What the server sends, until it ends the stream. @throws TransportError, or the reason of the call's signal */
  async *messages(): AsyncIterable<Uint8Array> {
    try {
      for (;;) {
        const piece = this.pieces.shift();
        if (piece !== undefined) {
          this.stream.credit(piece.length);
          yield* this.read(piece);
        } else if (this.outcome === undefined) {
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
        } else {
          const failure = this.outcome.error ?? this.cutOff();
          if (failure === undefined) return;
          throw failure;
        }
      }
    } finally {
      this.stream.reset(HTTP2_CODE.cancel);
    }
  }
}

function timeOut(call: Http2Call): void {
  call.passDeadline();
}

const FIXED_HEADERS: Headers = { 'content-type': 'application/grpc', te: 'trailers' };

function failed(text: string, cause?: Error): TransportError {
  return new TransportError('RPC_FAILED', text, 'unknown', false, { cause });
}
