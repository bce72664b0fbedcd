import { describe, expect, it } from '@jest/globals';
import { offsetField } from './answers.js';

const answer = (fields: Record<string, string>) => {
  return {
    code: 0,
    opaque: 1,
    isResponse: true,
    isOneWay: false,
    version: 0,
    remark: '',
    fields,
    body: Buffer.alloc(0),
  };
};

describe('an offset in an answer', () => {
  it('accepts any offset that a server can write', () => {
    for (const offset of [0n, -1n, 2n ** 63n - 1n]) {
      expect(offsetField(answer({ offset: String(offset) }), 'offset', 7n)).toBe(offset);
    }
    expect(offsetField(answer({}), 'offset', 7n)).toBe(7n);
  });

  it.each(['', 'x', '1.5', '9'.repeat(20_000_000)])('rejects an invalid offset', (text) => {
    expect(() => offsetField(answer({ offset: text }), 'offset', 0n)).toThrow(
      expect.objectContaining({ code: 'RPC_FAILED', message: expect.stringContaining('no offset as offset') }),
    );
  });
});
