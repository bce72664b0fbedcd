// Moves due entries of a schedule to an outbox. The database arbitrates between relays: whoever locks a row moves it. Nothing here waits for
// a lock that somebody else holds.

import { MessageIdGenerator } from '../../protocol/model/message-id.js';
import { MINUTE_MS } from '../../support/clock.js';
import { TransportError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { databaseWithin } from '../database-deadline.js';
import { dialectOf } from '../dialects.js';
import { nextTickMs } from '../schedule/cron.js';
import type { HandedRow, LockedRow, ScheduledRow } from '../schedule/schedule-statements.js';
import { fieldsAtTick } from '../schedule/schedule-tick.js';
import type { SqlExecutor } from '../sql-port.js';
import type { RelaySettings } from './outbox-relay-options.js';

/** When an entry that could not be handed over is tried again. */
const FAULT_RETRY_MS = MINUTE_MS;

/** An entry that this relay cannot hand over. */
interface Fault {
  readonly row: ScheduledRow;
  readonly error: unknown;
}

/** What one transaction has done. */
interface Moved {
  /** The ids of entries that are in the outbox now. */
  readonly ids: ReadonlySet<string>;
  readonly faults: readonly Fault[];
}

/** What a run has found. */
interface HandedOver {
  readonly moved: number;
  /** When the next entry is due; undefined if entries are due that others hold, or if there are none. */
  readonly nextDueMs: number | undefined;
}

export class ScheduleHandOver {
  private readonly ids: MessageIdGenerator;
  /** When to try entries again that this relay cannot hand over, by their ids. Another relay may have what is missing here. */
  private readonly faulty = new Map<string, number>();
  /** The ids of due entries that others held. They are tried in each run, beside a batch of others. */
  private readonly held = new Set<string>();

  constructor(
    /** Read at each run, because the logger of a relay can change. */
    private readonly settings: () => RelaySettings,
    private readonly table: string,
    private readonly abandoned: AbortSignal,
  ) {
    this.ids = new MessageIdGenerator(settings().random, process.pid);
  }

  /**
   * Moves due entries, at most a batch.
   * @throws errors of the database, and nothing was moved
   */
  async run(): Promise<HandedOver> {
    for (;;) {
      const nowMs = this.settings().clock.nowMs();
      const rows = await this.earliest(nowMs);
      const due = rows.filter(({ dueAtMs }) => dueAtMs <= nowMs);
      if (due.length === 0) return { moved: 0, nextDueMs: rows[0]?.dueAtMs };
      const { ids, faults } = await this.move(due, nowMs);
      for (const fault of faults) this.report(fault, nowMs);
      const isNew = due.some(({ id }) => !this.held.has(id));
      for (const { id } of due) {
        if (ids.has(id) || this.faulty.has(id)) this.held.delete(id);
        else this.held.add(id);
      }
      // A batch of nothing but faults and held entries must not keep the entries behind it waiting.
      if (ids.size > 0 || !isNew) return { moved: ids.size, nextDueMs: undefined };
    }
  }

  /** All that others held, and a batch of those behind. */
  private async earliest(nowMs: number): Promise<ScheduledRow[]> {
    const { database, batchSize } = this.settings();
    const { schedule, readsOnly } = dialectOf(database);
    for (const [id, retryAtMs] of this.faulty) if (retryAtMs <= nowMs) this.faulty.delete(id);
    const limit = batchSize + this.faulty.size + this.held.size;
    const rows = await this.within(() =>
      database.transaction(async (tx) => {
        await readsOnly(tx);
        return schedule.earliest(tx, this.table, limit);
      }),
    );
    const ids = new Set(rows.map(({ id }) => id));
    for (const known of [this.faulty, this.held]) for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    return rows.filter(({ id }) => !this.faulty.has(id));
  }

  /** Together, or one by one if they cannot be moved together: one row must not keep the others back. */
  private async move(due: readonly ScheduledRow[], nowMs: number): Promise<Moved> {
    const { database } = this.settings();
    const inTransaction = (rows: readonly ScheduledRow[]): Promise<Moved> =>
      this.within(() => database.transaction((tx) => this.moveIn(tx, rows, nowMs)));
    try {
      return await inTransaction(due);
    } catch (together) {
      if (due.length === 1 || together instanceof TransportError || this.abandoned.aborted) throw together;
      const ids = new Set<string>();
      const faults: Fault[] = [];
      for (const row of due) {
        try {
          const alone = await inTransaction([row]);
          for (const id of alone.ids) ids.add(id);
          faults.push(...alone.faults);
        } catch (error) {
          if (error instanceof TransportError || this.abandoned.aborted) throw error;
          faults.push({ row, error });
        }
      }
      // It is not the rows.
      if (faults.length === due.length) throw together;
      return { ids, faults };
    }
  }

  /** In one transaction: an entry is in the schedule, or its message in the outbox. */
  private async moveIn(tx: SqlExecutor, rows: readonly ScheduledRow[], nowMs: number): Promise<Moved> {
    const { batchSize, database, outbox: to } = this.settings();
    const { schedule, outbox } = dialectOf(database);
    const keys = rows.map(({ key }) => key);
    const ids = new Set<string>();
    const faults: Fault[] = [];
    const handed: HandedRow[] = [];
    const locked = await schedule.lock(tx, this.table, keys, nowMs);
    const groups = [...new Set(locked.flatMap(({ messageGroup }) => messageGroup ?? []))];
    const ours = groups.length === 0 ? new Set() : await outbox.tryLockGroups(tx, to.table, groups);
    for (const row of locked) {
      if (ids.size === batchSize) break;
      // All entries of a group that another holds stay, to keep their order.
      if (row.messageGroup !== null && !ours.has(row.messageGroup)) continue;
      try {
        handed.push(await this.handed(row, nowMs));
        ids.add(row.id);
      } catch (error) {
        faults.push({ row, error });
      }
    }
    if (handed.length > 0) await schedule.move(tx, this.table, to.table, handed);
    return { ids, faults };
  }

  /** Of several ticks that were missed, the first is sent, and the others are left out. */
  private async handed({ key, fields, dueAtMs, rule }: LockedRow, nowMs: number): Promise<HandedRow> {
    if (rule === undefined) return { key, tick: undefined };
    const nextMs = await nextTickMs(rule, Math.max(dueAtMs, nowMs));
    return { key, tick: { id: this.ids.next(nowMs), fields: fieldsAtTick(fields, key, dueAtMs), dueAtMs, nextMs } };
  }

  private report({ row: { key, id, topic }, error }: Fault, nowMs: number): void {
    this.faulty.set(id, nowMs + FAULT_RETRY_MS);
    const text =
      'an entry of the schedule cannot be handed over by this relay; it stays in the table and is tried again in a minute, by other relays at once';
    this.settings().logger.error(text, { key, topic, error: describeError(error) });
  }

  private within<T>(transaction: () => Promise<T>): Promise<T> {
    return databaseWithin('access to the schedule', this.settings().leaseMs, transaction, this.abandoned);
  }
}
