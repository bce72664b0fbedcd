import { describe, expect, it } from '@jest/globals';
import { below, seededRandom } from '../../../../../tools/random.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import { RateLimiter } from './rate-limiter.js';

/** As for a message that begins at once. */
function begin(limiter: RateLimiter, nowMs: number): number {
  const waitMs = limiter.take(nowMs);
  if (waitMs === 0) limiter.begin(nowMs);
  return waitMs;
}

describe('a rate limit', () => {
  it.each([1, 2, 3, 4])(
    'lets no more begin than it says, in whatever window, and all that it says (seed %p)',
    (seed) => {
      const chance = seededRandom(seed);
      const rate = { max: 1 + below(chance, 40), perMs: 100 + below(chance, MINUTE_MS) };
      const limiter = new RateLimiter(rate);
      const began: number[] = [];
      let nowMs = below(chance, 10_000);
      const startedAtMs = nowMs;
      while (began.length < 20 * rate.max) {
        const waitMs = begin(limiter, nowMs);
        if (waitMs === 0) began.push(nowMs);
        // Now and then it comes late; otherwise as soon as it may.
        nowMs += waitMs + (chance() < 0.1 ? (chance() * rate.perMs) / 10 : 0);
      }
      const within = began.map((beganAtMs, index) => beganAtMs - (began[index - rate.max] ?? Number.NEGATIVE_INFINITY));
      expect(Math.min(...within)).toBeGreaterThanOrEqual(rate.perMs - 1e-6);
      const hurried = new RateLimiter(rate);
      let atMs = 0;
      for (let count = 0; count < 20 * rate.max; count++)
        for (let ms = -1; ms !== 0; atMs += ms) ms = begin(hurried, atMs);
      expect(atMs).toBeCloseTo(19 * rate.perMs, 3);
      expect(nowMs - startedAtMs).toBeGreaterThanOrEqual(19 * rate.perMs - 1e-6);
    },
  );

  it('has a poll wait until it can bring several where the limit is high', () => {
    const limiter = new RateLimiter({ max: 100, perMs: SECOND_MS });
    expect(limiter.startable(0)).toBe(100);
    for (let atMs = 0; atMs < 1_000; atMs += 10) expect(begin(limiter, atMs)).toBe(0);
    expect([limiter.take(999), limiter.startableInMs(999)]).toEqual([1, 41]);
    expect([limiter.startable(1_039), limiter.startable(1_040), limiter.startable(1_050)]).toEqual([0, 5, 6]);
    expect([limiter.isUsedUp(999), limiter.isUsedUp(1_000)]).toEqual([false, false]);
  });

  it('has a poll ask for a single message where it is low', () => {
    const limiter = new RateLimiter({ max: 2, perMs: MINUTE_MS });
    expect([begin(limiter, 0), begin(limiter, 1), limiter.isUsedUp(2)]).toEqual([0, 0, true]);
    expect([limiter.startable(2), limiter.startableInMs(2)]).toEqual([0, MINUTE_MS - 2]);
    expect([limiter.startable(MINUTE_MS), limiter.isUsedUp(MINUTE_MS)]).toEqual([1, false]);
  });

  it('counts what is set aside, and from its beginning on for the whole time', () => {
    const limiter = new RateLimiter({ max: 2, perMs: SECOND_MS });
    expect([limiter.take(0), limiter.take(0), limiter.take(0)]).toEqual([0, 0, SECOND_MS]);
    limiter.begin(400);
    expect([limiter.take(900), limiter.startable(1_399), limiter.take(1_400)]).toEqual([500, 0, 0]);
    limiter.giveBack();
    expect([limiter.take(1_400), limiter.isUsedUp(1_400)]).toEqual([0, true]);
  });
});
