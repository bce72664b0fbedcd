// Limits how much a consumer may hold: messages requested or held, and their bytes. Listeners of different topics have a part each, so
// that one that falls behind does not stop the polls of the others. It holds no message itself.
// Over 300 lines: what is reserved, held, decompressed and limited is one account.

import { LIMITS } from '../../protocol/model/limits.js';
import { type Abortable, onAbort, reasonOf } from '../../support/abort-source.js';
import type { Clock, ScheduledTask } from '../../support/clock.js';
import type { Limiter } from '../listeners/limiter.js';
import type { Listener, ListenerSet } from '../listeners/message-listener.js';

/** The weight of a smaller size against the previous estimate. */
const FORGETTING = 1 / 8;

/** The part of a room that one listener may fill. From then on, the others of its topic get what it holds above its share. */
const CROWDED_FROM = 3 / 4;

/** Large bodies count at once, and are forgotten slowly: each message that a poll receives beyond a limit loses an attempt. */
export class ExpectedSize {
  private isLearned = false;
  private expectedBytes = LIMITS.bodyBytes / 2;

  /** Before the first message, half of what a server accepts. At least 1. */
  get bytes(): number {
    return Math.max(1, this.expectedBytes);
  }

  /** @param largestBytes the largest of those that arrived together */
  learn(largestBytes: number): void {
    const decayedBytes = this.isLearned ? this.expectedBytes + (largestBytes - this.expectedBytes) * FORGETTING : 0;
    this.expectedBytes = Math.max(largestBytes, decayedBytes);
    this.isLearned = true;
  }

  /** How many messages fit. At least 1. */
  countIn(roomBytes: number): number {
    return Math.max(1, Math.floor(roomBytes / this.bytes));
  }
}

/** The rate limit of the only listener of a room. */
interface RoomLimit {
  readonly clock: Clock;
  readonly limiter: Limiter;
}

/** Room for the messages of one poll; close it when the poll has ended. */
export interface Reservation {
  /** How many messages the poll may ask for; at least 1. */
  readonly count: number;
  /**
   * Books a message that has arrived. It can be called without its object.
   * @param isPacked whether its size is not representative of later messages. Default false
   * @returns whether another one may follow: false once the bytes exceed the limit and more were requested
   */
  readonly add: (bodyBytes: number, isPacked?: boolean) => boolean;
  /** Returns the room of the messages that arrived, when they are not kept. */
  drop(): void;
  /** Returns the room that the poll did not use. Repeated calls do nothing. */
  close(): void;
}

/** The additional room of one held message while it is decompressed. */
interface Growth {
  /** Books the bytes, once they are known. */
  by(bytes: number): void;
  /** Returns them. Repeated calls do nothing. */
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
 * Limits what is received and not yet settled. Messages are limited strictly, bytes with an excess of one message for each poll whose
 * answer arrives, and one that is decompressed; {@link BufferRoom.reserveOne} may exceed both by one:
 * - a poll asks for no more messages than fit if they are as large as those before them, and stops at the limit;
 * - while a rate limit lets no message begin, no poll begins;
 * - compressed messages are decompressed one after another, each once the bytes held are below the limit, or when it is the only one.
 */
export class BufferRoom {
  private reserved = 0;
  private heldMessages = 0;
  /** Those of them that will take a turn as soon as they can. */
  private waitingForTurn = 0;
  private heldBytes = 0;
  private readonly expected = new ExpectedSize();
  private growths = 0;
  /** Whether one of these is being decompressed: its growth is not known yet. */
  private isUnpacking = false;
  private readonly polls = new Set<PollWaiter>();
  private readonly growing = new Set<GrowthWaiter>();
  /** Set while polls wait for a rate limit. */
  private serving: ScheduledTask | undefined;

  constructor(
    readonly maxMessages: number,
    private readonly maxBytes: number,
    private readonly limit?: RoomLimit,
  ) {
    // It lives as long as its listener.
    limit?.limiter.watch(() => this.serve());
  }

  /** Waits until at least one message fits, and reserves room for up to `most`. @throws the signal's reason */
  reserve(most: number, signal: Abortable): Promise<Reservation> {
    return this.queued(this.polls, signal, (grant) => ({ most, grant }));
  }

  /** Does not wait: for the poll that finds out whether a group is still paused. What is held may wait for its answer. */
  reserveOne(): Reservation {
    return this.reservation(1);
  }

  /** Whether what is left should be for listeners that hold less than their share. */
  get isCrowded(): boolean {
    const messages = this.heldMessages > this.maxMessages * CROWDED_FROM;
    return messages || this.heldBytes > this.maxBytes * CROWDED_FROM;
  }

  /** Waits until a held message may be decompressed. @throws the signal's reason */
  grow(signal: Abortable): Promise<Growth> {
    return this.queued(this.growing, signal, (grant) => ({ grant }));
  }

  /** Returns the room of a held message that has ended. @param bodyBytes its size as it was received @param needsTurn see {@link needTurn} */
  release(bodyBytes: number, needsTurn: boolean): void {
    this.heldMessages--;
    this.heldBytes -= bodyBytes;
    if (needsTurn) this.waitingForTurn--;
    this.serve();
  }

  /** Whether a held message needs a turn has changed: it does when it arrives, and not while it has one or waits for something else. */
  needTurn(needsTurn: boolean): void {
    this.waitingForTurn += needsTurn ? 1 : -1;
    // Also when it has got one, which the limit counts instead: that may be the first with an end to wait for.
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
        if (this.polls.size === 0) this.serving?.cancel();
        reject(reasonOf(signal));
      });
      queue.add(waiter);
      this.serve();
    });
  }

  /** Held messages come first: one that cannot be decompressed would be held for longer. */
  private serve(): void {
    for (const waiter of this.growing) {
      if (this.isUnpacking || (this.growths > 0 && this.heldBytes >= this.maxBytes)) break;
      this.growing.delete(waiter);
      waiter.grant(this.growth());
    }
    this.serving?.cancel();
    for (const waiter of this.polls) {
      const free = this.freeMessages();
      if (free < 1) {
        this.serveLater();
        return;
      }
      this.polls.delete(waiter);
      waiter.grant(this.reservation(Math.min(waiter.most, free)));
    }
  }

  /** When the rate limit lets messages begin. What ends before serves as well. */
  private serveLater(): void {
    if (this.limit === undefined) return;
    const { clock, limiter } = this.limit;
    const waitMs = limiter.startableInMs(clock.monotonicMs());
    if (waitMs > 0) this.serving = clock.schedule(Math.ceil(waitMs), () => this.serve());
  }

  /** How many more may be held so that none waits long for the rate limit. */
  private startable(): number {
    if (this.limit === undefined) return Number.POSITIVE_INFINITY;
    const { clock, limiter } = this.limit;
    return limiter.startable(clock.monotonicMs()) - this.waitingForTurn;
  }

  private freeMessages(): number {
    const startable = this.startable();
    if (startable < 1) return 0;
    const free = this.maxMessages - this.reserved - this.heldMessages;
    if (this.heldMessages > 0 && this.heldBytes >= this.maxBytes) return 0;
    // At least one: idle polls hold their room for long, and those of other topics must not wait for them.
    const leftBytes = this.maxBytes - this.heldBytes - this.reserved * this.expected.bytes;
    return Math.min(free, this.expected.countIn(leftBytes), Math.max(1, startable - this.reserved));
  }

  private reservation(count: number): Reservation {
    this.reserved += count;
    let [came, cameBytes] = [0, 0];
    let largestBytes: number | undefined;
    let open = true;
    return {
      count,
      add: (bodyBytes, isPacked = false) => {
        // A server that sends more than it was asked for takes room that was not reserved.
        if (came < count) this.reserved--;
        came++;
        cameBytes += bodyBytes;
        if (!isPacked) largestBytes = Math.max(largestBytes ?? 0, bodyBytes);
        this.heldMessages++;
        this.waitingForTurn++;
        this.heldBytes += bodyBytes;
        return this.heldBytes <= this.maxBytes || came === count;
      },
      drop: () => {
        this.heldMessages -= came;
        this.waitingForTurn -= came;
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
        // A poll that estimates by the compressed size asks for more than will fit; each message that it leaves behind loses an attempt.
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

/** The room to divide. */
interface RoomOptions {
  readonly maxBufferedMessages: number;
  readonly maxBufferedBytes: number;
  readonly listeners: ListenerSet;
}

/** The rooms of a consumer. */
export class BufferRooms {
  private readonly byTopic = new Map<string, BufferRoom>();
  /** For a consumer with one handler for all topics. */
  private readonly common: BufferRoom;
  private readonly atOnce: number;

  constructor(
    private readonly options: RoomOptions,
    clock: Clock,
  ) {
    const { listeners, maxBufferedMessages, maxBufferedBytes } = options;
    const limitOf = ([listener, ...others]: readonly Listener[]): RoomLimit | undefined =>
      others.length === 0 && listener?.limiter !== undefined ? { clock, limiter: listener.limiter } : undefined;
    this.atOnce = listeners.all.reduce((sum, { permits }) => sum + permits, 0);
    this.common = new BufferRoom(maxBufferedMessages, maxBufferedBytes, limitOf(listeners.all));
    for (const { topic } of listeners.all) {
      if (topic === undefined || this.byTopic.has(topic)) continue;
      const own = listeners.all.filter((listener) => listener.topic === topic);
      const messages = own.reduce((sum, listener) => sum + this.shareOf(listener), 0);
      const bytes = (maxBufferedBytes * messages) / Math.max(messages, maxBufferedMessages);
      this.byTopic.set(topic, new BufferRoom(messages, bytes, limitOf(own)));
    }
  }

  of(topic: string): BufferRoom {
    return this.byTopic.get(topic) ?? this.common;
  }

  /** Whether a topic shares its room with no other. */
  isAlone(topic: string): boolean {
    return this.byTopic.has(topic);
  }

  /** How many messages are for one listener: by its concurrency, at least one. */
  shareOf({ permits }: Listener): number {
    return Math.max(1, Math.floor((this.options.maxBufferedMessages * permits) / this.atOnce));
  }
}
