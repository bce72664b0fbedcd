// Decodes header blocks (RFC 7541).

import { HTTP2_CODE, Http2Error } from './frames.js';
import type { Headers } from './header-encoder.js';
import { bytesOf, DynamicTable, type HeaderField, STATIC_FIELDS, TABLE_BYTES } from './header-table.js';
import { decodeHuffman } from './huffman.js';

/** The largest size of a block that is looked up instead of decoded. Those that repeat consist of indexes. */
const KNOWN_BYTES = 64;
/** How many blocks are remembered. */
const MAX_KNOWN = 64;
/** Larger integers occur in no valid block. */
const MAX_INTEGER = 2 ** 24;

/** The result of one block. */
interface HeaderBlock {
  readonly headers: Headers;
  /** The code to reset its stream with: its message is malformed (RFC 9113, section 8) or too large. */
  readonly rejection: number | undefined;
}

/** The decoder of one connection. Blocks must be decoded in the order in which they arrive, those of closed streams as well. */
export class HeaderDecoder {
  private readonly table = new DynamicTable();
  /** Blocks since the table changed last. */
  private readonly known = new Map<string, HeaderBlock>();
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;

  /** @param maxListBytes the size of the fields of one block, as the RFC counts it */
  constructor(private readonly maxListBytes: number) {}

  /** @throws Http2Error COMPRESSION_ERROR: what follows on the connection cannot be read */
  decode(block: Buffer): HeaderBlock {
    const key = block.length <= KNOWN_BYTES ? block.toString('latin1') : undefined;
    const found = key === undefined ? undefined : this.known.get(key);
    if (found !== undefined) return found;
    const { inserted } = this.table;
    const decoded = this.decodeNew(block);
    if (this.table.inserted !== inserted) this.known.clear();
    else if (key !== undefined && this.known.size < MAX_KNOWN) this.known.set(key, decoded);
    return decoded;
  }

  private decodeNew(block: Buffer): HeaderBlock {
    this.bytes = block;
    this.at = 0;
    const headers: Record<string, string> = Object.create(null);
    let listBytes = 0;
    let rejection: number | undefined;
    let isAfterPseudo = false;
    let mayResize = true;
    while (this.at < block.length) {
      const first = block[this.at] as number;
      if ((first & 0xe0) === 0x20) {
        if (!mayResize) throw invalid('the table is resized within a block');
        this.resize(this.integer(5));
        continue;
      }
      mayResize = false;
      const field = this.field(first);
      listBytes += bytesOf(field);
      // The rest is decoded all the same, because it changes the table.
      if (listBytes > this.maxListBytes) rejection ??= HTTP2_CODE.enhanceYourCalm;
      else if (isMalformed(field, isAfterPseudo, headers)) rejection ??= HTTP2_CODE.protocolError;
      if (!field.name.startsWith(':')) isAfterPseudo = true;
      if (rejection === undefined) add(headers, field);
    }
    this.bytes = NOTHING;
    return { headers, rejection };
  }

  private field(first: number): HeaderField {
    if ((first & 0x80) !== 0) return this.entry(this.integer(7));
    const isInserted = (first & 0x40) !== 0;
    const nameIndex = this.integer(isInserted ? 6 : 4);
    const name = nameIndex === 0 ? this.text() : this.entry(nameIndex).name;
    const field = { name, value: this.text() };
    if (isInserted && !this.table.insert(field)) this.known.clear();
    return field;
  }

  private entry(index: number): HeaderField {
    const found =
      index <= STATIC_FIELDS.length ? STATIC_FIELDS[index - 1] : this.table.at(index - STATIC_FIELDS.length - 1);
    if (found === undefined) throw invalid(`a header has the index ${index}, which does not exist`);
    return found;
  }

  private resize(bytes: number): void {
    if (bytes > TABLE_BYTES) throw invalid(`the table is resized to ${bytes} bytes; the limit is ${TABLE_BYTES}`);
    this.table.resize(bytes);
    this.known.clear();
  }

  private text(): string {
    if (this.at >= this.bytes.length) throw truncated();
    const isHuffman = ((this.bytes[this.at] as number) & 0x80) !== 0;
    const length = this.integer(7);
    const from = this.at;
    if (length > this.bytes.length - from) throw truncated();
    this.at = from + length;
    return isHuffman ? decodeHuffman(this.bytes, from, this.at) : this.bytes.toString('latin1', from, this.at);
  }

  private integer(prefixBits: number): number {
    const most = 2 ** prefixBits - 1;
    let value = (this.bytes[this.at++] as number) & most;
    if (value < most) return value;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw truncated();
      value += (byte & 127) * factor;
      if (value > MAX_INTEGER || factor > MAX_INTEGER) throw invalid('a header has an integer that is too large');
      if (byte < 128) return value;
    }
  }
}

const NOTHING = Buffer.alloc(0);

function add(headers: Record<string, string>, { name, value }: HeaderField): void {
  const before = headers[name];
  headers[name] = before === undefined ? value : `${before}, ${value}`;
}

/** Fields of HTTP/1 that an intermediary would act on (RFC 9113, section 8.2.2). */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

function isMalformed({ name, value }: HeaderField, isAfterPseudo: boolean, headers: Headers): boolean {
  if (name.startsWith(':')) return isAfterPseudo || name in headers;
  if (name === '' || /[^\x21-\x7e]|[A-Z]/.test(name)) return true;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are not allowed
  if (/[\x00\r\n]/.test(value)) return true;
  return OF_CONNECTIONS.has(name) || (name === 'te' && value !== 'trailers');
}

function invalid(why: string): Http2Error {
  return new Http2Error(HTTP2_CODE.compressionError, why);
}

function truncated(): Http2Error {
  return invalid('a header block ends within a header');
}
