// Bytes that arrive in pieces, put together in memory of their own.

/** The first room, so that a few small pieces need one. */
const FIRST_ROOM_BYTES = 256;
/** How much room is made for what was given so far. More would let a few bytes take much; less would copy large messages again and again. */
const GROWTH = 4;
const NOTHING = Buffer.alloc(0);

/**
 * Copies pieces. However small they are, it takes at most four times what it was given. A piece itself costs an object, and may hold
 * on to the whole buffer that it was read into.
 */
export class GatheredBytes {
  private room: Buffer = NOTHING;
  private used = 0;

  /** How many bytes were given. */
  get length(): number {
    return this.used;
  }

  /** How much memory is taken. */
  get roomBytes(): number {
    return this.room.length;
  }

  /** Copies a piece. @param wantedBytes how many there will be in the end, as far as is known: no more room than that is made in advance */
  add(piece: Uint8Array, wantedBytes: number): void {
    const bytes = this.used + piece.length;
    if (bytes > this.room.length) this.grow(bytes, wantedBytes);
    this.room.set(piece, this.used);
    this.used = bytes;
  }

  /** All of it, and begins anew. */
  take(): Buffer {
    const bytes = this.room.subarray(0, this.used);
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
