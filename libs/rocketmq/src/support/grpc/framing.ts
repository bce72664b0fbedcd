// Messages on an HTTP/2 stream: one byte of flags, four of length, then the message (grpc/doc/PROTOCOL-HTTP2.md).

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
    piece.length !== MESSAGE_PREFIX_BYTES + messageLength(piece, maxMessageBytes)
  )
    return undefined;
  return piece.subarray(MESSAGE_PREFIX_BYTES);
}

/** Puts messages together from the pieces in which they arrive. */
export class FrameReader {
  private pieces: Buffer[] = [];
  private heldBytes = 0;
  /** What must be there before the next look. */
  private neededBytes = MESSAGE_PREFIX_BYTES;

  constructor(private readonly maxMessageBytes: number) {}

  /** Whether the stream so far ends in the middle of a message. */
  get isInMessage(): boolean {
    return this.heldBytes > 0;
  }

  /**
   * Takes the next piece. @returns the messages that it completes
   * @throws GrpcError resourceExhausted for a message over the limit, before its bytes are kept; unimplemented for a
   * compressed one; internal for flags that are none
   */
  push(piece: Buffer): Buffer[] {
    this.pieces.push(piece);
    this.heldBytes += piece.length;
    const messages: Buffer[] = [];
    while (this.heldBytes >= this.neededBytes) {
      const bytes = this.join();
      const length = messageLength(bytes, this.maxMessageBytes);
      const end = MESSAGE_PREFIX_BYTES + length;
      if (bytes.length < end) {
        this.neededBytes = end;
        break;
      }
      messages.push(bytes.subarray(MESSAGE_PREFIX_BYTES, end));
      this.keep(bytes.subarray(end));
    }
    return messages;
  }

  private join(): Buffer {
    const [first] = this.pieces;
    if (this.pieces.length === 1 && first !== undefined) return first;
    const joined = Buffer.concat(this.pieces);
    this.pieces = [joined];
    return joined;
  }

  private keep(rest: Buffer): void {
    this.pieces = rest.length === 0 ? [] : [rest];
    this.heldBytes = rest.length;
    this.neededBytes = MESSAGE_PREFIX_BYTES;
  }
}

/** What the prefix says, checked. */
function messageLength(bytes: Buffer, maxMessageBytes: number): number {
  const flags = bytes.readUInt8(0);
  if (flags === 1) throw new GrpcError('unimplemented', 'compressed messages are not supported; send them as they are');
  if (flags !== 0) throw new GrpcError('internal', `a message begins with flags ${flags}, which gRPC does not know`);
  const length = bytes.readUInt32BE(1);
  if (length <= maxMessageBytes) return length;
  throw new GrpcError('resourceExhausted', `message of ${length} bytes, the limit is ${maxMessageBytes}`);
}
