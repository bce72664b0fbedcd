import { describe, expect, it } from '@jest/globals';
import { repeatWhenLost } from './repeat.js';

/** As Drizzle throws it: the driver's own is the cause. */
function failure(code: string): Error {
  return new Error('Failed query', { cause: Object.assign(new Error('of PostgreSQL'), { code }) });
}

/** A transaction that fails so often before it succeeds. */
function failing(times: number, code: string) {
  const runs: number[] = [];
  const run = async (): Promise<string> => {
    runs.push(runs.length + 1);
    if (runs.length <= times) throw failure(code);
    return 'done';
  };
  return { run, runs };
}

describe('repeatWhenLost', () => {
  it.each([
    ['a deadlock', '40P01'],
    ['a serialization failure', '40001'],
  ])('runs a transaction again that was lost to %s', async (_, code) => {
    const { run, runs } = failing(2, code);
    expect(await repeatWhenLost(run)).toBe('done');
    expect(runs).toHaveLength(3);
  });

  it('gives up after the fifth run, with the error of the database', async () => {
    const { run, runs } = failing(5, '40P01');
    await expect(repeatWhenLost(run)).rejects.toThrow('Failed query');
    expect(runs).toHaveLength(5);
  });

  it('does not repeat what failed for another reason', async () => {
    const { run, runs } = failing(1, '23505');
    await expect(repeatWhenLost(run)).rejects.toThrow('Failed query');
    expect(runs).toHaveLength(1);
  });
});
