// Filters of receives, and messages that exercise them: invalid numbers, lists at the limits, strings of every alphabet.

import type { SystemProperties } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import {
  type FilterExpression,
  FilterType,
} from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../../libs/rocketmq/src/protocol/model/limits.js';
import { below, type Chance, oneOf } from '../../tools/random.js';

/** Property names that filters and messages share; a filter over missing properties does nothing. */
const NAMES = ['n', 'n', 'n', 's', 'p0', 'constructor'];
const TAGS = ['paid', 'tag7', 'grün', '😀', 'x'];
/** Sizes at the limits of the broker, on both sides of them, and far beyond. */
const FILTER_LENGTHS = [200, 2_000, 16_000, 16_384, 16_384, 16_385, 150_000, 800_000];
/** The total size of a message's properties, minus names and tags. */
const VALUE_LENGTHS = [0, 1, 19, 20, 308, 5_000, 15_000, 15_900, 17_000];
const TAILS = ['', 'x', '.', 'e', 'e+', 'e5', '..1', ' ', ' x', 'd', 'f', 'L', '-'];
const LETTERS = ['a', 'aab', 'ß', 'İ', '😀', 'e\u0301', '\u200f', ' ', "'", '%'];

/** The fields of a message to a filtered topic, without its body. */
export interface HostileProperties {
  readonly system: Partial<Pick<SystemProperties, 'tag' | 'keys'>>;
  readonly userProperties: Record<string, string>;
}

/** The fields of several messages that are sent together. One that exceeds the limits makes all of them fail, so most requests have none. */
export function hostileBatch(chance: Chance): HostileProperties[] {
  const first = hostileProperties(chance);
  const areSame = chance() < 0.3;
  const all = Array.from({ length: 1 + below(chance, 20) }, () => (areSame ? first : hostileProperties(chance)));
  return chance() < 0.1 ? all : all.filter(isWithinLimits);
}

function isWithinLimits({ system: { tag = '', keys = [] }, userProperties }: HostileProperties): boolean {
  const texts = [tag, ...keys, ...Object.entries(userProperties).flat()];
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return bytes <= LIMITS.propertiesBytes && Object.keys(userProperties).length <= LIMITS.properties;
}

export function hostileProperties(chance: Chance): HostileProperties {
  const tag = chance() < 0.2 ? {} : { tag: oneOf(chance, [...TAGS, 'x'.repeat(oneOf(chance, VALUE_LENGTHS))]) };
  const way = chance();
  if (way < 0.6) return { system: tag, userProperties: { [oneOf(chance, NAMES)]: hostileValue(chance) } };
  if (way < 0.7) return { system: tag, userProperties: { n: digits(chance, 8_000), s: digits(chance, 8_000) } };
  // As many keys of one character as fit.
  if (way < 0.8) return { system: { ...tag, keys: Array(below(chance, 16_000)).fill('k') }, userProperties: {} };
  const names = Array.from({ length: oneOf(chance, [100, 128, 128, 129]) }, (_, index) => `p${index}`);
  return { system: tag, userProperties: Object.fromEntries(names.map((name) => [name, digits(chance, 100)])) };
}

function hostileValue(chance: Chance): string {
  const length = oneOf(chance, VALUE_LENGTHS);
  const way = chance();
  if (way < 0.5) return digits(chance, length) + oneOf(chance, TAILS);
  if (way < 0.6) return `${digits(chance, length / 2)}.${digits(chance, length / 2)}${oneOf(chance, TAILS)}`;
  if (way < 0.7)
    return ' '.repeat(length / 2) + oneOf(chance, ['1', '']) + ' '.repeat(length / 2) + oneOf(chance, TAILS);
  if (way < 0.8)
    return oneOf(chance, ['TRUE', 'NaN', '-Infinity', '0x1p3', '1e400', '-0', '.', '+', '9223372036854775808']);
  return repeated(oneOf(chance, LETTERS), length);
}

function digits(chance: Chance, length: number): string {
  return oneOf(chance, ['', '', '-', '+', ' ']) + oneOf(chance, ['0', '1', '9']).repeat(Math.floor(length));
}

function repeated(text: string, length: number): string {
  return text.repeat(Math.ceil(length / text.length)).slice(0, length);
}

export function hostileFilter(chance: Chance): FilterExpression {
  const way = chance();
  if (way < 0.3) return { type: FilterType.TAG, expression: tagList(chance) };
  return { type: FilterType.SQL, expression: way < 0.85 ? sql(chance) : brokenSql(chance) };
}

function tagList(chance: Chance): string {
  const between = oneOf(chance, ['||', ' || ', '||||', '|']);
  const one = (index: number): string => (chance() < 0.1 ? oneOf(chance, [...TAGS, '', '*']) : `tag${index}`);
  return filled(chance, one, between);
}

/** Conditions up to a length, mostly repetitions of one condition, to multiply its cost. */
function sql(chance: Chance): string {
  const first = condition(chance);
  const isSame = chance() < 0.7;
  return filled(chance, () => (isSame ? first : condition(chance)), oneOf(chance, [' OR ', ' OR ', ' AND ']));
}

/** As many parts as fit into a length; some have exactly that length. */
function filled(chance: Chance, part: (index: number) => string, between: string): string {
  if (chance() < 0.3) return part(0);
  const length = oneOf(chance, FILTER_LENGTHS);
  const parts: string[] = [];
  let used = -between.length;
  for (let index = 0; ; index++) {
    const next = part(index);
    used += between.length + next.length;
    if (used > length) break;
    parts.push(next);
  }
  const text = parts.join(between);
  return chance() < 0.3 ? text.padEnd(length) : text;
}

function condition(chance: Chance): string {
  const name = oneOf(chance, [...NAMES, ...NAMES, 'TAGS', 'KEYS', 'UNIQ_KEY', 'missing']);
  const other = oneOf(chance, NAMES);
  const order = oneOf(chance, ['<', '<=', '>', '>=', '=', '<>']);
  const number = oneOf(chance, ['1.5', '1', '-1', '2147483648', '9223372036854775807', '1e308', '0.00001']);
  const quoted = `'${repeated(oneOf(chance, LETTERS), oneOf(chance, [0, 1, 5, 700])).replaceAll("'", "''")}'`;
  const not = oneOf(chance, ['', 'NOT ']);
  const ways = [
    `${name}${order}${number}`,
    `${name}${order}${number}`,
    `${name} ${order} ${other}`,
    `${name} ${not}BETWEEN 1.5 AND ${oneOf(chance, ['9e99', other])}`,
    `${name} ${not}IN (${quoted}, 'a', 'b')`,
    `${name} ${not}${oneOf(chance, ['CONTAINS', 'STARTSWITH', 'ENDSWITH'])} ${quoted}`,
    `${name} IS ${not}NULL`,
    `${name} = ${oneOf(chance, ['TRUE', 'FALSE'])}`,
    `TRUE = ${name}`,
    `${not}(${name}${order}-${other})`,
  ];
  return oneOf(chance, ways);
}

/** Invalid filters: deep nesting, endless numbers, unclosed comments and quotes. */
function brokenSql(chance: Chance): string {
  const length = oneOf(chance, FILTER_LENGTHS);
  const half = Math.floor((length - 5) / 2);
  const ways: (() => string)[] = [
    () => `${'('.repeat(half)}n=1${')'.repeat(half)}`,
    () => `${'('.repeat(150)}n=1${')'.repeat(150)}`,
    () =>
      repeated(
        oneOf(chance, ['NOT ', '- ', '-', '+', '(', "'", '/*', '/**', '* /', "''", '.', '1.e', ',', 'n ', '\ud800']),
        length,
      ),
    () => `n = 1 /${repeated('* ', half)}`,
    () => `n < ${digits(chance, half)}${oneOf(chance, TAILS)}`,
    () => `n IN ('${repeated("''", half)}')`,
    () => `n IN (${repeated("'a',", half)}'a')`,
    () => `n = 1${' '.repeat(half)}x`,
    () => `${repeated('n', half)} = 1`,
    () => sql(chance).slice(below(chance, 40)),
    () => '',
  ];
  return oneOf(chance, ways)();
}
