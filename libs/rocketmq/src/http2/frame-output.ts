// Writes HTTP/2 frames.

import { COPIED_BYTES, SocketOutput } from '../support/socket-output.js';
import { FLAG, FRAME, FRAME_HEADER_BYTES, MAX_FRAME_BYTES, writeFrameHeader } from './frames.js';

export class FrameOutput extends SocketOutput {
  /** Writes a frame with a part of `payload`. */
  frame(type: number, flags: number, streamId: number, payload: Buffer, start = 0, stop = payload.length): void {
    const length = stop - start;
    const room = this.reserve(FRAME_HEADER_BYTES + (length <= COPIED_BYTES ? length : 0));
    const at = this.position;
    writeFrameHeader(room, at, { length, type, flags, streamId });
    this.advance(at + FRAME_HEADER_BYTES);
    this.write(payload, start, stop);
  }

  /** Writes the headers of a message: HEADERS, and CONTINUATION for what does not fit. */
  headers(streamId: number, block: Buffer, isEnd: boolean): void {
    const isWhole = block.length <= MAX_FRAME_BYTES;
    const end = isEnd ? FLAG.endStream : 0;
    const first = isWhole ? end | FLAG.endHeaders : end;
    this.frame(FRAME.headers, first, streamId, block, 0, Math.min(block.length, MAX_FRAME_BYTES));
    for (let start = MAX_FRAME_BYTES; start < block.length; start += MAX_FRAME_BYTES) {
      const stop = Math.min(block.length, start + MAX_FRAME_BYTES);
      const isLast = stop === block.length;
      this.frame(FRAME.continuation, isLast ? FLAG.endHeaders : 0, streamId, block, start, stop);
    }
  }

  /** Writes a frame whose payload is one number: WINDOW_UPDATE, RST_STREAM. */
  number(type: number, streamId: number, value: number): void {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(value, 0);
    this.frame(type, 0, streamId, payload);
  }

  settings(settings: readonly (readonly [setting: number, value: number])[]): void {
    const payload = Buffer.alloc(6 * settings.length);
    for (const [index, [setting, value]] of settings.entries()) {
      payload.writeUInt16BE(setting, 6 * index);
      payload.writeUInt32BE(value, 6 * index + 2);
    }
    this.frame(FRAME.settings, 0, 0, payload);
  }

  /** @param lastId the last stream of the peer that this side has seen */
  goaway(lastId: number, code: number, why = ''): void {
    const payload = Buffer.alloc(8 + Buffer.byteLength(why));
    payload.writeUInt32BE(lastId, 0);
    payload.writeUInt32BE(code, 4);
    payload.write(why, 8);
    this.frame(FRAME.goaway, 0, 0, payload);
  }
}
