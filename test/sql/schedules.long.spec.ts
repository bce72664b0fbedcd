// Schedules on real databases: entries that are replaced and canceled while several relays hand them over, and relays that end half-way.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { HOUR_MS, MINUTE_MS, type OutgoingMessage, SECOND_MS } from 'nestjs-rocketmq/client';
import {
  isTransactionConflict,
  Outbox,
  OutboxRelay,
  type PendingEntry,
  retryTransaction,
  SCHEDULE_TICK_PROPERTY,
  Schedule,
  type SqlExecutor,
} from 'nestjs-rocketmq/sql';
import { ManualClock } from '../../libs/rocketmq/src/support/manual-clock.js';
import { column, type OpenDatabase, openDatabase } from '../../tools/servers/sql-databases.js';
import { levelsOf, MYSQL, POSTGRESQL, type Server } from '../../tools/servers/sql-servers.js';
import { describeWithMySql } from '../fixtures/mysql.js';
import { describeWithPostgres } from '../fixtures/postgres.js';

describeWithPostgres('a schedule on PostgreSQL', () => atEachLevel(POSTGRESQL));
describeWithMySql('a schedule on', (product) => atEachLevel(MYSQL[product]));

function atEachLevel(server: Server): void {
  describe.each(levelsOf(server))('under %s', (_, setting) => scheduleOn(server, setting));
}

function scheduleOn({ start }: Server, isolation: string): void {
  let server: Awaited<ReturnType<Server['start']>>;
  let database: OpenDatabase;
  let clock: ManualClock;
  let schedule: Schedule;
  let sent: OutgoingMessage[];

  beforeAll(async () => {
    server = await start(isolation);
    database = await openDatabase(server.place);
  });
  afterAll(async () => {
    await database?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    for (const table of ['rocketmq_outbox', 'rocketmq_schedule', 'rocketmq_schedule_state']) {
      await database.port.transaction((tx) => tx.query(`DELETE FROM ${table}`, []));
    }
    clock = new ManualClock(Date.parse('2026-03-28T00:00:00Z'));
    schedule = new Schedule({ clock });
    sent = [];
  });

  const relay = (): OutboxRelay => {
    const send = async (message: OutgoingMessage): Promise<void> => void sent.push(message);
    return new OutboxRelay({ outbox: new Outbox(), schedule, database: database.port, clock, send, batchSize: 8 });
  };
  const set = (key: string, body: string, when: { delayMs?: number; cron?: string; timeZone?: string }) =>
    retryTransaction(
      () =>
        database.port.transaction((tx) => schedule.set(tx, { key, message: { topic: 'reminders', body }, ...when })),
      { maxAttempts: 100 },
    );
  const change = <T>(work: (tx: SqlExecutor) => Promise<T>): Promise<T> =>
    retryTransaction(() => database.port.transaction(work), { maxAttempts: 100 });
  const cancel = (key: string) => change((tx) => schedule.cancel(tx, key));
  /** A transaction that stays open after `work`. @returns what commits it */
  const holding = async (work: (tx: SqlExecutor) => Promise<unknown>): Promise<() => Promise<void>> => {
    let commit = (): void => {};
    const isReleased = new Promise<void>((resolve) => {
      commit = resolve;
    });
    let ended = Promise.resolve();
    await new Promise<void>((resolve, reject) => {
      ended = database.port.transaction(async (tx) => {
        await work(tx);
        resolve();
        await isReleased;
      });
      ended.catch(reject);
    });
    return () => {
      commit();
      return ended;
    };
  };
  const bodies = (): string[] => sent.map(({ body }) => body.toString());
  const drain = async (): Promise<void> => {
    const one = relay();
    while ((await one.runOnce()) > 0);
  };

  it('keeps messages and keys of any characters, replaces them, and reports what waits', async () => {
    const key = 'ordre-ü-☕-\'"\\-😀';
    const body = Buffer.from([0, 1, 0xff, 0x27, 0x5c]);
    const properties = { note: 'déjà "vu" \\ 😀' };
    const message = { topic: 'reminders', body, properties, keys: ['k'], messageGroup: 'größe' };
    await set(key, 'first', { delayMs: HOUR_MS });
    await database.port.transaction((tx) => schedule.set(tx, { key, message, delayMs: MINUTE_MS }));
    const [pending, lag] = await database.port.transaction(async (tx) => [
      await schedule.pending(tx),
      await schedule.lag(tx),
    ]);
    const dueAt = new Date(clock.nowMs() + MINUTE_MS);
    const once = { cron: undefined, timeZone: undefined, lastTickAt: undefined, paused: undefined };
    expect(pending.entries).toEqual([{ key, topic: 'reminders', messageGroup: 'größe', dueAt, ...once }]);
    expect(lag).toEqual({ scheduled: 1, overdueMs: 0 });
    clock.advanceTo(clock.nowMs() + MINUTE_MS);
    await drain();
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ ...message, keys: ['k', `${key}@${dueAt.toISOString()}`] });
    expect(await cancel(key)).toBe(false);
  });

  it('keeps the tick of an unchanged rule, and follows a changed one', async () => {
    const dueAt = async () =>
      (await database.port.transaction((tx) => schedule.pending(tx))).entries[0]?.dueAt.toISOString();
    await set('nightly', 'a', { cron: '0 3 * * *', timeZone: 'Europe/Berlin' });
    clock.advanceTo(clock.nowMs() + 12 * HOUR_MS);
    await set('nightly', 'b', { cron: '0 3 * * *', timeZone: 'Europe/Berlin' });
    expect(await dueAt()).toBe('2026-03-28T02:00:00.000Z');
    await set('nightly', 'c', { cron: '0 3 * * *' });
    expect(await dueAt()).toBe('2026-03-29T03:00:00.000Z');
    await set('nightly', 'd', { delayMs: SECOND_MS });
    await set('nightly', 'e', { delayMs: MINUTE_MS });
    clock.advanceTo(clock.nowMs() + MINUTE_MS);
    await drain();
    expect(bodies()).toEqual(['e']);
  });

  it('sends what was not canceled, and the newest of what was replaced, while several relays hand over', async () => {
    const keys = Array.from({ length: 40 }, (_, n) => `key-${n}`);
    for (const key of keys) await set(key, `${key} first`, { delayMs: SECOND_MS });
    clock.advanceTo(clock.nowMs() + SECOND_MS);
    const canceled: string[] = [];
    let isWritten = false;
    const relaying = [relay(), relay(), relay()].map(async (one) => {
      while (!isWritten || (await one.runOnce()) > 0) await one.runOnce();
    });
    const changing = keys.map(async (key, n) => {
      // In turns with the relays.
      for (let turn = 0; turn < n; turn++) await new Promise(setImmediate);
      if (n % 2 === 0) {
        if (await cancel(key)) canceled.push(key);
      } else await set(key, `${key} second`, { delayMs: 0 });
    });
    await Promise.all(changing).finally(() => {
      isWritten = true;
    });
    await Promise.all(relaying);
    await drain();
    const expected = keys.flatMap((key, n) => {
      if (n % 2 === 0) return canceled.includes(key) ? [] : [`${key} first`];
      // Whether it was replaced in time is the race; that it is sent in the end is not.
      return bodies().includes(`${key} first`) ? [`${key} first`, `${key} second`] : [`${key} second`];
    });
    expect(bodies().sort()).toEqual(expected.sort());
    expect(await column(database.port, 'SELECT count(*) FROM rocketmq_schedule')).toEqual(['0']);
  });

  it('waits for no transaction that holds the message group of an entry, and keeps the order of the group', async () => {
    const outbox = new Outbox();
    const inGroup = (body: string) => ({ topic: 'reminders', body, messageGroup: 'order-17' });
    for (const body of ['first', 'second']) {
      await database.port.transaction((tx) => schedule.set(tx, { key: body, message: inGroup(body), delayMs: 0 }));
    }
    await set('other', 'other', { delayMs: 0 });
    clock.advanceTo(clock.nowMs() + 1);
    const commit = await holding((tx) => outbox.add(tx, inGroup('paid')));
    await drain();
    expect(bodies()).toEqual(['other']);
    await commit();
    await drain();
    expect(bodies()).toEqual(['other', 'paid', 'first', 'second']);
  });

  it('can be canceled by a transaction that has sent to the message group of the entry', async () => {
    const message = { topic: 'reminders', body: 'reminder', messageGroup: 'order-17' };
    await database.port.transaction((tx) => schedule.set(tx, { key: 'reminder', message, delayMs: 0 }));
    clock.advanceTo(clock.nowMs() + 1);
    const canceled = await database.port.transaction(async (tx) => {
      await new Outbox().add(tx, { ...message, body: 'paid' });
      await drain();
      return schedule.cancel(tx, 'reminder');
    });
    await drain();
    expect(canceled).toBe(true);
    expect(bodies()).toEqual(['paid']);
  });

  it('hands over what is due behind a whole batch that another transaction changes', async () => {
    const keys = Array.from({ length: 20 }, (_, n) => `held-${n}`);
    for (const key of keys) await set(key, key, { delayMs: 0 });
    clock.advanceTo(clock.nowMs() + SECOND_MS);
    await set('behind', 'behind', { delayMs: 0 });
    const commit = await holding(async (tx) => {
      for (const key of keys) await schedule.cancel(tx, key);
      await schedule.set(tx, { key: 'held-0', message: { topic: 'reminders', body: 'replaced' }, delayMs: 0 });
    });
    await drain();
    expect(bodies()).toEqual(['behind']);
    await commit();
    await drain();
    expect(bodies()).toEqual(['behind', 'replaced']);
  });

  it('hands over what is sent once and what is repeated together, in the order in which it is due', async () => {
    const properties = { long: '"'.repeat(16_000) };
    const message = { topic: 'reminders', messageGroup: 'g', properties };
    for (const [key, when] of [
      ['d', { cron: '20 0 * * *' }],
      ['a', { delayMs: 5 * MINUTE_MS }],
      ['c', { delayMs: 15 * MINUTE_MS }],
      ['b', { cron: '10 0 * * *' }],
    ] as const) {
      await change((tx) => schedule.set(tx, { key, message: { ...message, body: key }, ...when }));
    }
    clock.advanceTo(clock.nowMs() + HOUR_MS);
    const mine = relay();
    while ((await mine.runOnce()) > 0);
    expect(sent.map(({ body }) => String(body))).toEqual(['a', 'b', 'c', 'd']);
    expect(sent.map((one) => one.properties?.[SCHEDULE_TICK_PROPERTY])).toEqual(
      ['a@2026-03-28T00:05', 'b@2026-03-28T00:10', 'c@2026-03-28T00:15', 'd@2026-03-28T00:20'].map(
        (tick) => `${tick}:00.000Z`,
      ),
    );
    expect(sent.every((one) => one.properties?.long === properties.long)).toBe(true);
    const { entries } = await database.port.transaction((tx) => schedule.pending(tx));
    expect(entries.map(({ key, dueAt, lastTickAt }) => [key, dueAt.toISOString(), lastTickAt?.toISOString()])).toEqual([
      ['b', '2026-03-29T00:10:00.000Z', '2026-03-28T00:10:00.000Z'],
      ['d', '2026-03-29T00:20:00.000Z', '2026-03-28T00:20:00.000Z'],
    ]);
  });

  it('keeps why an entry is paused, in any characters, and lists page by page', async () => {
    const keys = ['größe-☕', "o'clock\\-😀", 'plain', 'PLAIN', 'plain2'];
    for (const key of keys) await set(key, key, { delayMs: SECOND_MS });
    await set('nightly', 'tick', { cron: '0 3 * * *' });
    const reason = 'déjà "vu" \\ \'😀\'';
    for (const key of ['größe-☕', 'nightly']) await change((tx) => schedule.pause(tx, key, reason));
    const found: PendingEntry[] = [];
    for (let next: string | undefined, isFirst = true; isFirst || next !== undefined; isFirst = false) {
      const options = { limit: 2, ...(next === undefined ? {} : { after: next }) };
      const page = await database.port.transaction((tx) => schedule.pending(tx, options));
      found.push(...page.entries);
      next = page.next;
    }
    expect(found.map(({ key }) => key).toSorted()).toEqual([...keys, 'nightly'].toSorted());
    const paused = { since: new Date(clock.nowMs()), reason };
    expect(found.slice(-2)).toMatchObject([
      { key: 'größe-☕', dueAt: new Date(clock.nowMs() + SECOND_MS), paused },
      { key: 'nightly', dueAt: new Date('2026-03-28T03:00:00Z'), paused },
    ]);
    clock.advanceTo(clock.nowMs() + HOUR_MS);
    await drain();
    expect(bodies().toSorted()).toEqual(keys.slice(1).toSorted());
    await set('nightly', 'of the new release', { cron: '0 3 * * *' });
    for (const key of ['größe-☕', 'nightly']) await change((tx) => schedule.resume(tx, key));
    clock.advanceTo(clock.nowMs() + 2 * HOUR_MS);
    await drain();
    expect(bodies().slice(-2)).toEqual(['größe-☕', 'of the new release']);
    const { entries } = await database.port.transaction((tx) => schedule.pending(tx));
    expect(entries).toMatchObject([
      {
        key: 'nightly',
        dueAt: new Date('2026-03-29T03:00:00Z'),
        lastTickAt: new Date('2026-03-28T03:00:00Z'),
        paused: undefined,
      },
    ]);
    expect(await cancel('nightly')).toBe(true);
    expect(await column(database.port, 'SELECT count(*) FROM rocketmq_schedule_state')).toEqual(['0']);
  });

  it('sends what is run once each, and nothing that is paused, while two relays hand over', async () => {
    const once = Array.from({ length: 20 }, (_, n) => `once-${n}`);
    const repeated = Array.from({ length: 10 }, (_, n) => `repeated-${n}`);
    for (const key of once) await set(key, key, { delayMs: SECOND_MS });
    for (const key of repeated) await set(key, key, { cron: '1 * * * * *' });
    clock.advanceTo(clock.nowMs() + SECOND_MS);
    const paused = new Set<string>();
    const pause = async (key: string): Promise<void> => {
      if (await change((tx) => schedule.pause(tx, key, 'maintenance'))) paused.add(key);
    };
    await pause('once-0');
    let isChanged = false;
    const relaying = [relay(), relay()].map(async (one) => {
      while (!isChanged || (await one.runOnce()) > 0) await one.runOnce();
    });
    const changing = [...once, ...repeated].map(async (key, n) => {
      // In turns with the relays.
      for (let turn = 0; turn < n; turn++) await new Promise(setImmediate);
      if (n % 2 === 0) await pause(key);
      if (repeated.includes(key)) for (let time = 0; time < 2; time++) await change((tx) => schedule.runNow(tx, key));
    });
    await Promise.all(changing).finally(() => {
      isChanged = true;
    });
    await Promise.all(relaying);
    await drain();
    const idsOf = (key: string): number =>
      new Set(sent.filter(({ body }) => body.toString() === key).map(({ messageId }) => messageId)).size;
    // What was moved before its pause is no longer there to be paused.
    expect(once.map(idsOf)).toEqual(once.map((key) => (paused.has(key) ? 0 : 1)));
    const dueTick = '@2026-03-28T00:00:01.000Z';
    const ticksOf = (key: string) => {
      const own = new Map(sent.map(({ messageId, properties }) => [messageId, properties?.[SCHEDULE_TICK_PROPERTY]]));
      const values = [...own.values()].filter((tick) => tick?.startsWith(`${key}@`));
      return { due: values.filter((tick) => tick?.endsWith(dueTick)).length, run: values.length };
    };
    for (const key of repeated) {
      const { due, run } = ticksOf(key);
      expect([key, run - due]).toEqual([key, 2]);
      expect([key, due <= 1, due === 1 || paused.has(key)]).toEqual([key, true, true]);
    }
    for (const key of paused) await change((tx) => schedule.resume(tx, key));
    await drain();
    expect(once.map(idsOf)).toEqual(once.map(() => 1));
    clock.advanceTo(clock.nowMs() + MINUTE_MS);
    await drain();
    for (const key of repeated) expect([key, ticksOf(key).run - ticksOf(key).due]).toEqual([key, 3]);
  });

  it('hands over what is due while another transaction pauses, resumes, sends and cancels others', async () => {
    for (const key of ['a', 'c', 'e', 'g', 'i']) await set(key, key, { cron: '0 * * * * *' });
    await change((tx) => schedule.pause(tx, 'e', 'maintenance'));
    clock.advanceTo(clock.nowMs() + MINUTE_MS);
    for (const key of ['b', 'd', 'f', 'h', 'j']) await set(key, key, { cron: '0 * * * * *' });
    clock.advanceTo(clock.nowMs() + MINUTE_MS);
    const work = async (tx: SqlExecutor): Promise<void> => {
      await schedule.cancel(tx, 'a');
      await schedule.pause(tx, 'c', 'maintenance');
      await schedule.resume(tx, 'e');
      await schedule.runNow(tx, 'g');
    };
    const commit = await holding(work);
    await drain();
    expect(bodies().toSorted()).toEqual(['b', 'd', 'f', 'h', 'i', 'j']);
    await commit().catch((error: unknown) => {
      // PostgreSQL takes them for a conflict under SERIALIZABLE, and has undone this one.
      if (!isTransactionConflict(error)) throw error;
      return change(work);
    });
    await drain();
    expect(bodies().slice(6).toSorted()).toEqual(['g', 'g']);
  });

  it('sends one message for each tick by several relays, whose transactions fail at any statement', async () => {
    await set('minutely', 'tick', { cron: '* * * * *', timeZone: 'Europe/Berlin' });
    clock.advanceTo(clock.nowMs() + 30 * SECOND_MS);
    let statements = 0;
    const failing = {
      ...(database.port.dialect === undefined ? {} : { dialect: database.port.dialect }),
      transaction: <T>(work: (tx: Parameters<Parameters<typeof database.port.transaction>[0]>[0]) => Promise<T>) =>
        database.port.transaction((tx) =>
          work({
            ...tx,
            query: (text, parameters) => {
              if (++statements % 7 === 0) throw new Error('lost');
              return tx.query(text, parameters);
            },
          }),
        ),
    };
    const send = async (message: OutgoingMessage): Promise<void> => void sent.push(message);
    const options = { outbox: new Outbox(), schedule, database: failing, clock, send };
    const minutes = 20;
    for (let minute = 0; minute < minutes; minute++) {
      // Until the tick is handed over: those that follow while it waits would be left out.
      clock.advanceTo(clock.nowMs() + MINUTE_MS);
      const relays = [1, 2, 3].map(() => new OutboxRelay(options));
      do await Promise.allSettled(relays.map((one) => one.runOnce()));
      while ((await database.port.transaction((tx) => schedule.lag(tx))).overdueMs > 0);
    }
    clock.advanceTo(clock.nowMs() + 2 * MINUTE_MS);
    await cancel('minutely');
    await drain();
    const ids = new Map(sent.map(({ messageId, properties }) => [messageId, properties?.[SCHEDULE_TICK_PROPERTY]]));
    const ticks = [...ids.values()].sort();
    expect(ticks).toEqual(
      Array.from({ length: minutes }, (_, n) => {
        const tickMs = Date.parse('2026-03-28T00:01:00Z') + n * MINUTE_MS;
        return `minutely@${new Date(tickMs).toISOString()}`;
      }),
    );
  });
}
