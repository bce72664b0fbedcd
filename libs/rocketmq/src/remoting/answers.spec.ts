import { describe, expect, it } from '@jest/globals';
import { offsetField, offsetIn } from './answers.js';

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
    for (const offset of [0, -1, Number.MAX_SAFE_INTEGER]) {
      expect(offsetField(answer({ offset: String(offset) }), 'offset', 7)).toBe(offset);
      expect(offsetIn(offset)).toBe(offset);
    }
    expect([offsetField(answer({}), 'offset', 7), offsetIn(undefined)]).toEqual([7, 0]);
  });

  it('that is larger than any queue is the largest exact number', () => {
    expect(offsetField(answer({ offset: '9223372036854775807' }), 'offset', 7)).toBe(Number.MAX_SAFE_INTEGER);
    expect(offsetIn(9_223_372_036_854_775_807n)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each(['', 'x', '1.5', '9'.repeat(20_000_000)])('rejects an invalid offset', (text) => {
    expect(() => offsetField(answer({ offset: text }), 'offset', 0)).toThrow(
      expect.objectContaining({ code: 'RPC_FAILED', message: expect.stringContaining('no offset as offset') }),
    );
  });
});
