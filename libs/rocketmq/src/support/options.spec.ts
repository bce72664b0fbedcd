import { describe, expect, it } from '@jest/globals';
import { positive, positiveInteger } from './options.js';

describe('an option that must be positive', () => {
  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as never])('is rejected by name when it is %p', (value) => {
    expect(() => positive('requestTimeoutMs', value)).toThrow('[ILLEGAL_OPTION] option requestTimeoutMs');
  });

  it('is returned when it is valid', () => {
    expect([positive('a', 0.5), positiveInteger('b', 3)]).toEqual([0.5, 3]);
  });

  it('is rejected as a fraction where an integer is required', () => {
    expect(() => positiveInteger('maxAttempts', 2.5)).toThrow('an integer of at least 1, not 2.5');
  });
});
