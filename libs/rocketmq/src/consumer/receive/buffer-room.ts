// How much a consumer may hold: messages asked for or held, and their bytes. It holds no message itself.

import { type Abortable, onAbort, reasonOf } from '../../support/abort-source.js';
import { ExpectedSize } from './expected-size.js';

/** Room for the messages of one poll, to be closed when the poll has ended. */
export interface Reservation {
  /** How many messages the poll may ask for; at least 1. */
  readonly count: number;
  /**
   * Books a message that came. May be passed on by itself.
   * @param isPacked whether its size says nothing of how large such messages are. Default false
   * @returns whether another one may come: false once the bytes are over the limit and more were asked for
   */
  readonly add: (bodyBytes: number, isPacked?: boolean) => boolean;
  /** Gives back what came, when it is not kept. */
  drop(): void;
  /** Gives back what the poll did not use. Repeating it does nothing. */
  close(): void;
}

/** What one held message takes beyond its size as it came, while it is unpacked. */
export interface Growth {
  /** Books the bytes, once they are known. */
  by(bytes: number): void;
  /** Gives them back. Repeating it does nothing. */
  end(): void;
}

interface PollWaiter {
  readonly most: number;
  grant(reservation: Reservation): void;
}

interface GrowthWaiter {
  grant(growth: Growth): void;
}

/**
 * Bounds what is received and not yet settled. Messages are bounded strictly, bytes by one message more than the limit:
 * - a poll asks for no more messages than fit if they are as large as those before them, and stops at the limit;
 * - packed messages are unpacked one after another, each once the bytes held are below the limit, or when it is the only one.
 */
export class BufferRoom {
  private reserved = 0;
  private heldMessages = 0;
  private heldBytes = 0;
  private readonly expected = new ExpectedSize();
  private growths = 0;
  /** Of these, whether one is being unpacked: nobody knows yet by how much it grows. */
  private isUnpacking = false;
  private readonly polls = new Set<PollWaiter>();
  private readonly growing = new Set<GrowthWaiter>();

  constructor(
    private readonly maxMessages: number,
    private readonly maxBytes: number,
  ) {}

  /** Waits until at least one message fits, and reserves room for up to `most`. @throws the signal's reason */
  reserve(most: number, signal: Abortable): Promise<Reservation> {
    return this.queued(this.polls, signal, (grant) => ({ most, grant }));
  }

  /** Waits until a held message may be unpacked. @throws the signal's reason */
  grow(signal: Abortable): Promise<Growth> {
    return this.queued(this.growing, signal, (grant) => ({ grant }));
  }

  /** Says that a held message has ended. @param bodyBytes its size as it came */
  release(bodyBytes: number): void {
    this.heldMessages--;
    this.heldBytes -= bodyBytes;
    this.serve();
  }

  private queued<T, W>(queue: Set<W>, signal: Abortable, waiterOf: (grant: (granted: T) => void) => W): Promise<T> {
    if (signal.aborted) return Promise.reject(reasonOf(signal));
    return new Promise((resolve, reject) => {
      const waiter = waiterOf((granted) => {
        unlisten();
        resolve(granted);
      });
      const unlisten = onAbort(signal, () => {
        queue.delete(waiter);
        reject(reasonOf(signal));
      });
      queue.add(waiter);
      this.serve();
    });
  }

  /** What is held comes first: a message that cannot be unpacked would be held for longer. */
  private serve(): void {
    for (const waiter of this.growing) {
      if (this.isUnpacking || (this.growths > 0 && this.heldBytes >= this.maxBytes)) break;
      this.growing.delete(waiter);
      waiter.grant(this.growth());
    }
    for (const waiter of this.polls) {
      const free = this.freeMessages();
      if (free < 1) return;
      this.polls.delete(waiter);
      waiter.grant(this.reservation(Math.min(waiter.most, free)));
    }
  }

  private freeMessages(): number {
    const free = this.maxMessages - this.reserved - this.heldMessages;
    if (this.heldMessages > 0 && this.heldBytes >= this.maxBytes) return 0;
    // At least one: idle polls hold their room for long, and those of other topics must not wait for them.
    const leftBytes = this.maxBytes - this.heldBytes - this.reserved * this.expected.bytes;
    return Math.min(free, this.expected.countIn(leftBytes));
  }

  private reservation(count: number): Reservation {
    this.reserved += count;
    let [came, cameBytes] = [0, 0];
    let largestBytes: number | undefined;
    let open = true;
    return {
      count,
      add: (bodyBytes, isPacked = false) => {
        // A server that sends more than it was asked for takes room that nobody reserved.
        if (came < count) this.reserved--;
        came++;
        cameBytes += bodyBytes;
        if (!isPacked) largestBytes = Math.max(largestBytes ?? 0, bodyBytes);
        this.heldMessages++;
        this.heldBytes += bodyBytes;
        return this.heldBytes <= this.maxBytes || came === count;
      },
      drop: () => {
        this.heldMessages -= came;
        this.heldBytes -= cameBytes;
        this.reserved += Math.min(came, count);
        [came, cameBytes] = [0, 0];
      },
      close: () => {
        if (!open) return;
        open = false;
        this.reserved -= Math.max(0, count - came);
        if (largestBytes !== undefined) this.expected.learn(largestBytes);
        this.serve();
      },
    };
  }

  private growth(): Growth {
    this.growths++;
    this.isUnpacking = true;
    let bytes: number | undefined;
    let open = true;
    return {
      by: (grownBytes) => {
        bytes = grownBytes;
        this.heldBytes += grownBytes;
        this.isUnpacking = false;
        // A poll that goes by the packed size asks for more than will fit; what it leaves behind costs each message an attempt.
        this.expected.learn(grownBytes);
        this.serve();
      },
      end: () => {
        if (!open) return;
        open = false;
        this.growths--;
        this.heldBytes -= bytes ?? 0;
        if (bytes === undefined) this.isUnpacking = false;
        this.serve();
      },
    };
  }
}
