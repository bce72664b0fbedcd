import { describe, expect, it } from '@jest/globals';
import { encodeStatusMessage } from './status.js';
import { timeoutMs } from './timeout.js';

describe('grpc-timeout', () => {
  it('accepts every unit, and the 60 years of the Java client', () => {
    const texts = ['1H', '2M', '3S', '4m', '5000u', '6000000n', '31535999M', '99999999H'];
    expect(texts.map(timeoutMs)).toEqual([
      3_600_000,
      120_000,
      3_000,
      4,
      5,
      6,
      31_535_999 * 60_000,
      99_999_999 * 3_600_000,
    ]);
  });

  it('is infinite without the header', () => {
    expect(timeoutMs(undefined)).toBe(Number.POSITIVE_INFINITY);
  });

  it.each(['', '5', 'S', '-5S', '123456789S', '5s', '5 S', '1.5S'])('rejects "%s"', (text) => {
    expect(() => timeoutMs(text)).toThrow('invalid grpc-timeout');
  });
});

describe('grpc-message', () => {
  it('encodes what is not printable ASCII', () => {
    const text = 'group "grün" 100%\n';
    expect(encodeStatusMessage(text)).toBe('group "gr%C3%BCn" 100%25%0A');
    expect(decodeURIComponent(encodeStatusMessage(text))).toBe(text);
  });
});
