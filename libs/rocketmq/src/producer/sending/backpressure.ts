// Limits how much a producer has in flight, and queues sends until there is room.

import { abortReason, listenTo } from '../../support/abort.js';
import type { Deadline } from '../../support/deadline.js';
import { TransportError } from '../../support/errors.js';
import { type OptionChecks, oneOf, positiveInteger } from '../../support/options.js';
import { NotSentError } from './not-sent-error.js';

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
          unlisten();
          resolve(this.admit(bytes));
        },
      };
      const unlisten = listenTo(signal, () => {
        this.waiters.delete(waiter);
        // The next waiters may fit although the large one before them did not.
        this.admitNext();
        reject(abortReason(signal));
      });
      this.waiters.add(waiter);
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

/** How much may be in flight at once, including half messages and one-way sends, and what happens beyond that. */
export interface BackpressureOptions {
  /** The maximum number of messages in flight. Default 1024. */
  readonly maxInFlight?: number;
  /** The maximum number of bytes of bodies in flight, counted after compression. A single larger body is sent alone. Default 64 MiB. */
  readonly maxInFlightBytes?: number;
  /**
   * `wait`: a send waits for room, in the order of the calls, within its own deadline. `reject`: it fails immediately with
   * `TOO_MANY_IN_FLIGHT`, and nothing was sent; only the messages of a batch wait anyway, because the batch itself fills the
   * limit. Default `wait`.
   *
   * Messages that wait for an earlier one of their message group are not in flight. Where nobody waits for them, which is with `reject` and in
   * one-way sends, as many of them are accepted as may be in flight.
   */
  readonly whenFull?: 'wait' | 'reject';
}

/** @internal */
export const BACKPRESSURE_CHECKS: OptionChecks<BackpressureOptions> = {
  maxInFlight: positiveInteger,
  maxInFlightBytes: positiveInteger,
  whenFull: oneOf('wait', 'reject'),
};

const DEFAULT_MAX_IN_FLIGHT = 1024;
const DEFAULT_MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024;

/** Admits sends while there is room. */
export class Backpressure {
  private readonly maxCount: number;
  private readonly maxBytes: number;
  private readonly whenFull: 'wait' | 'reject';
  private readonly limit: InFlightLimit;
  /** Of messages that wait for their turn. Apart, because those in flight must never wait for those. */
  private readonly held: InFlightLimit;

  constructor({
    maxInFlight = DEFAULT_MAX_IN_FLIGHT,
    maxInFlightBytes = DEFAULT_MAX_IN_FLIGHT_BYTES,
    whenFull = 'wait',
  }: BackpressureOptions) {
    this.maxCount = maxInFlight;
    this.maxBytes = maxInFlightBytes;
    this.whenFull = whenFull;
    this.limit = new InFlightLimit({ maxCount: this.maxCount, maxBytes: this.maxBytes });
    this.held = new InFlightLimit({ maxCount: this.maxCount, maxBytes: this.maxBytes });
  }

  /** Whether a send fails at once when the limit is reached. */
  get rejects(): boolean {
    return this.whenFull === 'reject';
  }

  /** Room, if it is available immediately and nobody waits for it. */
  tryEnter(bytes: number): Room | undefined {
    return this.limit.tryEnter(bytes);
  }

  /**
   * @param whenFull default: the option `whenFull`
   * @throws NotSentError `TOO_MANY_IN_FLIGHT`; TransportError `DEADLINE_EXCEEDED` whose outcome is `not-sent`; the reason of
   *   a caller that aborts
   */
  enter(bytes: number, deadline: Deadline, whenFull = this.whenFull): Promise<Room> {
    return this.enterLimit(this.limit, bytes, deadline, whenFull, 'are in flight');
  }

  /** Room for a message that waits for its turn. @throws as {@link enter} */
  hold(bytes: number, deadline: Deadline): Promise<Room> {
    return this.enterLimit(this.held, bytes, deadline, this.whenFull, 'wait for earlier ones of their message groups');
  }

  private async enterLimit(
    limit: InFlightLimit,
    bytes: number,
    deadline: Deadline,
    whenFull: 'wait' | 'reject',
    what: string,
  ): Promise<Room> {
    if (whenFull === 'reject') {
      const room = limit.tryEnter(bytes);
      if (room !== undefined) return room;
      const text = `${deadline.what}: ${this.bounds()} ${what}; try again later, or send less at once`;
      throw new NotSentError('TOO_MANY_IN_FLIGHT', text);
    }
    try {
      return await limit.enter(bytes, deadline.signal);
    } catch (error) {
      if (!deadline.hasPassed) throw error;
      const text = `${deadline.what}: after ${deadline.timeoutMs} ms, ${this.bounds()} still ${what}; nothing was sent`;
      throw new TransportError('DEADLINE_EXCEEDED', text, 'not-sent', true);
    }
  }

  private bounds(): string {
    return `as many messages as maxInFlight (${this.maxCount}) and maxInFlightBytes (${this.maxBytes}) allow`;
  }
}
