import { describe, expect, it } from '@jest/globals';
import { relayViolations } from './relay-history.js';

const added = ['a1', 'b1', 'a2', 'x', 'a3'].map((id) => {
  return { id, messageGroup: id === 'x' ? undefined : id.slice(0, 1) };
});

describe('relayViolations', () => {
  it('accepts order within groups, and repetitions', () => {
    expect(relayViolations(added, ['x', 'a1', 'a1', 'a2', 'a1', 'a3', 'b1', 'a2'])).toEqual([]);
    expect(relayViolations([], [])).toEqual([]);
  });

  const wrong: [string, string[], string[]][] = [
    ['a lost message', ['a1', 'a2', 'b1', 'a3'], ['x was lost']],
    ['a message out of order', ['a2', 'a1', 'a3', 'b1', 'x'], ['a2 was sent before a1']],
    ['a late message before its predecessor', ['a1', 'a3', 'a2', 'b1', 'x'], ['a3 was sent before a2']],
    ['one that overtakes two', ['a3', 'a1', 'a2', 'b1', 'x'], ['a3 was sent before a2']],
    ['what was rolled back', ['a1', 'b1', 'a2', 'x', 'a3', 'ghost'], ['ghost was sent without being added']],
  ];
  it.each(wrong)('finds %s', (_, sent, expected) => {
    expect(relayViolations(added, sent)).toEqual(expected);
  });
});
