// What this process knows of its own transactions: those that run, and how the latest ended.

import { type Clock, MINUTE_MS } from '../../support/clock.js';
import type { Resolution } from './transaction.js';

/** 15 checks at the server's default interval end after 7.5 minutes; nobody asks later. */
const REMEMBER_MS = 60 * MINUTE_MS;
const REMEMBER_COUNT = 10_000;
/** A real server that takes a commit while it sends a check delivers twice when the check is answered, too (seen on 5.5.0). */
const CROSSING_MS = 5_000;

/** How a transaction ended. */
interface Ended {
  readonly resolution: Resolution;
  /** Until then a check crosses an end that the server has taken; answering it would end the transaction twice. */
  readonly silentUntilMs: number;
  readonly keptUntilMs: number;
}

/** Transactions by id: those that run, for as long as they may, and how up to 10 000 of the last hour ended. */
export class TransactionMemory {
  /** With the time until which each may run. In the order of these times, which are all equally far away. */
  private readonly running = new Map<string, number>();
  /** In order of `keptUntilMs`, since each entry is kept for the same time. */
  private readonly ends = new Map<string, Ended>();

  /** @param openMs after that the checker is asked: a transaction may have been begun and never ended */
  constructor(
    private readonly clock: Clock,
    private readonly openMs: number,
  ) {}

  /** The local transaction runs, so the server is to ask again later, as long as it may run. */
  opened(transactionId: string): void {
    const nowMs = this.clock.monotonicMs();
    this.running.delete(transactionId);
    this.running.set(transactionId, nowMs + this.openMs);
    for (const [oldest, untilMs] of this.running) {
      if (untilMs > nowMs) return;
      this.running.delete(oldest);
    }
  }

  /**
   * Remembered even when the server took the end: its OK does not say that the message is visible.
   * @param isAccepted the server took the end, so a check that comes now was probably sent before
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

  /** The process no longer knows: its database must answer. */
  forget(transactionId: string): void {
    this.running.delete(transactionId);
  }

  /** `unknown` where the server should ask again later; undefined when this process does not know the transaction. */
  recall(transactionId: string): Resolution | 'unknown' | undefined {
    const nowMs = this.clock.monotonicMs();
    const runsUntilMs = this.running.get(transactionId);
    if (runsUntilMs !== undefined && nowMs < runsUntilMs) return 'unknown';
    const end = this.ends.get(transactionId);
    if (end === undefined || nowMs >= end.keptUntilMs) return undefined;
    return nowMs < end.silentUntilMs ? 'unknown' : end.resolution;
  }
}
