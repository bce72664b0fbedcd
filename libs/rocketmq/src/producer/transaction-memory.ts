// What this process knows of its own transactions: those that run, and how the latest ended.

import { type Clock, MINUTE_MS } from '../support/clock.js';
import type { Resolution } from './transaction.js';

/** 15 checks at the server's default interval end after 7.5 minutes; nobody asks later. */
const REMEMBER_MS = 60 * MINUTE_MS;
const REMEMBER_COUNT = 10_000;
/** A real server that takes a commit while it sends a check delivers twice when the check is answered, too (seen on 5.5.0). */
const CROSSING_MS = 5_000;

interface Remembered {
  /** `unknown` while the local transaction runs. */
  readonly resolution: Resolution | 'unknown';
  /** Until then a check crosses an end that the server has taken; answering it would end the transaction twice. */
  readonly silentUntilMs: number;
  /** After that the entry says no more. */
  readonly validUntilMs: number;
  readonly keptUntilMs: number;
}

/** Transactions by id, for an hour and 10 000 at most. */
export class TransactionMemory {
  /** In order of `keptUntilMs`, since each entry is kept for the same time. */
  private readonly known = new Map<string, Remembered>();

  /** @param openMs after that the checker is asked: a transaction may have been begun and never ended */
  constructor(
    private readonly clock: Clock,
    private readonly openMs: number,
  ) {}

  /** The local transaction runs, so the server is to ask again later, as long as it may run. */
  opened(transactionId: string): void {
    this.remember(transactionId, 'unknown', 0, this.openMs);
  }

  /**
   * Remembered even when the server took the end: its OK does not say that the message is visible.
   * @param isAccepted the server took the end, so a check that comes now was probably sent before
   */
  ended(transactionId: string, resolution: Resolution, isAccepted: boolean): void {
    this.remember(transactionId, resolution, isAccepted ? CROSSING_MS : 0, REMEMBER_MS);
  }

  /** The process no longer knows: its database must tell. */
  forget(transactionId: string): void {
    this.known.delete(transactionId);
  }

  /** `unknown` where the server should ask again later; undefined when this process does not know the transaction. */
  recall(transactionId: string): Resolution | 'unknown' | undefined {
    const entry = this.known.get(transactionId);
    const nowMs = this.clock.monotonicMs();
    if (entry === undefined || nowMs >= entry.validUntilMs) return undefined;
    return nowMs < entry.silentUntilMs ? 'unknown' : entry.resolution;
  }

  private remember(id: string, resolution: Resolution | 'unknown', silentMs: number, validMs: number): void {
    const nowMs = this.clock.monotonicMs();
    const [silentUntilMs, validUntilMs] = [nowMs + silentMs, nowMs + validMs];
    this.known.delete(id);
    this.known.set(id, { resolution, silentUntilMs, validUntilMs, keptUntilMs: nowMs + REMEMBER_MS });
    for (const [oldest, { keptUntilMs }] of this.known) {
      if (keptUntilMs > nowMs && this.known.size <= REMEMBER_COUNT) return;
      this.known.delete(oldest);
    }
  }
}
