// Transaction checks, and the checker that the application provides for them.

import type { MessageView } from '../../protocol/model/message.js';
import { raceAbort } from '../../support/abort.js';
import { withDeadline } from '../../support/deadline.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { Resolution } from './transaction.js';
import type { TransactionRecorder } from './transaction-scope.js';

/** The property that names the service which can answer checks of a half message; other services with the same topic do not answer. */
export const OWNER_PROPERTY = 'rocketmq-transaction-owner';

/** A transaction check: the server asks how the transaction of a half message ended. */
export interface TransactionCheckRequest {
  readonly topic: string;
  readonly messageId: string;
  readonly transactionId: string;
  /** The half message as it was sent. It has no receipt handle. */
  readonly message: MessageView;
  /**
   * Whether the local transaction may still be running, in this instance or another: until `localTransactionTimeoutMs` after its half
   * message. While it is true, only `commit` counts; `rollback` is treated as `unknown`, and a checker must not write a fence yet.
   */
  readonly mayStillRun: boolean;
  /** Fires when the answer would be too late. */
  readonly signal: AbortSignal;
}

/** A check without its signal. */
export type CheckedTransaction = Omit<TransactionCheckRequest, 'signal'>;

/**
 * Finds out how a transaction ended, usually from the database. Throwing, taking longer than `checkTimeoutMs` or returning undefined means
 * `unknown`: the server checks again later.
 */
export interface TransactionCheckHandler {
  (check: TransactionCheckRequest): Promise<Resolution | 'unknown' | undefined> | Resolution | 'unknown' | undefined;
  /** @internal */
  readonly recorder?: TransactionRecorder;
}

/** How a checker is called. */
export interface AskOptions {
  /** The timeout in real time, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the wait early, like the timeout. Default: none. */
  readonly signal?: AbortSignal | undefined;
  readonly logger: Logger;
  /** Called with a resolution that was returned after the wait had ended. */
  onLate(resolution: Resolution): void;
}

/** Calls a checker; any failure means `unknown`, never rollback. */
export async function askChecker(
  checker: TransactionCheckHandler,
  check: CheckedTransaction,
  { timeoutMs, signal: outer, logger, onLate }: AskOptions,
): Promise<Resolution | 'unknown'> {
  const { topic, transactionId, mayStillRun } = check;
  const resolutionOf = (answer: unknown): Resolution | 'unknown' => {
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
          const late = signal.aborted ? resolutionOf(answer) : 'unknown';
          if (late !== 'unknown') onLate(late);
        },
        () => {},
      );
      return resolutionOf(await raceAbort(asked, signal));
    });
  } catch (error) {
    if (isGone()) return 'unknown';
    const text = 'a transaction checker failed or took longer than checkTimeoutMs; the server will check again';
    logger.error(text, { topic, transactionId, timeoutMs, error: describeError(error) });
    return 'unknown';
  }
}
