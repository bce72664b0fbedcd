// Fields of protobuf messages, read from a buffer. For the answers that every message pays for; all others, and what is unusual
// in these, are read by the generated code.

export const VARINT = 0;
export const BYTES = 2;
/** The wire types of messages whose fields are all alike. */
export const allBytes = (): number => BYTES;
export const allVarints = (): number => VARINT;

/** Thrown by readers: the generated code is to read it. */
export const UNUSUAL = Symbol('unusual');

/** Sets a property of its own, whatever its name: an assignment to `__proto__` sets nothing. */
export function setOwn(entries: Record<string, string>, name: string, value: string): void {
  if (name !== '__proto__') entries[name] = value;
  else Object.defineProperty(entries, name, { value, enumerable: true, configurable: true, writable: true });
}

/** What `read` makes of the bytes, or the generated code where that finds something unusual. */
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
    private readonly end: number,
  ) {}

  get isAtEnd(): boolean {
    return this.at === this.end;
  }

  /** A number that is not negative and exact. */
  varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 42; factor *= 128) {
      if (this.at >= this.end) throw UNUSUAL;
      const byte = this.bytes[this.at++] as number;
      if (byte < 128) return value + byte * factor;
      value += (byte - 128) * factor;
    }
    throw UNUSUAL;
  }

  int32(): number {
    const value = this.varint();
    if (value >= 2 ** 31) throw UNUSUAL;
    return value;
  }

  /** The number of the next field, whose wire type must be the one that the protocol says. */
  field(wireTypeOf: (field: number) => number): number {
    const tag = this.varint();
    const field = tag >>> 3;
    if ((tag & 7) !== wireTypeOf(field)) throw UNUSUAL;
    return field;
  }

  text(): string {
    const start = this.skip();
    return start === this.at ? '' : this.bytes.toString('utf8', start, this.at);
  }

  /** A copy: a message may be held for long, and the piece that it came in is larger. */
  copy(): Buffer {
    const start = this.skip();
    const copy = Buffer.allocUnsafe(this.at - start);
    this.bytes.copy(copy, 0, start, this.at);
    return copy;
  }

  /** A part of what is read: for bytes that are held as long as their messages. */
  view(): Buffer {
    const start = this.skip();
    return this.bytes.subarray(start, this.at);
  }

  /** The fields of a message inside this one. */
  inner(): WireReader {
    const start = this.skip();
    return new WireReader(this.bytes, start, this.at);
  }

  /** Goes behind what has a length. @returns where it began */
  private skip(): number {
    const length = this.varint();
    const start = this.at;
    if (length > this.end - start) throw UNUSUAL;
    this.at = start + length;
    return start;
  }
}
