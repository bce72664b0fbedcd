import { describe, expect, it } from '@jest/globals';
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
    await expect(nextTickMs(rule, 0)).rejects.toMatchObject({ code: 'ILLEGAL_CRON', field: 'cron' });
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
