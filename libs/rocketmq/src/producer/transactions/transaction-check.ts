// The server's question how a transaction ended, and the checker that the application writes for it.

import type { MessageView } from '../../protocol/model/message.js';
import { raceAbort } from '../../support/abort.js';
import { withDeadline } from '../../support/deadline.js';
import { describeError, type Logger } from '../../support/logger.js';
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
  /**
   * Whether the local transaction may still run, in this instance or another: until `localTransactionTimeoutMs` after its half message. Then
   * only `commit` counts; `rollback` is taken as `unknown`. A checker that fences must not do so yet.
   */
  readonly mayStillRun: boolean;
  /** Fires when the answer would come too late. */
  readonly signal: AbortSignal;
}

/** A check without its deadline. */
export type CheckedTransaction = Omit<TransactionCheck, 'signal'>;

/**
 * Finds out how a transaction ended, usually from the database. Throwing, taking longer than `checkTimeoutMs` or returning undefined means
 * `unknown`: the server asks again later.
 */
export type TransactionChecker = (
  check: TransactionCheck,
) => Promise<Resolution | 'unknown' | undefined> | Resolution | 'unknown' | undefined;

/** How a checker is asked. */
export interface AskOptions {
  /** In real time. */
  readonly timeoutMs: number;
  /** Ends the wait early, like the time-out. Default: nothing. */
  readonly signal?: AbortSignal | undefined;
  readonly logger: Logger;
  /** Called with an end that came after the wait was over. */
  onLate(resolution: Resolution): void;
}

/** Asks a checker; whatever goes wrong with it means `unknown`, never rollback. */
export async function askChecker(
  checker: TransactionChecker,
  check: CheckedTransaction,
  { timeoutMs, signal: outer, logger, onLate }: AskOptions,
): Promise<Resolution | 'unknown'> {
  const { topic, transactionId, mayStillRun } = check;
  const judge = (answer: unknown): Resolution | 'unknown' => {
    if (answer === 'commit') return answer;
    return answer === 'rollback' && !mayStillRun ? answer : 'unknown';
  };
  const isGone = (): boolean => outer?.aborted === true;
  if (isGone()) return 'unknown';
  try {
    return await withDeadline(`check of transaction ${transactionId}`, timeoutMs, outer, async ({ signal }) => {
      const asked = Promise.resolve(checker({ ...check, signal }));
      asked.then(
        (answer) => {
          const late = signal.aborted ? judge(answer) : 'unknown';
          if (late !== 'unknown') onLate(late);
        },
        () => {},
      );
      return judge(await raceAbort(asked, signal));
    });
  } catch (error) {
    if (isGone()) return 'unknown';
    const text = 'a transaction checker failed or took longer than checkTimeoutMs; the server will ask again';
    logger.error(text, { topic, transactionId, timeoutMs, error: describeError(error) });
    return 'unknown';
  }
}
