// Runs the example of docs/guide/scheduling.md.

import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Schedule } from 'nestjs-rocketmq/sql';
import { BackOfficeModule, Reports, Trials } from '../../docs/examples/scheduling.js';
import { eventually } from '../../tools/until.js';
import { closeApp } from '../fixtures/close-app.js';

describe('the example of a schedule', () => {
  let app: INestApplication;
  let database: PGlite;

  beforeAll(async () => {
    app = (await Test.createTestingModule({ imports: [BackOfficeModule] }).compile()).createNestApplication();
    await app.init();
    database = app.get(PGlite);
  });
  afterAll(async () => {
    await closeApp(app);
    await database.close();
  });

  const pending = async () => (await database.transaction((tx) => app.get(Schedule).pending(tx))).entries;
  const makeDue = (key: string) =>
    database.query(`UPDATE rocketmq_schedule SET due_at = '2026-03-29T01:00:00Z' WHERE key = $1`, [key]);

  it('ends a trial at its new end, unless the customer buys', async () => {
    const trials = app.get(Trials);
    const inAYear = new Date(Date.now() + 365 * 24 * 3_600_000);
    for (const customer of ['Ada', 'Ben']) await trials.begin(customer, new Date(Date.now() + 3_600_000));
    for (const customer of ['Ada', 'Ben']) await trials.begin(customer, inAYear);
    await trials.buy('Ben');
    expect((await pending()).filter(({ key }) => key.startsWith('trial:'))).toMatchObject([
      { key: 'trial:Ada', topic: 'trial-over', dueAt: inAYear },
    ]);
    const states = async () => (await database.query('SELECT customer, state FROM trials ORDER BY customer')).rows;
    // The message of the first end, which was on its way when the trial was extended.
    await trials.end({ customer: 'Ada' });
    expect(await states()).toContainEqual({ customer: 'Ada', state: 'running' });
    await trials.begin('Ada', new Date());
    const wanted = [
      { customer: 'Ada', state: 'over' },
      { customer: 'Ben', state: 'bought' },
    ];
    expect(await eventually(states, (rows) => JSON.stringify(rows) === JSON.stringify(wanted))).toEqual(wanted);
  });

  it('writes one report for a tick, and keeps the next one over a restart', async () => {
    const [before] = await pending();
    await app.get(Reports).onApplicationBootstrap();
    expect(await pending()).toEqual([before]);
    expect(before).toMatchObject({ key: 'sales-report', cron: '0 3 * * *', timeZone: 'Europe/Berlin' });
    await makeDue('sales-report');
    const reports = async () => (await database.query('SELECT * FROM reports')).rows;
    const wanted = [{ tick: 'sales-report@2026-03-29T01:00:00.000Z', kind: 'sales' }];
    expect(await eventually(reports, (rows) => rows.length > 0)).toEqual(wanted);
    expect(await pending()).toEqual([{ ...before, lastTickAt: new Date('2026-03-29T01:00:00Z') }]);
  });
});
