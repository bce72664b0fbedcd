import { describe, expect, it } from '@jest/globals';
import { backoffMs, withJitter } from './backoff.js';

describe('backoffMs', () => {
  it('grows up to its limit, also after very many attempts', () => {
    const policy = { kind: 'exponential', initialMs: 10, maxMs: 1_000, multiplier: 2 } as const;
    expect([1, 2, 3, 8, 100_000].map((attempt) => backoffMs(policy, attempt))).toEqual([10, 20, 40, 1_000, 1_000]);
  });

  it('stays a number when a server starts at zero', () => {
    const policy = { kind: 'exponential', initialMs: 0, maxMs: 0, multiplier: 2 } as const;
    expect(backoffMs(policy, 100_000)).toBe(0);
  });

  it('repeats the last of the listed delays', () => {
    const policy = { kind: 'customized', nextMs: [1_000, 5_000] } as const;
    expect([1, 2, 3].map((attempt) => backoffMs(policy, attempt))).toEqual([1_000, 5_000, 5_000]);
  });
});

describe('withJitter', () => {
  it('spreads over the upper half', () => {
    expect([withJitter(100, () => 0), withJitter(100, () => 1)]).toEqual([50, 100]);
  });
});
