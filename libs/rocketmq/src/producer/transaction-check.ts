// The server's question how a transaction ended, and the checker that the application writes for it.

import type { MessageView } from '../protocol/message.js';
import { raceAbort } from '../support/abort.js';
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

/** A check without its deadline. */
export type CheckedTransaction = Omit<TransactionCheck, 'signal'>;

/**
 * Finds out how a transaction ended, usually from the database. It may be asked while the local transaction still runs, in
 * this process or another: "not found" alone must then not mean rollback. Throwing, taking too long or returning undefined
 * means `unknown`: the server asks again later.
 */
export type TransactionChecker = (
  check: TransactionCheck,
) => Promise<Resolution | 'unknown' | undefined> | Resolution | 'unknown' | undefined;

/** In real time. The server wants an answer within 30 s; after that it has to ask again. */
const CHECK_TIMEOUT_MS = 10_000;
/** Asks a checker; whatever goes wrong with it means `unknown`, never rollback. */
export async function askChecker(
  checker: TransactionChecker,
  check: CheckedTransaction,
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
