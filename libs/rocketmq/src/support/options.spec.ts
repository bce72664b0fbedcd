import { describe, expect, it } from '@jest/globals';
import { positive, positiveInteger } from './options.js';

describe('an option that must be positive', () => {
  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as never])('is refused by name when it is %p', (value) => {
    expect(() => positive('requestTimeoutMs', value)).toThrow('[ILLEGAL_OPTION] option requestTimeoutMs');
  });

  it('is given back when it is right', () => {
    expect([positive('a', 0.5), positiveInteger('b', 3)]).toEqual([0.5, 3]);
  });

  it('is refused as a fraction where things are counted', () => {
    expect(() => positiveInteger('maxAttempts', 2.5)).toThrow('a whole number from 1 on, not 2.5');
  });
});
