// Encodes and decodes frames of the remoting protocol, which name servers and brokers use with tools and with each other. The
// meaning of codes and fields is defined elsewhere.

import { MessageAssembler, type Receiver } from '../../support/gathered-bytes.js';
import { COPIED_BYTES, type SocketOutput } from '../../support/socket-output.js';

/** A request or an answer. */
export interface RemotingFrame {
  /** Of a request: the request code, for example 17 to create a topic. Of an answer: 0 means success. */
  readonly code: number;
  /** The number of a request, and of its answer. */
  readonly opaque: number;
  readonly isResponse: boolean;
  /** No answer is expected. */
  readonly isOneWay: boolean;
  /** The release of the program that sent it, as a number that rises: 5.0.0 is 413, 5.5.0 is 513. 0 when it did not say. @see MQVersion of the server */
  readonly version: number;
  /** The name of the language of that program, as far as it said one. */
  readonly language?: string | undefined;
  /** The server's message for a rejection; otherwise empty. */
  readonly remark: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A frame to write, without its number; omitted fields are empty. */
export interface UnnumberedFrame
  extends Pick<RemotingFrame, 'code'>,
    Partial<Pick<RemotingFrame, 'isResponse' | 'isOneWay' | 'version' | 'remark' | 'body'>> {
  /** A string is the JSON of the fields, from whoever writes it faster than it can be made of an object. */
  readonly fields?: RemotingFrame['fields'] | string;
  /** Whether nobody changes the body any more, so that a large one need not be copied. Default: false. */
  readonly isBodyFinal?: boolean;
  /** What tools show of a client. Releases before 5.3.2 do not know NODE_JS. Default: JAVA. */
  readonly language?: 'JAVA' | 'NODE_JS' | 'OTHER';
}

/** By their numbers in binary headers. @see LanguageCode of the server */
export const LANGUAGES: readonly string[] =
  'JAVA CPP DOTNET PYTHON DELPHI ERLANG RUBY OTHER HTTP GO PHP OMS RUST NODE_JS'.split(' ');

/** A frame to write. */
export type OutgoingFrame = UnnumberedFrame & Pick<RemotingFrame, 'opaque'>;

/** The largest frame that a client reads: far above any expected answer, far below what could exhaust memory. */
export const MAX_FRAME_BYTES = 32 * 1024 * 1024;

const NO_BODY = Buffer.alloc(0);
const LENGTH_BYTES = 4;
const PREFIX_BYTES = 2 * LENGTH_BYTES;
/** A UTF-16 code unit takes up to three bytes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;
const RESPONSE_FLAG = 1;
const ONE_WAY_FLAG = 2;
/** Of 5.1.0. Servers treat clients up to 4.9.3 and from 5.3.1 on in ways that this library does not use. */
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
  const { body = NO_BODY } = frame;
  const header = Buffer.from(headerOf(frame, frame.opaque));
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + header.length + body.length);
  writePrefix(bytes, 0, header.length, body.length);
  header.copy(bytes, PREFIX_BYTES);
  body.copy(bytes, PREFIX_BYTES + header.length);
  return bytes;
}

/** Writes what {@link encodeFrame} returns, with one copy less. */
export function writeFrame(output: SocketOutput, frame: UnnumberedFrame, opaque: number): void {
  const { body: given = NO_BODY, isBodyFinal = false } = frame;
  // The caller may change the body while the socket has not taken it. Copied first: a header without its body would spoil the connection.
  const body = isBodyFinal || given.length <= COPIED_BYTES ? given : Buffer.from(given);
  const header = headerOf(frame, opaque);
  const room = output.reserve(PREFIX_BYTES + MAX_BYTES_PER_UNIT * header.length);
  const at = output.position;
  const headerBytes = room.write(header, at + PREFIX_BYTES);
  writePrefix(room, at, headerBytes, body.length);
  output.advance(at + PREFIX_BYTES + headerBytes);
  output.write(body);
}

function writePrefix(bytes: Buffer, at: number, headerBytes: number, bodyBytes: number): void {
  bytes.writeInt32BE(LENGTH_BYTES + headerBytes + bodyBytes, at);
  bytes.writeInt32BE(headerBytes, at + LENGTH_BYTES);
}

/** By hand around the fields: one JSON.stringify over all costs half as much again, and this runs for every request. */
function headerOf(frame: UnnumberedFrame, opaque: number): string {
  const { code, isResponse = false, isOneWay = false, version = VERSION, language = 'JAVA' } = frame;
  const { remark = '', fields = '{}' } = frame;
  const extFields = typeof fields === 'string' ? fields : JSON.stringify(fields);
  const flag = (isResponse ? RESPONSE_FLAG : 0) | (isOneWay ? ONE_WAY_FLAG : 0);
  const said = remark === '' ? '' : `"remark":${JSON.stringify(remark)},`;
  return `{"code":${code},"language":"${language}","version":${version},"opaque":${opaque},"flag":${flag},${said}"extFields":${extFields},"serializeTypeCurrentRPC":"JSON"}`;
}

/** Assembles frames from the chunks of one connection. After an error the rest of the stream cannot be read. */
export class FrameDecoder {
  private readonly frames: MessageAssembler;

  constructor(maxFrameBytes: number = MAX_FRAME_BYTES, receiver?: Receiver) {
    const lengthAt = (bytes: Buffer, at: number): number => checkedLength(bytes.readInt32BE(at), maxFrameBytes);
    this.frames = new MessageAssembler(LENGTH_BYTES, lengthAt, receiver);
  }

  /** The memory that an incomplete frame takes, in bytes. */
  get heldBytes(): number {
    return this.frames.heldBytes;
  }

  /**
   * The frames that this chunk completes, in order.
   * @throws MalformedFrame when the bytes are not a valid frame or the frame is larger than the limit
   */
  push(chunk: Buffer): RemotingFrame[] {
    return this.frames.push(chunk).map(decodeFrame);
  }
}

/** What an answer of HTTP/1 begins with, read as a length. */
const HTTP = Buffer.from('HTTP').readInt32BE();

function checkedLength(length: number, maxFrameBytes: number): number {
  if (length >= LENGTH_BYTES && length <= maxFrameBytes) return length;
  if (length === HTTP) throw new MalformedFrame('HTTP/1.1');
  throw new MalformedFrame(`a frame of ${length} bytes (allowed: ${LENGTH_BYTES} to ${maxFrameBytes})`);
}

/** How a header is written: a server uses its own setting for its requests, and newer ones also for their answers. */
const [JSON_HEADER, BINARY_HEADER] = [0, 1];

function decodeFrame(frame: Buffer): RemotingFrame {
  const mark = frame.readUInt32BE(0);
  const serialization = mark >>> 24;
  const bodyStart = LENGTH_BYTES + (mark & 0xff_ff_ff);
  if (bodyStart > frame.length) throw new MalformedFrame('a header that is longer than its frame');
  // Most answers have no body, and each view is an object more for the collector.
  const body = bodyStart === frame.length ? NO_BODY : frame.subarray(bodyStart);
  if (serialization === BINARY_HEADER) return { ...binaryHeader(frame.subarray(LENGTH_BYTES, bodyStart)), body };
  if (serialization !== JSON_HEADER) throw new MalformedFrame(`a header in serialization ${serialization}`);
  const { code, opaque, flag, version, language, remark, extFields } = parseHeader(
    frame.toString('utf8', LENGTH_BYTES, bodyStart),
  );
  if (typeof code !== 'number' || typeof opaque !== 'number')
    throw new MalformedFrame('a header without code or opaque');
  return {
    code,
    opaque,
    isResponse: hasFlag(flag, RESPONSE_FLAG),
    isOneWay: hasFlag(flag, ONE_WAY_FLAG),
    version: typeof version === 'number' ? version : 0,
    language: typeof language === 'string' ? language : undefined,
    remark: typeof remark === 'string' ? remark : '',
    fields: textsOf(extFields),
    body,
  };
}

function hasFlag(flags: unknown, flag: number): boolean {
  return typeof flags === 'number' && (flags & flag) !== 0;
}

/** @see RocketMQSerializable of the server */
function binaryHeader(header: Buffer): Omit<RemotingFrame, 'body'> {
  let at = 0;
  const take = (bytes: number): Buffer => {
    if (bytes < 0 || at + bytes > header.length) throw new MalformedFrame('a binary header that ends within a field');
    at += bytes;
    return header.subarray(at - bytes, at);
  };
  const code = take(2).readUInt16BE();
  const language = LANGUAGES[take(1).readUInt8()];
  const version = take(2).readInt16BE();
  const opaque = take(4).readInt32BE();
  const flags = take(4).readInt32BE();
  const remark = take(take(4).readInt32BE()).toString('utf8');
  const end = take(4).readInt32BE() + at;
  if (end > header.length) throw new MalformedFrame('a binary header that ends within a field');
  const fields: [string, string][] = [];
  while (at < end) {
    const name = take(take(2).readInt16BE()).toString('utf8');
    fields.push([name, take(take(4).readInt32BE()).toString('utf8')]);
  }
  return {
    code,
    opaque,
    isResponse: hasFlag(flags, RESPONSE_FLAG),
    isOneWay: hasFlag(flags, ONE_WAY_FLAG),
    version,
    language,
    remark,
    fields: Object.fromEntries(fields),
  };
}

function parseHeader(text: string): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(text);
    if (typeof header === 'object' && header !== null) return header as Record<string, unknown>;
  } catch (cause) {
    throw new MalformedFrame('a header that is not JSON', { cause });
  }
  throw new MalformedFrame('a header that is not a JSON object');
}

function textsOf(extFields: unknown): Record<string, string> {
  if (typeof extFields !== 'object' || extFields === null) return {};
  if (isOfTexts(extFields)) return extFields;
  const entries = Object.entries(extFields);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

function isOfTexts(fields: object): fields is Record<string, string> {
  if (Array.isArray(fields)) return false;
  // Not by Object.values: this runs for every answer.
  for (const name in fields) if (typeof (fields as Record<string, unknown>)[name] !== 'string') return false;
  return true;
}
