// Does something once per key, however often its message is delivered.

import { isIdOfCopy } from '../protocol/model/message-id.js';
import { HOUR_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import { anyFunction, rejected } from '../support/options.js';
import { type ClsTransactions, demand } from './cls-transactions.js';
import { dialectOf } from './dialects.js';
import { assertReady } from './readiness.js';
import { assertRetention, purge } from './retention.js';
import { type RetryPolicy, retrySpanMs } from './retry-span.js';
import { DEFAULT_TABLES } from './schema.js';
import type { SqlDatabase, SqlExecutor } from './sql-port.js';
import type { SqlTelemetry } from './sql-telemetry.js';
import { tableName } from './table-name.js';
import { assertTransaction } from './transaction-guards.js';

/** The options of `Inbox`. */
export interface InboxOptions {
  /** The name of the table. Default `rocketmq_inbox`. */
  readonly tableName?: string;
  /** How long a key is kept, by the database's clock. Default 7 days. */
  readonly retentionMs?: number;
  /**
   * The retry policy of the consumer group; `retentionMs` must be longer than all attempts at a message take together. Default:
   * the longest policy of Apache RocketMQ itself, 13 h.
   */
  readonly retryPolicy?: RetryPolicy;
  /** Counts skipped steps: `openTelemetry()` of `nestjs-rocketmq/opentelemetry`. Default: none. */
  readonly telemetry?: Pick<SqlTelemetry, 'inboxHit'>;
  /** The transactions of `@nestjs-cls/transactional`, for `once(key, work)` inside of `@Transactional()`. Default: none. */
  readonly transactions?: ClsTransactions;
}

/** A received message as a key: a `RocketMQContext` is one, and so is `{ consumerGroup, messageId: message.messageId }`. */
export interface InboxMessage {
  readonly consumerGroup: string;
  readonly messageId: string;
}

/** The result of {@link Inbox.once}. */
export type InboxResult<T> = { readonly first: true; readonly result: T } | { readonly first: false };

type OnceArguments<T> =
  | [tx: SqlExecutor, key: string | InboxMessage, work: () => Promise<T>]
  | [key: string | InboxMessage, work: () => Promise<T>];

const DEFAULT_RETENTION_MS = 7 * 24 * HOUR_MS;

/**
 * Records which steps were done, in the database transaction that did them. The best key is a business key (order and step): a
 * producer that repeats a send, or a dead letter that is replayed, can deliver the same thing under another message id.
 */
export class Inbox {
  private readonly table: string;
  private readonly retentionMs: number;
  private readonly telemetry: InboxOptions['telemetry'];
  private readonly transactions: InboxOptions['transactions'];

  /** @throws UsageError `ILLEGAL_TABLE_NAME`; `RETENTION_TOO_SHORT`, with both times */
  constructor(options: InboxOptions = {}) {
    this.table = tableName(options.tableName ?? DEFAULT_TABLES.inbox);
    this.retentionMs = options.retentionMs ?? DEFAULT_RETENTION_MS;
    this.telemetry = options.telemetry;
    this.transactions = options.transactions;
    this.assertOutlives(options.retryPolicy);
  }

  /**
   * Rejects a retention that is shorter than a message's attempts: a late attempt would be treated as the first.
   * @param of the owner of the policy, for the error
   * @throws UsageError `RETENTION_TOO_SHORT`, with both times
   */
  assertOutlives(policy: RetryPolicy = {}, of = 'the consumer group'): void {
    const minDescription = `the time for which a message of ${of} may be redelivered (retrySpanMs of its retry policy)`;
    assertRetention({ retentionMs: this.retentionMs, minMs: retrySpanMs(policy), minDescription });
  }

  /**
   * Runs `work` unless it was done before for this key. `work` must make its changes through `tx`: the key and the changes are
   * committed together or not at all. A second caller waits until the first one's transaction has ended.
   * @param tx the object that a transaction of the database passes to its callback. Default: the transaction of `@Transactional()`
   * @param key a business key; or the message, which stands for its consumer group and message id
   * @throws what `work` throws; let it pass, so that `tx` is rolled back and the key is free again
   * @throws UsageError `ILLEGAL_KEY` for a key that is empty, has NUL in it or is not well-formed Unicode, and on MySQL for one of more than 1020 bytes; `NO_TRANSACTION` without `tx` and outside
   *   of `@Transactional()`, and for a database or a pool
   */
  once<T>(tx: SqlExecutor, key: string | InboxMessage, work: () => Promise<T>): Promise<InboxResult<T>>;
  once<T>(key: string | InboxMessage, work: () => Promise<T>): Promise<InboxResult<T>>;
  async once<T>(...args: OnceArguments<T>): Promise<InboxResult<T>> {
    const [tx, key, work] = args.length === 3 ? args : ([demand(this.transactions), ...args] as const);
    assertTransaction(tx);
    const name = keyOf(key);
    const problem = anyFunction(work);
    if (problem !== undefined) throw rejected('work', `${problem}; nothing was done`);
    if (await dialectOf(tx).insertKey(tx, this.table, name)) return { first: true, result: await work() };
    this.telemetry?.inboxHit(typeof key === 'string' ? undefined : key.consumerGroup);
    return { first: false };
  }

  /**
   * Checks that the table is there, with all columns. `SqlCleanup` does that when an application starts.
   * @throws StateError `TABLE_NOT_READY` that names what is missing; errors of the database
   */
  assertReady(database: SqlDatabase): Promise<void> {
    return assertReady(database, { inbox: this.table });
  }

  /**
   * Deletes keys that are older than `retentionMs`, in bounded batches, each in its own transaction.
   * @param signal stops it after the current batch
   * @returns how many were deleted
   */
  purge(database: SqlDatabase, signal?: AbortSignal): Promise<number> {
    return purge(
      database,
      { table: this.table, column: 'created_at', key: 'key', retentionMs: this.retentionMs },
      signal,
    );
  }
}

function keyOf(key: string | InboxMessage): string {
  if (typeof key === 'string') {
    if (key === '') throw new UsageError('ILLEGAL_KEY', 'the key of an inbox step must not be empty', 'key');
    // PostgreSQL stores no NUL, and half of a pair of surrogates becomes a replacement character, so different keys would be equal.
    if (!key.includes('\0') && !/\p{Surrogate}/u.test(key)) return key;
    const text =
      'the key of an inbox step contains NUL or half of a character outside of the basic plane, such as an emoji that was cut; nothing was done';
    throw new UsageError('ILLEGAL_KEY', text, 'key');
  }
  const { consumerGroup, messageId } = Object(key) as InboxMessage;
  const isOfCopy = typeof messageId === 'string' && isIdOfCopy(messageId);
  if (consumerGroup && messageId && !isOfCopy) return `${consumerGroup}/${messageId}`;
  const text = isOfCopy
    ? `the client that sent message ${messageId} gave it no id, so each delivery has another one; nothing was done; give the inbox step a key of the business, such as the number of the order`
    : 'the key of an inbox step must be a string, or a message with its consumerGroup and messageId, neither of them empty; nothing was done';
  throw new UsageError('ILLEGAL_KEY', text, 'key');
}
