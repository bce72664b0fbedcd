// The schedule of an application in the console: what is shown, what may be changed by whom, and what is written down.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import type { SqlDatabase } from 'nestjs-rocketmq/sql';
import type { Json } from '../../../test/fixtures/console-bench.js';
import { ConsoleCore } from '../../../test/fixtures/console-core.js';
import { OutboxBench } from '../../../test/fixtures/outbox-bench.js';
import type { ConsoleOptions } from './access/options.js';

const START_MS = Date.parse('2026-03-27T12:00:00Z');
const HOUR_MS = 3_600_000;

/** No page of the schedule asks it. */
const admin = new RocketMQAdmin({ nameServer: '127.0.0.1:9' });
let bench: OutboxBench;
const cores: ConsoleCore[] = [];
beforeAll(async () => {
  bench = await OutboxBench.open();
});
beforeEach(async () => {
  await bench.begin(START_MS);
  await bench.set('nightly', { cron: '0 3 * * *', timeZone: 'Europe/Berlin' });
  await bench.set('trial:ada', { delayMs: HOUR_MS, message: { topic: 'trials', body: 'the secret of Ada' } });
});
afterEach(async () => {
  for (const core of cores.splice(0)) core.close();
  await bench.end();
});
afterAll(async () => {
  await bench.close();
  await admin.close();
});

function opened(options: ConsoleOptions = {}, database: SqlDatabase = bench.database): ConsoleCore {
  const core = new ConsoleCore({ admin, schedule: () => ({ schedule: bench.schedule, database }) }, options);
  cores.push(core);
  return core;
}

const change = (what: string, key: string, more: object = {}) => ({ action: 'schedule', change: what, key, ...more });
const pause = (key: string) => change('pause', key, { reason: 'the figures are wrong' });
const keys = (page: Json): string[] => page.entries.map((one: Json) => one.key);

async function sent(): Promise<string[]> {
  const relay = bench.relayWith({ schedule: bench.schedule });
  while ((await relay.runOnce()) > 0);
  return bench.bodies();
}

describe('the page of the schedule', () => {
  it('has what waits, the next entries first, without bodies', async () => {
    const core = opened({ actions: [] });
    const page = await core.ask('/api/schedule');
    expect(page).toEqual({
      status: 200,
      entries: [
        { key: 'trial:ada', topic: 'trials', dueAtMs: START_MS + HOUR_MS },
        {
          key: 'nightly',
          topic: 'orders',
          dueAtMs: Date.parse('2026-03-28T02:00:00Z'),
          cron: '0 3 * * *',
          timeZone: 'Europe/Berlin',
        },
      ],
      scheduled: 2,
      overdueMs: 0,
    });
    expect(JSON.stringify(page)).not.toContain('secret');
  });

  it('has pages, and finds a key', async () => {
    const core = opened();
    const first = await core.ask('/api/schedule?limit=1');
    const second = await core.ask(`/api/schedule?limit=1&after=${encodeURIComponent(first.next)}`);
    expect([keys(first), keys(second), second.next]).toEqual([['trial:ada'], ['nightly'], undefined]);
    expect(keys(await core.ask('/api/schedule?key=nightly'))).toEqual(['nightly']);
    expect(keys(await core.ask('/api/schedule?key=night'))).toEqual([]);
  });

  it.each(['limit=0', 'limit=101', 'after=x', 'key=a%20b'])('rejects %s', async (query) => {
    expect(await opened().ask(`/api/schedule?${query}`)).toMatchObject({ status: 400 });
  });

  it('says how long what is due has been waiting', async () => {
    bench.clock.advanceTo(START_MS + HOUR_MS + 5_000);
    expect(await opened().ask('/api/schedule')).toMatchObject({ scheduled: 2, overdueMs: 5_000 });
  });

  it('says that the database fails, and why only in the log', async () => {
    const away: SqlDatabase = { transaction: () => Promise.reject(new Error('no password for ada@db-7')) };
    const core = opened({}, away);
    const page = await core.ask('/api/schedule');
    expect(page).toMatchObject({ status: 502, error: { code: 'DATABASE_FAILED' } });
    expect(JSON.stringify(page)).not.toContain('db-7');
    expect(core.lines.join()).toContain('no password for ada@db-7');
  });
});

describe('a change to the schedule', () => {
  it('of the reason of a pause reports the former one', async () => {
    const core = opened();
    await core.change(pause('nightly'));
    expect((await core.change(change('pause', 'nightly', { reason: 'later' }))).text).toMatch(
      /^entry nightly is paused; it was paused since \S+Z for: the figures are wrong$/,
    );
  });

  it('is planned, carried out and written down', async () => {
    const core = opened();
    const plan = await core.plan(pause('nightly'));
    expect(plan.preview).toMatchObject({ entry: { key: 'nightly', cron: '0 3 * * *' } });
    expect((await bench.pending({ key: 'nightly' })).entries[0]?.paused).toBeUndefined();
    expect(await core.execute(plan)).toMatchObject({ outcome: 'done', text: 'entry nightly is paused' });
    expect((await bench.pending({ key: 'nightly' })).entries[0]?.paused?.reason).toBe('the figures are wrong');
    expect(await core.change(change('run', 'nightly'))).toMatchObject({ outcome: 'done' });
    expect(await sent()).toEqual(['nightly']);
    expect(await core.change(change('resume', 'nightly'))).toMatchObject({ text: 'entry nightly is resumed' });
    expect(await core.change(change('cancel', 'trial:ada'))).toMatchObject({ text: 'entry trial:ada is canceled' });
    expect(keys(await core.ask('/api/schedule'))).toEqual(['nightly']);
    const written = (await core.audit()).map(({ action, target, outcome }) => [action, target, outcome]);
    const target = { key: 'nightly', topic: 'orders' };
    expect(written).toEqual([
      ['schedule', { key: 'trial:ada', change: 'cancel', topic: 'trials' }, 'done'],
      ['schedule', { ...target, change: 'resume' }, 'done'],
      ['schedule', { ...target, change: 'run' }, 'done'],
      ['schedule', { ...target, change: 'pause', reason: 'the figures are wrong' }, 'done'],
    ]);
  });

  it('is allowed by action, topic and kind, when it is planned and when it is carried out', async () => {
    const asked: Json[] = [];
    let isClosed = false;
    const core = opened({
      authorize: (viewer, action, target) => {
        asked.push([viewer, action, target]);
        return !isClosed && target.topic !== 'trials' && target.change !== 'cancel';
      },
    });
    for (const rejected of [change('run', 'trial:ada'), pause('trial:ada'), change('cancel', 'nightly')])
      expect(await core.plan(rejected)).toMatchObject({ status: 403, error: { code: 'NOT_ALLOWED' } });
    const plan = await core.plan(change('run', 'nightly'));
    isClosed = true;
    expect(await core.execute(plan)).toMatchObject({ status: 403 });
    expect(asked.at(-1)).toEqual(['ada', 'schedule', { key: 'nightly', change: 'run', topic: 'orders' }]);
    expect(await opened({ actions: ['pause', 'send'] }).plan(change('run', 'nightly'))).toMatchObject({ status: 403 });
    expect(await sent()).toEqual([]);
  });

  it('is not made when its entry was sent, canceled or set for another topic meanwhile', async () => {
    const core = opened({ authorize: (_, __, { topic }) => topic !== 'payments' });
    const plans = [await core.plan(change('run', 'nightly')), await core.plan(pause('trial:ada'))];
    await bench.cancel('trial:ada');
    await bench.set('nightly', { cron: '0 3 * * *', message: { topic: 'payments', body: 'x' } });
    for (const plan of plans)
      expect(await core.execute(plan)).toMatchObject({ status: 409, error: { code: 'NOT_SCHEDULED' } });
    expect(await sent()).toEqual([]);
    expect((await core.audit()).map(({ outcome }) => outcome)).toEqual(['failed', 'failed']);
  });

  it.each<[string, object, number, string]>([
    ['of an entry that is not there', change('run', 'none'), 409, 'no entry none waits'],
    ['of no key', change('run', ''), 400, 'key must be a non-empty string'],
    ['that does not exist', change('stop', 'nightly'), 400, 'change must be run, pause, resume, cancel'],
    ['without the reason of a pause', change('pause', 'nightly'), 400, 'reason must be a non-empty string'],
    ['with a blank reason', change('pause', 'nightly', { reason: ' ' }), 400, 'reason must not be blank'],
    ['with a long reason', change('pause', 'nightly', { reason: 'x'.repeat(501) }), 400, 'more than 500 characters'],
    ['with the reason of another change', change('run', 'nightly', { reason: 'x' }), 400, 'reason is unknown'],
  ])('is not planned %s', async (_, wanted, status, message) => {
    const rejected = { status, error: { message: expect.stringContaining(message) } };
    expect(await opened().plan(wanted)).toMatchObject(rejected);
  });

  it('says that it may have been made when the database fails at its end', async () => {
    let isAway = false;
    const transaction: SqlDatabase['transaction'] = async (work) => {
      const result = await bench.database.transaction(work);
      if (isAway) throw new Error('the connection is lost');
      return result;
    };
    const core = opened({}, { transaction });
    const plan = await core.plan(pause('nightly'));
    isAway = true;
    const rejected = { status: 502, error: { message: expect.stringContaining('may have taken effect') } };
    expect(await core.execute(plan)).toMatchObject(rejected);
    expect((await core.audit())[0]).toMatchObject({ outcome: 'failed' });
  });
});
