// Encodes and decodes messages as brokers store them and return them to tools: the format of properties, not their meaning.

import { kept } from '../../support/gathered-bytes.js';
import { toOffset } from '../model/offset.js';
import { encodeHost, hostHex } from './stored-host.js';

/** A message in the layout of the server's commit log. */
export interface StoredMessageFields {
  readonly topic: string;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly commitLogOffset: number;
  /** See {@link SYS_FLAGS}. */
  readonly sysFlag: number;
  readonly flag: number;
  readonly bodyCrc: number;
  readonly bornTimestampMs: number;
  /** `host:port`, or `[host]:port` for IPv6. */
  readonly bornHost: string;
  readonly storeTimestampMs: number;
  readonly storeHost: string;
  readonly reconsumeTimes: number;
  readonly preparedTransactionOffset: number;
  /** As stored: compressed if the flag is set. */
  readonly body: Buffer;
  readonly properties: ReadonlyMap<string, string>;
  /** How many bytes it takes in the commit log, with all fields; known once it was read. */
  readonly storeSize?: number;
}

/** Bits of `sysFlag`. @see MessageSysFlag of the server */
export const SYS_FLAGS = {
  compressed: 0x1,
  bornHostIPv6: 0x10,
  storeHostIPv6: 0x20,
  /** 0 and 3: zlib or gzip, 1: LZ4, 2: Zstandard. */
  compressionType: 0x700,
} as const;

/** The bytes are not a stored message. */
export class MalformedMessage extends Error {
  constructor(problem: string) {
    super(`not a stored message: ${problem}`);
    this.name = 'MalformedMessage';
  }
}

const MAGIC = 0xda_a3_20_a7;
/** The same with a topic name of up to 32767 bytes. */
const MAGIC_LONG_TOPIC = 0xda_a3_20_ab;
const NAME_END = '\u0001';
const PROPERTY_END = '\u0002';

/** Properties as `name 0x01 value 0x02 …`. */
export function encodeProperties(properties: Iterable<readonly [string, string]>): string {
  let text = '';
  for (const [name, value] of properties) text += encodeProperty(name, value);
  return text;
}

/** One of {@link encodeProperties}. */
export function encodeProperty(name: string, value: string | number): string {
  return `${name}${NAME_END}${value}${PROPERTY_END}`;
}

/**
 * A pair without a name or a value is skipped; a value can contain the separator after its name.
 * @see MessageDecoder.string2messageProperties of the server
 */
export function decodeProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  // By positions: this runs for every property of every message.
  let middle = text.indexOf(NAME_END);
  for (let at = 0; at < text.length && middle >= 0; ) {
    const found = text.indexOf(PROPERTY_END, at);
    const end = found < 0 ? text.length : found;
    if (middle > at && middle < end - 1) properties.set(text.slice(at, middle), text.slice(middle + 1, end));
    at = end + 1;
    if (middle < at) middle = text.indexOf(NAME_END, at);
  }
  return properties;
}

/**
 * Decodes consecutive messages, as in the answers to request codes 11 and 12.
 * @throws MalformedMessage
 * @see MessageDecoder of the server
 */
export function decodeStoredMessages(bytes: Buffer): StoredMessageFields[] {
  const messages: StoredMessageFields[] = [];
  const reader = new Reader(bytes);
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 4) throw new MalformedMessage('it ends within its size');
    const size = bytes.readInt32BE(at);
    if (size < 8 || at + size > bytes.length) throw new MalformedMessage(`a size of ${size} bytes`);
    reader.begin(at + 4, at + size);
    messages.push(decodeOne(reader, size));
    at += size;
  }
  return messages;
}

/** What a message has beside its hosts, body, topic and properties, and the lengths of topic and properties. */
const FIXED_BYTES = 72;

/** Encodes one message; `bodyCrc` and the host flags are derived from the fields. */
export function encodeStoredMessage(message: StoredMessageFields): Buffer {
  const { topic, body } = message;
  const topicBytes = Buffer.byteLength(topic);
  const isLong = topicBytes > 0x7f;
  const properties = encodeProperties(message.properties);
  const propertyBytes = Buffer.byteLength(properties);
  const [born, store] = [encodeHost(message.bornHost), encodeHost(message.storeHost)];
  const hosts = (born.length > 8 ? SYS_FLAGS.bornHostIPv6 : 0) | (store.length > 8 ? SYS_FLAGS.storeHostIPv6 : 0);
  const size =
    FIXED_BYTES + born.length + store.length + body.length + (isLong ? 2 : 1) + topicBytes + 2 + propertyBytes;
  // In one piece, because this runs for every message that a pull takes.
  const bytes = Buffer.allocUnsafe(size);
  let at = bytes.writeInt32BE(size);
  at = bytes.writeUInt32BE(isLong ? MAGIC_LONG_TOPIC : MAGIC, at);
  at = bytes.writeInt32BE(message.bodyCrc | 0, at);
  at = bytes.writeInt32BE(message.queueId | 0, at);
  at = bytes.writeInt32BE(message.flag | 0, at);
  at = writeLong(bytes, at, message.queueOffset);
  at = writeLong(bytes, at, message.commitLogOffset);
  at = bytes.writeInt32BE((message.sysFlag & ~(SYS_FLAGS.bornHostIPv6 | SYS_FLAGS.storeHostIPv6)) | hosts, at);
  at = writeLong(bytes, at, message.bornTimestampMs);
  at += born.copy(bytes, at);
  at = writeLong(bytes, at, message.storeTimestampMs);
  at += store.copy(bytes, at);
  at = bytes.writeInt32BE(message.reconsumeTimes | 0, at);
  at = writeLong(bytes, at, message.preparedTransactionOffset);
  at = bytes.writeInt32BE(body.length, at);
  at += body.copy(bytes, at);
  at = isLong ? bytes.writeUInt16BE(topicBytes, at) : bytes.writeUInt8(topicBytes, at);
  at += bytes.write(topic, at);
  at = bytes.writeUInt16BE(propertyBytes, at);
  bytes.write(properties, at);
  return bytes;
}

function decodeOne(reader: Reader, storeSize: number): StoredMessageFields {
  const magic = reader.int32() >>> 0;
  if (magic !== MAGIC && magic !== MAGIC_LONG_TOPIC) throw new MalformedMessage(`the mark ${magic.toString(16)}`);
  const bodyCrc = reader.int32();
  const queueId = reader.int32();
  const flag = reader.int32();
  const queueOffset = reader.offset();
  const commitLogOffset = reader.offset();
  const sysFlag = reader.int32();
  const bornTimestampMs = reader.timestampMs();
  const bornHost = reader.host((sysFlag & SYS_FLAGS.bornHostIPv6) !== 0, 0);
  const storeTimestampMs = reader.timestampMs();
  const storeHost = reader.host((sysFlag & SYS_FLAGS.storeHostIPv6) !== 0, 1);
  const reconsumeTimes = reader.int32();
  const preparedTransactionOffset = reader.offset();
  const body = kept(reader.bytes(reader.int32()));
  const topic = reader.text(magic === MAGIC ? reader.uint8() : reader.uint16());
  const properties = decodeProperties(reader.text(reader.uint16()));
  return {
    topic,
    queueId,
    queueOffset,
    commitLogOffset,
    sysFlag,
    flag,
    bodyCrc,
    bornTimestampMs,
    bornHost,
    storeTimestampMs,
    storeHost,
    reconsumeTimes,
    preparedTransactionOffset,
    body,
    properties,
    storeSize,
  };
}

/** An IPv4 address and its port, as numbers and as text. */
interface ReadHost {
  readonly address: number;
  readonly port: number;
  readonly text: string;
}

const NO_HOST: ReadHost = { address: 0, port: 0, text: '0.0.0.0:0' };

/** Reads fields in order. */
class Reader {
  private at = 0;
  private end = 0;
  /** The IPv4 hosts that were read last, of a client and a broker: most messages have the same. */
  private readonly hosts: [ReadHost, ReadHost] = [NO_HOST, NO_HOST];

  constructor(private readonly source: Buffer) {}

  /** Goes to a message. */
  begin(at: number, end: number): void {
    this.at = at;
    this.end = end;
  }

  /** Moves on. @returns where the field begins */
  private skip(length: number): number {
    const start = this.at;
    if (length < 0 || start + length > this.end) throw new MalformedMessage('it ends within a field');
    this.at += length;
    return start;
  }

  bytes(length: number): Buffer {
    const start = this.skip(length);
    return this.source.subarray(start, start + length);
  }

  text(length: number): string {
    const start = this.skip(length);
    return this.source.toString('utf8', start, start + length);
  }

  uint8(): number {
    return this.source.readUInt8(this.skip(1));
  }

  uint16(): number {
    return this.source.readUInt16BE(this.skip(2));
  }

  int32(): number {
    return this.source.readInt32BE(this.skip(4));
  }

  /** Like {@link toOffset}, without a BigInt for each: a sum that is not exact is beyond the largest one. */
  offset(): number {
    return Math.min(Math.max(this.timestampMs(), Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  }

  /** A number of 64 bits that is far below the largest one that JavaScript counts to. */
  timestampMs(): number {
    return this.int32() * 2 ** 32 + (this.int32() >>> 0);
  }

  /** @param place 0 of a client, 1 of a broker */
  host(isIPv6: boolean, place: 0 | 1): string {
    if (!isIPv6) {
      const [address, port] = [this.int32(), this.int32()];
      const last = this.hosts[place];
      if (last.address === address && last.port === port) return last.text;
      const text = `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}:${port}`;
      this.hosts[place] = { address, port, text };
      return text;
    }
    const groups = Array.from({ length: 8 }, () => this.uint16().toString(16));
    return `[${groups.join(':')}]:${this.int32()}`;
  }
}

/**
 * Identifies one stored copy of a message (RocketMQ: `offsetMsgId`), which `messageId` does not: host, port and log offset, as hex.
 * @see MessageDecoder.createMessageId of the server
 */
export function offsetMessageIdOf({
  storeHost,
  commitLogOffset,
}: Pick<StoredMessageFields, 'storeHost' | 'commitLogOffset'>): string {
  const offset = commitLogOffset < 0 ? BigInt.asUintN(64, BigInt(commitLogOffset)) : commitLogOffset;
  return (hostHex(storeHost) + offset.toString(16).padStart(16, '0')).toUpperCase();
}

/** The id that its client gave a message; where that is missing or blank, that of this copy, as proxies do. */
export function messageIdOf(stored: Pick<StoredMessageFields, 'storeHost' | 'commitLogOffset' | 'properties'>): string {
  const given = stored.properties.get('UNIQ_KEY') ?? '';
  return given.trim() === '' ? offsetMessageIdOf(stored) : given;
}

/** The offset in an {@link offsetMessageIdOf}, which is the only part that a broker uses; undefined for any other string. */
export function offsetInMessageId(offsetMessageId: string): number | undefined {
  const [, offset] = /^(?:[0-9A-Fa-f]{16}|[0-9A-Fa-f]{40})([0-9A-Fa-f]{16})$/.exec(offsetMessageId) ?? [];
  return offset === undefined ? undefined : toOffset(BigInt(`0x${offset}`));
}

const MAX_LONG = 2n ** 63n - 1n;

/** A decoded number as Java's long. The nearest number to the largest long is one more, which servers reject. */
export function longOf(value: number): bigint {
  const long = BigInt(value);
  return long > MAX_LONG ? MAX_LONG : long;
}

/** Without a BigInt for what a number counts exactly. @returns where it ends */
function writeLong(bytes: Buffer, at: number, value: number): number {
  if (!Number.isSafeInteger(value)) return bytes.writeBigInt64BE(longOf(value), at);
  return bytes.writeUInt32BE(value >>> 0, bytes.writeInt32BE(Math.floor(value / 2 ** 32), at));
}
