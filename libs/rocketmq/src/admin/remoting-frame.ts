// The bytes of the remoting protocol: a request as a frame, and frames out of a stream of chunks. No sockets here.

import { TransportError } from '../support/errors.js';

/** What is asked of a name server or a broker. */
export interface RemotingRequest {
  /** The request code, for instance 17 to create a topic. */
  readonly code: number;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** A frame as it came in: usually an answer, sometimes a request of the server's own. */
export interface RemotingFrame {
  /** 0 is success in an answer. */
  readonly code: number;
  /** The number of the request that this answers. */
  readonly opaque: number;
  readonly isResponse: boolean;
  readonly remark: string;
  readonly body: Buffer;
}

/** The largest frame read: far over any answer here, far below what could exhaust the memory. */
export const MAX_FRAME_BYTES = 32 * 1024 * 1024;

const LENGTH_BYTES = 4;
const RESPONSE_FLAG = 1;
/** V5_0_0 by the server's MQVersion; it decides nothing in the requests sent here. */
const CLIENT_VERSION = 433;

/** A request with JSON header, as `int32 length | int32 header length | header | body`. @see RemotingCommand of the server */
export function encodeRequest(request: RemotingRequest, opaque: number): Buffer {
  const header = Buffer.from(
    JSON.stringify({
      code: request.code,
      language: 'JAVA',
      version: CLIENT_VERSION,
      opaque,
      flag: 0,
      extFields: request.fields ?? {},
      serializeTypeCurrentRPC: 'JSON',
    }),
  );
  const body = request.body ?? Buffer.alloc(0);
  const prefix = Buffer.alloc(2 * LENGTH_BYTES);
  prefix.writeInt32BE(LENGTH_BYTES + header.length + body.length, 0);
  prefix.writeInt32BE(header.length, LENGTH_BYTES);
  return Buffer.concat([prefix, header, body]);
}

/** Puts the chunks of one connection together to frames. After an error the stream cannot be read any further. */
export class FrameDecoder {
  private chunks: Buffer[] = [];
  private bufferedBytes = 0;
  private neededBytes = LENGTH_BYTES;

  constructor(private readonly maxFrameBytes: number = MAX_FRAME_BYTES) {}

  /**
   * The frames that this chunk completes, in order.
   * @throws TransportError `RPC_FAILED` when the bytes are no frame or the frame is larger than the limit
   */
  push(chunk: Buffer): RemotingFrame[] {
    this.chunks.push(chunk);
    this.bufferedBytes += chunk.length;
    const frames: RemotingFrame[] = [];
    // Joined only when enough is there, so that a large frame in many chunks is not copied again for each.
    while (this.bufferedBytes >= this.neededBytes) {
      const buffered = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks);
      const frameBytes = LENGTH_BYTES + this.checkedLength(buffered.readInt32BE(0));
      if (buffered.length < frameBytes) {
        this.keep(buffered, frameBytes);
        break;
      }
      frames.push(decodeFrame(buffered.subarray(LENGTH_BYTES, frameBytes)));
      this.keep(buffered.subarray(frameBytes), LENGTH_BYTES);
    }
    return frames;
  }

  private keep(rest: Buffer, neededBytes: number): void {
    this.chunks = rest.length === 0 ? [] : [rest];
    this.bufferedBytes = rest.length;
    this.neededBytes = neededBytes;
  }

  private checkedLength(length: number): number {
    if (length >= LENGTH_BYTES && length <= this.maxFrameBytes) return length;
    throw malformed(`a frame of ${length} bytes (allowed: ${LENGTH_BYTES} to ${this.maxFrameBytes})`);
  }
}

function decodeFrame(frame: Buffer): RemotingFrame {
  const mark = frame.readUInt32BE(0);
  const serialization = mark >>> 24;
  const bodyStart = LENGTH_BYTES + (mark & 0xff_ff_ff);
  if (serialization !== 0) throw malformed(`a header in serialization ${serialization}, although JSON was asked for`);
  if (bodyStart > frame.length) throw malformed('a header that is longer than its frame');
  const header = parseHeader(frame.subarray(LENGTH_BYTES, bodyStart));
  const { code, opaque, flag, remark } = header;
  if (typeof code !== 'number' || typeof opaque !== 'number') throw malformed('a header without code or opaque');
  return {
    code,
    opaque,
    isResponse: typeof flag === 'number' && (flag & RESPONSE_FLAG) !== 0,
    remark: typeof remark === 'string' ? remark : '',
    body: frame.subarray(bodyStart),
  };
}

function parseHeader(bytes: Buffer): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof header === 'object' && header !== null) return header as Record<string, unknown>;
  } catch (cause) {
    throw malformed('a header that is not JSON', cause);
  }
  throw malformed('a header that is no JSON object');
}

function malformed(what: string, cause?: unknown): TransportError {
  const message = `the server sent ${what}; is this the remoting port of a name server or broker?`;
  return new TransportError('RPC_FAILED', message, 'unknown', false, { cause });
}
