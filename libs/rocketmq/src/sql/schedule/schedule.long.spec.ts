import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { OutboxBench } from '../../../../../test/fixtures/outbox-bench.js';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import type { Logger } from '../../support/logger.js';
import { silentLogger } from '../../support/logger.js';
import { ManualClock } from '../../support/manual-clock.js';
import type { OutboxRelay } from '../outbox/outbox-relay.js';
import type { OutboxRelayOptions } from '../outbox/outbox-relay-options.js';
import { Schedule } from './schedule.js';
import type { ScheduleEntry } from './schedule-entry.js';
import { SCHEDULE_TICK_PROPERTY } from './schedule-tick.js';

let bench: OutboxBench;
beforeAll(async () => {
  bench = await OutboxBench.open();
});
beforeEach(() => bench.begin());
afterEach(() => bench.end());
afterAll(() => bench.close());

function relayWith(options: Partial<OutboxRelayOptions> = {}): OutboxRelay {
  return bench.relayWith({ schedule: bench.schedule, ...options });
}

/** What is sent when so much time has passed, by a relay that was away meanwhile. */
async function sentAfter(durationMs: number): Promise<string[]> {
  bench.clock.advanceTo(bench.clock.nowMs() + durationMs);
  const relay = relayWith();
  while ((await relay.runOnce()) > 0);
  return bench.bodies();
}

function ticks(): (string | undefined)[] {
  return bench.sent.map(({ properties }) => properties?.[SCHEDULE_TICK_PROPERTY]);
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

describe('an entry of a schedule', () => {
  it('is sent when it is due, once', async () => {
    await bench.set('reminder', { delayMs: HOUR_MS });
    expect(await sentAfter(HOUR_MS - 1)).toEqual([]);
    expect(await sentAfter(1)).toEqual(['reminder']);
    expect(await sentAfter(DAY_MS)).toEqual(['reminder']);
  });

  it('can be due in years, and by a date', async () => {
    await bench.set('contract', { deliverAt: new Date(bench.clock.nowMs() + 3 * 365 * DAY_MS) });
    expect(await sentAfter(3 * 365 * DAY_MS - 1)).toEqual([]);
    expect(await sentAfter(1)).toEqual(['contract']);
  });

  it('is sent at once when its time has passed', async () => {
    await bench.set('late', { deliverAt: new Date(0) });
    expect(await sentAfter(0)).toEqual(['late']);
  });

  it('is sent as it was given, without a delay, and says what it is', async () => {
    const body = Buffer.from([0, 255, 1]);
    const message = { topic: 'orders', body, tag: 'due', keys: ['order-1'], properties: { a: 'b' }, messageGroup: 'g' };
    const dueMs = bench.clock.nowMs() + HOUR_MS;
    await bench.set('order-1:reminder', { message, delayMs: HOUR_MS });
    await sentAfter(HOUR_MS);
    const tick = `order-1:reminder@${iso(dueMs)}`;
    expect(bench.sent[0]).toMatchObject({ ...message, keys: ['order-1', tick] });
    expect(bench.sent[0]?.properties).toMatchObject({ a: 'b', [SCHEDULE_TICK_PROPERTY]: tick });
    expect(bench.sent[0]).not.toHaveProperty('deliverAt');
  });

  it('counts only if its transaction commits', async () => {
    await bench.set('kept', { delayMs: HOUR_MS });
    const undone = bench.database.transaction(async (tx) => {
      await bench.schedule.set(tx, { key: 'undone', message: { topic: 'orders', body: 'undone' }, delayMs: 1 });
      await bench.schedule.cancel(tx, 'kept');
      throw new Error('rolled back');
    });
    await expect(undone).rejects.toThrow('rolled back');
    expect(await sentAfter(HOUR_MS)).toEqual(['kept']);
  });

  it('is replaced by a later one with its key', async () => {
    await bench.set('reminder', { delayMs: HOUR_MS });
    await bench.set('reminder', { delayMs: 2 * HOUR_MS, message: { topic: 'orders', body: 'second' } });
    expect(await sentAfter(HOUR_MS)).toEqual([]);
    expect(await sentAfter(HOUR_MS)).toEqual(['second']);
  });

  it('is not sent when it was canceled before it was due', async () => {
    await bench.set('reminder', { delayMs: HOUR_MS });
    expect(await bench.cancel('reminder')).toBe(true);
    expect(await bench.cancel('reminder')).toBe(false);
    expect(await sentAfter(DAY_MS)).toEqual([]);
  });

  it('can be canceled after it was due, until a relay has taken it', async () => {
    await bench.set('first', { delayMs: HOUR_MS });
    await bench.set('second', { delayMs: HOUR_MS });
    bench.clock.advanceTo(bench.clock.nowMs() + DAY_MS);
    expect(await bench.cancel('first')).toBe(true);
    expect(await sentAfter(0)).toEqual(['second']);
    expect(await bench.cancel('second')).toBe(false);
  });

  it('has the same message id at each send', async () => {
    await bench.set('reminder', { delayMs: 0 });
    const attempts: (string | undefined)[] = [];
    const relay = relayWith({
      send: async ({ messageId }) => {
        attempts.push(messageId);
        if (attempts.length < 3) throw new Error('the answer was lost');
      },
    });
    for (let round = 0; round < 3; round++) {
      await relay.runOnce();
      bench.clock.advanceTo(bench.clock.nowMs() + MINUTE_MS);
    }
    expect(attempts).toHaveLength(3);
    expect(new Set(attempts).size).toBe(1);
  });

  it('is sent by a started relay at the millisecond, not at the next poll', async () => {
    await bench.set('reminder', { delayMs: 10 * MINUTE_MS + 123 });
    const begunMs = bench.clock.nowMs();
    const sentAtMs: number[] = [];
    const relay = relayWith({
      pollIntervalMs: HOUR_MS,
      send: async () => void sentAtMs.push(bench.clock.nowMs() - begunMs),
    });
    relay.start();
    await bench.advance(HOUR_MS);
    expect(sentAtMs).toEqual([10 * MINUTE_MS + 123]);
  });

  it('is noticed by a relay that rests', async () => {
    const relay = relayWith({ pollIntervalMs: HOUR_MS });
    relay.start();
    await bench.advance(HOUR_MS);
    await bench.set('reminder', { delayMs: MINUTE_MS });
    await bench.advance(MINUTE_MS);
    expect(bench.bodies()).toEqual(['reminder']);
  });

  it('is sent in the order of the times, more than fit into one batch', async () => {
    for (const n of [4, 2, 5, 1, 3]) await bench.set(`${n}`, { delayMs: n * SECOND_MS });
    bench.clock.advanceTo(bench.clock.nowMs() + MINUTE_MS);
    const relay = relayWith({ batchSize: 2 });
    while ((await relay.runOnce()) > 0);
    expect(bench.bodies()).toEqual(['1', '2', '3', '4', '5']);
  });

  it('can be looked at, the next one first', async () => {
    const nowMs = bench.clock.nowMs();
    await bench.set('b', { delayMs: 2 * HOUR_MS });
    await bench.set('a', { delayMs: HOUR_MS, message: { topic: 'orders', body: 'a', messageGroup: 'g' } });
    const once = { topic: 'orders', cron: undefined, timeZone: undefined, lastTickAt: undefined, paused: undefined };
    expect(await bench.pending()).toEqual({
      entries: [
        { key: 'a', messageGroup: 'g', dueAt: new Date(nowMs + HOUR_MS), ...once },
        { key: 'b', messageGroup: undefined, dueAt: new Date(nowMs + 2 * HOUR_MS), ...once },
      ],
      next: undefined,
    });
    expect((await bench.pending({ key: 'b' })).entries).toMatchObject([{ key: 'b' }]);
    expect((await bench.pending({ key: 'c' })).entries).toEqual([]);
  });

  it('counts in the metrics of a relay, apart from the messages of the outbox', async () => {
    const relay = relayWith();
    expect(await relay.metrics()).toMatchObject({ scheduled: 0, overdueMs: 0 });
    await bench.set('reminder', { delayMs: HOUR_MS });
    expect(await relay.metrics()).toMatchObject({ unsent: 0, scheduled: 1, overdueMs: 0 });
    bench.clock.advanceTo(bench.clock.nowMs() + HOUR_MS + 5);
    expect(await relay.metrics()).toMatchObject({ scheduled: 1, overdueMs: 5 });
    await relay.runOnce();
    expect(await relay.metrics()).toMatchObject({ sent: 1, unsent: 0, scheduled: 0, overdueMs: 0 });
  });

  it('continues the trace in which it was set, unless it is repeated', async () => {
    const telemetry = {
      outboxMessage: <T extends object>(message: T) => ({ ...message, properties: { traceparent: 'setter' } }),
    };
    bench.schedule = new Schedule({ clock: bench.clock, telemetry });
    await bench.set('once', { delayMs: MINUTE_MS });
    await bench.set('repeated', { cron: '* * * * *' });
    await sentAfter(MINUTE_MS);
    const traces = bench.sent.map(({ body, properties }) => [body.toString(), properties?.traceparent]);
    expect(Object.fromEntries(traces)).toEqual({ once: 'setter', repeated: undefined });
  });
});

describe('a repeated entry', () => {
  const NIGHTLY = { cron: '0 3 * * *', timeZone: 'Europe/Berlin' };

  beforeEach(() => bench.begin(Date.parse('2026-03-27T12:00:00Z')));

  it('is sent once for each tick, which its message names', async () => {
    await bench.set('nightly', NIGHTLY);
    const relays = [relayWith({ pollIntervalMs: HOUR_MS }), relayWith({ pollIntervalMs: HOUR_MS })];
    for (const relay of relays) relay.start();
    await bench.advance(3 * DAY_MS);
    expect(ticks()).toEqual([
      'nightly@2026-03-28T02:00:00.000Z',
      'nightly@2026-03-29T01:00:00.000Z',
      'nightly@2026-03-30T01:00:00.000Z',
    ]);
    expect(new Set(bench.sent.map(({ messageId }) => messageId)).size).toBe(3);
    expect(bench.sent.map(({ keys }) => keys)).toEqual(ticks().map((tick) => [tick]));
  });

  it('keeps its next tick when it is set again, with the new message', async () => {
    await bench.set('nightly', NIGHTLY);
    bench.clock.advanceTo(Date.parse('2026-03-28T02:30:00Z'));
    // The application was away at three, and sets the entry at its start.
    await bench.set('nightly', { ...NIGHTLY, message: { topic: 'orders', body: 'of the new release' } });
    expect(await sentAfter(0)).toEqual(['of the new release']);
    expect(ticks()).toEqual(['nightly@2026-03-28T02:00:00.000Z']);
  });

  it.each<[string, Partial<ScheduleEntry>, string]>([
    ['expression', { ...NIGHTLY, cron: '0 5 * * *' }, 'nightly@2026-03-28T04:00:00.000Z'],
    ['time zone', { ...NIGHTLY, timeZone: 'UTC' }, 'nightly@2026-03-28T03:00:00.000Z'],
    ['rule, to a date', { deliverAt: new Date('2026-03-28T05:30:00Z') }, 'nightly@2026-03-28T05:30:00.000Z'],
  ])('follows a changed %s', async (_, changed, tick) => {
    await bench.set('nightly', NIGHTLY);
    await bench.set('nightly', changed);
    await sentAfter(DAY_MS - 6 * HOUR_MS);
    expect(ticks()).toEqual([tick]);
  });

  it('sends one message for ticks that were missed, and names the first', async () => {
    await bench.set('hourly', { cron: '0 * * * *' });
    await sentAfter(5 * HOUR_MS + MINUTE_MS);
    await sentAfter(HOUR_MS);
    expect(ticks()).toEqual(['hourly@2026-03-27T13:00:00.000Z', 'hourly@2026-03-27T18:00:00.000Z']);
  });

  it('has no more ticks once it is canceled', async () => {
    await bench.set('hourly', { cron: '0 * * * *' });
    await sentAfter(HOUR_MS);
    expect(await bench.cancel('hourly')).toBe(true);
    await sentAfter(DAY_MS);
    expect(ticks()).toEqual(['hourly@2026-03-27T13:00:00.000Z']);
  });

  it('that this relay cannot read is logged once, and keeps no other waiting', async () => {
    await bench.set('broken', { cron: '0 * * * *' });
    await bench.set('whole', { delayMs: 2 * HOUR_MS });
    await bench.database.exec(`UPDATE rocketmq_schedule SET time_zone = 'Mars/Phobos' WHERE key = 'broken'`);
    const lines: string[] = [];
    const logger: Logger = { ...silentLogger, error: (line, fields) => void lines.push(`${line} ${fields?.key}`) };
    const relay = relayWith({ logger, batchSize: 1 });
    bench.clock.advanceTo(bench.clock.nowMs() + 2 * HOUR_MS);
    for (let round = 0; round < 3; round++) await relay.runOnce();
    expect(bench.bodies()).toEqual(['whole']);
    expect(lines).toEqual([expect.stringMatching(/cannot be handed over by this relay.* broken$/)]);
    // Set again, it is another entry.
    await bench.set('broken', { cron: '1 * * * *' });
    bench.clock.advanceTo(bench.clock.nowMs() + HOUR_MS);
    await relay.runOnce();
    expect(bench.bodies()).toEqual(['whole', 'broken']);
  });
});

describe('a schedule rejects', () => {
  const message = { topic: 'orders', body: 'a' };
  it.each<[string, object, string, string]>([
    ['no time', {}, 'ILLEGAL_DELIVERY_TIME', 'deliverAt'],
    ['two times', { delayMs: 1, cron: '* * * * *' }, 'ILLEGAL_DELIVERY_TIME', 'deliverAt'],
    ['an invalid date', { deliverAt: new Date(Number.NaN) }, 'ILLEGAL_DELIVERY_TIME', 'deliverAt'],
    ['what is no date', { deliverAt: '2026-01-01' }, 'ILLEGAL_DELIVERY_TIME', 'deliverAt'],
    ['a date after the year 9999', { deliverAt: new Date(8e15) }, 'ILLEGAL_DELIVERY_TIME', 'deliverAt'],
    ['a negative delay', { delayMs: -1 }, 'ILLEGAL_DELIVERY_TIME', 'delayMs'],
    ['an endless delay', { delayMs: Number.POSITIVE_INFINITY }, 'ILLEGAL_DELIVERY_TIME', 'delayMs'],
    ['a delay as text', { delayMs: '5' }, 'ILLEGAL_DELIVERY_TIME', 'delayMs'],
    ['a time zone of a date', { delayMs: 1, timeZone: 'UTC' }, 'ILLEGAL_DELIVERY_TIME', 'timeZone'],
    [
      'a delay of the message',
      { delayMs: 1, message: { ...message, delayMs: 1 } },
      'ILLEGAL_DELIVERY_TIME',
      'message.delayMs',
    ],
    ['an expression', { cron: '0 3' }, 'ILLEGAL_CRON', 'cron'],
    ['a time zone', { cron: '0 3 * * *', timeZone: 'Berlin' }, 'ILLEGAL_CRON', 'timeZone'],
    ['an empty key', { key: '', delayMs: 1 }, 'ILLEGAL_KEY', 'key'],
    ['a key with a space', { key: 'a b', delayMs: 1 }, 'ILLEGAL_KEY', 'key'],
    ['a key with NUL', { key: 'a\0', delayMs: 1 }, 'ILLEGAL_KEY', 'key'],
    ['half an emoji', { key: 'a\ud83d', delayMs: 1 }, 'ILLEGAL_KEY', 'key'],
    ['a long key', { key: 'ü'.repeat(128), delayMs: 1 }, 'ILLEGAL_KEY', 'key'],
    ['a message', { delayMs: 1, message: { topic: 'a b', body: 'a' } }, 'ILLEGAL_TOPIC', 'topic'],
    ['a body', { delayMs: 1, message: { topic: 'orders', body: undefined } }, 'ILLEGAL_BODY', 'body'],
  ])('%s', async (_, entry, code, field) => {
    await expect(bench.set('key', entry)).rejects.toMatchObject({ code, field });
    expect((await relayWith().metrics()).scheduled).toBe(0);
  });

  it('a database in place of a transaction', async () => {
    const { database, schedule } = bench;
    await expect(schedule.set(database, { key: 'a', message, delayMs: 1 })).rejects.toThrow('NO_TRANSACTION');
    await expect(schedule.cancel(database, 'a')).rejects.toThrow('NO_TRANSACTION');
    await expect(schedule.set({ key: 'a', message, delayMs: 1 })).rejects.toThrow('NO_TRANSACTION');
    await expect(schedule.cancel('a')).rejects.toThrow('NO_TRANSACTION');
  });

  it('the name of a table', () => {
    expect(() => new Schedule({ tableName: 'a-b' })).toThrow('ILLEGAL_TABLE_NAME');
  });
});

describe('the table of a schedule', () => {
  it('is checked when a relay with it starts, and not without it', async () => {
    const missing = new Schedule({ tableName: 'no_schedule' });
    await expect(relayWith({ schedule: missing }).onApplicationBootstrap()).rejects.toThrow(
      /TABLE_NOT_READY.*there is no table no_schedule/,
    );
    const relay = bench.relayWith();
    await relay.onApplicationBootstrap();
    expect(await relay.metrics()).toMatchObject({ scheduled: 0, overdueMs: 0 });
  });
});

describe('what goes wrong with a schedule', () => {
  it('keeps no message of the outbox back when its table cannot be read', async () => {
    const relay = relayWith();
    await bench.database.query('ALTER TABLE rocketmq_schedule RENAME TO gone');
    try {
      await bench.add({ body: 'ordinary' });
      await expect(relay.runOnce()).rejects.toThrow('rocketmq_schedule');
      expect(bench.bodies()).toEqual(['ordinary']);
    } finally {
      await bench.database.query('ALTER TABLE gone RENAME TO rocketmq_schedule');
    }
  });

  it('keeps other entries back for no row that the outbox has already', async () => {
    for (const key of ['restored', 'other']) await bench.set(key, { delayMs: 0 });
    await bench.database.query(
      `INSERT INTO rocketmq_outbox (id, topic, fields, body, state)
       SELECT id, topic, fields, body, 'sent' FROM rocketmq_schedule WHERE key = 'restored'`,
    );
    expect(await sentAfter(0)).toEqual(['other']);
  });

  it('keeps an entry back for no batch of entries that cannot be read', async () => {
    for (const key of ['a', 'b', 'c', 'd']) await bench.set(key, { cron: '* * * * *', timeZone: 'Europe/Berlin' });
    await bench.database.query(`UPDATE rocketmq_schedule SET time_zone = 'Mars/Olympus'`);
    bench.clock.advanceTo(bench.clock.nowMs() + HOUR_MS);
    await bench.set('good', { delayMs: 0 });
    expect(await relayWith({ batchSize: 2, logger: silentLogger }).runOnce()).toBe(1);
    expect(bench.bodies()).toEqual(['good']);
  });

  it('tries an entry again that could not be read', async () => {
    await bench.set('nightly', { cron: '* * * * *', timeZone: 'Europe/Berlin' });
    await bench.database.query(`UPDATE rocketmq_schedule SET time_zone = 'Mars/Olympus'`);
    bench.clock.advanceTo(bench.clock.nowMs() + HOUR_MS);
    const relay = relayWith({ logger: silentLogger });
    expect(await relay.runOnce()).toBe(0);
    await bench.database.query(`UPDATE rocketmq_schedule SET time_zone = 'Europe/Berlin'`);
    bench.clock.advanceTo(bench.clock.nowMs() + MINUTE_MS);
    expect(await relay.runOnce()).toBe(1);
  });

  it('computes a tick again that a clock wrong by a year has written, when the entry is set', async () => {
    const daily = { cron: '0 3 * * *' };
    await bench.set('daily', daily);
    const wrong = new ManualClock(bench.clock.nowMs() + 365 * DAY_MS);
    await bench.relayWith({ schedule: new Schedule({ clock: wrong }), clock: wrong }).runOnce();
    await bench.set('daily', daily);
    bench.sent.length = 0;
    expect(await sentAfter(DAY_MS)).toEqual(['daily']);
  });

  it('repeats no tick when the clock of whoever sets it is behind', async () => {
    const secondly = { cron: '* * * * * *' };
    await bench.set('secondly', secondly);
    expect(await sentAfter(10 * SECOND_MS)).toEqual(['secondly']);
    const behind = new Schedule({ clock: new ManualClock(bench.clock.nowMs() - 10 * SECOND_MS) });
    const message = { topic: 'orders', body: 'secondly' };
    await bench.database.transaction((tx) => behind.set(tx, { key: 'secondly', message, ...secondly }));
    expect(await relayWith().runOnce()).toBe(0);
  });

  it.each([
    ['keys', { message: { topic: 'orders', body: 'a', keys: 'order-1' } }],
    ['keys', { message: { topic: 'orders', body: 'a', keys: null } }],
    ['message', { message: undefined }],
    ['message', { message: null }],
  ])('rejects %s that are none', async (field, entry) => {
    const set = bench.set('wrong', { delayMs: 0, ...(entry as unknown as Partial<ScheduleEntry>) });
    await expect(set).rejects.toMatchObject({ name: 'UsageError', field });
    expect(await sentAfter(0)).toEqual([]);
  });
});
