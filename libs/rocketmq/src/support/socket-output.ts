// What a connection writes: the frames of one turn of the event loop go to the socket together. Each write costs more than a frame.

import type { Duplex } from 'node:stream';

/** The size of the first buffer that frames are written to, and of the largest one. */
const FIRST_ROOM_BYTES = 2 * 1024;
const MAX_ROOM_BYTES = 64 * 1024;
/** Larger payloads are passed on as they are. */
export const COPIED_BYTES = 8 * 1024;
/** Beyond it, data waits until the socket has written what it has. */
const CONGESTED_BYTES = 256 * 1024;

/** Writes to a socket. Protocols write their frames into its room: {@link reserve}, write from {@link position} on, {@link advance}. */
export class SocketOutput {
  private room: Buffer = NOTHING;
  /** The part of `room` that is not yet passed on. */
  private from = 0;
  private to = 0;
  private parts: Buffer[] = [];
  private partBytes = 0;
  /** Called when what was written before has left this process. */
  private waiters: ((isWritten: boolean) => void)[] = [];
  /** What was written since the last flush. */
  private turnBytes = 0;
  private isScheduled = false;
  private isEnded = false;
  private flushes = 0;
  /** The first flush of which the system took nothing. */
  private rejectedFlush = Number.POSITIVE_INFINITY;

  constructor(private readonly socket: Duplex) {}

  /** How many bytes have not left this process. */
  get waitingBytes(): number {
    return this.partBytes + this.to - this.from + this.socket.writableLength;
  }

  get isCongested(): boolean {
    return this.waitingBytes > CONGESTED_BYTES;
  }

  /** Which flush will write what is written now. */
  get nextFlush(): number {
    return this.flushes;
  }

  /** Whether nothing of a flush has left this process, because the socket was broken before it. */
  isRejected(flush: number): boolean {
    return flush >= this.rejectedFlush;
  }

  /** Room for at least so many bytes, from {@link position} on. Valid until the next call. */
  reserve(bytes: number): Buffer {
    if (this.room.length - this.to >= bytes) return this.room;
    this.passOn();
    // Connections that write little at a time hold little.
    const size = Math.min(Math.max(FIRST_ROOM_BYTES, 2 * (this.turnBytes + bytes)), MAX_ROOM_BYTES);
    this.room = Buffer.allocUnsafeSlow(Math.max(size, bytes));
    this.from = 0;
    this.to = 0;
    return this.room;
  }

  /** Where in the reserved room the next bytes belong. */
  get position(): number {
    return this.to;
  }

  /** Takes what was written to the reserved room. @param to where it ends */
  advance(to: number): void {
    if (this.isEnded) return;
    this.turnBytes += to - this.to;
    this.to = to;
    this.schedule();
  }

  /** Writes a part of `bytes`. More than {@link COPIED_BYTES} are not copied, so they must not change any more. */
  write(bytes: Buffer, start = 0, stop = bytes.length): void {
    const length = stop - start;
    if (length > COPIED_BYTES) this.raw(bytes.subarray(start, stop));
    else if (length > 0) {
      const room = this.reserve(length);
      this.advance(this.to + bytes.copy(room, this.to, start, stop));
    }
  }

  /** Writes bytes without a copy. */
  raw(bytes: Buffer): void {
    this.passOn();
    this.add(bytes);
    this.schedule();
  }

  /** Calls back when the frames so far have left this process: with false when the socket broke before. */
  whenWritten(callback: (isWritten: boolean) => void): void {
    this.waiters.push(callback);
    this.schedule();
  }

  /** Writes everything now. */
  flush(): void {
    this.isScheduled = false;
    this.turnBytes = 0;
    this.passOn();
    if (this.room.length > MAX_ROOM_BYTES) this.release();
    const { parts, waiters, socket } = this;
    if (parts.length === 0 && waiters.length === 0) return;
    const done = waiters.length === 0 ? undefined : (error?: Error | null) => settle(waiters, socket, error);
    this.parts = [];
    this.partBytes = 0;
    if (done !== undefined) this.waiters = [];
    const flush = this.flushes++;
    if (this.isEnded || socket.destroyed || socket.writableEnded) {
      done?.(new Error('the connection has ended'));
      return;
    }
    const wasEmpty = socket.writableLength === 0;
    const last = parts.pop() ?? NOTHING;
    if (parts.length === 0) socket.write(last, done);
    else {
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.write(last, done);
      socket.uncork();
    }
    // An error that is there at once is of the first attempt; after a part was taken, it would come later.
    const isRejected = wasEmpty && socket.errored !== null && socket.errored !== undefined;
    if (isRejected) this.rejectedFlush = Math.min(this.rejectedFlush, flush);
  }

  /** Writes everything, and nothing after it. */
  end(): void {
    if (this.isEnded) return;
    this.flush();
    this.isEnded = true;
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    process.nextTick(flush, this);
  }

  /** An unusually large room is not kept for as long as the connection lives. */
  private release(): void {
    this.room = NOTHING;
    this.from = 0;
    this.to = 0;
  }

  private passOn(): void {
    if (this.to === this.from) return;
    this.add(this.room.subarray(this.from, this.to));
    this.from = this.to;
  }

  private add(part: Buffer): void {
    this.parts.push(part);
    this.partBytes += part.length;
  }
}

const NOTHING = Buffer.alloc(0);

/** A write that the end of a socket interrupts reports no error. */
function settle(
  waiters: readonly ((isWritten: boolean) => void)[],
  socket: Duplex,
  error: Error | null | undefined,
): void {
  const isWritten = (error === undefined || error === null) && !socket.destroyed;
  for (const waiter of waiters) waiter(isWritten);
}

function flush(output: SocketOutput): void {
  output.flush();
}
