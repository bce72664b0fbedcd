// The options of a check as data: parsed, checked and explained here.

import { parseArgs } from 'node:util';

interface Described {
  /** Shown by --help. */
  readonly says: string;
}
interface Flag extends Described {
  readonly type: 'flag';
}
interface IntegerOption extends Described {
  readonly type: 'integer';
  /** Default 1. */
  readonly min?: number;
  readonly max?: number;
  readonly default?: number;
}
interface NumberOption extends Described {
  /** Above 0. */
  readonly type: 'number';
  readonly default?: number;
}
interface ChoiceOption extends Described {
  readonly type: 'choice';
  readonly among: readonly string[];
  readonly default?: string;
}
interface ListOption extends Described {
  /** Several, separated by commas; each once. */
  readonly type: 'list';
  readonly among?: readonly string[];
  readonly default?: readonly string[];
}
interface TextOption extends Described {
  readonly type: 'text';
  /** What it is, as --help has it: FOLDER. */
  readonly value: string;
  readonly default?: string;
}

export type Option = Flag | IntegerOption | NumberOption | ChoiceOption | ListOption | TextOption;
export type Options = Readonly<Record<string, Option>>;

type Defaulted<O, T> = O extends { readonly default: unknown } ? T : T | undefined;
type ValueOf<O extends Option> = O extends Flag
  ? boolean
  : O extends IntegerOption | NumberOption
    ? Defaulted<O, number>
    : O extends ChoiceOption
      ? Defaulted<O, O['among'][number]>
      : O extends { readonly type: 'list'; readonly among: readonly (infer Name)[] }
        ? Defaulted<O, readonly Name[]>
        : O extends ListOption
          ? Defaulted<O, readonly string[]>
          : Defaulted<O, string>;

export type Values<T extends Options> = { readonly [Name in keyof T]: ValueOf<T[Name]> };

/** What was asked for is not possible. Its message names the option. */
export class OptionError extends Error {}

/** To repeat a run. Without it each run is a new one. */
export const SEED = {
  type: 'integer',
  min: 0,
  max: 2 ** 32 - 1,
  says: 'decides the same as before (default: a new one)',
} as const;

/** A seed for a run that was given none. */
export function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 31);
}

/**
 * @param takesRest arguments that are no options are allowed
 * @throws OptionError that names what is wrong
 */
export function valuesIn<T extends Options>(
  options: T,
  args: readonly string[],
  takesRest = false,
): { readonly values: Values<T>; readonly rest: readonly string[] } {
  const known = Object.entries(options).map(
    ([name, { type }]) => [name, { type: type === 'flag' ? 'boolean' : 'string' }] as const,
  );
  const { tokens } = parse(args, Object.fromEntries(known));
  const given = new Map<string, string | true>();
  const rest: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') rest.push(token.value);
    else if (options[token.name] === undefined) {
      if (!takesRest) throw new OptionError(`there is no option ${token.rawName}`);
      rest.push(token.inlineValue === true ? `${token.rawName}=${token.value}` : token.rawName);
    } else {
      // What follows is the next option, not its value.
      const isMissing = token.inlineValue === false && token.value?.startsWith('--');
      given.set(token.name, (isMissing ? undefined : token.value) ?? true);
    }
  }
  if (rest.length > 0 && !takesRest) throw new OptionError(`there is no option "${rest[0]}"`);
  const values = Object.entries(options).map(([name, option]) => [name, parsed(name, option, given.get(name))]);
  return { values: Object.fromEntries(values) as Values<T>, rest };
}

function parse(args: readonly string[], options: Record<string, { readonly type: 'boolean' | 'string' }>) {
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
}

function parsed(name: string, option: Option, given: string | true | undefined): unknown {
  if (option.type === 'flag') {
    if (given !== undefined && given !== true) throw new OptionError(`--${name} takes no value, not "${given}"`);
    return given === true;
  }
  if (given === undefined) return option.default;
  if (given === true || given === '') throw new OptionError(`--${name} needs a value: ${kindOf(option)}`);
  switch (option.type) {
    case 'text':
      return given;
    case 'choice':
      return oneOf(name, option.among, given);
    case 'list':
      return [...new Set(given.split(','))].map((one) =>
        option.among === undefined ? one : oneOf(name, option.among, one),
      );
    default:
      return numberOf(name, option, given);
  }
}

function numberOf(name: string, option: IntegerOption | NumberOption, given: string): number {
  const value = Number(given);
  const isGood =
    option.type === 'number'
      ? value > 0 && Number.isFinite(value)
      : Number.isInteger(value) && value >= (option.min ?? 1) && value <= (option.max ?? Number.MAX_SAFE_INTEGER);
  if (isGood && given.trim() !== '') return value;
  throw new OptionError(`--${name} must be ${kindOf(option)}, not "${given}"`);
}

function oneOf(name: string, among: readonly string[], given: string): string {
  if (among.includes(given)) return given;
  throw new OptionError(`--${name} knows ${among.join(', ')}, not "${given}"`);
}

function kindOf(option: Exclude<Option, Flag>): string {
  switch (option.type) {
    case 'integer': {
      const { min = 1, max } = option;
      return max === undefined ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`;
    }
    case 'number':
      return 'a number above 0';
    case 'choice':
      return `one of ${option.among.join(', ')}`;
    case 'list':
      return option.among === undefined
        ? 'names, separated by commas'
        : `some of ${option.among.join(', ')}, separated by commas`;
    case 'text':
      return option.value;
  }
}

/** A line for each option. */
export function helpOf(options: Options): readonly string[] {
  const heads = Object.entries(options).map(([name, option]) => `--${name}${placeholderOf(option)}`);
  const width = Math.max(0, ...heads.map((head) => head.length));
  return Object.values(options).map((option, index) => `  ${(heads[index] ?? '').padEnd(width)}  ${explained(option)}`);
}

function placeholderOf(option: Option): string {
  if (option.type === 'flag') return '';
  if (option.type === 'text') return ` ${option.value}`;
  if (option.type === 'list') return ' A,B';
  return option.type === 'choice' ? ' NAME' : ' N';
}

function explained(option: Option): string {
  if (option.type === 'flag') return option.says;
  const among = 'among' in option && option.among !== undefined ? `: ${option.among.join(', ')}` : '';
  const byDefault = option.default === undefined ? '' : `; default ${option.default}`;
  return `${option.says}${among}${byDefault}`;
}
