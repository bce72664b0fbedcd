import { describe, expect, it } from '@jest/globals';
import { CronDate, CronExpressionParser } from 'cron-parser';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../support/clock.js';
import { nextTickMs } from './cron.js';

const iso = (timeMs: number): string => new Date(timeMs).toISOString();

/** The next ticks, each found from the one before. */
async function ticks(cron: string, after: string, count = 3, timeZone = 'Europe/Berlin'): Promise<string[]> {
  const found: string[] = [];
  for (let at = Date.parse(after); found.length < count; found.push(iso(at))) {
    at = await nextTickMs({ key: 'report', cron, timeZone }, at);
  }
  return found;
}

interface Change {
  readonly timeZone: string;
  readonly at: string;
  readonly atMs: number;
  readonly minutes: number;
  /** The offsets. */
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** Each change of clocks in a year: one time zone of those that make the same change at the same time. */
function changesOf(year: number): Change[] {
  const found = new Map<string, Change>();
  for (const timeZone of Intl.supportedValuesOf('timeZone')) {
    const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
    const offsetAt = (timeMs: number) => Date.parse(`${format.format(timeMs).replace(' ', 'T')}Z`) - timeMs;
    const stepMs = 10 * DAY_MS;
    for (let fromMs = Date.UTC(year, 0, 1); fromMs < Date.UTC(year + 1, 0, 1); fromMs += stepMs) {
      const [beforeMs, afterMs] = [offsetAt(fromMs), offsetAt(fromMs + stepMs)];
      if (beforeMs === afterMs) continue;
      let [low, high] = [fromMs / MINUTE_MS, (fromMs + stepMs) / MINUTE_MS];
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (offsetAt(middle * MINUTE_MS) === beforeMs) low = middle;
        else high = middle;
      }
      const atMs = high * MINUTE_MS;
      const change = { timeZone, at: iso(atMs), atMs, minutes: (afterMs - beforeMs) / MINUTE_MS, beforeMs, afterMs };
      found.set(`${atMs} ${beforeMs} ${afterMs}`, change);
    }
  }
  return [...found.values()];
}

interface Times {
  readonly hours: readonly number[];
  readonly minutes: readonly number[];
}

const every = (step: number, end: number): number[] => Array.from({ length: end / step }, (_, index) => index * step);

const RULES: (Times & { readonly cron: string })[] = [
  { cron: '0,30 0 * * *', hours: [0], minutes: [0, 30] },
  { cron: '15,30 2 * * *', hours: [2], minutes: [15, 30] },
  { cron: '10,50 1-3 * * *', hours: [1, 2, 3], minutes: [10, 50] },
  { cron: '0 9 * * *', hours: [9], minutes: [0] },
  { cron: '30 23 * * *', hours: [23], minutes: [30] },
  { cron: '0 */2 * * *', hours: every(2, 24), minutes: [0] },
  { cron: '*/30 * * * *', hours: every(1, 24), minutes: every(30, 60) },
];

/** What the guide promises, for all wall-clock times of some days. */
function expectedTicks({ hours, minutes }: Times, { atMs, beforeMs, afterMs }: Change): number[] {
  const found = new Set<number>();
  const isHourly = hours.length === 24;
  const midnightMs = atMs - (atMs % DAY_MS);
  const days = [-2, -1, 0, 1, 2].map((day) => midnightMs + day * DAY_MS);
  const wallTimes = days.flatMap((dayMs) =>
    hours.flatMap((hour) => minutes.map((minute) => dayMs + hour * HOUR_MS + minute * MINUTE_MS)),
  );
  for (const wallMs of wallTimes) {
    const isBefore = wallMs < atMs + beforeMs;
    const isAfter = wallMs >= atMs + afterMs;
    if (isBefore || !isAfter) found.add(wallMs - beforeMs);
    if (isAfter && (!isBefore || isHourly)) found.add(wallMs - afterMs);
  }
  return [...found].sort((a, b) => a - b);
}

describe('the ticks of a cron expression', () => {
  it('follow the clocks of the time zone', async () => {
    expect(await ticks('0 3 * * *', '2026-03-27T12:00:00Z')).toEqual([
      '2026-03-28T02:00:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T01:00:00.000Z',
    ]);
    expect(await ticks('0 3 * * *', '2026-03-27T12:00:00Z', 1, 'UTC')).toEqual(['2026-03-28T03:00:00.000Z']);
  });

  it('move to the next hour when the clocks skip theirs', async () => {
    expect(await ticks('30 2 * * *', '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:30:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
  });

  it('are not repeated by an hour that the clocks repeat', async () => {
    expect(await ticks('30 2 * * *', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
  });

  it('go on each half an hour while the clocks repeat one', async () => {
    expect(await ticks('*/30 * * * *', '2026-10-24T23:40:00Z', 4)).toEqual([
      '2026-10-25T00:00:00.000Z',
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T01:00:00.000Z',
      '2026-10-25T01:30:00.000Z',
    ]);
  });

  it.each([
    ['30 2 * * *', '2026-10-25T00:45:00Z', '2026-10-26T01:30:00.000Z'],
    ['30 2 * * *', '2026-10-25T01:10:00Z', '2026-10-26T01:30:00.000Z'],
    ['30 2 * * *', '2026-03-29T01:10:00Z', '2026-03-29T01:30:00.000Z'],
    ['*/20 2 * * *', '2026-10-25T01:05:00Z', '2026-10-26T01:00:00.000Z'],
  ])('of %s do not depend on when they are asked for, such as at %s', async (cron, after, next) => {
    expect(await ticks(cron, after, 1)).toEqual([next]);
  });

  it.each([
    ['America/Nuuk', '0 */2 * * *', '2026-03-29T00:00:00Z', ['2026-03-29T01:00:00.000Z', '2026-03-29T03:00:00.000Z']],
    ['America/Nuuk', '30 23 * * *', '2026-03-28T12:00:00Z', ['2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z']],
    [
      'Australia/Lord_Howe',
      '15 2 * * *',
      '2026-10-03T12:00:00Z',
      ['2026-10-03T15:45:00.000Z', '2026-10-04T15:15:00.000Z'],
    ],
    [
      'Australia/Lord_Howe',
      '0 9 * * *',
      '2026-04-04T12:00:00Z',
      ['2026-04-04T22:30:00.000Z', '2026-04-05T22:30:00.000Z'],
    ],
    [
      'Australia/Lord_Howe',
      '0 * * * *',
      '2026-10-03T14:40:00Z',
      ['2026-10-03T15:30:00.000Z', '2026-10-03T16:00:00.000Z'],
    ],
    ['America/Havana', '0 0 * * *', '2026-10-31T12:00:00Z', ['2026-11-01T04:00:00.000Z', '2026-11-02T05:00:00.000Z']],
    ['America/Havana', '30 0 * * *', '2026-11-01T04:10:00Z', ['2026-11-01T04:30:00.000Z', '2026-11-02T05:30:00.000Z']],
    [
      'Antarctica/Troll',
      '30 2 * * *',
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30:00.000Z', '2026-10-26T02:30:00.000Z'],
    ],
    ['Pacific/Chatham', '30 2 * * *', '2026-09-26T00:00:00Z', ['2026-09-26T13:45:00.000Z', '2026-09-27T12:45:00.000Z']],
    ['Pacific/Apia', '0 9 * * *', '2011-12-29T00:00:00Z', ['2011-12-29T19:00:00.000Z', '2011-12-30T19:00:00.000Z']],
    [
      'Europe/Berlin',
      '10,50 2,3 * * *',
      '2026-03-29T00:40:00Z',
      ['2026-03-29T01:10:00.000Z', '2026-03-29T01:50:00.000Z'],
    ],
  ])('in %s of %s after %s are all there', async (timeZone, cron, after, expected) => {
    expect(await ticks(cron, after, 2, timeZone)).toEqual(expected);
  });

  it.each([
    ['0 0 1 1 *', '2026-06-01T00:00:00Z', ['2026-12-31T23:00:00.000Z', '2027-12-31T23:00:00.000Z']],
    ['59 59 23 31 12 *', '2026-12-31T22:59:58.001Z', ['2026-12-31T22:59:59.000Z', '2027-12-31T22:59:59.000Z']],
    ['0 0 29 2 *', '2026-06-01T00:00:00Z', ['2028-02-28T23:00:00.000Z', '2032-02-28T23:00:00.000Z']],
    ['30 2 L * *', '2026-09-30T12:00:00Z', ['2026-10-31T01:30:00.000Z', '2026-11-30T01:30:00.000Z']],
    ['30 2 * * 0L', '2026-02-28T12:00:00Z', ['2026-03-29T01:30:00.000Z', '2026-04-26T00:30:00.000Z']],
    ['30 2 * * 0#4', '2026-10-01T12:00:00Z', ['2026-10-25T00:30:00.000Z', '2026-11-22T01:30:00.000Z']],
    ['30 2 * oct sun', '2026-10-24T12:00:00Z', ['2026-10-25T00:30:00.000Z', '2027-10-03T00:30:00.000Z']],
  ])('of %s after %s follow the calendar of the time zone', async (cron, after, expected) => {
    expect(await ticks(cron, after, 2)).toEqual(expected);
  });

  it('take few steps near a change of the clocks', async () => {
    let steps = 0;
    const parse = (...args: Parameters<typeof CronExpressionParser.parse>) => {
      const expression = CronExpressionParser.parse(...args);
      const next = expression.next.bind(expression);
      expression.next = () => {
        steps += 1;
        return next();
      };
      return expression;
    };
    const load = () =>
      Promise.resolve({ CronDate, CronExpressionParser: { parse } as unknown as typeof CronExpressionParser });
    const most = async (cron: string, change: string): Promise<number> => {
      let found = 0;
      for (let at = Date.parse(change) - 4 * HOUR_MS; at < Date.parse(change) + 4 * HOUR_MS; at += 10 * MINUTE_MS) {
        steps = 0;
        await nextTickMs({ key: 'report', cron, timeZone: 'Europe/Berlin' }, at, load);
        found = Math.max(found, steps);
      }
      return found;
    };
    for (const change of ['2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z']) {
      expect(await most('* * * * * *', change)).toBeLessThanOrEqual(2);
      expect(await most('* * 2 * * *', change)).toBeLessThanOrEqual(2);
      expect(await most('30 2 29 2 *', change)).toBeLessThanOrEqual(5);
    }
  });

  it.each(changesOf(2026))(
    'are the same whenever they are asked for, around $at in $timeZone ($minutes min)',
    async (change) => {
      for (const rule of RULES) {
        const { cron } = rule;
        const expected = expectedTicks(rule, change);
        const nextMs = (at: number) => nextTickMs({ key: 'report', cron, timeZone: change.timeZone }, at);
        const first = (at: number): string => iso(expected.find((tick) => tick > at) as number);
        const startMs = change.atMs - (cron.startsWith('*') ? 2 * HOUR_MS : DAY_MS);
        const walked: string[] = [];
        for (let at = startMs; at < change.atMs + 2 * HOUR_MS; walked.push(iso(at))) at = await nextMs(at);
        const start = expected.findIndex((tick) => tick > startMs);
        expect({ cron, walked }).toEqual({ cron, walked: expected.slice(start, start + walked.length).map(iso) });
        const asked = [change.atMs - 1, change.atMs];
        for (let at = change.atMs - 2 * HOUR_MS; at < change.atMs + 2 * HOUR_MS; at += 53 * MINUTE_MS + 13_001)
          asked.push(at);
        const answers = await Promise.all(asked.map(async (at) => iso(await nextMs(at))));
        expect({ cron, answers }).toEqual({ cron, answers: asked.map(first) });
      }
    },
  );

  it('that restrict both fields of days are at the days of either, also with a step', async () => {
    const days = ['2026-01-02T00:00:00.000Z', '2026-01-03T00:00:00.000Z', '2026-01-05T00:00:00.000Z'];
    expect(await ticks('0 0 */2 * 5', '2026-01-01T12:00:00Z', 3, 'UTC')).toEqual(days);
  });

  it.each(['? * * * *', '* ? * * *', '* * ? * *', '* * * ? *', '* * * * ?', '? ? ? ? ?'])(
    'of %s are those of stars',
    async (cron) => {
      const minutes = ['2026-01-01T12:01:00.000Z', '2026-01-01T12:02:00.000Z'];
      expect(await ticks(cron, '2026-01-01T12:00:00Z', 2, 'UTC')).toEqual(minutes);
    },
  );

  it('may have seconds, and names', async () => {
    expect(await ticks('*/20 * * * * *', '2026-01-01T00:00:05Z', 2)).toEqual([
      '2026-01-01T00:00:20.000Z',
      '2026-01-01T00:00:40.000Z',
    ]);
    expect(await ticks('@daily', '2026-01-01T12:00:00Z', 1, 'UTC')).toEqual(['2026-01-02T00:00:00.000Z']);
  });

  it('with H are spread by the key, and stay the same for it', async () => {
    const of = (key: string) => nextTickMs({ key, cron: 'H 3 * * *', timeZone: 'UTC' }, 0);
    expect(await of('a')).toBe(await of('a'));
    expect(await of('a')).not.toBe(await of('b'));
  });

  it.each([
    '',
    '0 3',
    '0\u00a03 * * *',
    '0\u00a03 * * * *',
    '\u00a00 3 * * *',
    '@daily\u2003',
    '* * * *',
    '0 0 3 * * * *',
    '60 * * * *',
    '0 0 30 2 *',
    '@reboot',
    'often',
    `0 3 * * ${'1,'.repeat(200)}1`,
    5,
    null,
  ])('do not exist for %p', async (cron) => {
    const rule = { key: 'report', cron: cron as string, timeZone: 'UTC' };
    await expect(nextTickMs(rule, 0)).rejects.toMatchObject({
      code: 'ILLEGAL_CRON',
      field: 'cron',
      message: expect.stringContaining('the schedule is unchanged'),
    });
  });

  it.each(['Mars/Phobos', '', 'local', 5, null])('do not exist in the time zone %p', async (timeZone) => {
    const rule = { key: 'report', cron: '0 3 * * *', timeZone: timeZone as string };
    await expect(nextTickMs(rule, 0)).rejects.toMatchObject({ code: 'ILLEGAL_CRON', field: 'timeZone' });
  });

  it('need cron-parser', async () => {
    const rule = { key: 'report', cron: '0 3 * * *', timeZone: 'UTC' };
    const missing = nextTickMs(rule, 0, () => Promise.reject(new Error('not found')));
    await expect(missing).rejects.toThrow(/PACKAGE_MISSING.*not found.*npm install cron-parser@5/);
  });
});
