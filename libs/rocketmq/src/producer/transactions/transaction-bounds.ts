// The timeouts of local transactions and checkers, and the time of the first check.

import { LIMITS } from '../../protocol/model/limits.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import { positive } from '../../support/options.js';

/** The timeouts of transactions. */
export interface TransactionTimes {
  /**
   * How long a local transaction may take, counted from its half message. Until then every instance answers the server's checks with
   * `unknown`, unless the checker says that it committed. After that `currentLocalTransaction().signal` fires, and the checker decides. The
   * server gives a transaction up after 15 checks, by default after 7.5 minutes. Default 5 minutes.
   */
  readonly localTransactionTimeoutMs?: number;
  /**
   * How long a transaction checker may take to answer, in real time; at most 25 s, because the server drops a check after 30 s. Then its
   * signal fires, and the server checks again later; a late answer is kept for that check. Default 10 s.
   */
  readonly checkTimeoutMs?: number;
  /**
   * When the server checks a transaction for the first time. At least 10 s more than `localTransactionTimeoutMs`, at most 1 h. The server
   * ignores an end that arrives after that time, although it answers OK, so such an end is left to the check. Default: the server's configuration, 6 s.
   */
  readonly firstCheckAfterMs?: number;
}

/** The allowed clock difference between two instances. */
const CLOCK_SKEW_MS = SECOND_MS;
/** The allowed clock difference between server and producer, plus the time that an end may take to arrive. */
const SLACK_MS = 10 * SECOND_MS;
const DEFAULT_TIMEOUT_MS = 5 * MINUTE_MS;
const DEFAULT_CHECK_TIMEOUT_MS = 10 * SECOND_MS;
const LONGEST_CHECK_MS = 25 * SECOND_MS;

/** Validated timeouts. */
export class TransactionBounds {
  readonly timeoutMs: number;
  readonly checkTimeoutMs: number;
  readonly firstCheckAfterMs: number | undefined;

  /** @throws UsageError that names the option */
  constructor(times: TransactionTimes) {
    const { localTransactionTimeoutMs = DEFAULT_TIMEOUT_MS, checkTimeoutMs = DEFAULT_CHECK_TIMEOUT_MS } = times;
    const { firstCheckAfterMs } = times;
    this.timeoutMs = positive('localTransactionTimeoutMs', localTransactionTimeoutMs);
    this.checkTimeoutMs = positive('checkTimeoutMs', checkTimeoutMs);
    if (checkTimeoutMs > LONGEST_CHECK_MS) {
      const text = `option checkTimeoutMs must be at most ${LONGEST_CHECK_MS}, because the server drops a check soon after that, not ${checkTimeoutMs}`;
      throw new UsageError('ILLEGAL_OPTION', text, 'checkTimeoutMs');
    }
    this.firstCheckAfterMs = firstCheckAfterMs;
    if (firstCheckAfterMs === undefined) return;
    positive('firstCheckAfterMs', firstCheckAfterMs);
    const [least, most] = [this.timeoutMs + SLACK_MS, LIMITS.recoveryDurationMs];
    if (firstCheckAfterMs >= least && firstCheckAfterMs <= most) return;
    const text = `option firstCheckAfterMs must be ${least} (localTransactionTimeoutMs plus 10 s) to ${most}, not ${firstCheckAfterMs}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'firstCheckAfterMs');
  }

  /**
   * Whether the server would ignore an end now, and still answer OK (`EndTransactionProcessor` of the broker, 5.5.0).
   * @param ageMs of the half message
   */
  isTooLateToEnd(ageMs: number): boolean {
    return this.firstCheckAfterMs !== undefined && ageMs > this.firstCheckAfterMs - SLACK_MS;
  }

  /** Whether a local transaction may still be running, also in another instance, whose clock may be behind this one. */
  mayStillRun(bornAtMs: number, nowMs: number): boolean {
    return nowMs < bornAtMs + this.timeoutMs + CLOCK_SKEW_MS;
  }
}
