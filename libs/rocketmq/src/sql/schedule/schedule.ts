// Messages that wait in the database until they are due: setting, replacing, canceling and pausing them in the caller's transaction. A relay
// hands them to the outbox, see schedule-hand-over.ts.

import { assertMessageTypes } from '../../protocol/model/message-checks.js';
import { MessageIdGenerator } from '../../protocol/model/message-id.js';
import { type Clock, HOUR_MS, SECOND_MS, SystemClock } from '../../support/clock.js';
import { assertFields, assertObject } from '../../support/options.js';
import { systemRandom } from '../../support/random.js';
import { type ClsTransactions, demand } from '../cls-transactions.js';
import { dialectOf } from '../dialects.js';
import { toColumns } from '../outbox-message.js';
import { assertReady } from '../readiness.js';
import { DEFAULT_TABLES } from '../schema.js';
import type { SqlDatabase, SqlExecutor } from '../sql-port.js';
import type { SqlTelemetry } from '../sql-telemetry.js';
import { tableName } from '../table-name.js';
import { assertTransaction } from '../transaction-guards.js';
import { nextTickMs } from './cron.js';
import { listOptionsOf, PENDING_CHECKS, type PendingOptions, type PendingPage, pageOf } from './pending-entries.js';
import { dueAtMsOf, ENTRY_CHECKS, type ScheduleEntry } from './schedule-entry.js';
import { PAUSE_MS } from './schedule-statements.js';
import { assertPauseReason, assertScheduleKey, atTick, fieldsAtTick, keyOfRun } from './schedule-tick.js';

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
  /**
   * The transactions of `@nestjs-cls/transactional`: inside of `@Transactional()`, `set(entry)`, `cancel(key)` and other changes then need no `tx`.
   * Default: none.
   */
  readonly transactions?: ClsTransactions;
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
   * written is computed again. What is paused stays so.
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
    this.wake();
  }

  /**
   * Removes an entry in `tx`: if `tx` commits, its message is not sent, and a repeated entry has no more ticks.
   * @param tx the object that a transaction of the database passes to its callback. Default: the transaction of `@Transactional()`
   * @returns whether the entry was there; false if there was none, or if its message has been handed over and is delivered
   * @throws UsageError `ILLEGAL_KEY`; `NO_TRANSACTION` as of {@link set}
   */
  cancel(tx: SqlExecutor, key: string): Promise<boolean>;
  cancel(key: string): Promise<boolean>;
  async cancel(...args: OnKey): Promise<boolean> {
    const [tx, key] = this.onKey(args);
    return dialectOf(tx).schedule.cancel(tx, this.table, key);
  }

  /**
   * Sends an entry once at the next poll of a relay, if `tx` commits, also a paused one. An entry with `cron` keeps its ticks, and its message names
   * the time of this call. Another entry is then gone, and its message names when it was to be due.
   * @param tx the object that a transaction of the database passes to its callback. Default: the transaction of `@Transactional()`
   * @returns whether the entry was there
   * @throws UsageError `ILLEGAL_KEY`; `NO_TRANSACTION` as of {@link set}
   */
  runNow(tx: SqlExecutor, key: string): Promise<boolean>;
  runNow(key: string): Promise<boolean>;
  async runNow(...args: OnKey): Promise<boolean> {
    const [tx, key] = this.onKey(args);
    const { schedule } = dialectOf(tx);
    const row = await schedule.find(tx, this.table, key);
    if (row === undefined) return false;
    const nowMs = this.clock.nowMs();
    if (row.rule === undefined) {
      await schedule.postpone(tx, this.table, key, Math.min(row.dueAtMs, nowMs));
      if (row.dueAtMs >= PAUSE_MS) await schedule.forget(tx, this.table, key);
    } else {
      const id = this.ids.next(nowMs);
      // Ticks are on whole seconds: what drops duplicates by the tick must not take it for one.
      const fields = fieldsAtTick(row.fields, key, nowMs % SECOND_MS === 0 ? nowMs + 1 : nowMs);
      await schedule.addOnce(tx, this.table, key, { key: keyOfRun(key, id), id, fields, dueAtMs: nowMs });
    }
    this.wake();
    return true;
  }

  /**
   * Keeps an entry from being sent until {@link resume}, whatever `set` changes about it. Pausing it again replaces the reason. A message
   * that was moved to the outbox before is sent.
   * @param tx the object that a transaction of the database passes to its callback. Default: the transaction of `@Transactional()`
   * @param reason for everybody who looks for the cause: 1 to 500 characters
   * @returns whether the entry was there
   * @throws UsageError `ILLEGAL_KEY`; `ILLEGAL_OPTION` for a reason that is blank or too long; `NO_TRANSACTION` as of {@link set}
   */
  pause(tx: SqlExecutor, key: string, reason: string): Promise<boolean>;
  pause(key: string, reason: string): Promise<boolean>;
  async pause(...args: [SqlExecutor, string, string] | [string, string]): Promise<boolean> {
    const reason = args.at(-1);
    const [tx, key] = this.onKey(args.slice(0, -1) as OnKey);
    assertPauseReason(reason);
    const { schedule } = dialectOf(tx);
    const row = await schedule.find(tx, this.table, key);
    if (row === undefined) return false;
    const { dueAtMs } = row;
    if (dueAtMs < PAUSE_MS) await schedule.postpone(tx, this.table, key, dueAtMs + PAUSE_MS);
    await schedule.remember(tx, this.table, key, { pausedAtMs: this.clock.nowMs(), reason });
    return true;
  }

  /**
   * Ends a pause. An entry with `cron` goes on with its first tick from now on, and leaves out those of the pause. Another one is due when it
   * was: at once, if that time has passed.
   * @param tx the object that a transaction of the database passes to its callback. Default: the transaction of `@Transactional()`
   * @returns whether the entry was there, paused or not
   * @throws UsageError `ILLEGAL_KEY`; `ILLEGAL_CRON`, `PACKAGE_MISSING` and `NO_TRANSACTION` as of {@link set}
   */
  resume(tx: SqlExecutor, key: string): Promise<boolean>;
  resume(key: string): Promise<boolean>;
  async resume(...args: OnKey): Promise<boolean> {
    const [tx, key] = this.onKey(args);
    const { schedule } = dialectOf(tx);
    const row = await schedule.find(tx, this.table, key);
    if (row === undefined) return false;
    const { dueAtMs, rule } = row;
    if (dueAtMs < PAUSE_MS) return true;
    const nextMs = rule === undefined ? dueAtMs - PAUSE_MS : await nextTickMs(rule, this.clock.nowMs());
    await schedule.postpone(tx, this.table, key, nextMs);
    if (rule === undefined) await schedule.forget(tx, this.table, key);
    else await schedule.remember(tx, this.table, key, { pausedAtMs: null, reason: null });
    this.wake();
    return true;
  }

  /**
   * The entries that wait, a page of them.
   * @throws UsageError `ILLEGAL_OPTION`, `ILLEGAL_KEY` that name the option
   */
  async pending(tx: SqlExecutor, options: PendingOptions = {}): Promise<PendingPage> {
    assertObject('options', options, 'schedule: ');
    assertFields(options, PENDING_CHECKS);
    const wanted = listOptionsOf(options);
    return pageOf(await dialectOf(tx).schedule.list(tx, this.table, wanted), wanted.limit);
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

  /** Calls `wake` whenever an entry may be due earlier, which is before the commit. @internal */
  watch(wake: () => void): () => void {
    this.watchers.add(wake);
    return () => void this.watchers.delete(wake);
  }

  /** Locks an entry until `tx` ends: what `tx` reads from then on is what it changes. @internal */
  async lock(tx: SqlExecutor, key: string): Promise<void> {
    await dialectOf(tx).schedule.find(tx, this.table, key);
  }

  private onKey(args: OnKey): readonly [SqlExecutor, string] {
    const [tx, key] = args.length === 2 ? args : ([demand(this.transactions), ...args] as const);
    assertTransaction(tx);
    assertScheduleKey(key);
    return [tx, key];
  }

  private wake(): void {
    for (const wake of this.watchers) wake();
  }
}

/** The arguments of a change to one entry. */
type OnKey = [SqlExecutor, string] | [string];

/** An entry that is due later than the clocks of two instances can explain is given its next tick again. */
const MAX_CLOCK_DIFFERENCE_MS = HOUR_MS;
