// Messages on an HTTP/2 stream: one byte of flags, four of length, then the message (grpc/doc/PROTOCOL-HTTP2.md).

import { GatheredBytes } from '../gathered-bytes.js';
import { GrpcError } from './status.js';

/** The size of the prefix before every message. */
export const MESSAGE_PREFIX_BYTES = 5;

/** Writes the prefix of an uncompressed message at the start of `buffer`. */
export function writeMessagePrefix(buffer: Buffer, messageBytes: number): void {
  buffer[0] = 0;
  buffer.writeUInt32BE(messageBytes, 1);
}

/** An uncompressed message with its prefix. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES + message.length);
  writeMessagePrefix(framed, message.length);
  framed.set(message, MESSAGE_PREFIX_BYTES);
  return framed;
}

/**
 * The message in a chunk that is exactly one message with its prefix, as most answers are; undefined for any other chunk.
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

/** Assembles messages from the chunks in which they arrive. */
export class FrameReader {
  private readonly held = new GatheredBytes();
  /** How many bytes must have arrived before the next attempt to read a message. */
  private neededBytes = MESSAGE_PREFIX_BYTES;

  constructor(private readonly maxMessageBytes: number) {}

  /** Whether the stream so far ends in the middle of a message. */
  get isInMessage(): boolean {
    return this.held.length > 0;
  }

  /** The memory that the incomplete message takes, in bytes. */
  get heldBytes(): number {
    return this.held.roomBytes;
  }

  /**
   * Takes the next chunk. @returns the messages that it completes
   * @throws GrpcError resourceExhausted for a message over the limit, before its bytes are kept; unimplemented for a
   * compressed one; internal for unknown flags
   */
  push(piece: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let at = 0;
    // Only what completes the message that has begun is copied; the rest of a chunk is read where it is.
    while (this.held.length > 0 && at < piece.length) {
      const end = Math.min(piece.length, at + this.neededBytes - this.held.length);
      this.held.add(piece.subarray(at, end), this.neededBytes);
      at = end;
      if (this.held.length === MESSAGE_PREFIX_BYTES)
        this.neededBytes += messageLength(this.held.bytes, 0, this.maxMessageBytes);
      if (this.held.length === this.neededBytes) messages.push(this.held.take().subarray(MESSAGE_PREFIX_BYTES));
    }
    return at < piece.length ? this.read(piece, at, messages) : messages;
  }

  /** Drops an incomplete message. */
  drop(): void {
    this.held.take();
  }

  private read(bytes: Buffer, from: number, messages: Buffer[]): Buffer[] {
    let at = from;
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

/** Reads and checks the prefix. */
function messageLength(bytes: Buffer, at: number, maxMessageBytes: number): number {
  const flags = bytes.readUInt8(at);
  if (flags === 1)
    throw new GrpcError('unimplemented', 'compressed messages are not supported; send them uncompressed');
  if (flags !== 0) throw new GrpcError('internal', `a message starts with unknown gRPC flags: ${flags}`);
  const length = bytes.readUInt32BE(at + 1);
  if (length <= maxMessageBytes) return length;
  throw new GrpcError('resourceExhausted', `the message has ${length} bytes; the limit is ${maxMessageBytes}`);
}
