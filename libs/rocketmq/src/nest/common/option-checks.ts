// Checks of single values. The option tables say which option has which check.

import { isIntegerFrom } from '../../support/options.js';

/** Describes what is wrong with a value, or returns undefined. */
export type Check = (value: unknown) => string | undefined;

/** A number; a string that looks like one is rejected. */
const aNumber =
  (what: string, holds: (value: number) => boolean): Check =>
  (value) =>
    typeof value === 'number' && Number.isFinite(value) && holds(value)
      ? undefined
      : `must be ${what}, not ${typeof value === 'string' ? `the string ${JSON.stringify(value)}` : String(value)}`;

export const atLeast = (least: number): Check => aNumber(`a number of at least ${least}`, (value) => value >= least);
export const notNegative = atLeast(0);
export const aPositiveNumber = aNumber('a number above 0', (value) => value > 0);
export const aPositiveInteger = aNumber('an integer of at least 1', (value) => isIntegerFrom(value, 1));

export const oneOf =
  (...allowed: readonly unknown[]): Check =>
  (value) =>
    allowed.includes(value) ? undefined : `must be ${allowed.map(String).join(' or ')}, not ${describe(value)}`;

export const aBoolean = oneOf(true, false);

export const aText: Check = (value) =>
  typeof value === 'string' && value !== '' ? undefined : `must be a non-empty string, not ${describe(value)}`;

/** A string that may be empty. */
export const anyText: Check = (value) =>
  typeof value === 'string' ? undefined : `must be a string, not ${describe(value)}`;

export const aFunction: Check = (value) =>
  typeof value === 'function' ? undefined : `must be a function, not ${describe(value)}`;

export const functions: Check = (value) =>
  Array.isArray(value) && value.every((one) => typeof one === 'function') ? undefined : 'must be a list of functions';

export const anObject: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? undefined
    : `must be an object, not ${describe(value)}`;

/** An object with all of these methods. */
export const withMethods =
  (what: string, ...methods: readonly string[]): Check =>
  (value) =>
    methods.every((name) => typeof (value as Record<string, unknown> | null)?.[name] === 'function')
      ? undefined
      : `must be ${what}, which has ${methods.join(' and ')}, not ${describe(value)}`;

/** A value as an error shows it: objects may hold secrets. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
