// Assembles messages from the chunks in which they arrive. What is incomplete is collected in a separate buffer.

/** The initial capacity; enough for a few small chunks. */
const FIRST_ROOM_BYTES = 256;
/**
 * The capacity per byte received so far. With more, a few bytes could reserve much memory; with less, large messages would be copied often.
 * Whoever sends to a server is anybody; what a client receives, it has asked for.
 */
const GROWTH = { server: 4, client: 64 };

/** Which side receives. */
export type Receiver = keyof typeof GROWTH;
const NOTHING = Buffer.alloc(0);

/**
 * Copies chunks. However small they are, a server uses at most four times the bytes that it received. Keeping the chunks themselves would
 * cost an object each, and each could retain the whole buffer that it was read into.
 */
export class GatheredBytes {
  private room: Buffer = NOTHING;
  private used = 0;

  constructor(private readonly receiver: Receiver = 'server') {}

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
    const ahead = Math.min(wantedBytes, Math.max(GROWTH[this.receiver] * bytes, FIRST_ROOM_BYTES));
    const room = Buffer.allocUnsafeSlow(Math.max(bytes, ahead));
    this.room.copy(room, 0, 0, this.used);
    this.room = room;
  }
}

/** What of received bytes can be kept for long: a copy, unless they are most of what they arrived in, which a view keeps as a whole. */
export function kept(view: Buffer): Buffer {
  return 2 * view.length >= view.buffer.byteLength ? view : Buffer.from(view);
}

/** Splits a stream of messages that each begin with a prefix of a fixed size, from which their length is known. */
export class MessageAssembler {
  private readonly held: GatheredBytes;
  /** The size of the incomplete message with its prefix, as far as it is known. */
  private neededBytes: number;

  /** @param lengthAt the length of the message whose prefix is at this position; throws to reject it before its bytes are kept */
  constructor(
    private readonly prefixBytes: number,
    private readonly lengthAt: (bytes: Buffer, at: number) => number,
    receiver: Receiver = 'server',
  ) {
    this.held = new GatheredBytes(receiver);
    this.neededBytes = prefixBytes;
  }

  /** Whether the stream so far ends in the middle of a message. */
  get isInMessage(): boolean {
    return this.held.length > 0;
  }

  /** The memory that the incomplete message takes, in bytes. */
  get heldBytes(): number {
    return this.held.roomBytes;
  }

  /** Takes the next chunk. @returns the messages that it completes, without their prefixes */
  push(chunk: Buffer): Buffer[] {
    const { prefixBytes } = this;
    const messages: Buffer[] = [];
    let at = 0;
    // Only what completes the message that has begun is copied; the rest of a chunk is read where it is.
    while (this.held.length > 0 && at < chunk.length) {
      const end = Math.min(chunk.length, at + this.neededBytes - this.held.length);
      this.held.add(chunk.subarray(at, end), this.neededBytes);
      at = end;
      if (this.held.length === prefixBytes) this.neededBytes += this.lengthAt(this.held.bytes, 0);
      if (this.held.length === this.neededBytes) messages.push(this.held.take().subarray(prefixBytes));
    }
    if (at < chunk.length) this.read(chunk, at, messages);
    return messages;
  }

  /** Drops an incomplete message. */
  drop(): void {
    this.held.take();
  }

  private read(bytes: Buffer, from: number, messages: Buffer[]): void {
    let at = from;
    this.neededBytes = this.prefixBytes;
    while (bytes.length - at >= this.prefixBytes) {
      const start = at + this.prefixBytes;
      const length = this.lengthAt(bytes, at);
      if (bytes.length - start < length) {
        this.neededBytes = this.prefixBytes + length;
        break;
      }
      at = start + length;
      messages.push(bytes.subarray(start, at));
    }
    if (at < bytes.length) this.held.add(bytes.subarray(at), this.neededBytes);
  }
}
