// The reserved words of SQL filters; case is ignored.

import {
  _false,
  _in,
  _null,
  _true,
  and,
  between,
  contains,
  endsWith,
  is,
  not,
  or,
  startsWith,
} from './generated/sql-filter.terms.js';

const KEYWORDS: ReadonlyMap<string, number> = new Map([
  ['NOT', not],
  ['AND', and],
  ['OR', or],
  ['BETWEEN', between],
  ['IN', _in],
  ['IS', is],
  ['NULL', _null],
  ['TRUE', _true],
  ['FALSE', _false],
  ['CONTAINS', contains],
  ['STARTSWITH', startsWith],
  ['ENDSWITH', endsWith],
]);

/** The term of a keyword, or −1 if the word is the name of a property. Called by the generated parser. */
export function keyword(word: string, _stack?: unknown): number {
  return KEYWORDS.get(word.toUpperCase()) ?? -1;
}
