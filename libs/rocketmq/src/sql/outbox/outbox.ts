// Messages that wait in the database to be sent: adding them in the caller's transaction, inspecting and deleting them. The sending
// is in outbox-relay.ts.

import { LIMITS } from '../../protocol/model/limits.js';
import { assertMessageTypes } from '../../protocol/model/message-checks.js';
import { MessageIdGenerator } from '../../protocol/model/message-id.js';
import { type Clock, HOUR_MS, SystemClock } from '../../support/clock.js';
import { checkedPositive, checkedPositiveInteger } from '../../support/options.js';
import { systemRandom } from '../../support/random.js';
import { type ClsTransactions, demand } from '../cls-transactions.js';
import { dialectOf } from '../dialects.js';
import { type OutboxMessage, toColumns } from '../outbox-message.js';
import { assertReady } from '../readiness.js';
import { purge } from '../retention.js';
import { DEFAULT_TABLES } from '../schema.js';
import type { SqlDatabase, SqlExecutor } from '../sql-port.js';
import type { SqlTelemetry } from '../sql-telemetry.js';
import { tableName } from '../table-name.js';
import { assertTransaction } from '../transaction-guards.js';

/** The options of `Outbox`. */
export interface OutboxOptions {
  /** The name of the table. Default `rocketmq_outbox`. */
  readonly tableName?: string;
  /** How long a row is kept after its message was sent, by the database's clock. Parked rows are kept forever. Default 24 h. */
  readonly retentionMs?: number;
  /** The clock for `delayMs`, which counts from the call of `add`. Default: the system clock. */
  readonly clock?: Clock;
  /**
   * How far ahead `deliverAt` and `delayMs` of a message may be, in milliseconds; the same as `maxDelayMs` of the producer that the relay
   * sends with. Default 24 h.
   */
  readonly maxDelayMs?: number;
  /**
   * Adds the current trace context to a message when it is written: `openTelemetry()` of `nestjs-rocketmq/opentelemetry`. Default: the
   * message gets its trace context when a relay sends it.
   */
  readonly telemetry?: Pick<SqlTelemetry, 'outboxMessage'>;
  /** The transactions of `@nestjs-cls/transactional`, for `add(message)` inside of `@Transactional()`. Default: none. */
  readonly transactions?: ClsTransactions;
}

/** The backlog of an outbox. */
export interface OutboxLag {
  /** Messages that are not yet sent. */
  readonly unsent: number;
  /** How long the oldest of them has been waiting, in milliseconds, by the database's clock; 0 if there is none. */
  readonly oldestUnsentMs: number;
  /** Messages that failed permanently and need attention. */
  readonly parked: number;
}

/** A message that failed permanently. */
export interface ParkedMessage {
  readonly id: string;
  readonly topic: string;
  readonly messageGroup: string | undefined;
  readonly attempts: number;
  readonly lastError: string;
}

const DEFAULT_RETENTION_MS = 24 * HOUR_MS;

/**
 * The local message table: a message is written in the database transaction of the business change, and a relay sends it
 * afterwards, at least once. Its id is the same at each send.
 */
export class Outbox {
  /** The name of the table. @internal */
  readonly table: string;
  private readonly retentionMs: number;
  private readonly clock: Clock;
  private readonly maxDelayMs: number;
  private readonly telemetry: OutboxOptions['telemetry'];
  private readonly transactions: OutboxOptions['transactions'];
  private readonly ids = new MessageIdGenerator(systemRandom, process.pid);
  private readonly watchers = new Set<() => void>();

  /** @throws UsageError `ILLEGAL_TABLE_NAME`; `ILLEGAL_OPTION` that names the option */
  constructor(options: OutboxOptions = {}) {
    this.table = tableName(options.tableName ?? DEFAULT_TABLES.outbox);
    this.retentionMs = checkedPositive('retentionMs', options.retentionMs ?? DEFAULT_RETENTION_MS);
    this.clock = options.clock ?? new SystemClock();
    this.maxDelayMs = checkedPositive('maxDelayMs', options.maxDelayMs ?? LIMITS.delayMs);
    this.telemetry = options.telemetry;
    this.transactions = options.transactions;
  }

  /**
   * Writes a message in `tx`: it is sent if and when `tx` commits. Messages of one message group are sent in the order in which
   * they were added: adding to a group waits for the earlier transaction that added to it, so add late in a transaction.
   * @param tx the object that a transaction of the database passes to its callback. Default: the transaction of `@Transactional()`
   * @returns the id: the message id under which consumers get it, and its property `rocketmq-outbox-id`
   * @throws UsageError that names the field, for a message that no server would accept; `NO_TRANSACTION` without `tx` and outside of
   *   `@Transactional()`, and for a database or a pool
   */
  add(tx: SqlExecutor, message: OutboxMessage): Promise<string>;
  add(message: OutboxMessage): Promise<string>;
  async add(...args: [SqlExecutor, OutboxMessage] | [OutboxMessage]): Promise<string> {
    const [tx, message] = args.length === 2 ? args : ([demand(this.transactions), ...args] as const);
    assertTransaction(tx);
    assertMessageTypes(message, false);
    const nowMs = this.clock.nowMs();
    const id = this.ids.next(nowMs);
    const written = this.telemetry?.outboxMessage(message) ?? message;
    const columns = toColumns(written, id, nowMs, this.maxDelayMs);
    const { outbox } = dialectOf(tx);
    if (columns.messageGroup !== null) await outbox.lockGroup(tx, this.table, columns.messageGroup);
    await outbox.insert(tx, this.table, id, columns);
    for (const wake of this.watchers) wake();
    return id;
  }

  /** The backlog; for a metric. */
  async lag(tx: SqlExecutor): Promise<OutboxLag> {
    const { unsent, parked, oldest } = await dialectOf(tx).outbox.lag(tx, this.table);
    return { unsent, oldestUnsentMs: Math.max(0, oldest ?? 0), parked };
  }

  /** The parked messages, oldest first. @param limit default 100 */
  async parked(tx: SqlExecutor, limit = 100): Promise<ParkedMessage[]> {
    const rows = await dialectOf(tx).outbox.parked(tx, this.table, checkedPositiveInteger('limit', limit));
    return rows.map(({ id, topic, messageGroup, attempts, lastError }) => {
      return { id, topic, messageGroup: messageGroup ?? undefined, attempts, lastError: lastError ?? '' };
    });
  }

  /**
   * Retries parked messages, with all their attempts. A message of a message group may then be sent after later ones.
   * @param ids default: all
   * @returns how many are retried
   */
  async retryParked(tx: SqlExecutor, ids?: readonly string[]): Promise<number> {
    const count = await dialectOf(tx).outbox.retryParked(tx, this.table, ids);
    for (const wake of this.watchers) wake();
    return count;
  }

  /**
   * Checks that the table is, and on MySQL that of its locks there, with all columns. `OutboxRelay` and `SqlCleanup` do that when an application starts.
   * @throws StateError `TABLE_NOT_READY` that names what is missing; errors of the database
   */
  assertReady(database: SqlDatabase): Promise<void> {
    return assertReady(database, { outbox: this.table });
  }

  /**
   * Deletes rows of messages that were sent longer than `retentionMs` ago, in bounded batches, each in its own transaction.
   * @param signal stops it after the current batch
   * @returns how many were deleted
   */
  purge(database: SqlDatabase, signal?: AbortSignal): Promise<number> {
    const { table, retentionMs } = this;
    return purge(database, { table, column: 'settled_at', key: 'position', state: 'sent', retentionMs }, signal);
  }

  /** Calls `wake` whenever a message was added, which is before its commit. @internal */
  watch(wake: () => void): () => void {
    this.watchers.add(wake);
    return () => void this.watchers.delete(wake);
  }
}
