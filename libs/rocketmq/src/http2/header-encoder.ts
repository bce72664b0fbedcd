// Encodes header blocks (RFC 7541). Strings are not Huffman-coded: those of gRPC repeat, and a repeated field takes one byte.

import { bytesOf, DynamicTable, ENTRY_BYTES, STATIC_FIELDS, TABLE_BYTES } from './header-table.js';

/** The fields of one block; pseudo-header fields come first. */
export type Headers = Readonly<Record<string, string>>;

/** A field of more bytes would evict too much of what repeats. */
const MAX_INDEXED_BYTES = 512;
const FIRST_BLOCK_BYTES = 512;
/** A larger block gets a buffer of its own: the output passes large payloads on without copying them. */
const MAX_SHARED_BYTES = 4 * 1024;
/** The most bytes of an integer, for any that occurs here. */
const INTEGER_BYTES = 6;

const INDEXED = 0x80;
const INSERTED = 0x40;
const PLAIN = 0x00;
const SIZE_UPDATE = 0x20;

/** What is known of the fields of one name. */
interface Known {
  /** Its lowest index in the static table; 0 when it has none. */
  readonly index: number;
  readonly fixed: ReadonlyMap<string, number>;
  /** Ordinals in the dynamic table by value. */
  readonly inserted: Map<string, number>;
}

const NO_VALUES: ReadonlyMap<string, number> = new Map();
const STATIC = indexesByName();

/** The encoder of one connection. Blocks must be sent in the order in which they were encoded. */
export class HeaderEncoder {
  private readonly known = new Map<string, Known>();
  private readonly table = new DynamicTable(TABLE_BYTES, ({ name, value }, ordinal) => {
    const { inserted } = this.known.get(name) ?? {};
    if (inserted?.get(value) === ordinal) inserted.delete(value);
  });
  private block: Buffer = Buffer.allocUnsafeSlow(FIRST_BLOCK_BYTES);
  private at = 0;
  /** The smallest and the last size that the peer set since the last block. */
  private resized: { readonly least: number; readonly last: number } | undefined;

  /** @param unrepeated names of fields whose values do not repeat */
  constructor(private readonly unrepeated: ReadonlySet<string>) {}

  /** The peer sets the size of the table; it is used up to the size that it has anyway. */
  resize(bytes: number): void {
    const last = Math.min(bytes, TABLE_BYTES);
    this.resized = { least: Math.min(last, this.resized?.least ?? last), last };
    this.table.resize(last);
  }

  /**
   * @returns the block; one that is small is valid only until the next one is encoded
   * @throws TypeError when a value has a character that a header cannot have; the state of the connection is unchanged then
   */
  encode(parts: readonly Headers[]): Buffer {
    this.check(parts);
    this.at = 0;
    if (this.resized !== undefined) {
      const { least, last } = this.resized;
      this.resized = undefined;
      if (least < last) this.integer(SIZE_UPDATE, 5, least);
      this.integer(SIZE_UPDATE, 5, last);
    }
    for (const part of parts) for (const name in part) this.field(name, part[name] as string);
    const block = this.block.subarray(0, this.at);
    if (block.length > MAX_SHARED_BYTES) this.block = Buffer.allocUnsafeSlow(FIRST_BLOCK_BYTES);
    return block;
  }

  /** @throws TypeError as {@link encode} */
  check(parts: readonly Headers[]): void {
    for (const part of parts) for (const name in part) this.assertValid(name, part[name] as string);
  }

  private assertValid(name: string, value: string): void {
    const known = this.known.get(name);
    if (known !== undefined && (known.inserted.has(value) || known.fixed.has(value))) return;
    if (!/^[\x20-\x7e]*$/.test(value))
      throw new TypeError(`Header "${name}": only printable ASCII characters are allowed`);
  }

  private field(name: string, value: string): void {
    let known = this.known.get(name);
    if (known === undefined) {
      const { index, fixed } = STATIC.get(name) ?? { index: 0, fixed: NO_VALUES };
      known = { index, fixed, inserted: new Map() };
      this.known.set(name, known);
    }
    const fixed = known.fixed.get(value);
    const ordinal = fixed === undefined ? known.inserted.get(value) : undefined;
    if (fixed !== undefined) this.integer(INDEXED, 7, fixed);
    else if (ordinal !== undefined) this.integer(INDEXED, 7, this.indexOf(ordinal));
    else this.newField(known, name, value);
  }

  private newField(known: Known, name: string, value: string): void {
    const nameIndex = this.nameIndex(known);
    const field = { name, value };
    if (this.unrepeated.has(name) || bytesOf(field) > MAX_INDEXED_BYTES) {
      this.literal(PLAIN, 4, nameIndex, field);
      return;
    }
    this.literal(INSERTED, 6, nameIndex, field);
    if (this.table.insert(field)) known.inserted.set(value, this.table.inserted - 1);
  }

  private indexOf(ordinal: number): number {
    return STATIC_FIELDS.length + this.table.inserted - ordinal;
  }

  private nameIndex({ index, inserted }: Known): number {
    if (index !== 0) return index;
    for (const ordinal of inserted.values()) return this.indexOf(ordinal);
    return 0;
  }

  private literal(
    kind: number,
    prefixBits: number,
    nameIndex: number,
    { name, value }: { name: string; value: string },
  ): void {
    this.integer(kind, prefixBits, nameIndex);
    if (nameIndex === 0) this.text(name);
    this.text(value);
  }

  private text(text: string): void {
    this.integer(0, 7, text.length);
    this.reserve(text.length);
    this.at += this.block.write(text, this.at, 'latin1');
  }

  /** Section 5.1. */
  private integer(first: number, prefixBits: number, value: number): void {
    this.reserve(INTEGER_BYTES);
    const most = 2 ** prefixBits - 1;
    if (value < most) {
      this.block[this.at++] = first | value;
      return;
    }
    this.block[this.at++] = first | most;
    let rest = value - most;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.block[this.at++] = 128 | (rest & 127);
    this.block[this.at++] = rest;
  }

  private reserve(bytes: number): void {
    const needed = this.at + bytes + ENTRY_BYTES;
    if (needed <= this.block.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * needed);
    this.block.copy(larger, 0, 0, this.at);
    this.block = larger;
  }
}

/** The static table by name. */
function indexesByName(): ReadonlyMap<string, { readonly index: number; readonly fixed: ReadonlyMap<string, number> }> {
  const byName = new Map<string, { readonly index: number; readonly fixed: Map<string, number> }>();
  for (const [at, { name, value }] of STATIC_FIELDS.entries()) {
    const known = byName.get(name) ?? { index: at + 1, fixed: new Map() };
    known.fixed.set(value, known.fixed.get(value) ?? at + 1);
    byName.set(name, known);
  }
  return byName;
}
