// Assembles the headers of a message from HEADERS and the CONTINUATION frames behind it, of which nothing may interrupt them (RFC 9113,
// section 6.10).

import { GatheredBytes } from '../support/gathered-bytes.js';
import { withoutPadding } from './frame-parser.js';
import { FLAG, FRAME, HTTP2_CODE, Http2Error } from './frames.js';

/** More frames than any block needs. */
const MAX_FRAMES = 64;

/** All encoded headers of one message. */
interface CompleteBlock {
  readonly bytes: Buffer;
  /** Whether the message ends with them. */
  readonly isEnd: boolean;
}

/** A block that continues in further frames. */
interface OpenBlock {
  readonly streamId: number;
  readonly isEnd: boolean;
  readonly bytes: GatheredBytes;
  frames: number;
}

export class HeaderBlocks {
  private open: OpenBlock | undefined;

  /** @param maxBytes the size of the headers of one message, decoded */
  constructor(private readonly maxBytes: number) {}

  /** @throws Http2Error when a frame comes between the frames of a block */
  assertUninterrupted(type: number, streamId: number): void {
    if (this.open === undefined || (type === FRAME.continuation && streamId === this.open.streamId)) return;
    throw new Http2Error(HTTP2_CODE.protocolError, 'a frame interrupts the headers of a message');
  }

  /** Takes HEADERS. @returns the block, once it is complete @throws Http2Error */
  begin(streamId: number, flags: number, payload: Buffer): CompleteBlock | undefined {
    if (streamId === 0) throw new Http2Error(HTTP2_CODE.protocolError, 'HEADERS on stream 0');
    let fragment = withoutPadding(payload, flags);
    if ((flags & FLAG.priority) !== 0) {
      if (fragment.length < 5) throw new Http2Error(HTTP2_CODE.frameSizeError, 'HEADERS without its priority');
      assertDependency(streamId, fragment);
      fragment = fragment.subarray(5);
    }
    const isEnd = (flags & FLAG.endStream) !== 0;
    if ((flags & FLAG.endHeaders) !== 0) return { bytes: fragment, isEnd };
    this.open = { streamId, isEnd, bytes: new GatheredBytes(), frames: 0 };
    this.add(this.open, fragment);
    return undefined;
  }

  /** Takes CONTINUATION. @returns the block, once it is complete @throws Http2Error */
  continue(flags: number, payload: Buffer): CompleteBlock | undefined {
    const { open } = this;
    if (open === undefined) throw new Http2Error(HTTP2_CODE.protocolError, 'CONTINUATION without HEADERS');
    this.add(open, payload);
    if ((flags & FLAG.endHeaders) === 0) return undefined;
    this.open = undefined;
    return { bytes: open.bytes.take(), isEnd: open.isEnd };
  }

  private add(block: OpenBlock, fragment: Buffer): void {
    block.bytes.add(fragment, fragment.length);
    block.frames++;
    // Compressed, it may be smaller than its headers, but not larger by much.
    if (block.bytes.length <= 2 * this.maxBytes && block.frames <= MAX_FRAMES) return;
    throw new Http2Error(HTTP2_CODE.enhanceYourCalm, 'the headers of a message do not end');
  }
}

/** @param priority the fields of a priority, in HEADERS or in a frame of their own @throws Http2Error */
export function assertDependency(streamId: number, priority: Buffer): void {
  if ((priority.readUInt32BE(0) & 0x7fff_ffff) !== streamId) return;
  throw new Http2Error(HTTP2_CODE.protocolError, 'a stream depends on itself');
}
