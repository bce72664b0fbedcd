// The checks of options, declarations and requests. A table of options says which option has which check: no option without one
// compiles.

import type { CallOptions } from './deadline.js';
import { UsageError } from './errors.js';

/** Describes what is wrong with a value, or returns undefined. */
export type Check = (value: unknown) => string | undefined;

/** What is wrong inside of an object. */
export interface Fault {
  /** The path of the field, relative to the object. */
  readonly field: string;
  readonly problem: string;
}

/** A check that can also name a field inside of the value. */
export type DeepCheck = (value: unknown) => string | Fault | undefined;

/** A check for each option. */
export type OptionChecks<Options> = Readonly<Record<keyof Options, DeepCheck>>;

/** A check for each option of a call but those that all calls have. */
export type OwnChecks<Options extends CallOptions> = OptionChecks<Omit<Options, keyof CallOptions>>;

/** Checks of an object with options of its own. */
export interface ObjectChecks {
  readonly options: Readonly<Record<string, DeepCheck>>;
  /** Default: none. */
  readonly required?: readonly string[];
  /** Called with options that are valid one by one, but may contradict each other. */
  readonly together?: (options: never) => Fault | undefined;
}

/** For options that are validated where they are parsed. */
export const checkedElsewhere: Check = () => undefined;

/** Whether it is an integer from `least` to `most`, both included. Default of `most`: the largest safe integer. */
export function isIntegerFrom(value: unknown, least: number, most: number = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** A value as an error shows it: objects may hold secrets. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** A number; a string that looks like one is rejected. */
const numberWhere =
  (what: string, holds: (value: number) => boolean): Check =>
  (value) =>
    typeof value === 'number' && Number.isFinite(value) && holds(value)
      ? undefined
      : `must be ${what}, not ${typeof value === 'string' ? 'the string ' : ''}${describe(value)}`;

export const atLeast = (least: number): Check =>
  numberWhere(`a number of at least ${least}`, (value) => value >= least);
export const notNegative = atLeast(0);
export const positiveNumber = numberWhere('a number above 0', (value) => value > 0);
export const positiveInteger = numberWhere('an integer of at least 1', (value) => isIntegerFrom(value, 1));

/** A number above 0. @param why a limit needs a reason when it is not obvious */
export const positiveNumberUpTo = (most: number, why = ''): Check =>
  numberWhere(`a number above 0 and at most ${most}${why}`, (value) => value > 0 && value <= most);

export const integerFrom = (least: number, most: number): Check =>
  numberWhere(`an integer from ${least} to ${most}`, (value) => isIntegerFrom(value, least, most));

export const numberFrom = (least: number, most: number): Check =>
  numberWhere(`${least} to ${most}`, (value) => value >= least && value <= most);

export const oneOf =
  (...allowed: readonly unknown[]): Check =>
  (value) =>
    allowed.includes(value) ? undefined : `must be ${allowed.map(String).join(' or ')}, not ${describe(value)}`;

export const trueOrFalse = oneOf(true, false);

export const nonEmptyString: Check = (value) =>
  typeof value === 'string' && value !== '' ? undefined : `must be a non-empty string, not ${describe(value)}`;

/** A string that may be empty. */
export const anyString: Check = (value) =>
  typeof value === 'string' ? undefined : `must be a string, not ${describe(value)}`;

export const anyFunction: Check = (value) =>
  typeof value === 'function' ? undefined : `must be a function, not ${describe(value)}`;

/** @param what the elements, in the plural */
export const listWhere =
  (what: string, holds: (one: unknown) => boolean): Check =>
  (value) => {
    if (!Array.isArray(value)) return `must be a list of ${what}, not ${describe(value)}`;
    const wrong = value.findIndex((one) => !holds(one));
    return wrong === -1 ? undefined : `must be a list of ${what}, but element ${wrong} is ${describe(value[wrong])}`;
  };

export const functions = listWhere('functions', (one) => typeof one === 'function');

export const anyObject: Check = (value) =>
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

export const abortSignal = withMethods('an AbortSignal', 'addEventListener', 'removeEventListener');

/** What every public asynchronous call can be given. @see CallOptions */
export const CALL_CHECKS: Readonly<Record<'timeoutMs' | 'signal', DeepCheck>> = {
  timeoutMs: positiveNumber,
  signal: abortSignal,
};

/** A list whose elements all pass a check. @param what the elements, in the plural */
export const listOf =
  (what: string, check: DeepCheck): DeepCheck =>
  (value) => {
    if (!Array.isArray(value)) return `must be a list of ${what}, not ${describe(value)}`;
    for (const [index, one] of value.entries()) {
      const fault = faultOf(`[${index}]`, check(one));
      if (fault !== undefined) return fault;
    }
    return undefined;
  };

/** An object whose values all pass a check, under any name. */
export const mapOf =
  (check: Check): DeepCheck =>
  (value) => {
    const wrong = anyObject(value);
    if (wrong !== undefined) return wrong;
    for (const [name, one] of Object.entries(value as object)) {
      const problem = one === undefined ? undefined : check(one);
      if (problem !== undefined) return { field: name, problem };
    }
    return undefined;
  };

/** An object of optional callbacks; it may have other fields, too. */
export const callbacks =
  (names: Readonly<Record<string, true>>): Check =>
  (value) => {
    const wrong = anyObject(value);
    if (wrong !== undefined) return wrong;
    const given = value as Readonly<Record<string, unknown>>;
    const broken = Object.keys(names).find((name) => given[name] !== undefined && typeof given[name] !== 'function');
    return broken && `is invalid: ${broken} ${anyFunction(given[broken])}`;
  };

/** An object with options of its own. */
export const objectOf =
  (checks: ObjectChecks): DeepCheck =>
  (value) =>
    anyObject(value) ?? faultIn(value as object, checks);

/**
 * The first fault in options: an unknown name, an invalid value, or values that contradict each other. Undefined values count as
 * not set.
 */
export function faultIn(given: object, { options, required = [], together }: ObjectChecks): Fault | undefined {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(options, name));
  if (unknown !== undefined) {
    return { field: nameText(unknown), problem: `is unknown; the options are ${Object.keys(options).join(', ')}` };
  }
  for (const [field, value] of Object.entries(given)) {
    const fault = value === undefined ? undefined : faultOf(field, options[field]?.(value));
    if (fault !== undefined) return fault;
  }
  const missing = required.find((field) => (given as Readonly<Record<string, unknown>>)[field] === undefined);
  return missing === undefined ? together?.(given as never) : { field: missing, problem: 'is missing' };
}

/** The name of an option as an error shows it: a key or password that was put in its place is not quoted. */
export function nameText(name: string): string {
  return /^[\w$.-]{1,40}$/.test(name) ? name : `with a name of ${name.length} characters`;
}

/** What a check has found, with the path of the field. */
function faultOf(field: string, found: ReturnType<DeepCheck>): Fault | undefined {
  if (found === undefined) return undefined;
  if (typeof found === 'string') return { field, problem: found };
  return { field: `${field}${found.field.startsWith('[') ? '' : '.'}${found.field}`, problem: found.problem };
}

/** @param where begins the message: `RocketMQModule: ` @throws UsageError that names the option */
export function assertOptions(given: unknown, checks: ObjectChecks, where = ''): void {
  const rejection = rejectionOf(given, checks, where);
  if (rejection !== undefined) throw rejection;
}

/** The error that {@link assertOptions} would throw, for a method that rejects with it. */
export function rejectionOf(given: unknown, checks: ObjectChecks, where = ''): UsageError | undefined {
  const problem = anyObject(given);
  const fault = problem === undefined ? faultIn(given as object, checks) : { field: 'options', problem };
  return fault && rejected(fault.field, fault.problem, where);
}

/**
 * Checks an argument that is an object of fields: a misspelled one would be dropped, and the call would do more than it was asked for. What is no
 * object passes, for the check of what must be in it.
 * @throws UsageError that names the field
 */
export function assertFields(given: unknown, fields: ObjectChecks['options']): void {
  if (anyObject(given) === undefined) assertOptions(given, { options: fields });
}

/** The check of an argument that was left out, or is no object. @throws UsageError that names the argument */
export function assertObject(argument: string, given: unknown, where = ''): void {
  const problem = anyObject(given);
  if (problem !== undefined) throw new UsageError('ILLEGAL_OPTION', `${where}${argument} ${problem}`, argument);
}

/**
 * Checks the options of a call: a misspelled one would leave it with the defaults.
 * @param own those that other calls do not have
 * @throws UsageError that names the option
 */
export function assertCall(given: unknown, own: ObjectChecks['options'] = {}): void {
  if (given !== undefined) assertOptions(given, { options: { ...CALL_CHECKS, ...own } });
}

/** @throws UsageError unless the option is a number above 0, and at most `most` */
export function checkedPositive(field: string, value: number, most = Number.POSITIVE_INFINITY): number {
  return checked(field, value, Number.isFinite(most) ? positiveNumberUpTo(most) : positiveNumber);
}

/** @throws UsageError unless the option is an integer of at least 1, and at most `most` */
export function checkedPositiveInteger(field: string, value: number, most = Number.POSITIVE_INFINITY): number {
  return checked(field, value, Number.isFinite(most) ? integerFrom(1, most) : positiveInteger);
}

/** @throws UsageError unless the option is true or false */
export function assertFlag(field: string, value: unknown): void {
  checked(field, value, trueOrFalse);
}

function checked<T>(field: string, value: T, check: Check): T {
  const problem = check(value);
  if (problem !== undefined) throw rejected(field, problem);
  return value;
}

/** The error for an option. @param where begins the message: `RocketMQModule: ` */
export function rejected(field: string, problem: string, where = ''): UsageError {
  return new UsageError('ILLEGAL_OPTION', `${where}option ${field} ${problem}`, field);
}
