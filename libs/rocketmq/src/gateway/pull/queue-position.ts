// The position of a group in a queue, as it is stored: where the next owner begins.

import { monotonicMs } from '../../support/deadline.js';
import { describeError, type Logger } from '../../support/logger.js';

/** Keeps the position: for a group, the broker. */
export interface PositionStore {
  /** What the pulls of the queue are called in errors. */
  readonly what: string;
  /** Where to begin; undefined when it knows none. */
  committedOffset(): Promise<number | undefined>;
  commit(offset: number): Promise<void>;
}

interface QueuePositionPort {
  /** Where the next owner begins; undefined before the first pull, and after the end. */
  offset(): number | undefined;
  /** Whether this client may say so. */
  isMine(): boolean;
}

/** It is stored again, since a member that was suspended may have set an older one. As often as the Java client does. */
const REPEAT_MS = 5_000;
const MAX_LAST_TRIES = 3;

export class QueuePosition {
  private stored = -1;
  private storedAtMs = Number.NEGATIVE_INFINITY;
  private storing: Promise<void> = Promise.resolve();
  private waiting = 0;

  constructor(
    private readonly keeper: PositionStore,
    private readonly logger: Logger,
    private readonly port: QueuePositionPort,
  ) {}

  /**
   * For a pull to store; undefined while this client may not, and for one that is stored: the broker may be late with the pull, and then store it in the place
   * of a newer one.
   */
  get news(): number | undefined {
    const { now } = this;
    return now === undefined || this.isKnown(now) ? undefined : now;
  }

  private get now(): number | undefined {
    return this.port.isMine() ? this.port.offset() : undefined;
  }

  private isKnown(offset: number): boolean {
    return offset === this.stored && monotonicMs() - this.storedAtMs < REPEAT_MS;
  }

  /** A pull has stored it. */
  isStored(offset: number): void {
    this.stored = offset;
    this.storedAtMs = monotonicMs();
  }

  /** Stores it, unless the broker knows it, or has not answered yet. Never throws, and waits for nothing. */
  store(): void {
    if (this.waiting > 0) return;
    void this.inTurn(() => this.storeOffset(this.now));
  }

  /**
   * Stores it for the next owner, unless another one has stored a position since this client did. Never throws. A broker works on pulls and
   * commits at once: a pull that was sent before may set the offset that it carries after the commit.
   */
  async storeLast(): Promise<void> {
    for (let tries = 0; tries < MAX_LAST_TRIES && this.port.offset() !== undefined; tries++) {
      const isOthers = !this.port.isMine() && (await this.known()) !== this.stored;
      if (isOthers) return;
      await this.inTurn(() => this.storeOffset(this.port.offset()));
      if ((await this.known()) === this.stored && this.stored === this.port.offset()) return;
      this.storedAtMs = Number.NEGATIVE_INFINITY;
    }
  }

  private known(): Promise<number | undefined> {
    return this.keeper.committedOffset().catch(() => undefined);
  }

  /** One after the other: a broker works on several at once, and the last one would win. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    this.waiting++;
    this.storing = this.storing.then(work).finally(() => this.waiting--);
    return this.storing;
  }

  private async storeOffset(offset: number | undefined): Promise<void> {
    if (offset === undefined || this.isKnown(offset)) return;
    try {
      await this.keeper.commit(offset);
      this.isStored(offset);
    } catch (error) {
      const text = `${this.keeper.what}: its position could not be stored`;
      this.logger.debug(text, { offset, error: describeError(error) });
    }
  }
}
