// How long a local transaction may take, and when the server asks for it.

import { LIMITS } from '../../protocol/model/limits.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import { positive } from '../../support/options.js';

/** The times of transactions. */
export interface TransactionTimes {
  /**
   * How long a local transaction may take, from its half message on. Until then every instance answers the server's checks with "not yet",
   * unless the checker says that it committed; then `currentTransaction().signal` fires, and the checker decides. Default 5 minutes. The
   * server gives a transaction up after 15 checks, by its defaults after 7.5 minutes.
   */
  readonly localTransactionTimeoutMs?: number;
  /**
   * How long a transaction checker may take to answer, in real time; up to 25 s, since the server forgets its question after 30 s. Then its
   * signal fires, and the server asks again later; a late answer is kept for that. Default 10 s.
   */
  readonly checkTimeoutMs?: number;
  /**
   * When the server asks for the first time. At least 10 s more than `localTransactionTimeoutMs`, at most 1 h: an end that comes
   * later is refused by the server, which says OK all the same. So such an end is left to the check. Default: as the server is told, 6 s.
   */
  readonly firstCheckAfterMs?: number;
}

/** By how much the clocks of two instances may differ. */
const CLOCK_SKEW_MS = SECOND_MS;
/** What the clocks of server and producer may differ, and an end may take to arrive. */
const SLACK_MS = 10 * SECOND_MS;
const DEFAULT_TIMEOUT_MS = 5 * MINUTE_MS;
const DEFAULT_CHECK_TIMEOUT_MS = 10 * SECOND_MS;
const LONGEST_CHECK_MS = 25 * SECOND_MS;

/** Times that were checked. */
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
      const text = `option checkTimeoutMs must be at most ${LONGEST_CHECK_MS}, since the server forgets its question soon after that, not ${checkTimeoutMs}`;
      throw new UsageError('ILLEGAL_OPTION', text, 'checkTimeoutMs');
    }
    this.firstCheckAfterMs = firstCheckAfterMs;
    if (firstCheckAfterMs === undefined) return;
    positive('firstCheckAfterMs', firstCheckAfterMs);
    const [least, most] = [this.timeoutMs + SLACK_MS, LIMITS.recoveryDurationMs];
    if (firstCheckAfterMs >= least && firstCheckAfterMs <= most) return;
    const text = `option firstCheckAfterMs must be ${least} (localTransactionTimeoutMs and 10 s) to ${most}, not ${firstCheckAfterMs}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'firstCheckAfterMs');
  }

  /**
   * Whether the server would refuse an end now, and say OK (`EndTransactionProcessor` of the broker, 5.5.0).
   * @param ageMs of the half message
   */
  isTooLateToEnd(ageMs: number): boolean {
    return this.firstCheckAfterMs !== undefined && ageMs > this.firstCheckAfterMs - SLACK_MS;
  }

  /** Whether a local transaction may still run somewhere, in another instance too, whose clock may be behind this one. */
  mayStillRun(bornAtMs: number, nowMs: number): boolean {
    return nowMs < bornAtMs + this.timeoutMs + CLOCK_SKEW_MS;
  }
}
