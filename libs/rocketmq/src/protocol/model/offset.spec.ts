import { expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { toOffset } from './offset.js';

it.each([
  [0n, 0],
  [-1n, -1],
  [9_007_199_254_740_991n, Number.MAX_SAFE_INTEGER],
  [9_007_199_254_740_992n, Number.MAX_SAFE_INTEGER],
  [2n ** 63n - 1n, Number.MAX_SAFE_INTEGER],
  [-(2n ** 63n), Number.MIN_SAFE_INTEGER],
  [2n ** 64n, Number.MAX_SAFE_INTEGER],
])('the offset %s is the number %s', (wire, offset) => {
  expect(toOffset(wire)).toBe(offset);
});

it('is exact where a number can be, and keeps the order of any two offsets', () => {
  const wire = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  void fc.assert(
    fc.property(wire, wire, (one, other) => {
      const [low, high] = one < other ? [one, other] : [other, one];
      expect(toOffset(low)).toBeLessThanOrEqual(toOffset(high));
      if (Number.isSafeInteger(Number(one))) expect(BigInt(toOffset(one))).toBe(one);
    }),
  );
});
