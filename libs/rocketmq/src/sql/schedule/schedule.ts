// Messages that wait in the database until they are due: setting, replacing and canceling them in the caller's transaction. A relay hands
// them to the outbox, see schedule-hand-over.ts.

import { assertMessageTypes } from '../../protocol/model/message-checks.js';
import { MessageIdGenerator } from '../../protocol/model/message-id.js';
import { type Clock, HOUR_MS, SystemClock } from '../../support/clock.js';
import { UsageError } from '../../support/errors.js';
import {
  assertFields,
  assertObject,
  checkedElsewhere,
  checkedPositiveInteger,
  type OptionChecks,
} from '../../support/options.js';
import { systemRandom } from '../../support/random.js';
import { type ClsTransactions, demand } from '../cls-transactions.js';
import { dialectOf } from '../dialects.js';
import { type OutboxMessage, toColumns } from '../outbox/outbox-message.js';
import { assertReady } from '../readiness.js';
import { DEFAULT_TABLES } from '../schema.js';
import type { SqlDatabase, SqlExecutor } from '../sql-port.js';
import type { SqlTelemetry } from '../sql-telemetry.js';
import { tableName } from '../table-name.js';
import { assertTransaction } from '../transaction-guards.js';
import { nextTickMs } from './cron.js';
import { assertScheduleKey, atTick } from './schedule-tick.js';

/** The options of `Schedule`. */
export interface ScheduleOptions {
  /** The name of the table. Default `rocketmq_schedule`. */
  readonly tableName?: string;
  /** The clock for `delayMs` and for the first tick of `cron`, which count from the call of `set`. Default: the system clock. */
  readonly clock?: Clock;
  /**
   * Adds the current trace context to a message when it is set, unless it is repeated: `openTelemetry()` of `nestjs-rocketmq/opentelemetry`.
   * Default: the message gets its trace context when a relay sends it.
   */
  readonly telemetry?: Pick<SqlTelemetry, 'outboxMessage'>;
  /** The transactions of `@nestjs-cls/transactional`, for `set(entry)` and `cancel(key)` inside of `@Transactional()`. Default: none. */
  readonly transactions?: ClsTransactions;
}

/** A message and when to send it: exactly one of `deliverAt`, `delayMs` and `cron`. */
export interface ScheduleEntry {
  /**
   * Identifies the entry, such as `order-17:reminder`: 1 to 255 bytes without white space. An entry with the same key is replaced.
   */
  readonly key: string;
  /** The message, without a delivery time of its own. Its topic is of the type that it has without a delay: normal, FIFO, priority or lite. */
  readonly message: Omit<OutboxMessage, 'deliverAt' | 'delayMs'>;
  /** Sends it once, then: at any time up to the year 9999. A time that has passed sends it at once. Default: none. */
  readonly deliverAt?: Date;
  /** Sends it once, so many milliseconds after the call. Default: none. */
  readonly delayMs?: number;
  /**
   * Sends it at each tick of a cron expression of five fields, or six with seconds, by the package `cron-parser`, which must be installed:
   * `0 3 * * *` is each night at three. Default: none.
   */
  readonly cron?: string;
  /** The time zone of `cron`, such as `Europe/Berlin`. Default `UTC`. */
  readonly timeZone?: string;
}

/** The values are checked where they are read. A misspelled time zone would be UTC. */
const ENTRY_CHECKS: OptionChecks<ScheduleEntry> = {
  key: checkedElsewhere,
  message: checkedElsewhere,
  deliverAt: checkedElsewhere,
  delayMs: checkedElsewhere,
  cron: checkedElsewhere,
  timeZone: checkedElsewhere,
};

/** An entry that waits. */
export interface PendingEntry {
  readonly key: string;
  readonly topic: string;
  readonly messageGroup: string | undefined;
  /** When it is due; for a repeated entry its next tick. */
  readonly dueAt: Date;
  readonly cron: string | undefined;
  readonly timeZone: string | undefined;
}

/** What waits in a schedule. */
export interface ScheduleLag {
  /** Entries that wait. */
  readonly scheduled: number;
  /** How long the oldest due entry has been waiting for a relay, in milliseconds; 0 if none is due. */
  readonly overdueMs: number;
}

/**
 * Messages for later, by business keys. An entry is set, replaced and canceled in the database transaction of the business change, and
 * waits in its table, so it can be due in years. Once it is due, an `OutboxRelay` with this schedule moves it to the outbox in one transaction.
 * Until that commits, `set` and `cancel` take effect; from then on, the message is sent at least once.
 */
export class Schedule {
  /** The name of the table. @internal */
  readonly table: string;
  private readonly clock: Clock;
  private readonly telemetry: ScheduleOptions['telemetry'];
  private readonly transactions: ScheduleOptions['transactions'];
  private readonly ids = new MessageIdGenerator(systemRandom, process.pid);
  private readonly watchers = new Set<() => void>();

  /** @throws UsageError `ILLEGAL_TABLE_NAME` */
  constructor(options: ScheduleOptions = {}) {
    this.table = tableName(options.tableName ?? DEFAULT_TABLES.schedule);
    this.clock = options.clock ?? new SystemClock();
    this.telemetry = options.telemetry;
    this.transactions = options.transactions;
  }

  /**
   * Writes an entry in `tx`, in place of an earlier one with its key: it counts if and when `tx` commits. A repeated entry with the same `cron`
   * and `timeZone` keeps its next tick, so an application can set it at each start; a tick that only a clock wrong by more than an hour can have
   * written is computed again.
   * @param tx the object that a transaction of the database passes to its callback. Default: the transaction of `@Transactional()`
   * @throws UsageError that names the field, for an entry or a message that could not be sent: `ILLEGAL_KEY`, `ILLEGAL_DELIVERY_TIME`,
   *   `ILLEGAL_CRON` and those of a send; `PACKAGE_MISSING` for `cron` without `cron-parser`; `NO_TRANSACTION` without `tx` and outside of
   *   `@Transactional()`, and for a database or a pool
   */
  set(tx: SqlExecutor, entry: ScheduleEntry): Promise<void>;
  set(entry: ScheduleEntry): Promise<void>;
  async set(...args: [SqlExecutor, ScheduleEntry] | [ScheduleEntry]): Promise<void> {
    const [tx, entry] = args.length === 2 ? args : ([demand(this.transactions), ...args] as const);
    assertTransaction(tx);
    assertObject('entry', entry, 'schedule: ');
    assertFields(entry, ENTRY_CHECKS);
    const { key, message: given, cron, timeZone = 'UTC' } = entry;
    assertScheduleKey(key);
    // What is added to the keys of a message must not make them look right.
    assertMessageTypes(given, false);
    const nowMs = this.clock.nowMs();
    const rule = cron === undefined ? undefined : { key, cron, timeZone };
    const dueAtMs = await dueAtMsOf(entry, rule, nowMs);
    const latestDueMs = rule === undefined ? dueAtMs : await nextTickMs(rule, nowMs + MAX_CLOCK_DIFFERENCE_MS);
    // The trace of whoever sets a repeated entry has nothing to do with its ticks.
    const message = rule === undefined ? this.telemetry?.outboxMessage(given) : undefined;
    const id = this.ids.next(nowMs);
    const columns = toColumns(atTick(message ?? given, key, dueAtMs), id, nowMs, 0);
    await dialectOf(tx).schedule.set(tx, this.table, { key, id, dueAtMs, latestDueMs, rule, columns });
    for (const wake of this.watchers) wake();
  }

  /**
   * Removes an entry in `tx`: if `tx` commits, its message is not sent, and a repeated entry has no more ticks.
   * @param tx the object that a transaction of the database passes to its callback. Default: the transaction of `@Transactional()`
   * @returns whether the entry was there; false if there was none, or if its message has been handed over and is delivered
   * @throws UsageError `ILLEGAL_KEY`; `NO_TRANSACTION` as of {@link set}
   */
  cancel(tx: SqlExecutor, key: string): Promise<boolean>;
  cancel(key: string): Promise<boolean>;
  async cancel(...args: [SqlExecutor, string] | [string]): Promise<boolean> {
    const [tx, key] = args.length === 2 ? args : ([demand(this.transactions), ...args] as const);
    assertTransaction(tx);
    assertScheduleKey(key);
    return dialectOf(tx).schedule.cancel(tx, this.table, key);
  }

  /** The entries that wait, the next ones first. @param limit default 100 */
  async pending(tx: SqlExecutor, limit = 100): Promise<PendingEntry[]> {
    const rows = await dialectOf(tx).schedule.earliest(tx, this.table, checkedPositiveInteger('limit', limit));
    return rows.map(({ key, topic, messageGroup, dueAtMs, rule }) => ({
      key,
      topic,
      messageGroup: messageGroup ?? undefined,
      dueAt: new Date(dueAtMs),
      cron: rule?.cron,
      timeZone: rule?.timeZone,
    }));
  }

  /** How many entries wait, and whether relays keep up; for a metric. */
  async lag(tx: SqlExecutor): Promise<ScheduleLag> {
    const { scheduled, earliestMs } = await dialectOf(tx).schedule.lag(tx, this.table);
    return { scheduled, overdueMs: Math.max(0, this.clock.nowMs() - (earliestMs ?? Number.POSITIVE_INFINITY)) };
  }

  /**
   * Checks that the table is there, with all columns. `OutboxRelay` does that when an application starts.
   * @throws StateError `TABLE_NOT_READY` that names what is missing; errors of the database
   */
  assertReady(database: SqlDatabase): Promise<void> {
    return assertReady(database, { schedule: this.table });
  }

  /** Calls `wake` whenever an entry was set, which is before its commit. @internal */
  watch(wake: () => void): () => void {
    this.watchers.add(wake);
    return () => void this.watchers.delete(wake);
  }
}

/** An entry that is due later than the clocks of two instances can explain is given its next tick again. */
const MAX_CLOCK_DIFFERENCE_MS = HOUR_MS;

/** The end of what an ISO date has four digits for. */
const LATEST_MS = Date.UTC(9999, 11, 31);

async function dueAtMsOf(
  { key, message, deliverAt, delayMs, timeZone }: ScheduleEntry,
  rule: Parameters<typeof nextTickMs>[0] | undefined,
  nowMs: number,
): Promise<number> {
  const refuse = (field: string, problem: string): never => {
    const text = `entry "${key}" of the schedule: ${field} ${problem}; nothing was scheduled`;
    throw new UsageError('ILLEGAL_DELIVERY_TIME', text, field);
  };
  const own = (['deliverAt', 'delayMs'] as const).find((field) => (message as OutboxMessage)[field] !== undefined);
  if (own !== undefined) refuse(`message.${own}`, `cannot be used here; set ${own} of the entry`);
  if ([deliverAt, delayMs, rule].filter((time) => time !== undefined).length !== 1) {
    refuse('deliverAt', 'or delayMs or cron must be set, and only one of them');
  }
  if (rule !== undefined) return nextTickMs(rule, nowMs);
  if (timeZone !== undefined) refuse('timeZone', 'is for cron only; a date or a delay has none');
  if (deliverAt !== undefined) {
    const isDate = deliverAt instanceof Date && deliverAt.getTime() <= LATEST_MS;
    return isDate ? Math.max(0, deliverAt.getTime()) : refuse('deliverAt', 'must be a valid date up to the year 9999');
  }
  const dueAtMs = nowMs + Number(delayMs);
  const isDelay = typeof delayMs === 'number' && delayMs >= 0 && dueAtMs <= LATEST_MS;
  return isDelay
    ? Math.ceil(dueAtMs)
    : refuse('delayMs', 'must be a number of at least 0 that leads to a date up to the year 9999');
}
