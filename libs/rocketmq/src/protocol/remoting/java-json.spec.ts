import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { MalformedJson, ObjectKeyedMap, parseJavaJson } from './java-json.js';

/** A text that contains it is not left to JSON.parse. */
const LONG_NUMBER = 1_000_000_000_000_000;

/** JSON.parse rounds what a number does not hold exactly. */
function withoutBigints(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(withoutBigints);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutBigints(inner)]));
}

describe('parseJavaJson', () => {
  it('reads JSON like JSON.parse', () => {
    void fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1), (value, indent) => {
        const text = JSON.stringify([LONG_NUMBER, value], undefined, indent);
        expect(withoutBigints(parseJavaJson(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('rejects what JSON.parse rejects, whatever character is changed', () => {
    const json = `{"a":[1,-2.5e3,"x\\u00e9\\n",true,null,{}],"b":{"c":[]},"d":[${LONG_NUMBER}]}`;
    void fc.assert(
      fc.property(
        fc.nat(json.indexOf('"d"')),
        fc.constantFrom('', '"', '}', ',', 'x', '\\', '\u0001', '['),
        (at, mark) => {
          const text = json.slice(0, at) + mark + json.slice(at + 1);
          let expected: unknown;
          try {
            expected = JSON.parse(text);
          } catch {
            expect(() => parseJavaJson(text)).toThrow(MalformedJson);
            return;
          }
          expect(parseJavaJson(text)).toEqual(expected);
        },
      ),
    );
  });

  it('rejects a huge integer instead of parsing it for minutes', () => {
    expect(parseJavaJson('{"offset":9223372036854775807}')).toEqual({ offset: 9223372036854775807n });
    expect(() => parseJavaJson(`{"offset":${'9'.repeat(20_000_000)}}`)).toThrow('an integer of 20000000 characters');
  });

  it('accepts numeric keys without quotes', () => {
    expect(parseJavaJson('{"brokerAddrs":{0:"10.0.0.1:10911", -1 :"b"}}')).toEqual({
      brokerAddrs: { '0': '10.0.0.1:10911', '-1': 'b' },
    });
  });

  it('keeps the pairs of a map whose keys are objects', () => {
    const text = '{"offsetTable":{{"brokerName":"a","queueId":1}:{"maxOffset":4},{"brokerName":"a","queueId":0}:7}}';
    expect(parseJavaJson(text)).toEqual({
      offsetTable: new ObjectKeyedMap([
        [{ brokerName: 'a', queueId: 1 }, { maxOffset: 4 }],
        [{ brokerName: 'a', queueId: 0 }, 7],
      ]),
    });
  });

  it('leaves strings unchanged, whatever they look like', () => {
    const value = { a: '{0:"x"}', b: 'quote " and \\ and ,1:', '2': [1, 2] };
    expect(parseJavaJson(JSON.stringify(value))).toEqual(value);
  });

  it('reads 64-bit integers exactly', () => {
    expect(parseJavaJson('[9007199254740991,9223372036854775807,-9223372036854775808]')).toEqual([
      9_007_199_254_740_991,
      9_223_372_036_854_775_807n,
      -9_223_372_036_854_775_808n,
    ]);
  });

  it('makes a key named __proto__ a property like any other', () => {
    const parsed = parseJavaJson('{"__proto__":{"polluted":true}}') as object;
    expect(Object.keys(parsed)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
  });

  it.each(['{name:"x"}', '{{"a":1}:1,"b":2}', '{"b":2,{"a":1}:1}', '{0.5:1}', '{{"a":1}}', '{"a":1}x', ''])(
    'rejects %s and says where',
    (text) => {
      expect(() => parseJavaJson(text)).toThrow(/at character \d+$/);
    },
  );

  it('reads long strings', () => {
    const text = '\\"'.repeat(8_000_000);
    expect(parseJavaJson(`{0:"${text}"}`)).toEqual({ '0': '"'.repeat(8_000_000) });
  });

  it('rejects a text that is nested too deeply instead of exhausting the stack', () => {
    expect(() => parseJavaJson('['.repeat(100_000))).toThrow('deeper than 64');
    expect(() => parseJavaJson('{'.repeat(100_000))).toThrow('deeper than 64');
  });
});
