// Messages that wait in the database to be sent: adding them in the caller's transaction, inspecting and deleting them. The sending
// is in outbox-relay.ts.

import { LIMITS } from '../protocol/model/limits.js';
import { MessageIdGenerator } from '../protocol/model/message-id.js';
import { type Clock, HOUR_MS, SystemClock } from '../support/clock.js';
import { positive, positiveInteger } from '../support/options.js';
import { systemRandom } from '../support/random.js';
import { type OutboxMessage, toColumns } from './outbox-message.js';
import { purge } from './retention.js';
import { DEFAULT_OUTBOX_TABLE, quoteTable } from './schema.js';
import type { SqlDatabase, SqlExecutor } from './sql-port.js';
import type { SqlTelemetry } from './sql-telemetry.js';

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
/** Distinguishes the locks of this library's message groups from other advisory locks: the first bytes of "rocketmq". */
const LOCK_CLASS = 0x726f636b;

/**
 * The local message table: a message is written in the database transaction of the business change, and a relay sends it
 * afterwards, at least once. Its id is the same at each send.
 */
export class Outbox {
  /** The table, quoted. @internal */
  readonly table: string;
  private readonly retentionMs: number;
  private readonly clock: Clock;
  private readonly maxDelayMs: number;
  private readonly telemetry: OutboxOptions['telemetry'];
  private readonly ids = new MessageIdGenerator(systemRandom, process.pid);
  private readonly watchers = new Set<() => void>();

  /** @throws UsageError `ILLEGAL_TABLE_NAME`; `ILLEGAL_OPTION` that names the option */
  constructor(options: OutboxOptions = {}) {
    this.table = quoteTable(options.tableName ?? DEFAULT_OUTBOX_TABLE);
    this.retentionMs = positive('retentionMs', options.retentionMs ?? DEFAULT_RETENTION_MS);
    this.clock = options.clock ?? new SystemClock();
    this.maxDelayMs = positive('maxDelayMs', options.maxDelayMs ?? LIMITS.delayMs);
    this.telemetry = options.telemetry;
  }

  /**
   * Writes a message in `tx`: it is sent if and when `tx` commits. Messages of one message group are sent in the order in which
   * they were added: adding to a group waits for the earlier transaction that added to it, so add late in a transaction.
   * @returns the id: the message id under which consumers get it, and its property `rocketmq-outbox-id`
   * @throws UsageError that names the field, for a message that no server would accept
   */
  async add(tx: SqlExecutor, message: OutboxMessage): Promise<string> {
    const nowMs = this.clock.nowMs();
    const id = this.ids.next(nowMs);
    const written = this.telemetry?.outboxMessage(message) ?? message;
    const { topic, messageGroup, fields, body } = toColumns(written, id, nowMs, this.maxDelayMs);
    // Without the lock, a row could become visible after a later one of its group was sent: positions are assigned before the commit.
    if (messageGroup !== null) {
      const lock = `SELECT pg_advisory_xact_lock(${LOCK_CLASS}, hashtext($1::text))`;
      await tx.query(lock, [`${this.table}/${messageGroup}`]);
    }
    const text =
      `INSERT INTO ${this.table} ("id", "topic", "message_group", "fields", "body") ` +
      "VALUES ($1, $2, $3::text, $4::jsonb, decode($5::text, 'base64'))";
    await tx.query(text, [id, topic, messageGroup, fields, body]);
    for (const wake of this.watchers) wake();
    return id;
  }

  /** The backlog; for a metric. */
  async lag(tx: SqlExecutor): Promise<OutboxLag> {
    // One subquery for each state, so that an index finds the few relevant rows among the sent ones.
    const count = (state: string): string => `(SELECT count(*)::int FROM ${this.table} WHERE "state" = '${state}')`;
    const age = 'extract(epoch FROM clock_timestamp() - min("created_at"))::float8 * 1000';
    const text =
      `SELECT ${count('unsent')} AS "unsent", ${count('parked')} AS "parked", ` +
      `(SELECT ${age} FROM ${this.table} WHERE "state" = 'unsent') AS "oldest"`;
    const [row] = (await tx.query(text, [])).rows as readonly LagRow[];
    return { unsent: row?.unsent ?? 0, oldestUnsentMs: Math.max(0, row?.oldest ?? 0), parked: row?.parked ?? 0 };
  }

  /** The parked messages, oldest first. @param limit default 100 */
  async parked(tx: SqlExecutor, limit = 100): Promise<ParkedMessage[]> {
    const text =
      `SELECT "id", "topic", "message_group", "attempts", "last_error" FROM ${this.table} ` +
      `WHERE "state" = 'parked' ORDER BY "position" LIMIT $1::int`;
    const { rows } = await tx.query(text, [positiveInteger('limit', limit)]);
    return (rows as readonly ParkedRow[]).map(({ id, topic, message_group, attempts, last_error }) => {
      return { id, topic, messageGroup: message_group ?? undefined, attempts, lastError: last_error ?? '' };
    });
  }

  /**
   * Retries parked messages, with all their attempts. A message of a message group may then be sent after later ones.
   * @param ids default: all
   * @returns how many are retried
   */
  async retryParked(tx: SqlExecutor, ids?: readonly string[]): Promise<number> {
    const chosen = ids === undefined ? '' : ' AND "id" IN (SELECT jsonb_array_elements_text($1::jsonb))';
    const text =
      `WITH "retried" AS (UPDATE ${this.table} SET "state" = 'unsent', "attempts" = 0, "due_at" = '-infinity', ` +
      `"settled_at" = NULL WHERE "state" = 'parked'${chosen} RETURNING 1) SELECT count(*)::int AS "count" FROM "retried"`;
    const { rows } = await tx.query(text, ids === undefined ? [] : [JSON.stringify(ids)]);
    for (const wake of this.watchers) wake();
    return (rows as readonly { readonly count: number }[])[0]?.count ?? 0;
  }

  /**
   * Deletes rows of messages that were sent longer than `retentionMs` ago, in bounded batches, each in its own transaction.
   * @param signal stops it after the current batch
   * @returns how many were deleted
   */
  purge(database: SqlDatabase, signal?: AbortSignal): Promise<number> {
    const { table, retentionMs } = this;
    return purge(database, { table, column: 'settled_at', condition: `"state" = 'sent'`, retentionMs }, signal);
  }

  /** Calls `wake` whenever a message was added, which is before its commit. @internal */
  watch(wake: () => void): () => void {
    this.watchers.add(wake);
    return () => void this.watchers.delete(wake);
  }
}

interface LagRow {
  readonly unsent: number;
  readonly parked: number;
  readonly oldest: number | null;
}

interface ParkedRow {
  readonly id: string;
  readonly topic: string;
  readonly message_group: string | null;
  readonly attempts: number;
  readonly last_error: string | null;
}
