// How much a consumer may hold: messages asked for or held, and their bytes. It holds no message itself.

import { type Abortable, onAbort, reasonOf } from '../support/abort-source.js';

/** Room for the messages of one poll, to be closed when the poll has ended. */
export interface Reservation {
  /** How many messages the poll may ask for; at least 1. */
  readonly count: number;
  /** Turns what came into held messages and gives the rest back. */
  close(bodyBytes: readonly number[]): void;
}

interface Waiter {
  readonly most: number;
  grant(reservation: Reservation): void;
}

/**
 * Bounds what is received and not yet settled. Messages are bounded strictly. Bytes are bounded by asking for no more messages
 * than fit if they are as large as those before them: a poll goes over the limit only by what is larger than expected, and
 * by one message where it could ask for none.
 */
export class BufferRoom {
  private reserved = 0;
  private heldMessages = 0;
  private heldBytes = 0;
  /** The size of a message, learned from those that came last; 0 before the first. */
  private typicalBytes = 0;
  private readonly waiters = new Set<Waiter>();

  constructor(
    private readonly maxMessages: number,
    private readonly maxBytes: number,
  ) {}

  /** Waits until at least one message fits, and reserves room for up to `most`. @throws the signal's reason */
  reserve(most: number, signal: Abortable): Promise<Reservation> {
    if (signal.aborted) return Promise.reject(reasonOf(signal));
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        most,
        grant: (reservation) => {
          unlisten();
          resolve(reservation);
        },
      };
      const unlisten = onAbort(signal, () => {
        this.waiters.delete(waiter);
        reject(reasonOf(signal));
      });
      this.waiters.add(waiter);
      this.serveWaiters();
    });
  }

  /** Says that held messages are larger now than they came. */
  unpacked(cameBytes: readonly number[], bodyBytes: readonly number[]): void {
    const grownBytes = sumOf(bodyBytes) - sumOf(cameBytes);
    if (grownBytes === 0) return;
    this.heldBytes += grownBytes;
    this.learn(bodyBytes);
  }

  /** Says that a held message has ended. @param bodyBytes its size at the end: unpacked, if it was */
  release(bodyBytes: number): void {
    this.heldMessages--;
    this.heldBytes -= bodyBytes;
    this.serveWaiters();
  }

  private serveWaiters(): void {
    for (const waiter of this.waiters) {
      const free = this.freeMessages();
      if (free < 1) return;
      this.waiters.delete(waiter);
      waiter.grant(this.reservation(Math.min(waiter.most, free)));
    }
  }

  private freeMessages(): number {
    const free = this.maxMessages - this.reserved - this.heldMessages;
    if (this.heldMessages > 0 && this.heldBytes >= this.maxBytes) return 0;
    // At least one: idle polls hold their room for long, and those of other topics must not wait for them.
    const leftBytes = this.maxBytes - this.heldBytes - this.reserved * this.typicalBytes;
    return Math.min(free, Math.max(1, Math.floor(leftBytes / Math.max(1, this.typicalBytes))));
  }

  private learn(bodyBytes: readonly number[]): void {
    if (bodyBytes.length === 0) return;
    const meanBytes = sumOf(bodyBytes) / bodyBytes.length;
    this.typicalBytes = this.typicalBytes === 0 ? meanBytes : (this.typicalBytes + meanBytes) / 2;
  }

  private reservation(count: number): Reservation {
    this.reserved += count;
    let open = true;
    return {
      count,
      close: (bodyBytes) => {
        if (!open) return;
        open = false;
        this.reserved -= count;
        this.heldMessages += bodyBytes.length;
        this.heldBytes += sumOf(bodyBytes);
        this.learn(bodyBytes);
        this.serveWaiters();
      },
    };
  }
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
