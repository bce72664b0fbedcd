// How much a producer has under way at once, and who comes next when there is room again.

import { abortReason } from '../support/abort.js';

/** How much may be under way. */
export interface InFlightBounds {
  readonly maxCount: number;
  readonly maxBytes: number;
}

/** Room that was taken. */
export interface Room {
  /** Gives back what is not needed after all. */
  shrinkTo(bytes: number): void;
  /** Gives all of it back. Later calls do nothing. */
  leave(): void;
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

  private admit(bytes: number): Room {
    this.count++;
    this.bytes += bytes;
    let held = bytes;
    let isInside = true;
    const holdOnly = (fewer: number): void => {
      this.bytes -= held - fewer;
      held = fewer;
      this.admitNext();
    };
    return {
      shrinkTo: (fewer) => {
        if (isInside && fewer < held) holdOnly(fewer);
      },
      leave: () => {
        if (!isInside) return;
        isInside = false;
        this.count--;
        holdOnly(0);
      },
    };
  }

  private admitNext(): void {
    for (const waiter of this.waiters) {
      if (!this.hasRoom(waiter.bytes)) return;
      this.waiters.delete(waiter);
      waiter.admit();
    }
  }
}
