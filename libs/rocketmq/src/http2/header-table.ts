// The tables of HPACK (RFC 7541, section 2.3 and appendix A).

/** What an entry takes beside its strings (section 4.1). */
export const ENTRY_BYTES = 32;
/** The size of a dynamic table unless the peer sets another one. */
export const TABLE_BYTES = 4_096;

export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

const STATIC_TEXT =
  ':authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|:status 204|:status 206|:status 304|' +
  ':status 400|:status 404|:status 500|accept-charset|accept-encoding gzip, deflate|accept-language|accept-ranges|accept|' +
  'access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding|content-language|content-length|' +
  'content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|' +
  'if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|' +
  'server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate';

/** Entry 1 is the first. */
export const STATIC_FIELDS: readonly HeaderField[] = STATIC_TEXT.split('|').map((text) => {
  const space = text.indexOf(' ');
  return space < 0 ? { name: text, value: '' } : { name: text.slice(0, space), value: text.slice(space + 1) };
});

/** The newest entry has the lowest index; the oldest ones leave when there is no room. */
export class DynamicTable {
  /** Oldest first, from `first` on. */
  private entries: HeaderField[] = [];
  private first = 0;
  private usedBytes = 0;
  /** How many entries were inserted so far: the ordinal of the next one. */
  inserted = 0;

  /** @param onEvicted called with each entry that leaves, and its ordinal */
  constructor(
    private maxBytes = TABLE_BYTES,
    private readonly onEvicted: (field: HeaderField, ordinal: number) => void = () => {},
  ) {}

  get length(): number {
    return this.entries.length - this.first;
  }

  /** @param index 0 is the newest */
  at(index: number): HeaderField | undefined {
    return index < this.length ? this.entries[this.entries.length - 1 - index] : undefined;
  }

  /** @returns whether it fits at all; if not, the table is empty now */
  insert(field: HeaderField): boolean {
    const bytes = bytesOf(field);
    this.shrinkTo(this.maxBytes - bytes);
    if (bytes > this.maxBytes) return false;
    this.entries.push(field);
    this.usedBytes += bytes;
    this.inserted++;
    return true;
  }

  resize(maxBytes: number): void {
    this.maxBytes = maxBytes;
    this.shrinkTo(maxBytes);
  }

  private shrinkTo(bytes: number): void {
    while (this.usedBytes > bytes && this.length > 0) {
      const evicted = this.entries[this.first] as HeaderField;
      this.onEvicted(evicted, this.inserted - this.length);
      this.usedBytes -= bytesOf(evicted);
      this.first++;
    }
    if (this.first <= this.entries.length / 2) return;
    this.entries = this.entries.slice(this.first);
    this.first = 0;
  }
}

export function bytesOf({ name, value }: HeaderField): number {
  return name.length + value.length + ENTRY_BYTES;
}
