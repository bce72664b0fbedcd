import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DELAY_LEVELS_MS } from '../protocol/model/delay-levels.js';
import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { hopOf } from './delay-chain.js';

/** The delays of a message by which broker after broker holds it, each late by so much. */
function chainOf(delayMs: number, levelsMs: readonly number[], lateMs = 0): number[] {
  const waits: number[] = [];
  for (let leftMs = delayMs; ; ) {
    const { level, isLast } = hopOf(leftMs, levelsMs);
    const waitMs = (levelsMs[level - 1] ?? 0) + (level === 0 ? 0 : lateMs);
    waits.push(waitMs);
    leftMs -= waitMs;
    if (isLast) return waits;
  }
}
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

describe('a delay of several levels', () => {
  it.each([
    [45 * MINUTE_MS, [30 * MINUTE_MS, 10 * MINUTE_MS, 5 * MINUTE_MS]],
    [7 * SECOND_MS, [5 * SECOND_MS, SECOND_MS, SECOND_MS]],
    [5 * HOUR_MS, [2 * HOUR_MS, 2 * HOUR_MS, HOUR_MS]],
    [30 * SECOND_MS, [30 * SECOND_MS]],
    [29_500, [30 * SECOND_MS]],
    [1, [SECOND_MS]],
    [0, [0]],
    [-1, [0]],
  ])('of %i ms is %j', (delayMs, waits) => {
    expect(chainOf(delayMs, DELAY_LEVELS_MS)).toEqual(waits);
  });

  it('never ends early, and less than a second late', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 48 * HOUR_MS }), (delayMs) => {
        const waits = chainOf(delayMs, DELAY_LEVELS_MS);
        const lateMs = sum(waits) - delayMs;
        // As the guide says: eleven up to two hours, and one for each two hours more.
        expect(waits.length - 1).toBeLessThanOrEqual(11 + Math.floor(delayMs / (2 * HOUR_MS)));
        expect(lateMs).toBeGreaterThanOrEqual(0);
        expect(lateMs).toBeLessThan(SECOND_MS);
      }),
    );
  });

  it('makes up for what brokers are late, but for the last one, and ends on brokers with any levels', () => {
    const levels = fc.uniqueArray(fc.integer({ min: 1, max: 3_600 }), { minLength: 1, maxLength: 18 });
    fc.assert(
      fc.property(levels, fc.integer({ min: 1, max: 4 * HOUR_MS }), (seconds, delayMs) => {
        const levelsMs = seconds.map((one) => one * SECOND_MS);
        const shortestMs = Math.min(...levelsMs);
        fc.pre(delayMs / Math.max(...levelsMs) < 1_000);
        const waits = chainOf(delayMs, levelsMs, 300);
        const lateMs = sum(waits) - delayMs;
        expect(lateMs).toBeGreaterThanOrEqual(0);
        expect(lateMs).toBeLessThan(shortestMs + SECOND_MS + 300);
      }),
    );
  });
});
