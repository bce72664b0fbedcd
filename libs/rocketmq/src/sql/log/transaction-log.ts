// Records how each transaction ended, in the database of the local transaction, and answers checks with a fence.

import type { Resolution } from '../../producer/transactions/transaction.js';
import type { TransactionCheckRequest } from '../../producer/transactions/transaction-check.js';
import {
  currentLocalTransaction,
  type LocalEnd,
  type LocalTransaction,
  type TransactionRecorder,
  type TransactionRun,
} from '../../producer/transactions/transaction-scope.js';
import { abortReason, raceAbort } from '../../support/abort.js';
import { type Clock, MINUTE_MS, SystemClock } from '../../support/clock.js';
import { withDeadline } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import { LOG_TO, type Logger, silentLogger, unfailing } from '../../support/logger.js';
import { Semaphore } from '../../support/semaphore.js';
import { type ClsTransactions, type DatabaseScope, demand } from '../cls-transactions.js';
import type { Written } from '../dialect.js';
import { dialectOf } from '../dialects.js';
import { assertReady, checkAtStart } from '../readiness.js';
import { purge } from '../retention.js';
import { DEFAULT_TABLES } from '../schema.js';
import { isDuplicate, isRowLocked } from '../sql-errors.js';
import type { SqlDatabase, SqlExecutor } from '../sql-port.js';
import { tableName } from '../table-name.js';
import { retryTransaction } from './retry-transaction.js';
import { notCommitted, notRecorded, RecordRolledBackError, TransactionFencedError } from './transaction-log-errors.js';
import { lockTimeoutOf, retentionOf, type TransactionLogOptions } from './transaction-log-options.js';

/** The server can ask about a thousand transactions at once, and each may wait for a row, with a connection of the application's pool. */
const CHECKS_AT_ONCE = 4;
/** The allowed clock difference between two processes. */
const CLOCK_SKEW_MS = 5 * MINUTE_MS;
/** The part of a `TransactionCheck` that the log needs. */
type CheckInput = Pick<TransactionCheckRequest, 'transactionId' | 'topic' | 'signal'> & {
  /** Default: false. */
  readonly mayStillRun?: boolean;
  readonly message?: Pick<TransactionCheckRequest['message'], 'bornTimestampMs'>;
};

/** The part of a `LocalTransaction` that the log needs. */
interface Recorded
  extends Pick<LocalTransaction, 'transactionId' | 'topic'>,
    Partial<Pick<LocalTransaction, 'rollback' | 'isRollback'>> {
  /** @internal */
  readonly run?: TransactionRun;
  /** @internal */
  findEndBy?(endFinder: (wanted: Resolution) => Promise<LocalEnd>): void;
}

/** A database transaction that may have been begun around the local transaction. */
interface EnclosingTransaction {
  readonly scope: DatabaseScope;
  readonly run: TransactionRun;
}

/** The information to find out how a transaction ended after its method returned. */
interface Evidence {
  readonly half: { readonly transactionId: string; readonly topic: string };
  /** Undefined when the database did not return it. */
  readonly number: string | undefined;
  /** Undefined when no row was written. */
  readonly written?: Written;
  /** The error of `record()`. */
  readonly failure?: unknown;
  readonly enclosing: EnclosingTransaction | undefined;
}

/**
 * Answers the server's checks from the database. A committed transaction has its row; for any other the check inserts a row itself,
 * with which a late local transaction conflicts. Checks must be answered: after 15 of them by default, about 7.5 minutes, the server
 * gives up the half message.
 */
export class TransactionLog {
  private readonly database: SqlDatabase;
  private readonly table: string;
  private readonly retentionMs: number;
  private readonly lockTimeoutMs: number;
  private readonly clock: Clock;
  private readonly transactions: ClsTransactions | undefined;
  /** For the check at the start alone: other failures are thrown. */
  private logger: Logger = silentLogger;
  private readonly checks = new Semaphore(CHECKS_AT_ONCE);

  /**
   * @throws UsageError `ILLEGAL_TABLE_NAME`; `ILLEGAL_OPTION` that names the option; `RETENTION_TOO_SHORT`, with both times, for rows
   *   that would not outlive the last check
   */
  constructor(options: TransactionLogOptions) {
    this.database = options.database;
    this.table = tableName(options.tableName ?? DEFAULT_TABLES.log);
    this.clock = options.clock ?? new SystemClock();
    this.transactions = options.transactions;
    this.lockTimeoutMs = lockTimeoutOf(options);
    this.retentionMs = retentionOf(options);
  }

  /**
   * Records the transaction as committed, in `tx`, the local database transaction: both are committed or neither. Do not call it for
   * a transaction that is rolled back; that needs no row. After `rollback()` of the current transaction nothing is written, and a later
   * `rollback()` changes the row to rollback, so that it does not answer a later check with commit.
   *
   * When the method returns, one query outside of it asks `database` how `tx` ended. If it was committed, the message is
   * committed immediately. If it was rolled back, the message is dropped, and the method fails with a StateError `NOT_COMMITTED`, unless
   * it called `rollback()` of the current transaction. If it is still running, because it was started around the method, or if there is no
   * answer within `lockTimeoutMs`, the server's check decides. A run that `retryTransaction()` repeats does not count.
   *
   * In a savepoint, the row is rolled back with the savepoint. If its error is caught and the rest is committed, the method fails with a
   * {@link RecordRolledBackError} when it returns, unless it called `rollback()` of the current transaction: the message is dropped, but
   * the rest is in the database.
   *
   * With the option `transactions`, a method that succeeds is recorded without this call: in the `@Transactional()` inside of it when that ends,
   * or else in the one around it. The message is then committed when that transaction has ended.
   * @param tx the object that a transaction of the database passes to its callback. Default: the transaction of `@Transactional()`
   * @throws TransactionFencedError when a check came first; do not catch it, the database transaction can no longer commit
   * @throws UsageError `NO_TRANSACTION` for a connection that is not in a database transaction, such as a pool; nothing was written
   * @throws StateError outside of a transaction, before its half message was sent, or when its method has ended (`TRANSACTION_ENDED`)
   */
  async record(tx?: SqlExecutor, transaction: Recorded = currentLocalTransaction()): Promise<void> {
    if (transaction.isRollback) return;
    if (tx === undefined) return this.write(demand(this.transactions), transaction, this.noteRecord(transaction));
    return this.write(tx, transaction);
  }

  /** What records transactions that do not call {@link record}. @internal */
  get recorder(): TransactionRecorder {
    const { transactions } = this;
    return {
      transactions,
      complete: (local) => this.complete(local),
      deferralOf: (local) => transactions?.deferralOf(local),
    };
  }

  private async complete(local: TransactionRun): Promise<void> {
    const { transactions } = this;
    if (transactions === undefined || local.isRollback || transactions.isRecorded(local)) return;
    const tx = transactions.current();
    // The finder of a transaction that failed says whether it was committed nevertheless.
    if (tx === undefined && local.endFinder !== undefined) return;
    if (tx === undefined) throw notRecorded(local.transactionId, transactions.connection);
    await this.write(tx, local, this.noteRecord(local));
  }

  private noteRecord({ run }: Recorded): EnclosingTransaction | undefined {
    const scope = run === undefined ? undefined : this.transactions?.noteRecord(run);
    return scope === undefined || run === undefined ? undefined : { scope, run };
  }

  private async write(tx: SqlExecutor, transaction: Recorded, enclosing?: EnclosingTransaction): Promise<void> {
    transaction.run?.assertRunning();
    const { transactionId, topic } = transaction;
    const half = { transactionId, topic };
    const findEndBy = transaction.findEndBy?.bind(transaction);
    const setFinder = (evidence: Omit<Evidence, 'half' | 'enclosing'>) =>
      findEndBy?.((wanted) => this.findEnd({ half, enclosing, ...evidence }, wanted));
    let number: string | undefined;
    try {
      const written = await dialectOf(tx).log.record(tx, { ...half, table: this.table }, (begun) => {
        number = begun;
      });
      setFinder({ number, written });
    } catch (error) {
      const isFenced = isDuplicate(error);
      const failure = isFenced ? new TransactionFencedError(transactionId, { cause: error }) : error;
      // If the caller swallowed the error, the method would return, and its message would be committed without a database transaction.
      if (isFenced && findEndBy === undefined) transaction.rollback?.();
      setFinder({ number, failure });
      throw failure;
    }
  }

  /**
   * How a transaction ended; a `TransactionChecker`. `rollback` is final: from then on the local transaction cannot commit.
   * `unknown` while the local transaction may still be running and has not committed, while it holds its row, when the check times out,
   * or when the half message is so old that its row may have been purged.
   * @throws errors of the database; the producer treats them as `unknown`
   */
  async check(check: CheckInput): Promise<Resolution | 'unknown'> {
    if (this.isForgotten(check)) return 'unknown';
    const ask = check.mayStillRun === true ? this.peek : this.fence;
    try {
      const release = await this.checks.acquire(check.signal);
      const work = () => this.database.transaction((tx) => ask.call(this, tx, check));
      return await raceAbort(retryTransaction(work, { signal: check.signal }).finally(release), check.signal);
    } catch (error) {
      if (check.signal.aborted || isRowLocked(error)) return 'unknown';
      throw error;
    }
  }

  /**
   * Checks that the table is there, with all columns. In a Nest application that happens at the start.
   * @throws StateError `TABLE_NOT_READY` that names what is missing; errors of the database
   */
  assertReady(database: SqlDatabase = this.database): Promise<void> {
    return assertReady(database, { log: this.table });
  }

  /** Called by Nest when the application has started. @throws StateError `TABLE_NOT_READY` */
  onApplicationBootstrap(): Promise<void> {
    return checkAtStart(() => this.assertReady(), this.logger);
  }

  /** @internal */
  [LOG_TO](logger: Logger): void {
    this.logger = unfailing(logger);
  }

  /**
   * Deletes rows that are older than `retentionMs`, in bounded batches, each in its own transaction.
   * @param signal stops it after the current batch
   * @returns how many were deleted
   */
  purge(database: SqlDatabase = this.database, signal?: AbortSignal): Promise<number> {
    return purge(
      database,
      { table: this.table, column: 'created_at', key: 'transaction_id', retentionMs: this.retentionMs },
      signal,
    );
  }

  /**
   * How a transaction ended after its method returned, which alone does not prove a commit. If the database transaction does not
   * answer this, the row does, in the same way as for a check.
   */
  private async findEnd(evidence: Evidence, wanted: Resolution): Promise<LocalEnd> {
    const { enclosing } = evidence;
    if (enclosing === undefined) return this.findEndNow(evidence, wanted);
    // Its end decides, and it cannot end before the method has.
    if (enclosing.scope.isRunning) return { resolution: 'unknown', defer: (end) => enclosing.scope.onEnded(end) };
    return this.findEndNow(evidence, enclosing.scope.isUndoneAround(enclosing.run) ? 'rollback' : wanted);
  }

  private findEndNow({ half, number, written, failure }: Evidence, wanted: Resolution): Promise<LocalEnd> {
    const what = `end of transaction ${half.transactionId}`;
    return withDeadline(what, this.lockTimeoutMs, undefined, async ({ signal }) => {
      if (wanted === 'rollback') return this.withdraw(half, signal);
      const { log } = dialectOf(this.database);
      const row = { ...half, table: this.table };
      const end = await raceAbort(log.endOf(this.database, row, number, written), signal);
      // It was started around the method and has not ended with it, so only a later check can know.
      if (end.kind === 'running') return { resolution: 'unknown' };
      if (end.kind === 'committed' && end.isProof) return { resolution: 'commit' };
      const resolution = await this.check({ ...half, signal });
      if (resolution !== 'rollback') return { resolution };
      if (end.kind === 'aborted') {
        // The method already knows that record() itself failed.
        const error = failure === undefined ? notCommitted(half.transactionId, log.swallowed) : undefined;
        return { resolution, error };
      }
      const isInNone = end.kind === 'unknown' || failure instanceof UsageError;
      const where = end.kind === 'lost' ? 'savepoint or transaction' : 'savepoint';
      return {
        resolution,
        error: isInNone ? failure : new RecordRolledBackError(half.transactionId, { cause: failure, where }),
      };
    });
  }

  /** Makes later checks find a rollback, whatever was recorded. */
  private async withdraw({ transactionId, topic }: Evidence['half'], signal: AbortSignal): Promise<LocalEnd> {
    const work = (): Promise<void> =>
      this.database.transaction(async (tx) => {
        if ((await this.fence(tx, { transactionId, topic, signal })) === 'rollback') return;
        await dialectOf(this.database).log.withdraw(tx, { table: this.table, transactionId });
      });
    await raceAbort(retryTransaction(work, { signal }), signal);
    return { resolution: 'rollback' };
  }

  /** A missing row proves nothing then, and a fence would drop the message of a committed transaction. */
  private isForgotten({ message }: CheckInput): boolean {
    return message !== undefined && this.clock.nowMs() - message.bornTimestampMs >= this.retentionMs - CLOCK_SKEW_MS;
  }

  private async fence(tx: SqlExecutor, { transactionId, topic, signal }: CheckInput): Promise<Resolution | 'unknown'> {
    // On a single connection this may start late, after others have ended. Nobody waits for the answer then, and a fence would only do harm.
    if (signal.aborted) throw abortReason(signal);
    const row = { table: this.table, transactionId, topic };
    const isWritten = await dialectOf(this.database).log.fence(tx, row, this.lockTimeoutMs);
    if (signal.aborted) throw abortReason(signal);
    return isWritten ? 'rollback' : this.look(tx, { transactionId });
  }

  /** Does not wait for a transaction that holds the row. */
  private async peek(tx: SqlExecutor, check: CheckInput): Promise<Resolution | 'unknown'> {
    await dialectOf(this.database).readsOnly(tx);
    return this.look(tx, check);
  }

  /** A missing or deleted row proves nothing: the next check starts again. */
  private async look(
    tx: SqlExecutor,
    { transactionId }: Pick<CheckInput, 'transactionId'>,
  ): Promise<Resolution | 'unknown'> {
    return (await dialectOf(this.database).log.resolutionOf(tx, { table: this.table, transactionId })) ?? 'unknown';
  }
}
