import { describe, expect, it } from '@jest/globals';
import type { Filter } from '../../protocol/model/filter.js';
import { UsageError } from '../../support/errors.js';
import { mergedSubscriptions, takes } from './message-listener.js';

const tags = (expression: string): Filter => ({ kind: 'tag', expression });
const sql = (expression: string): Filter => ({ kind: 'sql', expression });

function problemOf(...filters: (Filter | undefined)[]): string {
  try {
    merged(...filters);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error('nothing was rejected');
}

function merged(...filters: (Filter | undefined)[]) {
  const listeners = filters.map((filter, index) => {
    const listener = { name: `listener ${index}`, topic: 'orders' };
    return filter === undefined ? listener : { ...listener, filter };
  });
  return mergedSubscriptions('stock', listeners);
}

describe('the filters of the listeners of a group', () => {
  it('become their union on each topic', () => {
    expect(merged(tags('a || b'), tags(' c '))).toEqual([{ topic: 'orders', filter: tags('a || b || c') }]);
    expect(merged(sql('x > 1'))).toEqual([{ topic: 'orders', filter: sql('x > 1') }]);
    expect(
      mergedSubscriptions('stock', [
        { name: 'one', topic: 'orders' },
        { name: 'two', topic: 'returns', filter: tags('a') },
      ]),
    ).toEqual([
      { topic: 'orders', filter: tags('*') },
      { topic: 'returns', filter: tags('a') },
    ]);
  });

  it('are rejected when both have the same tag, and both are named', () => {
    expect(problemOf(tags('a||b'), tags('c || b'))).toMatch(
      /FILTERS_OVERLAP.*listener 0 and listener 1.*"orders".*"stock".*tag "b"/,
    );
  });

  it('are rejected when one matches every message', () => {
    for (const every of [undefined, tags('*'), tags('')]) {
      expect(problemOf(tags('a'), every)).toMatch(/FILTERS_OVERLAP.*listener 0 and listener 1.*every message/);
    }
  });

  it('are rejected when one of several on a topic is by SQL', () => {
    expect(problemOf(sql('x > 1'), sql('x <= 1'))).toMatch(/FILTERS_NOT_MERGEABLE.*listener 0 and listener 1/);
    expect(problemOf(tags('a'), sql("TAGS = 'b'"))).toMatch(/FILTERS_NOT_MERGEABLE/);
  });

  it('match messages by their tag', () => {
    expect([takes(tags('a || b'), 'b'), takes(tags('a'), 'b'), takes(tags('a'), undefined)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([takes(undefined, undefined), takes(sql('x > 1'), 'a')]).toEqual([true, true]);
  });
});
