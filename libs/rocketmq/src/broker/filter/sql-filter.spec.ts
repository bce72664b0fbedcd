import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { MAX_FILTER_LENGTH } from './max-filter-length.js';
import { compileSqlFilter, DEEPEST_NESTING, SqlFilterError } from './sql-filter.js';

const matches = (expression: string, properties: Readonly<Record<string, string>> = {}): boolean => {
  return compileSqlFilter(expression)((name) =>
    Object.hasOwn(properties, name) ? (properties[name] as string) : null,
  );
};

/** A condition as text, and its value for {@link PROPERTIES}; null means unknown. */
interface Condition {
  readonly text: string;
  readonly value: boolean | null;
}

const PROPERTIES = { a: '3', b: '7', text: "it's" };

const leaf: fc.Arbitrary<Condition> = fc.constantFrom(
  { text: 'TRUE', value: true },
  { text: 'false', value: false },
  { text: 'Null', value: null },
  { text: 'a = 3', value: true },
  { text: 'a > b', value: false },
  { text: 'missing < 1', value: null },
  { text: 'a BETWEEN 1 AND 4', value: true },
  { text: "text CONTAINS ''''", value: true },
  { text: "missing NOT IN ('x', 'y')", value: null },
  { text: 'missing IS NOT NULL', value: false },
);

const condition: fc.Arbitrary<Condition> = fc.letrec<{ whole: Condition }>((tie) => ({
  whole: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    leaf,
    tie('whole').map(({ text, value }) => ({ text: `NOT (${text})`, value: value === null ? null : !value })),
    fc.tuple(tie('whole'), tie('whole')).map(([one, other]) => ({
      text: `(${one.text}) AND (${other.text})`,
      value: and(one.value, other.value),
    })),
    fc.tuple(tie('whole'), tie('whole')).map(([one, other]) => ({
      text: `(${one.text}) or (${other.text})`,
      value: or(one.value, other.value),
    })),
  ),
})).whole;

function and(one: boolean | null, other: boolean | null): boolean | null {
  if (one === false || other === false) return false;
  return one === null || other === null ? null : true;
}

function or(one: boolean | null, other: boolean | null): boolean | null {
  if (one === true || other === true) return true;
  return one === null || other === null ? null : false;
}

describe('an SQL filter', () => {
  it('evaluates three-valued logic for any combination of conditions', () => {
    void fc.assert(
      fc.property(condition, ({ text, value }) => {
        expect(matches(text, PROPERTIES)).toBe(value === true);
        expect(matches(`NOT (${text})`, PROPERTIES)).toBe(value === false);
      }),
      { numRuns: 500 },
    );
  });

  it('gives AND precedence over OR', () => {
    void fc.assert(
      fc.property(fc.array(fc.array(leaf, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }), (rows) => {
        const text = rows.map((row) => row.map((part) => part.text).join(' AND ')).join(' OR ');
        const value = rows.map((row) => row.map((part) => part.value).reduce(and)).reduce(or);
        expect(matches(text, PROPERTIES)).toBe(value === true);
      }),
    );
  });

  it('compares any two integers as numbers', () => {
    const whole = fc.bigInt({ min: -(2n ** 31n) + 1n, max: 2n ** 31n - 1n });
    void fc.assert(
      fc.property(whole, whole, (one, other) => {
        const holding = (operator: string): boolean => matches(`n ${operator} ${other}`, { n: String(one) });
        expect([holding('<'), holding('='), holding('>')]).toEqual([one < other, one === other, one > other]);
        expect([holding('<='), holding('<>'), holding('>=')]).toEqual([one <= other, one !== other, one >= other]);
      }),
    );
  });

  it('parses a long property as a number quickly, whether it is one or not', () => {
    const digits = '1'.repeat(15_000);
    const wanted = compileSqlFilter('amount < 1.5 OR amount = 7');
    // Each of these once took almost a second.
    for (const amount of [`${digits}x`, `${digits}.${digits}x`, `${'0'.repeat(15_000)}8`, `${' '.repeat(15_000)}x`]) {
      for (let round = 0; round < 200; round++) expect(wanted(() => amount)).toBe(false);
    }
    expect(wanted(() => `${'0'.repeat(15_000)}7`)).toBe(true);
    expect(compileSqlFilter('amount > 1.5')(() => digits)).toBe(true);
  });

  it('accepts integers of 64 bits, and rejects a literal beyond them', () => {
    const [largest, beyond] = ['9223372036854775807', '9223372036854775808'];
    expect(matches(`n = ${largest}`, { n: `+000${largest}` })).toBe(true);
    expect(matches(`n = ${largest}`, { n: beyond })).toBe(false);
    expect(matches(`n = -${largest}`, { n: `-${largest}` })).toBe(true);
    for (const digits of [beyond, '9'.repeat(16_000)]) expect(() => matches(`n = ${digits}`)).toThrow('out of range');
  });

  it('matches any string that is written as a literal', () => {
    void fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const literal = `'${text.replaceAll("'", "''")}'`;
        expect(matches(`p = ${literal} AND p IN (${literal})`, { p: text })).toBe(true);
      }),
    );
  });

  it('fails only by rejecting the expression', () => {
    const words = fc.constantFrom(
      "'x'",
      "''",
      '1',
      '2.5',
      'a',
      'b',
      '(',
      ')',
      ',',
      '=',
      '<>',
      '<',
      '>=',
      '-',
      '+',
      '--',
      '/*',
      '*/',
      '\n',
      'NOT',
      'AND',
      'OR',
      'BETWEEN',
      'IN',
      'IS',
      'NULL',
      'TRUE',
      'CONTAINS',
      'STARTSWITH',
      'ENDSWITH',
      "'",
      '$',
    );
    void fc.assert(
      fc.property(fc.array(words, { maxLength: 12 }), (parts) => {
        try {
          expect(typeof matches(parts.join(' '), PROPERTIES)).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(SqlFilterError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['parentheses', (depth: number) => `${'('.repeat(depth)}TRUE${')'.repeat(depth)}`],
    ['negations', (depth: number) => `${'NOT '.repeat(depth)}TRUE`],
    ['signs', (depth: number) => `a = ${'- '.repeat(depth)}1`],
  ])('is rejected when %s nest too deep, however deep', (_, nested) => {
    expect(() => matches(nested(DEEPEST_NESTING - 2))).not.toThrow();
    expect(() => matches(nested(DEEPEST_NESTING + 1))).toThrow('deeper than');
    // At some depths the parser itself runs out of stack.
    for (let depth = 500; depth < MAX_FILTER_LENGTH / 4; depth += 250) {
      expect(() => matches(nested(depth))).toThrow(SqlFilterError);
    }
  });

  it('is quoted only partly when it is rejected', () => {
    for (const expression of [`n = ${'9'.repeat(16_000)}`, `${'n '.repeat(8_000)}`]) {
      const rejected = new Error();
      try {
        matches(expression);
      } catch (error) {
        rejected.message = (error as Error).message;
      }
      expect(rejected.message.length).toBeGreaterThan(0);
      expect(rejected.message.length).toBeLessThan(400);
    }
  });

  it('can be a long chain', () => {
    const chain = Array.from({ length: 1_000 }, (_, index) => `a <> ${index}`).join(' AND ');
    expect(matches(chain, { a: '1000' })).toBe(true);
    expect(matches(chain, { a: '999' })).toBe(false);
  });

  it('is rejected when it is longer than the limit, or empty', () => {
    expect(() => matches(`a = '${'x'.repeat(MAX_FILTER_LENGTH)}'`)).toThrow(`the limit is ${MAX_FILTER_LENGTH}`);
    expect(() => matches(' \n ')).toThrow('it is empty');
  });

  it.each([
    ['a = ', 'No parse at 4'],
    ['5', 'where a condition is required'],
    ['a = NULL', 'IS NULL'],
    ["a > 'x'", 'requires numbers or properties'],
    ['a BETWEEN 2 AND 1', 'lower bound of BETWEEN is above'],
    ["'x' IN ('x')", 'left side of IN must be a property'],
    ['a > 99999999999999999999', 'out of range'],
  ])('says why %p is rejected', (expression, why) => {
    expect(() => matches(expression)).toThrow(why);
  });

  it('does not read properties that every object inherits', () => {
    expect(matches('constructor IS NULL AND toString IS NULL')).toBe(true);
  });
});
