// Collects bytes that arrive in chunks into a separate buffer.

/** The initial capacity; enough for a few small chunks. */
const FIRST_ROOM_BYTES = 256;
/** The capacity per byte received so far. With more, a few bytes could reserve much memory; with less, large messages would be copied often. */
const GROWTH = 4;
const NOTHING = Buffer.alloc(0);

/**
 * Copies chunks. However small they are, it uses at most four times the bytes that it received. Keeping the chunks themselves would
 * cost an object each, and each could retain the whole buffer that it was read into.
 */
export class GatheredBytes {
  private room: Buffer = NOTHING;
  private used = 0;

  /** How many bytes were added. */
  get length(): number {
    return this.used;
  }

  /** What was added so far, where it is kept: valid until the next call. */
  get bytes(): Buffer {
    return this.room.subarray(0, this.used);
  }

  /** How much memory is allocated, in bytes. */
  get roomBytes(): number {
    return this.room.length;
  }

  /** Copies a chunk. @param wantedBytes the expected total, as far as it is known: never allocates more than that in advance */
  add(piece: Uint8Array, wantedBytes: number): void {
    const bytes = this.used + piece.length;
    if (bytes > this.room.length) this.grow(bytes, wantedBytes);
    this.room.set(piece, this.used);
    this.used = bytes;
  }

  /** Returns all bytes and resets. */
  take(): Buffer {
    const { bytes } = this;
    this.room = NOTHING;
    this.used = 0;
    return bytes;
  }

  private grow(bytes: number, wantedBytes: number): void {
    const ahead = Math.min(wantedBytes, Math.max(GROWTH * bytes, FIRST_ROOM_BYTES));
    const room = Buffer.allocUnsafeSlow(Math.max(bytes, ahead));
    this.room.copy(room, 0, 0, this.used);
    this.room = room;
  }
}
