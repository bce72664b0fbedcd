// Encodes and decodes frames of the remoting protocol, which name servers and brokers use with tools and with each other. The
// meaning of codes and fields is defined elsewhere.

import { GatheredBytes } from '../../support/gathered-bytes.js';

/** A request or an answer. */
export interface RemotingFrame {
  /** Of a request: the request code, for example 17 to create a topic. Of an answer: 0 means success. */
  readonly code: number;
  /** The number of a request, and of its answer. */
  readonly opaque: number;
  readonly isResponse: boolean;
  /** No answer is expected. */
  readonly isOneWay: boolean;
  /** The server's message for a refusal; otherwise empty. */
  readonly remark: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A frame to write; omitted fields are empty. */
export type OutgoingFrame = Pick<RemotingFrame, 'code' | 'opaque'> & Partial<RemotingFrame>;

/** The largest frame that a client reads: far above any expected answer, far below what could exhaust memory. */
export const MAX_FRAME_BYTES = 32 * 1024 * 1024;

const LENGTH_BYTES = 4;
const RESPONSE_FLAG = 1;
const ONE_WAY_FLAG = 2;
/** V5_0_0 of the server's MQVersion; it does not affect the requests that this library sends. */
const VERSION = 433;

/** The bytes are not a valid frame, or the frame is too large. The rest of the stream cannot be read. */
export class MalformedFrame extends Error {
  /** @param what what was received: "a frame of 12 bytes" */
  constructor(
    readonly what: string,
    options?: ErrorOptions,
  ) {
    super(`not a frame of the remoting protocol: ${what}`, options);
    this.name = 'MalformedFrame';
  }
}

/** A frame with JSON header, as `int32 length | int32 header length | header | body`. @see RemotingCommand of the server */
export function encodeFrame(frame: OutgoingFrame): Buffer {
  const { code, opaque, isResponse = false, isOneWay = false, remark, fields = {}, body = Buffer.alloc(0) } = frame;
  const header = Buffer.from(
    JSON.stringify({
      code,
      language: 'JAVA',
      version: VERSION,
      opaque,
      flag: (isResponse ? RESPONSE_FLAG : 0) | (isOneWay ? ONE_WAY_FLAG : 0),
      ...(remark === undefined || remark === '' ? {} : { remark }),
      extFields: fields,
      serializeTypeCurrentRPC: 'JSON',
    }),
  );
  const prefix = Buffer.alloc(2 * LENGTH_BYTES);
  prefix.writeInt32BE(LENGTH_BYTES + header.length + body.length, 0);
  prefix.writeInt32BE(header.length, LENGTH_BYTES);
  return Buffer.concat([prefix, header, body]);
}

/** Assembles frames from the chunks of one connection. After an error the rest of the stream cannot be read. */
export class FrameDecoder {
  private readonly held = new GatheredBytes();
  private neededBytes = LENGTH_BYTES;

  constructor(private readonly maxFrameBytes: number = MAX_FRAME_BYTES) {}

  /** The memory that an incomplete frame takes, in bytes. */
  get heldBytes(): number {
    return this.held.roomBytes;
  }

  /**
   * The frames that this chunk completes, in order.
   * @throws MalformedFrame when the bytes are not a valid frame or the frame is larger than the limit
   */
  push(chunk: Buffer): RemotingFrame[] {
    if (this.held.length === 0) return this.read(chunk);
    this.held.add(chunk, this.neededBytes);
    return this.held.length < this.neededBytes ? [] : this.read(this.held.take());
  }

  private read(bytes: Buffer): RemotingFrame[] {
    const frames: RemotingFrame[] = [];
    let at = 0;
    this.neededBytes = LENGTH_BYTES;
    while (bytes.length - at >= LENGTH_BYTES) {
      const start = at + LENGTH_BYTES;
      const length = this.checkedLength(bytes.readInt32BE(at));
      if (bytes.length - start < length) {
        this.neededBytes = LENGTH_BYTES + length;
        break;
      }
      at = start + length;
      frames.push(decodeFrame(bytes.subarray(start, at)));
    }
    if (at < bytes.length) this.held.add(bytes.subarray(at), this.neededBytes);
    return frames;
  }

  private checkedLength(length: number): number {
    if (length >= LENGTH_BYTES && length <= this.maxFrameBytes) return length;
    throw new MalformedFrame(`a frame of ${length} bytes (allowed: ${LENGTH_BYTES} to ${this.maxFrameBytes})`);
  }
}

function decodeFrame(frame: Buffer): RemotingFrame {
  const mark = frame.readUInt32BE(0);
  const serialization = mark >>> 24;
  const bodyStart = LENGTH_BYTES + (mark & 0xff_ff_ff);
  if (serialization !== 0) throw new MalformedFrame(`a header in serialization ${serialization}, which is not JSON`);
  if (bodyStart > frame.length) throw new MalformedFrame('a header that is longer than its frame');
  const { code, opaque, flag, remark, extFields } = parseHeader(frame.subarray(LENGTH_BYTES, bodyStart));
  if (typeof code !== 'number' || typeof opaque !== 'number')
    throw new MalformedFrame('a header without code or opaque');
  const flags = typeof flag === 'number' ? flag : 0;
  return {
    code,
    opaque,
    isResponse: (flags & RESPONSE_FLAG) !== 0,
    isOneWay: (flags & ONE_WAY_FLAG) !== 0,
    remark: typeof remark === 'string' ? remark : '',
    fields: textsOf(extFields),
    body: frame.subarray(bodyStart),
  };
}

function parseHeader(bytes: Buffer): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof header === 'object' && header !== null) return header as Record<string, unknown>;
  } catch (cause) {
    throw new MalformedFrame('a header that is not JSON', { cause });
  }
  throw new MalformedFrame('a header that is not a JSON object');
}

function textsOf(extFields: unknown): Record<string, string> {
  const entries = Object.entries(typeof extFields === 'object' && extFields !== null ? extFields : {});
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
