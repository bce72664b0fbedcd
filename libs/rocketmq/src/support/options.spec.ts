import { describe, expect, it } from '@jest/globals';
import {
  assertOptions,
  checkedPositive,
  checkedPositiveInteger,
  functions,
  nonEmptyString,
  type ObjectChecks,
  objectOf,
  oneOf,
  positiveInteger,
  trueOrFalse,
} from './options.js';

describe('an option that must be positive', () => {
  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as never])('is rejected by name when it is %p', (value) => {
    expect(() => checkedPositive('requestTimeoutMs', value)).toThrow('[ILLEGAL_OPTION] option requestTimeoutMs');
  });

  it('is returned when it is valid', () => {
    expect([checkedPositive('a', 0.5), checkedPositiveInteger('b', 3)]).toEqual([0.5, 3]);
  });

  it('is rejected as a fraction where an integer is required', () => {
    expect(() => checkedPositiveInteger('maxAttempts', 2.5)).toThrow('an integer of at least 1, not 2.5');
  });
});

describe('the error of an invalid option', () => {
  const problem = (value: unknown): string | undefined => positiveInteger(value)?.replace(/.*, not /, '');

  it('shows what was given, and nothing of objects and functions', () => {
    const secret = { password: 'secret' };
    const given = ['5', 5n, null, Number.NaN, Symbol('x'), secret, [secret], () => secret, class Secret {}];
    expect(given.map(problem)).toEqual([
      'the string "5"',
      '5n',
      'null',
      'NaN',
      'Symbol(x)',
      'an object',
      'an array',
      'a function',
      'a function',
    ]);
    expect([oneOf('a', 'b')(5n), nonEmptyString(5n), trueOrFalse('true')]).toEqual([
      'must be a or b, not 5n',
      'must be a non-empty string, not 5n',
      'must be true or false, not "true"',
    ]);
    expect(functions([() => {}, 'x'])).toBe('must be a list of functions, but element 1 is "x"');
  });

  it('names a field inside of an option by its path', () => {
    const size = { options: { width: positiveInteger }, required: ['width'] };
    const checks: ObjectChecks = { options: { outer: objectOf({ options: { size: objectOf(size) } }) } };
    const rejection = (given: unknown) => () => assertOptions(given, checks, 'Box: ');
    const field = 'outer.size.width';
    expect(rejection({ outer: { size: { width: '5' } } })).toThrow(
      expect.objectContaining({
        field,
        message: `[ILLEGAL_OPTION] Box: option ${field} must be an integer of at least 1, not the string "5"`,
      }),
    );
    expect(rejection({ outer: { size: {} } })).toThrow(`option ${field} is missing`);
    expect(rejection({ outer: { size: { height: 1 } } })).toThrow(
      'option outer.size.height is unknown; the options are width',
    );
    expect(rejection({ outer: { size: [] } })).toThrow('option outer.size must be an object, not an array');
    expect(rejection(null)).toThrow('Box: option options must be an object, not null');
    expect(rejection({ outer: { size: undefined } })).not.toThrow();
  });
});
