import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { OutboxBench } from '../../../../../test/fixtures/outbox-bench.js';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../support/clock.js';
import { ManualClock } from '../../support/manual-clock.js';
import type { OutboxRelay } from '../outbox/outbox-relay.js';
import type { SqlExecutor } from '../sql-port.js';
import { Schedule } from './schedule.js';
import { SCHEDULE_TICK_PROPERTY } from './schedule-tick.js';

const START_MS = Date.parse('2026-03-27T12:00:00Z');
const HOURLY = { cron: '0 * * * *' };

let bench: OutboxBench;
beforeAll(async () => {
  bench = await OutboxBench.open();
});
beforeEach(() => bench.begin(START_MS));
afterEach(() => bench.end());
afterAll(() => bench.close());

const within = <T>(work: (tx: SqlExecutor) => Promise<T>): Promise<T> => bench.database.transaction(work);
const pause = (key: string, reason = 'maintenance') => within((tx) => bench.schedule.pause(tx, key, reason));
const resume = (key: string) => within((tx) => bench.schedule.resume(tx, key));
const runNow = (key: string) => within((tx) => bench.schedule.runNow(tx, key));
const relay = (): OutboxRelay => bench.relayWith({ schedule: bench.schedule });

/** What is sent when so much time has passed, by a relay that was away meanwhile. */
async function sentAfter(durationMs: number): Promise<string[]> {
  bench.clock.advanceTo(bench.clock.nowMs() + durationMs);
  const one = relay();
  while ((await one.runOnce()) > 0);
  return bench.bodies();
}

const ticks = (): (string | undefined)[] => bench.sent.map(({ properties }) => properties?.[SCHEDULE_TICK_PROPERTY]);
const at = (time: string): Date => new Date(`2026-03-${time}Z`);

describe('a paused entry', () => {
  it('is sent when it is resumed, if its time has passed, and names that time', async () => {
    await bench.set('reminder', { delayMs: HOUR_MS });
    expect(await pause('reminder')).toBe(true);
    expect(await sentAfter(DAY_MS)).toEqual([]);
    expect(await resume('reminder')).toBe(true);
    expect(await sentAfter(0)).toEqual(['reminder']);
    expect(ticks()).toEqual(['reminder@2026-03-27T13:00:00.000Z']);
  });

  it('is sent at its time, if it is resumed before', async () => {
    await bench.set('reminder', { delayMs: HOUR_MS });
    await pause('reminder');
    await resume('reminder');
    expect(await sentAfter(HOUR_MS - 1)).toEqual([]);
    expect(await sentAfter(1)).toEqual(['reminder']);
  });

  it('has no ticks, and goes on with the next one when it is resumed', async () => {
    await bench.set('hourly', HOURLY);
    await sentAfter(HOUR_MS);
    await pause('hourly');
    await sentAfter(5 * HOUR_MS);
    await resume('hourly');
    await sentAfter(HOUR_MS - 1);
    await sentAfter(1);
    expect(ticks()).toEqual(['hourly@2026-03-27T13:00:00.000Z', 'hourly@2026-03-27T19:00:00.000Z']);
  });

  it('leaves out a tick that no relay had moved before the pause', async () => {
    await bench.set('hourly', HOURLY);
    bench.clock.advanceTo(START_MS + HOUR_MS + 1);
    await pause('hourly');
    await resume('hourly');
    await sentAfter(HOUR_MS);
    expect(ticks()).toEqual(['hourly@2026-03-27T14:00:00.000Z']);
  });

  it('stays paused when it is set again, also with another time', async () => {
    await bench.set('hourly', HOURLY);
    await bench.set('reminder', { delayMs: HOUR_MS });
    for (const key of ['hourly', 'reminder']) await pause(key);
    await bench.set('hourly', { ...HOURLY, message: { topic: 'orders', body: 'of the new release' } });
    await bench.set('reminder', { delayMs: 2 * HOUR_MS });
    expect(await sentAfter(HOUR_MS)).toEqual([]);
    await bench.set('hourly', { cron: '30 * * * *', message: { topic: 'orders', body: 'half past' } });
    for (const key of ['hourly', 'reminder']) await resume(key);
    expect(await sentAfter(MINUTE_MS)).toEqual([]);
    expect(await sentAfter(HOUR_MS)).toEqual(['half past', 'reminder']);
    expect(ticks()).toEqual(['hourly@2026-03-27T13:30:00.000Z', 'reminder@2026-03-27T14:00:00.000Z']);
  });

  it('is not paused any more when it was canceled and is set again', async () => {
    await bench.set('hourly', HOURLY);
    await sentAfter(HOUR_MS);
    await pause('hourly');
    expect(await bench.cancel('hourly')).toBe(true);
    await bench.set('hourly', HOURLY);
    expect((await bench.pending()).entries).toMatchObject([{ lastTickAt: undefined, paused: undefined }]);
    expect(await sentAfter(HOUR_MS)).toHaveLength(2);
  });

  it('is listed after those that are due, with its own time, since when and why', async () => {
    await bench.set('reminder', { delayMs: HOUR_MS });
    await bench.set('hourly', HOURLY);
    await bench.set('later', { delayMs: DAY_MS });
    await pause('reminder', 'the customer called: "ü" ☕');
    bench.clock.advanceTo(START_MS + MINUTE_MS);
    await pause('hourly', 'first');
    await pause('hourly', 'second');
    expect((await bench.pending()).entries).toMatchObject([
      { key: 'later', paused: undefined },
      {
        key: 'hourly',
        dueAt: at('27T13:00:00'),
        cron: '0 * * * *',
        paused: { since: at('27T12:01:00'), reason: 'second' },
      },
      {
        key: 'reminder',
        dueAt: at('27T13:00:00'),
        paused: { since: at('27T12:00:00'), reason: 'the customer called: "ü" ☕' },
      },
    ]);
  });

  it('keeps no other waiting, and is not overdue', async () => {
    await bench.set('paused', { delayMs: 0 });
    await bench.set('other', { delayMs: HOUR_MS });
    await pause('paused');
    expect(await sentAfter(DAY_MS)).toEqual(['other']);
    expect(await relay().metrics()).toMatchObject({ scheduled: 1, overdueMs: 0 });
  });

  it('is given its next tick again that a clock wrong by a year has written, when it is set', async () => {
    await bench.set('hourly', HOURLY);
    const wrong = new ManualClock(START_MS + 365 * DAY_MS);
    await bench.relayWith({ schedule: new Schedule({ clock: wrong }), clock: wrong }).runOnce();
    await pause('hourly');
    await bench.set('hourly', HOURLY);
    expect((await bench.pending()).entries).toMatchObject([{ dueAt: at('27T13:00:00'), paused: {} }]);
  });

  it('is paused only if the transaction commits', async () => {
    await bench.set('reminder', { delayMs: 0 });
    const undone = within(async (tx) => {
      await bench.schedule.pause(tx, 'reminder', 'a mistake');
      throw new Error('rolled back');
    });
    await expect(undone).rejects.toThrow('rolled back');
    expect(await sentAfter(0)).toEqual(['reminder']);
  });
});

describe('an entry that is sent now', () => {
  it('has one message beside its ticks, which stay', async () => {
    await bench.set('hourly', {
      ...HOURLY,
      message: { topic: 'orders', body: 'hourly', keys: ['k'], messageGroup: 'g' },
    });
    bench.clock.advanceTo(START_MS + MINUTE_MS);
    expect(await runNow('hourly')).toBe(true);
    expect(await sentAfter(0)).toEqual(['hourly']);
    const now = 'hourly@2026-03-27T12:01:00.001Z';
    expect(bench.sent[0]).toMatchObject({ topic: 'orders', messageGroup: 'g', keys: ['k', now] });
    expect((await bench.pending()).entries).toMatchObject([{ dueAt: at('27T13:00:00'), lastTickAt: undefined }]);
    await sentAfter(HOUR_MS);
    expect(ticks()).toEqual([now, 'hourly@2026-03-27T13:00:00.000Z']);
    expect(new Set(bench.sent.map(({ messageId }) => messageId)).size).toBe(2);
  });

  it('has one for each call', async () => {
    await bench.set('hourly', HOURLY);
    for (let time = 0; time < 3; time++) await runNow('hourly');
    expect(await sentAfter(0)).toHaveLength(3);
    expect(new Set(bench.sent.map(({ messageId }) => messageId)).size).toBe(3);
    expect((await bench.pending()).entries).toHaveLength(1);
  });

  it('stays paused', async () => {
    await bench.set('hourly', HOURLY);
    await pause('hourly');
    await runNow('hourly');
    expect(await sentAfter(DAY_MS)).toEqual(['hourly']);
    expect((await bench.pending()).entries).toMatchObject([{ paused: { reason: 'maintenance' } }]);
  });

  it.each([false, true])('is gone, if it has no cron; paused: %p', async (isPaused) => {
    await bench.set('reminder', { delayMs: HOUR_MS });
    if (isPaused) await pause('reminder');
    expect(await runNow('reminder')).toBe(true);
    expect(await sentAfter(0)).toEqual(['reminder']);
    expect(ticks()).toEqual(['reminder@2026-03-27T13:00:00.000Z']);
    expect(await sentAfter(DAY_MS)).toEqual(['reminder']);
    expect(await runNow('reminder')).toBe(false);
  });

  it('is sent by a relay that rests, and only if its transaction commits', async () => {
    await bench.set('hourly', HOURLY);
    bench.relayWith({ schedule: bench.schedule, pollIntervalMs: DAY_MS }).start();
    await bench.advance(MINUTE_MS);
    const undone = within(async (tx) => {
      await bench.schedule.runNow(tx, 'hourly');
      throw new Error('rolled back');
    });
    await expect(undone).rejects.toThrow('rolled back');
    await bench.advance(MINUTE_MS);
    expect(bench.bodies()).toEqual([]);
    await runNow('hourly');
    await bench.advance(MINUTE_MS);
    expect(bench.bodies()).toEqual(['hourly']);
  });

  it('is an entry of its own until a relay moves it, whose key fits', async () => {
    const key = 'ü'.repeat(127);
    await bench.set(key, HOURLY);
    await runNow(key);
    const [run, repeated] = (await bench.pending()).entries;
    expect([run?.cron, repeated?.key]).toEqual([undefined, key]);
    expect(run?.key).toMatch(/^ü{110}@[0-9A-F]{34}$/);
    expect(await bench.cancel(String(run?.key))).toBe(true);
    expect(await sentAfter(0)).toEqual([]);
  });
});

describe('the entries of a schedule', () => {
  it('have their last tick, which a new release keeps', async () => {
    await bench.set('hourly', HOURLY);
    await sentAfter(HOUR_MS);
    await sentAfter(HOUR_MS);
    await bench.set('hourly', HOURLY);
    expect((await bench.pending()).entries).toMatchObject([{ lastTickAt: at('27T14:00:00') }]);
  });

  it('are listed page by page, each once, whatever they have in common', async () => {
    const keys = Array.from({ length: 11 }, (_, n) => `key-${n}`);
    for (const key of keys) await bench.set(key, key < 'key-3' ? HOURLY : { delayMs: 1 });
    for (const key of keys.slice(0, 4)) await pause(key);
    // Times with more digits, which other programs write.
    await bench.database.query(`UPDATE rocketmq_schedule SET due_at = due_at + interval '400 microseconds'`);
    const found: string[] = [];
    let after: string | undefined;
    do {
      const { entries, next } = await bench.pending({ limit: 2, ...(after === undefined ? {} : { after }) });
      found.push(...entries.map(({ key }) => key));
      after = next;
    } while (after !== undefined);
    expect(found).toHaveLength(keys.length);
    expect(found.toSorted()).toEqual(keys.toSorted());
  });

  it('of an older release are paused, resumed and listed as others', async () => {
    await bench.set('hourly', HOURLY);
    await bench.database.query('DELETE FROM rocketmq_schedule_state');
    expect((await bench.pending()).entries).toMatchObject([{ lastTickAt: undefined, paused: undefined }]);
    await sentAfter(HOUR_MS);
    await pause('hourly');
    await resume('hourly');
    await sentAfter(HOUR_MS);
    expect(ticks()).toEqual(['hourly@2026-03-27T13:00:00.000Z', 'hourly@2026-03-27T14:00:00.000Z']);
  });

  it('that are not there cannot be paused, resumed or sent', async () => {
    expect(await Promise.all([pause('none'), resume('none'), runNow('none')])).toEqual([false, false, false]);
    await bench.set('reminder', { delayMs: HOUR_MS });
    expect(await resume('reminder')).toBe(true);
    expect((await bench.pending()).entries).toMatchObject([{ dueAt: at('27T13:00:00') }]);
  });
});

describe('a change to an entry is rejected', () => {
  it.each([[''], [' \t'], ['x'.repeat(501)], ['a\0'], ['a\ud83d'], [undefined], [5]])(
    'with the reason %j',
    async (reason) => {
      await bench.set('reminder', { delayMs: HOUR_MS });
      const rejected = within((tx) => bench.schedule.pause(tx, 'reminder', reason as string));
      await expect(rejected).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', field: 'reason' });
      expect((await bench.pending()).entries).toMatchObject([{ paused: undefined }]);
    },
  );

  it('with a key that no entry has', async () => {
    for (const rejected of [pause('a b'), resume('a b'), runNow('a b'), bench.pending({ key: 'a b' })])
      await expect(rejected).rejects.toMatchObject({ code: 'ILLEGAL_KEY', field: 'key' });
  });

  it('outside of a transaction', async () => {
    const { database, schedule } = bench;
    for (const rejected of [
      schedule.pause(database, 'a', 'b'),
      schedule.resume(database, 'a'),
      schedule.runNow(database, 'a'),
      schedule.pause('a', 'b'),
      schedule.resume('a'),
      schedule.runNow('a'),
    ])
      await expect(rejected).rejects.toMatchObject({ code: 'NO_TRANSACTION' });
  });

  it.each<[string, object]>([
    ['limit', { limit: 0 }],
    ['limit', { limit: 1_001 }],
    ['limit', { limit: '5' }],
    ['after', { after: 'key-1' }],
    ['after', { after: 5 }],
    ['topic', { topic: 'orders' }],
  ])('with an option %s of a page that is none', async (field, options) => {
    await expect(bench.pending(options)).rejects.toMatchObject({ code: 'ILLEGAL_OPTION', field });
  });

  it('when the rule of the entry cannot be read: it stays paused', async () => {
    await bench.set('hourly', { ...HOURLY, timeZone: 'Europe/Berlin' });
    await pause('hourly');
    await bench.database.query(`UPDATE rocketmq_schedule SET time_zone = 'Mars/Olympus'`);
    await expect(resume('hourly')).rejects.toMatchObject({ code: 'ILLEGAL_CRON' });
    expect((await bench.pending()).entries).toMatchObject([{ paused: {} }]);
  });
});
