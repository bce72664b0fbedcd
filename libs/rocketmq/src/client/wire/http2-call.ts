// One gRPC call on an HTTP/2 session, down to the status it ended with. Sessions are http2-session.ts, what is asked for is
// http2-channel.ts.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { LIMITS } from '../../protocol/limits.js';
import { abortReason } from '../../support/abort.js';
import { type ScheduledTask, SystemClock } from '../../support/clock.js';
import { TransportError } from '../../support/errors.js';
import { FrameReader } from '../../support/grpc/framing.js';
import { decodeStatusMessage, GRPC_STATUS, GrpcError, statusOfHttp } from '../../support/grpc/status.js';
import type { WireCall } from '../channel.js';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;
const clock = new SystemClock();

/** Why a call was broken off from here. */
type BreakOff =
  | { readonly kind: 'deadline'; readonly wasWritten: boolean }
  | { readonly kind: 'abort'; readonly reason: Error }
  | { readonly kind: 'unreadable'; readonly error: GrpcError };

/** A call that has been begun. Who made it writes to `stream` and reads from it; {@link Http2Call.ended} says how it went. */
export class Http2Call {
  readonly stream: ClientHttp2Stream;
  readonly frames = new FrameReader(LIMITS.receivedFrameBytes);
  /** Resolves when all is over, with what went wrong if anything did. */
  readonly ended: Promise<Error | undefined>;
  private timer: ScheduledTask | undefined;
  private status: number | undefined;
  private message = '';
  private brokenOff: BreakOff | undefined;
  private streamError: Error | undefined;

  /**
   * @param what names call and server in errors: "SendMessage to 127.0.0.1:8081"
   * @param onHeaders told what the answer begins with
   */
  constructor(
    session: ClientHttp2Session,
    authority: string,
    private readonly call: WireCall,
    private readonly what: string,
    private readonly onHeaders: (headers: IncomingHttpHeaders) => void,
  ) {
    this.stream = session.request(headersOf(call, authority));
    this.stream.on('response', (headers) => this.takeHeaders(headers));
    this.stream.on('trailers', (trailers) => this.takeStatus(trailers));
    this.stream.on('error', (error) => {
      this.streamError = error;
    });
    if (call.timeoutMs !== undefined) this.timer = clock.schedule(call.timeoutMs, () => this.timeOut());
    call.signal?.addEventListener('abort', this.onAbort, { once: true });
    this.ended = new Promise((resolve) => {
      this.stream.once('close', () => {
        this.timer?.cancel();
        call.signal?.removeEventListener('abort', this.onAbort);
        resolve(this.failure());
      });
    });
    if (call.signal?.aborted) this.onAbort();
  }

  /** Takes a piece of the answer. @returns the messages that it completes; none once they cannot be read */
  read(piece: Buffer): Buffer[] {
    try {
      return this.frames.push(piece);
    } catch (error) {
      this.breakOff({ kind: 'unreadable', error: error as GrpcError });
      return [];
    }
  }

  /** Breaks the call off; what the server has begun may still take effect. */
  cancel(reason: Error): void {
    this.breakOff({ kind: 'abort', reason });
  }

  private readonly onAbort = (): void => this.cancel(abortReason(this.call.signal));

  private timeOut(): void {
    // Behind the server's limit of streams, a request waits here and not there.
    this.breakOff({ kind: 'deadline', wasWritten: this.stream.pending !== true });
  }

  private breakOff(why: BreakOff): void {
    if (this.stream.closed || this.brokenOff !== undefined) return;
    this.brokenOff = why;
    this.stream.close(NGHTTP2_CANCEL);
    // Frames that nobody reads would hold the end back.
    this.stream.resume();
  }

  private takeHeaders(headers: IncomingHttpHeaders): void {
    this.onHeaders(headers);
    const httpStatus = Number(headers[':status']);
    if (headers['grpc-status'] !== undefined) this.takeStatus(headers);
    else if (httpStatus !== 200) {
      this.status = statusOfHttp(httpStatus);
      this.message = `HTTP status ${httpStatus}: is this a RocketMQ proxy?`;
    }
  }

  private takeStatus(headers: IncomingHttpHeaders): void {
    this.status = Number(headers['grpc-status']);
    this.message = decodeStatusMessage(String(headers['grpc-message'] ?? ''));
  }

  private failure(): Error | undefined {
    const { brokenOff, call, status, what } = this;
    if (brokenOff?.kind === 'abort') return brokenOff.reason;
    if (brokenOff?.kind === 'unreadable') return failed(what, brokenOff.error.message, brokenOff.error);
    if (brokenOff?.kind === 'deadline') {
      const outcome = brokenOff.wasWritten ? 'unknown' : 'not-sent';
      return new TransportError('DEADLINE_EXCEEDED', `${what}: no answer within ${call.timeoutMs} ms`, outcome, true);
    }
    if (status === GRPC_STATUS.ok) return undefined;
    return status === undefined ? this.broken() : failureOf(status, `${what}: ${this.message}`);
  }

  /** No status came: the stream or the connection broke. */
  private broken(): Error {
    const { rstCode } = this.stream;
    const options = { cause: this.streamError };
    if (rstCode === NGHTTP2_REFUSED_STREAM) {
      const text = `${this.what}: the server refused the request before looking at it`;
      return new TransportError('UNAVAILABLE', text, 'not-sent', true, options);
    }
    const how = this.streamError?.message ?? `it ended without a status (HTTP/2 code ${rstCode ?? NGHTTP2_NO_ERROR})`;
    return new TransportError('UNAVAILABLE', `${this.what}: the connection broke: ${how}`, 'unknown', true, options);
  }
}

function headersOf({ path, metadata, timeoutMs }: WireCall, authority: string): OutgoingHttpHeaders {
  return {
    ...metadata,
    ':method': 'POST',
    ':path': path,
    ':authority': authority,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(timeoutMs === undefined ? {} : { 'grpc-timeout': `${Math.max(1, Math.ceil(timeoutMs))}m` }),
  };
}

/** What a status of gRPC's own means to the caller. */
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

function failed(what: string, problem?: string, cause?: Error): TransportError {
  const text = problem === undefined ? what : `${what}: ${problem}`;
  return new TransportError('RPC_FAILED', text, 'unknown', false, { cause });
}
