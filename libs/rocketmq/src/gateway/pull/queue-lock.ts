// The lock of a queue of an ordered group: while one client has it, no other member handles messages of the queue.

import { SystemClock, sleep } from '../../support/clock.js';
import { monotonicMs } from '../../support/deadline.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { QueueRequests } from './queue-requests.js';

/** A broker forgets a lock after 60 s. Like the Java client, this one renews it every 20 s, and takes it for lost after 30 s. */
const [RENEWAL_MS, VALID_MS] = [20_000, 30_000];
const NEVER = Number.NEGATIVE_INFINITY;

export class QueueLock {
  private lockedAtMs = NEVER;
  private readonly ioClock = new SystemClock();

  constructor(
    private readonly requests: QueueRequests,
    private readonly logger: Logger,
  ) {}

  /** @returns whether this client has it; false while another one does. @throws when the broker does not answer */
  async take(): Promise<boolean> {
    return this.isValid || this.ask();
  }

  /** Renews it until the signal aborts, and again whenever it was taken anew. Never throws. @param onLost called when it was lost */
  async keep(signal: AbortSignal, onLost: () => void): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.ioClock, RENEWAL_MS, signal).catch(() => {});
      if (signal.aborted || this.lockedAtMs === NEVER) continue;
      const isLocked = await this.ask().catch(() => this.isValid);
      if (isLocked || signal.aborted) continue;
      this.lockedAtMs = NEVER;
      onLost();
    }
  }

  /** Never throws. */
  async release(): Promise<void> {
    if (this.lockedAtMs === NEVER) return;
    this.lockedAtMs = NEVER;
    await this.requests.unlock().catch((error: unknown) => {
      const text = `${this.requests.what}: its lock could not be released, and ends within 60 s`;
      this.logger.debug(text, { error: describeError(error) });
    });
  }

  private get isValid(): boolean {
    return monotonicMs() - this.lockedAtMs < VALID_MS;
  }

  private async ask(): Promise<boolean> {
    const askedAtMs = monotonicMs();
    const isMine = await this.requests.lock();
    if (isMine) this.lockedAtMs = askedAtMs;
    return isMine;
  }
}
