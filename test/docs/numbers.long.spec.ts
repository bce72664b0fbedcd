// The numbers in the pages are those of the code.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../libs/rocketmq/src/support/clock.js';
import { defaults, facts, withFacts } from '../../scripts/docs/facts.js';
import { optionTypes } from '../../scripts/docs/option-tables.js';
import { documents } from '../../tools/documents.js';

const UNITS: Record<string, number> = {
  d: DAY_MS,
  day: DAY_MS,
  h: HOUR_MS,
  hour: HOUR_MS,
  min: MINUTE_MS,
  minute: MINUTE_MS,
  s: SECOND_MS,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};
const QUANTITY = /^([\d][\d\s,.]*)(?:(d|days?|h|hours?|min|minutes?|s|ms|KiB|MiB|GiB)\b)?/;

/** In milliseconds or bytes, or as it is; undefined for a text that begins with no number. */
function numberOf(text: string): number | undefined {
  const [, digits, unit = ''] = QUANTITY.exec(text) ?? [];
  return digits === undefined
    ? undefined
    : Number(digits.replace(/[\s,]/g, '')) * (UNITS[unit] ?? UNITS[unit.replace(/s$/, '')] ?? 1);
}

/** The defaults that the reference states, by `Type.option`; options of a base are listed with it. */
const stated = new Map(
  optionTypes().flatMap(({ name, options }) =>
    options.map((option) => [`${name}.${option.name}`, numberOf(option.default ?? '')] as const),
  ),
);
const valuesOf = (option: string): (number | undefined)[] =>
  [...stated].filter(([path]) => path.endsWith(`.${option}`)).map(([, value]) => value);

describe('numbers in the documents', () => {
  it('are those of the code between the marks of a fact (`npm run docs`)', () => {
    const known = facts();
    const stale = documents().filter((document) => {
      const text = readFileSync(document, 'utf8');
      return withFacts(text, known) !== text;
    });
    expect(stale).toEqual([]);
  });

  it('say that a message is a dead letter after 16 delays, from 1 s to 30 min', () => {
    const known = facts();
    const names = ['attempts', 'retries', 'first-retry', 'last-retry', 'dead-letter-after'];
    expect(names.map((name) => known.get(name))).toEqual(['17', '16', '1 s', '30 min', '1 h 46 min']);
  });

  it('rejects a fact that does not exist', () => {
    expect(() => withFacts('<!-- fact: none -->1<!-- /fact -->', facts())).toThrow('there is no fact none');
  });

  it('has defaults in the reference that are those of the code', () => {
    const wrong = [...defaults()].filter(([option, value]) => !valuesOf(option.split('.')[1] ?? '').includes(value));
    expect(
      wrong.map(([option, value]) => `${option} is ${value}, stated is ${valuesOf(option.split('.')[1] ?? '')}`),
    ).toEqual([]);
  });

  it.each(documents())('%s states the defaults of options as the reference does', (document) => {
    const said = [...readFileSync(document, 'utf8').matchAll(/`(?:\w+\.)*(\w+)` \((\d[^)]*)\)/g)];
    const wrong = said.filter(([, option = '', number = '']) => {
      const known = valuesOf(option);
      return known.length > 0 && !known.includes(numberOf(number));
    });
    expect(wrong.map(([text]) => text)).toEqual([]);
  });
});
