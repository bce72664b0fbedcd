// Moves due entries of a schedule to an outbox. The database arbitrates between relays: whoever locks a row moves it.

import { MessageIdGenerator } from '../protocol/model/message-id.js';
import { describeError } from '../support/logger.js';
import { nextTickMs } from './cron.js';
import { databaseWithin } from './database-deadline.js';
import { dialectOf, type HandedRow, type LockedRow, type ScheduledRow } from './dialect.js';
import type { RelaySettings } from './outbox-relay-options.js';
import { fieldsAtTick } from './schedule-tick.js';
import type { SqlExecutor } from './sql-port.js';

/** An entry that this relay cannot hand over. */
interface Fault {
  readonly row: ScheduledRow;
  readonly error: unknown;
}

export class ScheduleHandOver {
  private readonly ids: MessageIdGenerator;
  /** The ids of entries that this relay cannot hand over. Another one may: it may have what is missing here. */
  private readonly faulty = new Set<string>();

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
   * @returns when the next one is due, if none was
   * @throws errors of the database, and nothing was moved
   */
  async run(): Promise<number | undefined> {
    const nowMs = this.settings().clock.nowMs();
    const rows = await this.earliest();
    const due = rows.filter(({ dueAtMs }) => dueAtMs <= nowMs);
    if (due.length === 0) return rows[0]?.dueAtMs;
    const keys = due.map(({ key }) => key);
    const { database } = this.settings();
    for (const fault of await this.within(() => database.transaction((tx) => this.move(tx, keys, nowMs)))) {
      this.report(fault);
    }
    return undefined;
  }

  /** Without those that cannot be handed over: they are due first, and must not keep others waiting. */
  private async earliest(): Promise<ScheduledRow[]> {
    const { database, batchSize } = this.settings();
    const { schedule, readsOnly } = dialectOf(database);
    const limit = batchSize + this.faulty.size;
    const rows = await this.within(() =>
      database.transaction(async (tx) => {
        await readsOnly(tx);
        return schedule.earliest(tx, this.table, limit);
      }),
    );
    const ids = new Set(rows.map(({ id }) => id));
    for (const id of this.faulty) if (!ids.has(id)) this.faulty.delete(id);
    return rows.filter(({ id }) => !this.faulty.has(id)).slice(0, batchSize);
  }

  /** In one transaction: an entry is in the schedule, or its message in the outbox. @returns what was left where it is */
  private async move(tx: SqlExecutor, keys: readonly string[], nowMs: number): Promise<Fault[]> {
    const { schedule, outbox } = dialectOf(this.settings().database);
    const to = this.settings().outbox.table;
    const faults: Fault[] = [];
    const handed: HandedRow[] = [];
    const groups = new Set<string>();
    for (const row of await schedule.lock(tx, this.table, keys, nowMs)) {
      try {
        if (this.faulty.has(row.id)) continue;
        handed.push(await this.handed(row, nowMs));
        if (row.messageGroup !== null) groups.add(row.messageGroup);
      } catch (error) {
        faults.push({ row, error });
      }
    }
    // Always in the same order, or two relays could wait for each other.
    for (const group of [...groups].sort()) await outbox.lockGroup(tx, to, group);
    for (const row of handed) {
      await schedule.copy(tx, this.table, to, row);
      await schedule.advance(tx, this.table, row);
    }
    return faults;
  }

  /** Of several ticks that were missed, the first is sent, and the others are left out. */
  private async handed({ key, id, fields, dueAtMs, rule }: LockedRow, nowMs: number): Promise<HandedRow> {
    if (rule === undefined) return { key, id, fields, nextMs: undefined };
    const nextMs = await nextTickMs(rule, Math.max(dueAtMs, nowMs));
    return { key, id: this.ids.next(nowMs), fields: fieldsAtTick(fields, key, dueAtMs), nextMs };
  }

  private report({ row: { key, id, topic }, error }: Fault): void {
    this.faulty.add(id);
    const text =
      'an entry of the schedule cannot be handed over by this relay; it stays in the table, for other relays, until it is set again or this one is ' +
      'restarted';
    this.settings().logger.error(text, { key, topic, error: describeError(error) });
  }

  private within<T>(transaction: () => Promise<T>): Promise<T> {
    return databaseWithin('access to the schedule', this.settings().leaseMs, transaction, this.abandoned);
  }
}
