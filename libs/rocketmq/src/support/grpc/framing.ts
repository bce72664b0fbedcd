// Messages on an HTTP/2 stream: one byte of flags, four of length, then the message (grpc/doc/PROTOCOL-HTTP2.md).

import { GatheredBytes } from '../gathered-bytes.js';
import { GrpcError } from './status.js';

/** What stands before every message. */
export const MESSAGE_PREFIX_BYTES = 5;

/** Writes the prefix of a message that is not compressed at the begin of `buffer`. */
export function writeMessagePrefix(buffer: Buffer, messageBytes: number): void {
  buffer[0] = 0;
  buffer.writeUInt32BE(messageBytes, 1);
}

/** A message with its prefix, not compressed. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES + message.length);
  writeMessagePrefix(framed, message.length);
  framed.set(message, MESSAGE_PREFIX_BYTES);
  return framed;
}

/**
 * The message of a piece that is exactly one message with its prefix, as most answers are; undefined for any other piece.
 * @throws GrpcError as {@link FrameReader.push}
 */
export function wholeMessage(piece: Buffer, maxMessageBytes: number): Buffer | undefined {
  if (
    piece.length < MESSAGE_PREFIX_BYTES ||
    piece.length !== MESSAGE_PREFIX_BYTES + messageLength(piece, 0, maxMessageBytes)
  )
    return undefined;
  return piece.subarray(MESSAGE_PREFIX_BYTES);
}

/** Puts messages together from the pieces in which they arrive. */
export class FrameReader {
  private readonly held = new GatheredBytes();
  /** What must be there before the next look. */
  private neededBytes = MESSAGE_PREFIX_BYTES;

  constructor(private readonly maxMessageBytes: number) {}

  /** Whether the stream so far ends in the middle of a message. */
  get isInMessage(): boolean {
    return this.held.length > 0;
  }

  /** The memory that the begun message takes. */
  get heldBytes(): number {
    return this.held.roomBytes;
  }

  /**
   * Takes the next piece. @returns the messages that it completes
   * @throws GrpcError resourceExhausted for a message over the limit, before its bytes are kept; unimplemented for a
   * compressed one; internal for flags that are none
   */
  push(piece: Buffer): Buffer[] {
    if (this.held.length === 0) return this.read(piece);
    this.held.add(piece, this.neededBytes);
    return this.held.length < this.neededBytes ? [] : this.read(this.held.take());
  }

  /** Lets go of a message that goes on. */
  drop(): void {
    this.held.take();
  }

  private read(bytes: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let at = 0;
    this.neededBytes = MESSAGE_PREFIX_BYTES;
    while (bytes.length - at >= MESSAGE_PREFIX_BYTES) {
      const start = at + MESSAGE_PREFIX_BYTES;
      const length = messageLength(bytes, at, this.maxMessageBytes);
      if (bytes.length - start < length) {
        this.neededBytes = MESSAGE_PREFIX_BYTES + length;
        break;
      }
      at = start + length;
      messages.push(bytes.subarray(start, at));
    }
    if (at < bytes.length) this.held.add(bytes.subarray(at), this.neededBytes);
    return messages;
  }
}

/** What the prefix says, checked. */
function messageLength(bytes: Buffer, at: number, maxMessageBytes: number): number {
  const flags = bytes.readUInt8(at);
  if (flags === 1) throw new GrpcError('unimplemented', 'compressed messages are not supported; send them as they are');
  if (flags !== 0) throw new GrpcError('internal', `a message begins with flags ${flags}, which gRPC does not know`);
  const length = bytes.readUInt32BE(at + 1);
  if (length <= maxMessageBytes) return length;
  throw new GrpcError('resourceExhausted', `message of ${length} bytes, the limit is ${maxMessageBytes}`);
}
