// How long a local transaction may take, and when the server asks for it.

import { LIMITS } from '../protocol/limits.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import { positive } from '../support/options.js';

/** The times of transactions. */
export interface TransactionTimes {
  /**
   * How long a local transaction may take, from its half message on. So long the server's checks are answered by "not yet"; then
   * `currentTransaction().signal` fires, and the checker answers. Default 5 minutes. The server drops a transaction after 15
   * checks, by its defaults after 7.5 minutes.
   */
  readonly localTransactionTimeoutMs?: number;
  /**
   * When the server asks for the first time. At least 10 s more than `localTransactionTimeoutMs`, at most 1 h: an end that comes
   * later is refused by the server, which says OK all the same. So such an end is left to the check. Default: as the server is told, 6 s.
   */
  readonly firstCheckAfterMs?: number;
}

/** What the clocks of server and producer may differ, and an end may take to arrive. */
const SLACK_MS = 10 * SECOND_MS;
const DEFAULT_TIMEOUT_MS = 5 * MINUTE_MS;

/** Times that were checked. */
export class TransactionBounds {
  readonly timeoutMs: number;
  readonly firstCheckAfterMs: number | undefined;

  /** @throws UsageError that names the option */
  constructor({ localTransactionTimeoutMs = DEFAULT_TIMEOUT_MS, firstCheckAfterMs }: TransactionTimes) {
    this.timeoutMs = positive('localTransactionTimeoutMs', localTransactionTimeoutMs);
    this.firstCheckAfterMs = firstCheckAfterMs;
    if (firstCheckAfterMs === undefined) return;
    positive('firstCheckAfterMs', firstCheckAfterMs);
    const [least, most] = [this.timeoutMs + SLACK_MS, LIMITS.recoveryDurationMs];
    if (firstCheckAfterMs >= least && firstCheckAfterMs <= most) return;
    const text = `option firstCheckAfterMs must be ${least} (localTransactionTimeoutMs and 10 s) to ${most}, not ${firstCheckAfterMs}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'firstCheckAfterMs');
  }

  /** Whether the server would refuse an end now, and say OK (`EndTransactionProcessor` of the broker, 5.5.0). */
  isTooLateToEnd(bornAtMs: number, nowMs: number): boolean {
    return this.firstCheckAfterMs !== undefined && nowMs > bornAtMs + this.firstCheckAfterMs - SLACK_MS;
  }
}
