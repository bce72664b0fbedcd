// The options of the transaction log.

import { LIMITS } from '../../protocol/model/limits.js';
import { type Clock, HOUR_MS, SECOND_MS } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import { checkedPositive, checkedPositiveInteger } from '../../support/options.js';
import type { ClsTransactions } from '../cls-transactions.js';
import { assertRetention } from '../retention.js';
import type { SqlDatabase } from '../sql-port.js';

/** The options of `TransactionLog`. */
export interface TransactionLogOptions {
  /** The database that answers checks: the one in which the local transactions run. */
  readonly database: SqlDatabase;
  /** The name of the table. Default `rocketmq_transaction_log`. */
  readonly tableName?: string;
  /**
   * How long rows are kept. It must be longer than the server checks a transaction. A server that was down continues its checks when it
   * is back, for as long as it keeps messages (72 h by default), so keep rows longer than that, too. Default 7 days.
   */
  readonly retentionMs?: number;
  /** How often the server checks a transaction (`transactionCheckMax` of the broker). Default 15. */
  readonly transactionCheckMax?: number;
  /** The server's interval between two checks (`transactionCheckInterval` of the broker). Default 30 000; 60 000 before server 5. */
  readonly transactionCheckIntervalMs?: number;
  /**
   * How long a check waits for a local transaction that holds its row before it answers `unknown`. Below 10 000; on MySQL it is rounded up to
   * whole seconds. Default 3000.
   */
  readonly lockTimeoutMs?: number;
  /** The clock for the age of a half message. Default: the system clock. */
  readonly clock?: Clock;
  /**
   * The transactions of `@nestjs-cls/transactional`. Then a method with `@TransactionalSend` is recorded in its `@Transactional()` without a
   * call of `record()`. Default: none.
   */
  readonly transactions?: ClsTransactions;
}

const DEFAULT_RETENTION_MS = 7 * 24 * HOUR_MS;
const DEFAULT_CHECK_MAX = 15;
const DEFAULT_CHECK_INTERVAL_MS = 30 * SECOND_MS;
const DEFAULT_LOCK_TIMEOUT_MS = 3 * SECOND_MS;
/** The total time of a check, by default. */
const CHECK_TIMEOUT_MS = 10 * SECOND_MS;

/** How long rows are kept. @throws UsageError `RETENTION_TOO_SHORT`, `ILLEGAL_OPTION` */
export function retentionOf(options: TransactionLogOptions): number {
  const retentionMs = options.retentionMs ?? DEFAULT_RETENTION_MS;
  const minDescription =
    'the last check (firstCheckAfterMs of up to 1 h, then transactionCheckMax × transactionCheckIntervalMs)';
  return assertRetention({ retentionMs, minMs: lastCheckMs(options), minDescription });
}

/** How long a check waits. @throws UsageError `ILLEGAL_OPTION` */
export function lockTimeoutOf({ lockTimeoutMs = DEFAULT_LOCK_TIMEOUT_MS }: TransactionLogOptions): number {
  checkedPositiveInteger('lockTimeoutMs', lockTimeoutMs);
  if (lockTimeoutMs < CHECK_TIMEOUT_MS) return lockTimeoutMs;
  const text = `option lockTimeoutMs must be below ${CHECK_TIMEOUT_MS}, the timeout of a check, not ${lockTimeoutMs}`;
  throw new UsageError('ILLEGAL_OPTION', text, 'lockTimeoutMs');
}

/** The server's first check is after 6 s by default, or after `firstCheckAfterMs`, 1 h at most, if that is set. */
function lastCheckMs({ transactionCheckMax, transactionCheckIntervalMs }: TransactionLogOptions): number {
  const checks = checkedPositiveInteger('transactionCheckMax', transactionCheckMax ?? DEFAULT_CHECK_MAX);
  const intervalMs = checkedPositive(
    'transactionCheckIntervalMs',
    transactionCheckIntervalMs ?? DEFAULT_CHECK_INTERVAL_MS,
  );
  return LIMITS.recoveryDurationMs + checks * intervalMs;
}
