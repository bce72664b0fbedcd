// What this process remembers of its transactions: those that are running, and how the latest ended.

import { type Clock, MINUTE_MS } from '../../support/clock.js';
import type { Resolution } from './transaction.js';

/** 15 checks at the server's default interval end after 7.5 minutes; there are no checks after that. */
const REMEMBER_MS = 60 * MINUTE_MS;
const REMEMBER_COUNT = 10_000;
/** A real server that receives a commit while it sends a check delivers twice if the check is answered, too (observed with 5.5.0). */
const CROSSING_MS = 5_000;

/** How a transaction ended. */
interface Ended {
  readonly resolution: Resolution;
  /** Until then a check may have crossed an end that the server has accepted; answering it would end the transaction twice. */
  readonly silentUntilMs: number;
  readonly keptUntilMs: number;
}

/** Transactions by id: running ones until their timeout, and the resolutions of up to 10 000 of the last hour. */
export class TransactionMemory {
  /** The time until which each may run. In the order of these times, because all have the same timeout. */
  private readonly running = new Map<string, number>();
  /** In the order of `keptUntilMs`, because each entry is kept for the same time. */
  private readonly ends = new Map<string, Ended>();

  /** @param openMs after that the checker is called: a transaction may have been started and never ended */
  constructor(
    private readonly clock: Clock,
    private readonly openMs: number,
  ) {}

  /** The local transaction is running, so checks are answered with `unknown` until its timeout. */
  opened(transactionId: string): void {
    const nowMs = this.clock.monotonicMs();
    // An earlier one may have had the id, where the application chooses it.
    this.ends.delete(transactionId);
    this.running.delete(transactionId);
    this.running.set(transactionId, nowMs + this.openMs);
    for (const [oldest, untilMs] of this.running) {
      if (untilMs > nowMs) return;
      this.running.delete(oldest);
    }
  }

  /**
   * Remembered even when the server accepted the end, because its OK does not prove that the message is visible.
   * @param isAccepted the server accepted the end, so a check that arrives now was probably sent before
   */
  ended(transactionId: string, resolution: Resolution, isAccepted: boolean): void {
    const nowMs = this.clock.monotonicMs();
    this.running.delete(transactionId);
    this.ends.delete(transactionId);
    const silentUntilMs = isAccepted ? nowMs + CROSSING_MS : nowMs;
    this.ends.set(transactionId, { resolution, silentUntilMs, keptUntilMs: nowMs + REMEMBER_MS });
    for (const [oldest, { keptUntilMs }] of this.ends) {
      if (keptUntilMs > nowMs && this.ends.size <= REMEMBER_COUNT) return;
      this.ends.delete(oldest);
    }
  }

  /** Forgets a transaction, so that the checker must answer. */
  forget(transactionId: string): void {
    this.running.delete(transactionId);
  }

  /** `unknown` if the server should check again later; undefined when this process does not know the transaction. */
  recall(transactionId: string): Resolution | 'unknown' | undefined {
    const nowMs = this.clock.monotonicMs();
    const runsUntilMs = this.running.get(transactionId);
    if (runsUntilMs !== undefined && nowMs < runsUntilMs) return 'unknown';
    const end = this.ends.get(transactionId);
    if (end === undefined || nowMs >= end.keptUntilMs) return undefined;
    return nowMs < end.silentUntilMs ? 'unknown' : end.resolution;
  }
}
