import { describe, expect, it } from '@jest/globals';
import { controlAddressOf } from './control-option.js';

describe('--control', () => {
  it.each([
    ['9080', { controlPort: 9080 }],
    ['0', { controlPort: 0 }],
    ['0.0.0.0:9080', { controlPort: 9080, controlHost: '0.0.0.0' }],
    ['[::1]:9080', { controlPort: 9080, controlHost: '::1' }],
    ['localhost:1', { controlPort: 1, controlHost: 'localhost' }],
  ])('accepts %s', (text, expected) => {
    expect(controlAddressOf(text)).toEqual(expected);
  });

  it.each(['', 'x', '99999', ':9080', '::1:9080', 'host:', 'http://localhost:9080'])('rejects "%s"', (text) => {
    expect(() => controlAddressOf(text)).toThrow('It must be');
  });
});
