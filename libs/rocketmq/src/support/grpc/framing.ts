// Messages on an HTTP/2 stream: one byte of flags, four of length, then the message (grpc/doc/PROTOCOL-HTTP2.md).

import { MessageAssembler, type Receiver } from '../gathered-bytes.js';
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
 * @throws GrpcError as {@link FrameReader}
 */
export function wholeMessage(piece: Buffer, maxMessageBytes: number): Buffer | undefined {
  if (
    piece.length < MESSAGE_PREFIX_BYTES ||
    piece.length !== MESSAGE_PREFIX_BYTES + messageLength(piece, 0, maxMessageBytes)
  )
    return undefined;
  return piece.subarray(MESSAGE_PREFIX_BYTES);
}

/**
 * Assembles messages from the chunks in which they arrive. `push` throws GrpcError: resourceExhausted for a message over the limit, before
 * its bytes are kept; unimplemented for a compressed one; internal for unknown flags.
 */
export class FrameReader extends MessageAssembler {
  constructor(maxMessageBytes: number, receiver?: Receiver) {
    super(MESSAGE_PREFIX_BYTES, (bytes, at) => messageLength(bytes, at, maxMessageBytes), receiver);
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
