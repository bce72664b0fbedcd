// The timeouts of local transactions and checkers, and the time of the first check.

import { LIMITS } from '../../protocol/model/limits.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import {
  type Fault,
  type ObjectChecks,
  type OptionChecks,
  positiveNumber,
  positiveNumberUpTo,
} from '../../support/options.js';

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
const MAX_CHECK_MS = 25 * SECOND_MS;

const CHECKS: OptionChecks<TransactionTimes> = {
  localTransactionTimeoutMs: positiveNumber,
  checkTimeoutMs: positiveNumberUpTo(MAX_CHECK_MS, ', because the server drops a check soon after that'),
  firstCheckAfterMs: positiveNumber,
};

/** @internal */
export const TRANSACTION_TIMES = { options: CHECKS, together: firstCheckFault } satisfies ObjectChecks;

function firstCheckFault(times: TransactionTimes): Fault | undefined {
  const { localTransactionTimeoutMs = DEFAULT_TIMEOUT_MS, firstCheckAfterMs } = times;
  if (firstCheckAfterMs === undefined) return undefined;
  const [least, most] = [localTransactionTimeoutMs + SLACK_MS, LIMITS.recoveryDurationMs];
  if (firstCheckAfterMs >= least && firstCheckAfterMs <= most) return undefined;
  const problem = `must be ${least} (localTransactionTimeoutMs plus 10 s) to ${most}, not ${firstCheckAfterMs}`;
  return { field: 'firstCheckAfterMs', problem };
}

/** The timeouts with their defaults. */
export class TransactionBounds {
  readonly timeoutMs: number;
  readonly checkTimeoutMs: number;
  readonly firstCheckAfterMs: number | undefined;

  constructor(times: TransactionTimes) {
    this.timeoutMs = times.localTransactionTimeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.checkTimeoutMs = times.checkTimeoutMs ?? DEFAULT_CHECK_TIMEOUT_MS;
    this.firstCheckAfterMs = times.firstCheckAfterMs;
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
