// Writes HTTP/2 frames.

import { COPIED_BYTES, SocketOutput } from '../support/socket-output.js';
import { FRAME_HEADER_BYTES, writeFrameHeader } from './frames.js';

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
}
