// What is answered when the server asks how a transaction ended: what this process remembers, else what the checker says.

import type { MessageView } from '../protocol/message.js';
import { raceAbort } from '../support/abort.js';
import { type Clock, MINUTE_MS } from '../support/clock.js';
import { withDeadline } from '../support/deadline.js';
import { describeError, type Logger } from '../support/logger.js';
import type { Resolution } from './transaction.js';

/** Marks a half message with the service that can answer for it; others with the same topic stay silent. */
export const OWNER_PROPERTY = 'rocketmq-transaction-owner';

/** The server's question about one half message. */
export interface TransactionCheck {
  readonly topic: string;
  readonly messageId: string;
  readonly transactionId: string;
  /** The half message as it was sent. It has no receipt handle. */
  readonly message: MessageView;
  /** Fires when the answer would come too late. */
  readonly signal: AbortSignal;
}

/**
 * Finds out how a transaction ended, usually from the database. It may be asked while the local transaction still runs, in
 * this process or another: "not found" alone must then not mean rollback. Throwing, taking too long or returning undefined
 * means `unknown`: the server asks again later.
 */
export type TransactionChecker = (
  check: TransactionCheck,
) => Promise<Resolution | 'unknown' | undefined> | Resolution | 'unknown' | undefined;

/** The server wants an answer within 30 s; after that it has to ask again. */
const CHECK_TIMEOUT_MS = 10_000;
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
  readonly untilMs: number;
}

/** What this process knows of its own transactions: those that run, and how the latest ended. */
export class TransactionMemory {
  /** In order of `untilMs`, since each entry is kept for the same time. */
  private readonly known = new Map<string, Remembered>();

  constructor(private readonly clock: Clock) {}

  opened(transactionId: string): void {
    this.remember(transactionId, 'unknown', 0);
  }

  /**
   * Remembered even when the server took the end: its OK does not say that the message is visible.
   * @param isAccepted the server took the end, so a check that comes now was probably sent before
   */
  ended(transactionId: string, resolution: Resolution, isAccepted: boolean): void {
    this.remember(transactionId, resolution, isAccepted ? CROSSING_MS : 0);
  }

  /** The process no longer knows: its database must tell. */
  forget(transactionId: string): void {
    this.known.delete(transactionId);
  }

  /** `unknown` where the server should ask again later; undefined when this process does not know the transaction. */
  recall(transactionId: string): Resolution | 'unknown' | undefined {
    const entry = this.known.get(transactionId);
    return entry !== undefined && this.clock.nowMs() < entry.silentUntilMs ? 'unknown' : entry?.resolution;
  }

  private remember(transactionId: string, resolution: Resolution | 'unknown', silentMs: number): void {
    const nowMs = this.clock.nowMs();
    this.known.delete(transactionId);
    this.known.set(transactionId, { resolution, silentUntilMs: nowMs + silentMs, untilMs: nowMs + REMEMBER_MS });
    for (const [id, { untilMs }] of this.known) {
      if (untilMs > nowMs && this.known.size <= REMEMBER_COUNT) return;
      this.known.delete(id);
    }
  }
}

/** Asks a checker; whatever goes wrong with it means `unknown`, never rollback. */
export async function askChecker(
  checker: TransactionChecker,
  check: Omit<TransactionCheck, 'signal'>,
  logger: Logger,
): Promise<Resolution | 'unknown'> {
  const { topic, transactionId } = check;
  try {
    return await withDeadline(
      `check of transaction ${transactionId}`,
      CHECK_TIMEOUT_MS,
      undefined,
      async ({ signal }) => {
        const answer = await raceAbort(Promise.resolve(checker({ ...check, signal })), signal);
        return answer === 'commit' || answer === 'rollback' ? answer : 'unknown';
      },
    );
  } catch (error) {
    logger.error('a transaction checker failed; the server will ask again', {
      topic,
      transactionId,
      error: describeError(error),
    });
    return 'unknown';
  }
}
