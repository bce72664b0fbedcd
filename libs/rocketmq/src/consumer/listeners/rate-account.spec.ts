import { describe, expect, it } from '@jest/globals';
import { below, seededRandom } from '../../../../../tools/random.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import {
  type BlockRequest,
  blockMs,
  EMPTY_ACCOUNT,
  largestBlock,
  type RateAccount,
  withRequest,
} from './rate-account.js';

const request = (holder: string, wanted: number, more: Partial<BlockRequest> = {}): BlockRequest => ({
  holder,
  began: [],
  kept: 0,
  wanted,
  ...more,
});

/** The most that began in any time of this length. */
function maxWithin(beganAtMs: readonly number[], perMs: number): number {
  const sorted = [...beganAtMs].sort((one, other) => one - other);
  let [first, most] = [0, 0];
  for (const [index, atMs] of sorted.entries()) {
    while ((sorted[first] ?? 0) + perMs <= atMs + 1e-6) first++;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

describe('the account of a rate limit', () => {
  it.each(Array.from({ length: 60 }, (_, seed) => seed))(
    'lets no more begin than it says, in whatever window, when instances are slow, late or die (seed %p)',
    (seed) => {
      const chance = seededRandom(seed);
      const rate = { max: 1 + below(chance, seed % 2 === 0 ? 10 : 2_000), perMs: SECOND_MS + below(chance, MINUTE_MS) };
      const began: number[] = [];
      /** What was kept beyond its block. */
      const beganLate: number[] = [];
      let account: RateAccount = EMPTY_ACCOUNT;
      let deaths = 0;
      /** Each asks, begins what it may at any time within its block, keeps some of it for later, and asks again. */
      const instances = Array.from({ length: 1 + below(chance, 8) }, (_, index) => ({
        holder: `${index}`,
        asksAtMs: chance() * rate.perMs,
        began: [] as (readonly [number, number])[],
        kept: 0,
      }));
      let nowMs = 0;
      while (nowMs < 20 * rate.perMs) {
        const next = instances.reduce((one, other) => (other.asksAtMs < one.asksAtMs ? other : one));
        nowMs = Math.max(nowMs, next.asksAtMs);
        const { holder, kept } = next;
        const wanted = chance() < 0.1 ? 0 : 1 + below(chance, rate.max);
        const done = withRequest(account, nowMs, rate, { holder, began: next.began, kept, wanted });
        if (kept === 0 && chance() < 0.05) {
          // The answer is lost, whether or not the account was changed.
          if (chance() < 0.5) account = done.account;
          next.asksAtMs = nowMs + (chance() * rate.perMs) / 10;
          continue;
        }
        account = done.account;
        const { fromMs, untilMs, count } = done.block;
        expect([count >= Math.min(1, wanted), count <= largestBlock(rate), fromMs >= nowMs]).toEqual([
          true,
          true,
          true,
        ]);
        const asksAtMs = chance() < 0.5 ? fromMs : fromMs + (untilMs - fromMs) * chance();
        const keptAtMs = Array.from(
          { length: kept },
          () => nowMs + chance() * Math.min(blockMs(rate), asksAtMs - nowMs),
        );
        const uses = chance() < 0.2 ? below(chance, count + 1) : count;
        const keeps = chance() < 0.2 ? below(chance, uses + 1) : 0;
        const beganAtMs = Array.from({ length: uses - keeps }, () => fromMs + (asksAtMs - fromMs) * chance());
        began.push(...beganAtMs);
        beganLate.push(...keptAtMs);
        next.began = [...keptAtMs, ...beganAtMs].map((atMs) => [atMs, 1]);
        next.kept = keeps;
        next.asksAtMs = asksAtMs + (keeps === 0 && chance() < 0.2 ? chance() * rate.perMs : 0);
        if (chance() < 0.02 && deaths++ < 5) Object.assign(next, { holder: `${holder}, again`, began: [], kept: 0 });
      }
      expect(maxWithin(began, rate.perMs)).toBeLessThanOrEqual(rate.max);
      const late = maxWithin(beganLate, rate.perMs);
      expect(maxWithin([...began, ...beganLate], rate.perMs)).toBeLessThanOrEqual(rate.max + late);
    },
  );

  it.each([1, 4, 12])('lets all begin that it says, when %p instances begin it at once', (count) => {
    const rate = { max: 1_000, perMs: SECOND_MS };
    const instances = Array.from({ length: count }, (_, index) => ({
      holder: `${index}`,
      asksAtMs: index,
      began: [] as [number, number][],
    }));
    let [account, requests, began]: [RateAccount, number, number] = [EMPTY_ACCOUNT, 0, 0];
    for (;;) {
      const next = instances.reduce((one, other) => (other.asksAtMs < one.asksAtMs ? other : one));
      if (next.asksAtMs >= 20 * SECOND_MS) break;
      const { block, ...after } = withRequest(
        account,
        next.asksAtMs,
        rate,
        request(next.holder, 100, { began: next.began }),
      );
      account = after.account;
      requests++;
      began += block.count;
      next.began = [[block.fromMs, block.count]];
      next.asksAtMs = block.fromMs + 2;
    }
    expect(began).toBeGreaterThan(0.98 * 20 * rate.max);
    expect(requests / 20).toBeLessThan(2 * Math.max(10, 2 * count));
  });

  it('counts an unreported block until its whole time after its end, and what was reported from then on', () => {
    const rate = { max: 10, perMs: 10 * SECOND_MS };
    let account: RateAccount = EMPTY_ACCOUNT;
    for (const holder of 'abcdefghij') ({ account } = withRequest(account, 0, rate, request(holder, 1)));
    expect(withRequest(account, 0, rate, request('k', 1)).block.fromMs).toBe(12_500);
    ({ account } = withRequest(account, 500, rate, request('a', 0, { began: [[150, 1]] })));
    expect(withRequest(account, 500, rate, request('k', 1)).block.fromMs).toBe(200 + 10 * SECOND_MS);
    ({ account } = withRequest(account, 600, rate, request('b', 0)));
    expect(withRequest(account, 600, rate, request('k', 1)).block).toEqual({ fromMs: 600, untilMs: 3_100, count: 1 });
    ({ account } = withRequest(account, 900, rate, request('c', 0, { kept: 1 })));
    for (const holder of 'kl') ({ account } = withRequest(account, 900, rate, request(holder, 1)));
    expect(account.open.find(([holder]) => holder === 'c')).toEqual(['c', 13_400, 1]);
  });

  it('does not hold the group up for long when the clock was set back', () => {
    const rate = { max: 2, perMs: SECOND_MS };
    let account: RateAccount = EMPTY_ACCOUNT;
    const hourMs = 60 * MINUTE_MS;
    for (const holder of 'ab') ({ account } = withRequest(account, hourMs, rate, request(holder, 1)));
    ({ account } = withRequest(account, hourMs, rate, request('a', 0, { began: [[hourMs, 1]] })));
    expect(withRequest(account, 0, rate, request('c', 1)).block.fromMs).toBeLessThan(4 * (rate.perMs + blockMs(rate)));
  });
});
