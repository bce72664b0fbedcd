// The position of a group in a queue, as the broker knows it: where the next owner begins.

import { monotonicMs } from '../../support/deadline.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { QueueRequests } from './queue-requests.js';

/** It is stored again, since a member that was suspended may have set an older one. As often as the Java client does. */
const REPEAT_MS = 5_000;
const MAX_LAST_TRIES = 3;

export class QueuePosition {
  private stored = -1;
  private storedAtMs = Number.NEGATIVE_INFINITY;
  private storing: Promise<void> = Promise.resolve();

  /** @param offsetNow where the next owner begins; undefined while this client may not say so */
  constructor(
    private readonly requests: QueueRequests,
    private readonly logger: Logger,
    private readonly offsetNow: () => number | undefined,
  ) {}

  get now(): number | undefined {
    return this.offsetNow();
  }

  /** A pull has stored it. */
  isStored(offset: number): void {
    this.stored = offset;
    this.storedAtMs = monotonicMs();
  }

  /** Stores it, unless the broker knows it. Never throws. */
  store(): Promise<void> {
    // One after the other: a broker works on several at once, and the last one would win.
    this.storing = this.storing.then(() => this.storeNow());
    return this.storing;
  }

  /**
   * Stores it for the next owner. Never throws. A broker works on pulls and commits at once: a pull that was sent before may set the offset
   * that it carries after the commit.
   */
  async storeLast(): Promise<void> {
    for (let tries = 0; tries < MAX_LAST_TRIES && this.now !== undefined; tries++) {
      await this.store();
      const known = await this.requests.committedOffset().catch(() => undefined);
      if (known === this.stored && known === this.now) return;
      this.stored = -1;
    }
  }

  private async storeNow(): Promise<void> {
    const offset = this.now;
    if (offset === undefined || (offset === this.stored && monotonicMs() - this.storedAtMs < REPEAT_MS)) return;
    try {
      await this.requests.commit(offset);
      this.isStored(offset);
    } catch (error) {
      const text = `${this.requests.what}: its position could not be stored`;
      this.logger.debug(text, { offset, error: describeError(error) });
    }
  }
}
