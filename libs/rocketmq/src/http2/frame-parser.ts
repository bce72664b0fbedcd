// Splits what a socket receives into frames. The payload of DATA is passed on as it arrives; all other frames are passed on whole.

import { GatheredBytes } from '../support/gathered-bytes.js';
import { CLIENT_PREFACE, FLAG, FRAME, FRAME_HEADER_BYTES, HTTP2_CODE, Http2Error, MAX_FRAME_BYTES } from './frames.js';

/** Receives the frames; may throw Http2Error. */
export interface FrameReceiver {
  /** A part of a DATA frame. @param flowBytes what it takes of the windows: with its padding */
  data(streamId: number, piece: Buffer, flowBytes: number, isEnd: boolean): void;
  /** Another frame. `payload` is valid during this call only. */
  frame(type: number, flags: number, streamId: number, payload: Buffer): void;
}

/** The DATA frame that is being received. */
interface Current {
  readonly streamId: number;
  readonly isEnd: boolean;
  leftBytes: number;
}

export class FrameParser {
  private readonly held = new GatheredBytes();
  private current: Current | undefined;
  private prefaceBytes = 0;
  private isStopped = false;

  /** @param hasPreface whether the peer starts with the preface of a client */
  constructor(
    private readonly receiver: FrameReceiver,
    hasPreface: boolean,
  ) {
    if (!hasPreface) this.prefaceBytes = CLIENT_PREFACE.length;
  }

  /** Passes nothing on any more. */
  stop(): void {
    this.isStopped = true;
  }

  /** @throws Http2Error */
  push(chunk: Buffer): void {
    let at = this.prefaceBytes < CLIENT_PREFACE.length ? this.preface(chunk) : 0;
    while (at < chunk.length && !this.isStopped) {
      if (this.current !== undefined) at = this.piece(this.current, chunk, at);
      else if (this.held.length > 0) at = this.complete(chunk, at);
      else at = this.next(chunk, at);
    }
  }

  private preface(chunk: Buffer): number {
    const count = Math.min(chunk.length, CLIENT_PREFACE.length - this.prefaceBytes);
    const expected = CLIENT_PREFACE.subarray(this.prefaceBytes, this.prefaceBytes + count);
    if (!expected.equals(chunk.subarray(0, count))) {
      throw new Http2Error(HTTP2_CODE.protocolError, 'the peer does not start with the preface of HTTP/2');
    }
    this.prefaceBytes += count;
    return count;
  }

  /** Reads the frame that begins here, or holds its beginning. */
  private next(chunk: Buffer, at: number): number {
    if (chunk.length - at < FRAME_HEADER_BYTES) return this.hold(chunk, at, FRAME_HEADER_BYTES);
    const end = at + FRAME_HEADER_BYTES + lengthAt(chunk, at);
    if (this.begin(chunk, at)) return at + FRAME_HEADER_BYTES;
    if (end > chunk.length) return this.hold(chunk, at, end - at);
    this.whole(chunk, at, end);
    return end;
  }

  /** Adds to the frame that an earlier chunk began. */
  private complete(chunk: Buffer, from: number): number {
    const { held } = this;
    let at = from;
    if (held.length < FRAME_HEADER_BYTES) {
      const end = Math.min(chunk.length, at + FRAME_HEADER_BYTES - held.length);
      held.add(chunk.subarray(at, end), FRAME_HEADER_BYTES);
      at = end;
      if (held.length < FRAME_HEADER_BYTES) return at;
      lengthAt(held.bytes, 0);
      if (this.begin(held.bytes, 0)) {
        held.take();
        return at;
      }
    }
    const neededBytes = FRAME_HEADER_BYTES + lengthAt(held.bytes, 0);
    const end = Math.min(chunk.length, at + neededBytes - held.length);
    held.add(chunk.subarray(at, end), neededBytes);
    if (held.length === neededBytes) this.whole(held.take(), 0, neededBytes);
    return end;
  }

  private hold(chunk: Buffer, at: number, neededBytes: number): number {
    this.held.add(chunk.subarray(at), neededBytes);
    return chunk.length;
  }

  /** Whether it is a DATA frame whose payload is passed on piece by piece. */
  private begin(bytes: Buffer, at: number): boolean {
    const flags = bytes[at + 4] as number;
    if (bytes[at + 3] !== FRAME.data || (flags & FLAG.padded) !== 0) return false;
    const current = {
      streamId: idAt(bytes, at),
      isEnd: (flags & FLAG.endStream) !== 0,
      leftBytes: lengthAt(bytes, at),
    };
    if (current.leftBytes > 0) this.current = current;
    else this.receiver.data(current.streamId, NOTHING, 0, current.isEnd);
    return true;
  }

  private piece(current: Current, chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + current.leftBytes);
    current.leftBytes -= end - at;
    const isLast = current.leftBytes === 0;
    if (isLast) this.current = undefined;
    this.receiver.data(current.streamId, chunk.subarray(at, end), end - at, isLast && current.isEnd);
    return end;
  }

  private whole(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at + 3] as number;
    const flags = bytes[at + 4] as number;
    const streamId = idAt(bytes, at);
    const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end);
    if (type !== FRAME.data) {
      this.receiver.frame(type, flags, streamId, payload);
      return;
    }
    this.receiver.data(streamId, withoutPadding(payload, flags), payload.length, (flags & FLAG.endStream) !== 0);
  }
}

const NOTHING = Buffer.alloc(0);

function lengthAt(bytes: Buffer, at: number): number {
  const length = bytes.readUIntBE(at, 3);
  if (length <= MAX_FRAME_BYTES) return length;
  throw new Http2Error(HTTP2_CODE.frameSizeError, `a frame has ${length} bytes; the limit is ${MAX_FRAME_BYTES}`);
}

function idAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
}

/** The payload of a DATA or HEADERS frame without its padding. @throws Http2Error */
export function withoutPadding(payload: Buffer, flags: number): Buffer {
  if ((flags & FLAG.padded) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined || padding >= payload.length) {
    throw new Http2Error(HTTP2_CODE.protocolError, 'a frame has more padding than bytes');
  }
  return payload.subarray(1, payload.length - padding);
}
