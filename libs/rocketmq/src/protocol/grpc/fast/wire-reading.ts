// Reads protobuf fields from a buffer, for the messages on the hot path. All other messages, and unusual fields in these, are read
// by the generated code.

import type { Resource, Status } from '../generated/apache/rocketmq/v2/definition.js';

/** Thrown by readers when the generated code must read the message. */
export const UNUSUAL = Symbol('unusual');

/** Defines an own property, whatever its name: an assignment to `__proto__` would not create one. */
export function setOwn(entries: Record<string, string>, name: string, value: string): void {
  if (name !== '__proto__') entries[name] = value;
  else Object.defineProperty(entries, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Decodes the bytes with `read`, or with the generated code if that finds something unusual. */
export function readOr<T>(bytes: Uint8Array, read: (reader: WireReader) => T, generated: (bytes: Uint8Array) => T): T {
  if (!Buffer.isBuffer(bytes)) return generated(bytes);
  try {
    return read(new WireReader(bytes, 0, bytes.length));
  } catch (thrown) {
    if (thrown !== UNUSUAL) throw thrown;
    return generated(bytes);
  }
}

/** Walks over the fields of one message. */
export class WireReader {
  constructor(
    private readonly bytes: Buffer,
    private at: number,
    private end: number,
  ) {}

  get isAtEnd(): boolean {
    return this.at === this.end;
  }

  /** The next field: its number and wire type as they are encoded, `number * 8 + type`. Readers compare it in hexadecimal. */
  tag(): number {
    return this.varint();
  }

  /** A non-negative safe integer. */
  varint(): number {
    const byte = this.at < this.end ? (this.bytes[this.at] as number) : 128;
    if (byte >= 128) return this.longVarint();
    this.at++;
    return byte;
  }

  int32(): number {
    const value = this.varint();
    if (value >= 2 ** 31) throw UNUSUAL;
    return value;
  }

  text(): string {
    const start = this.skip();
    return start === this.at ? '' : this.bytes.toString('utf8', start, this.at);
  }

  /** A view of the source, for bytes that are kept as long as their messages. */
  view(): Buffer {
    const start = this.skip();
    return this.bytes.subarray(start, this.at);
  }

  /** Reads a nested message with `read`, for which this reader ends where the message ends. `read` must read all of it, or throw. */
  inner<T>(read: (reader: WireReader) => T): T {
    const start = this.skip();
    const { at: innerEnd, end } = this;
    this.at = start;
    this.end = innerEnd;
    const message = read(this);
    this.end = end;
    return message;
  }

  private longVarint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 42; factor *= 128) {
      if (this.at >= this.end) throw UNUSUAL;
      const byte = this.bytes[this.at++] as number;
      if (byte < 128) return value + byte * factor;
      value += (byte - 128) * factor;
    }
    throw UNUSUAL;
  }

  /** Skips a length-delimited value. @returns its start offset */
  private skip(): number {
    const length = this.varint();
    const start = this.at;
    if (length > this.end - start) throw UNUSUAL;
    this.at = start + length;
    return start;
  }
}

export function resourceOf(reader: WireReader): Resource {
  const resource: Resource = { resourceNamespace: '', name: '' };
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 0x0a) resource.resourceNamespace = reader.text();
    else if (tag === 0x12) resource.name = reader.text();
    else throw UNUSUAL;
  }
  return resource;
}

export function statusOf(reader: WireReader): Status {
  const status: Status = { code: 0, message: '' };
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 0x08) status.code = reader.int32();
    else if (tag === 0x12) status.message = reader.text();
    else throw UNUSUAL;
  }
  return status;
}
