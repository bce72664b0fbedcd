import { describe, expect, it } from '@jest/globals';
import { agreementViolations, type TransactionEnds } from './transaction-agreement.js';

const NOTHING: TransactionEnds = { begun: [], returned: [], inDatabase: [], delivered: [], undecided: [] };

function violations(ends: Partial<TransactionEnds>): string[] {
  return agreementViolations({ ...NOTHING, ...ends });
}

describe('agreementViolations', () => {
  it('accepts transactions that are in both, delivered once or twice, or in neither', () => {
    const both = { returned: ['a'], inDatabase: ['a', 'b'], delivered: ['b', 'a', 'a'] };
    expect(violations({ begun: ['a', 'b', 'c'], ...both })).toEqual([]);
    expect(violations({})).toEqual([]);
  });

  const wrong: [string, Partial<TransactionEnds>, string[]][] = [
    ['a lost message', { begun: ['a'], inDatabase: ['a'] }, ['the message of a was lost']],
    ['a message of nothing', { begun: ['a'], delivered: ['a'] }, ['a was delivered, but is not in the database']],
    ['a half message left behind', { begun: ['a'], undecided: ['a'] }, ['a is undecided']],
    ['one left behind that is done', { begun: ['a'], inDatabase: ['a'], undecided: ['a'] }, ['a is undecided']],
    ['a return of nothing', { begun: ['a'], returned: ['a'] }, ['a was taken for done, but is not in the database']],
    ['a second doing', { begun: ['a'], inDatabase: ['a', 'a'], delivered: ['a'] }, ['a was done twice']],
    ['what nobody began', { inDatabase: ['a'], delivered: ['a'] }, ['a was never begun']],
    [
      'one of many',
      { begun: ['a', 'b', 'c'], inDatabase: ['a', 'c'], delivered: ['a', 'b', 'c'] },
      ['b was delivered, but is not in the database'],
    ],
  ];
  it.each(wrong)('finds %s', (_, ends, expected) => {
    expect(violations(ends)).toEqual(expected);
  });
});
