import { describe, expect, it } from '@jest/globals';
import { postponedHandle } from './postponed-handle.js';

describe('the handle of a postponed delivery', () => {
  it('starts at the message, also where a proxy in local mode returns the start of the former delivery', () => {
    expect(postponedHandle('40 1796096378670 30000 2 0 broker-a 3 44 6313534')).toBe(
      '44 1796096378670 30000 2 0 broker-a 3 44 6313534',
    );
    expect(postponedHandle('0 1796096410941 30000 6 2 broker-a 0 5')).toBe('5 1796096410941 30000 6 2 broker-a 0 5');
  });

  it.each([
    ['one that starts there', '44 1796096378670 30000 2 0 broker-a 3 44 6313534'],
    ['one of an ordered delivery', '40 1796096378670 30000 999 0 broker-a 3 44 6313534'],
    ['the text of another server', 'AAEC-x_9 40 44'],
    ['an empty text', ''],
  ])('stays as it is: %s', (_what, text) => {
    expect(postponedHandle(text)).toBe(text);
  });
});
