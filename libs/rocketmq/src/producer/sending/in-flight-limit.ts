// Limits how much a producer has in flight, and queues sends until there is room.

import { abortReason } from '../../support/abort.js';

/** The limits. */
interface InFlightBounds {
  readonly maxCount: number;
  readonly maxBytes: number;
}

/** Reserved room. */
export class Room {
  private isInside = true;

  /** @param held reserved bytes @param release releases bytes, and also the place if `left` */
  constructor(
    private held: number,
    private readonly limit: { release(bytes: number, left: boolean): void },
  ) {}

  /** Releases bytes that are not needed. */
  shrinkTo(bytes: number): void {
    if (!this.isInside || bytes >= this.held) return;
    const freed = this.held - bytes;
    this.held = bytes;
    this.limit.release(freed, false);
  }

  /** Releases all of it. Later calls do nothing. */
  leave(): void {
    if (!this.isInside) return;
    this.isInside = false;
    this.limit.release(this.held, true);
  }
}

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/** Counts messages in flight. Room is granted in the order of the calls: small messages do not overtake large ones. */
export class InFlightLimit {
  private count = 0;
  private bytes = 0;
  private readonly waiters = new Set<Waiter>();

  constructor(private readonly bounds: InFlightBounds) {}

  /**
   * Reserves room if it is available and nobody waits for it. A message larger than the limit is sent alone.
   * @returns undefined if there is no room
   */
  tryEnter(bytes: number): Room | undefined {
    return this.waiters.size === 0 && this.hasRoom(bytes) ? this.admit(bytes) : undefined;
  }

  /** Waits for room. @throws the signal's reason when it aborts first */
  enter(bytes: number, signal: AbortSignal): Promise<Room> {
    if (signal.aborted) return Promise.reject(abortReason(signal));
    const room = this.tryEnter(bytes);
    if (room !== undefined) return Promise.resolve(room);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        bytes,
        admit: () => {
          signal.removeEventListener('abort', onAbort);
          resolve(this.admit(bytes));
        },
      };
      const onAbort = (): void => {
        this.waiters.delete(waiter);
        // The next waiters may fit although the large one before them did not.
        this.admitNext();
        reject(abortReason(signal));
      };
      this.waiters.add(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  private hasRoom(bytes: number): boolean {
    if (this.count === 0) return true;
    return this.count < this.bounds.maxCount && this.bytes + bytes <= this.bounds.maxBytes;
  }

  /** @internal for a {@link Room} */
  release(bytes: number, left: boolean): void {
    this.bytes -= bytes;
    if (left) this.count--;
    if (this.waiters.size > 0) this.admitNext();
  }

  private admit(bytes: number): Room {
    this.count++;
    this.bytes += bytes;
    return new Room(bytes, this);
  }

  private admitNext(): void {
    for (const waiter of this.waiters) {
      if (!this.hasRoom(waiter.bytes)) return;
      this.waiters.delete(waiter);
      waiter.admit();
    }
  }
}
