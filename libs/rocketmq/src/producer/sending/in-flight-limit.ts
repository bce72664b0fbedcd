// How much a producer has under way at once, and who comes next when there is room again.

import { abortReason } from '../../support/abort.js';

/** How much may be under way. */
export interface InFlightBounds {
  readonly maxCount: number;
  readonly maxBytes: number;
}

/** Room that was taken. */
export class Room {
  private isInside = true;

  /** @param held bytes @param giveBack takes back bytes, and the place when it is `left` */
  constructor(
    private held: number,
    private readonly limit: { giveBack(bytes: number, left: boolean): void },
  ) {}

  /** Gives back what is not needed after all. */
  shrinkTo(bytes: number): void {
    if (!this.isInside || bytes >= this.held) return;
    const freed = this.held - bytes;
    this.held = bytes;
    this.limit.giveBack(freed, false);
  }

  /** Gives all of it back. Later calls do nothing. */
  leave(): void {
    if (!this.isInside) return;
    this.isInside = false;
    this.limit.giveBack(this.held, true);
  }
}

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/** Counts what is under way. Room is given in the order of asking: what is small does not overtake what is large. */
export class InFlightLimit {
  private count = 0;
  private bytes = 0;
  private readonly waiters = new Set<Waiter>();

  constructor(private readonly bounds: InFlightBounds) {}

  /**
   * Takes room if there is any and nobody waits for it. What is larger than the bound goes alone.
   * @returns undefined when there is none
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
        // Whoever stood behind a large one may fit.
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
  giveBack(bytes: number, left: boolean): void {
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
