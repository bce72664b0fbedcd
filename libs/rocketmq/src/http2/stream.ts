// One stream of a connection: what waits to be sent on it, its windows, and how it ends.
// Over 300 lines: both sides share the states of RFC 9113.

import { FLAG, FRAME, HTTP2_CODE, Http2Error, MAX_FRAME_BYTES, MAX_WINDOW_BYTES } from './frames.js';
import type { Headers } from './header-encoder.js';
import { areTrailers, isResponse } from './pseudo-headers.js';

/** Receives what arrives on a stream. Nothing is called after `closed`, and nothing must throw. */
export interface StreamReceiver {
  /** Headers: of a client's stream the response, then perhaps trailers; of a server's stream trailers only. */
  headers(headers: Headers): void;
  /** A part of the body, valid as long as it is referenced. */
  data(piece: Buffer): void;
  /** The peer has sent everything. */
  ended(): void;
  /**
   * The stream has ended; called once.
   * @param code of the reset or of the connection's end; NO_ERROR when both sides have sent everything
   */
  closed(code: number): void;
}

/** What a stream needs of its connection. */
export interface StreamConnection {
  /** Whether data may be written now. */
  readonly mayWrite: boolean;
  /** What the peer accepts on the connection, in bytes. */
  sendWindow: number;
  writeHeaders(streamId: number, headers: readonly Headers[], isEnd: boolean): void;
  writeFrame(type: number, flags: number, streamId: number, payload: Buffer, start?: number, end?: number): void;
  writeNumber(type: number, streamId: number, value: number): void;
  writeReset(streamId: number, code: number, isRemoteEnded: boolean): void;
  /** Calls back when the peer has read all frames so far, and what it sent before has arrived; never when the connection ends before, or the peer acknowledges nothing. */
  whenRead(callback: () => void): void;
  /** Adds the stream to those that wait for a window. */
  block(stream: Http2Stream): void;
  /** Writes what the windows allow. */
  pump(): void;
  /** Removes it from the connection. */
  forget(stream: Http2Stream): void;
}

/** RFC 9113, section 5.1. A stream of a client waits before it is opened, while the peer has as many as it accepts. */
type StreamState = 'waiting' | 'open' | 'half-closed (local)' | 'half-closed (remote)' | 'closed';

interface Unsent {
  readonly bytes: Buffer;
  start: number;
  readonly onSent: ((isSent: boolean) => void) | undefined;
}

export class Http2Stream {
  /** 0 until it is opened, and when nothing of it has left this process. */
  id = 0;
  /** Used by clients only: the flush of the connection with which it was opened. */
  flush = 0;
  private state: StreamState = 'waiting';
  private sendWindow = 0;
  private receiveWindow = 0;
  private received = 0;
  private unsent: Unsent[] | undefined;
  private unsentSize = 0;
  private isEndWanted = false;
  private isReset = false;
  /** What follows the data that waits; servers only. */
  private trailers: readonly Headers[] | undefined;
  /** Whether the headers of the peer's message have arrived, and how much of its body is missing, if that is known. */
  private hasHeaders = false;
  private expectedBytes: number | undefined;
  /** Set before anything arrives. */
  receiver: StreamReceiver = UNHEARD;

  /**
   * @param isCreditedOnArrival whether the peer may replace what it sent at once; otherwise {@link credit} allows it
   */
  constructor(
    private readonly connection: StreamConnection,
    private readonly windowBytes: number,
    private readonly isCreditedOnArrival = true,
  ) {
    this.receiveWindow = windowBytes;
  }

  get isClosed(): boolean {
    return this.state === 'closed';
  }

  /** Whether this side has ended the stream, or will when what waits is sent. */
  get isEnded(): boolean {
    return this.isEndWanted || this.isClosed;
  }

  /** Whether the peer has sent everything. */
  get isRemoteEnded(): boolean {
    return this.state === 'half-closed (remote)' || this.state === 'closed';
  }

  /** Whether something waits, be it the end alone. */
  get hasUnsent(): boolean {
    return this.unsent !== undefined;
  }

  /** How many bytes wait for a window. */
  get unsentBytes(): number {
    return this.unsentSize;
  }

  /** Opens it with an id. @param sendWindow the initial window of the peer */
  open(id: number, sendWindow: number): void {
    this.id = id;
    this.sendWindow = sendWindow;
    this.state = 'open';
  }

  /** Sends the headers before the data; servers only. */
  sendHeaders(headers: readonly Headers[]): void {
    if (!this.isEnded) this.connection.writeHeaders(this.id, headers, false);
  }

  /**
   * Sends data as far as the windows allow; the rest waits.
   * @param onSent called once: true when all of it is passed to the socket, false when the stream closed before
   */
  send(bytes: Buffer, isEnd = false, onSent?: (isSent: boolean) => void): void {
    if (this.isEnded) {
      onSent?.(false);
      return;
    }
    this.isEndWanted = isEnd;
    const { connection } = this;
    const isWhole = bytes.length <= Math.min(this.sendWindow, connection.sendWindow, MAX_FRAME_BYTES);
    if (this.state !== 'waiting' && this.unsent === undefined && isWhole && connection.mayWrite) {
      this.write(bytes, 0, bytes.length, isEnd);
      onSent?.(true);
      return;
    }
    this.unsent ??= [];
    this.unsent.push({ bytes, start: 0, onSent });
    this.unsentSize += bytes.length;
    if (this.state === 'waiting') return;
    connection.block(this);
    connection.pump();
  }

  /**
   * Ends the stream of a server with trailers, behind the data that waits; or with the only headers. If the client is still sending then,
   * the stream is reset with NO_ERROR: nobody reads the rest (RFC 9113, section 8.1).
   */
  sendTrailers(headers: readonly Headers[]): void {
    if (this.isEnded) return;
    this.isEndWanted = true;
    if (this.unsent === undefined) this.writeTrailers(headers);
    else this.trailers = headers;
  }

  /** Writes one frame of what waits, if the windows allow that. @returns whether it wrote, and whether something is left */
  pump(): { readonly wrote: boolean; readonly isLeft: boolean } {
    const [first] = this.unsent ?? [];
    if (first === undefined || this.state === 'waiting') return { wrote: false, isLeft: false };
    const { bytes, start } = first;
    const allowed = Math.min(this.sendWindow, this.connection.sendWindow, MAX_FRAME_BYTES);
    const end = Math.min(bytes.length, start + Math.max(0, allowed));
    if (end === start && start < bytes.length) {
      // Without a window of its own it does not wait in the line: `widen` brings it back.
      return { wrote: false, isLeft: this.sendWindow > 0 };
    }
    first.start = end;
    this.unsentSize -= end - start;
    const isDone = end === bytes.length;
    if (isDone) this.unsent?.shift();
    const isLeft = this.unsent !== undefined && this.unsent.length > 0;
    if (!isLeft) this.unsent = undefined;
    const { trailers } = this;
    this.write(bytes, start, end, this.isEndWanted && !isLeft && trailers === undefined);
    if (isDone) first.onSent?.(true);
    if (!isLeft && trailers !== undefined && !this.isClosed) this.writeTrailers(trailers);
    // A caller that was notified of a write may have sent more.
    return { wrote: true, isLeft: this.unsent !== undefined };
  }

  /** Ends the stream at once, with a code that the peer gets. */
  reset(code: number): void {
    if (this.isClosed) return;
    if (this.id !== 0 && !this.isReset) this.connection.writeReset(this.id, code, this.isRemoteEnded);
    this.close(code);
  }

  /** Resets the stream, and ends it when the peer knows: what it sent before still arrives. */
  resetLate(code: number): void {
    if (this.isClosed || this.isReset) return;
    if (this.id === 0) {
      this.close(code);
      return;
    }
    this.connection.writeReset(this.id, code, this.isRemoteEnded);
    this.isReset = true;
    this.isEndWanted = true;
    this.dropUnsent();
    this.connection.whenRead(() => this.close(code));
  }

  /** The stream is closed: by a reset of the peer, or with its connection. */
  close(code: number): void {
    if (this.isClosed) return;
    this.state = 'closed';
    this.connection.forget(this);
    this.dropUnsent();
    const { receiver } = this;
    this.receiver = UNHEARD;
    receiver.closed(code);
  }

  private dropUnsent(): void {
    const unsent = this.unsent ?? [];
    this.unsent = undefined;
    this.unsentSize = 0;
    this.trailers = undefined;
    for (const { onSent } of unsent) onSent?.(false);
  }

  /**
   * The first headers of the peer's message.
   * @returns false when the message ends with them although its content-length announces a body
   */
  begin(headers: Headers, isEnd: boolean): boolean {
    this.hasHeaders = true;
    const length = headers['content-length'];
    if (length !== undefined) this.expectedBytes = DIGITS.test(length) ? Number(length) : Number.NaN;
    return !isEnd || this.hasWholeBody;
  }

  /** Headers of the peer: of a client's stream the response, then perhaps trailers. @returns false when the message is malformed */
  takeHeaders(headers: Headers, isEnd: boolean): boolean {
    const isTrailers = this.hasHeaders;
    // Interim responses say nothing, and end nothing.
    if (!isTrailers && headers[':status']?.startsWith('1') === true) return !isEnd;
    if (isTrailers ? !(isEnd && areTrailers(headers) && this.hasWholeBody) : !isResponse(headers)) return false;
    if (!isTrailers && !this.begin(headers, isEnd)) return false;
    this.receiver.headers(headers);
    if (isEnd) this.takeEnd();
    return true;
  }

  private get hasWholeBody(): boolean {
    return this.expectedBytes === undefined || this.expectedBytes === 0;
  }

  /**
   * @returns false when no headers came before, or the body does not have the size that they announce
   * @throws Http2Error when the peer ignores the window
   */
  takeData(piece: Buffer, flowBytes: number, isEnd: boolean): boolean {
    this.receiveWindow -= flowBytes;
    if (this.receiveWindow < 0) {
      throw new Http2Error(HTTP2_CODE.flowControlError, `stream ${this.id} received more than its window`);
    }
    if (!this.hasHeaders) return false;
    if (this.expectedBytes !== undefined) {
      this.expectedBytes -= piece.length;
      if (isEnd ? this.expectedBytes !== 0 : !(this.expectedBytes >= 0)) return false;
    }
    // Padding is never passed on, so nobody else credits it.
    this.credit(this.isCreditedOnArrival ? flowBytes : flowBytes - piece.length, isEnd);
    if (piece.length === 0) {
      if (isEnd) this.takeEnd();
      return true;
    }
    const isLast = isEnd && this.endRemote();
    this.receiver.data(piece);
    if (isEnd) this.ended(isLast);
    return true;
  }

  /** Lets the peer send so many bytes more. */
  credit(bytes: number, isEnd = this.isRemoteEnded): void {
    this.received += bytes;
    if (isEnd || this.isClosed || this.isReset || 2 * this.received < this.windowBytes) return;
    this.connection.writeNumber(FRAME.windowUpdate, this.id, this.received);
    this.receiveWindow += this.received;
    this.received = 0;
  }

  /** The peer accepts so many bytes more, or less. Writes nothing yet. @returns false when the window becomes larger than allowed */
  widen(bytes: number): boolean {
    this.sendWindow += bytes;
    if (this.unsent !== undefined && this.state !== 'waiting' && this.sendWindow > 0) this.connection.block(this);
    return this.sendWindow <= MAX_WINDOW_BYTES;
  }

  /** The peer has sent everything. */
  takeEnd(): void {
    if (this.isRemoteEnded) return;
    this.ended(this.endRemote());
  }

  /**
   * Whoever answers while the last frame is passed on must know that nothing follows it.
   * @returns whether the stream must be closed after that frame, because this side has ended as well
   */
  endRemote(): boolean {
    if (this.state !== 'open') return this.state === 'half-closed (local)';
    this.state = 'half-closed (remote)';
    return false;
  }

  /** @param isLast the result of {@link endRemote} */
  ended(isLast: boolean): void {
    // When the receiver has closed the stream, nobody is called.
    this.receiver.ended();
    if (isLast) this.close(HTTP2_CODE.noError);
  }

  private writeTrailers(headers: readonly Headers[]): void {
    this.connection.writeHeaders(this.id, headers, true);
    if (this.isRemoteEnded) this.close(HTTP2_CODE.noError);
    else this.reset(HTTP2_CODE.noError);
  }

  private write(bytes: Buffer, start: number, end: number, isEnd: boolean): void {
    this.sendWindow -= end - start;
    this.connection.sendWindow -= end - start;
    this.connection.writeFrame(FRAME.data, isEnd ? FLAG.endStream : 0, this.id, bytes, start, end);
    if (isEnd) this.endLocal();
  }

  private endLocal(): void {
    if (this.state === 'half-closed (remote)') this.close(HTTP2_CODE.noError);
    else if (this.state === 'open') this.state = 'half-closed (local)';
  }
}

const DIGITS = /^\d+$/;
const UNHEARD: StreamReceiver = { headers() {}, data() {}, ended() {}, closed() {} };
