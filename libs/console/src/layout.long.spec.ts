// What the pages make of bodies: what is shown, and what is sent of what was edited.

import { describe, expect, it } from '@jest/globals';
import { layoutOf } from '../web/lib/layout.js';

describe('a body of JSON', () => {
  it.each([
    ['large integers and zeros at the end', '{"orderId":1790000000000000001,"amount":0.10}'],
    ['a name that is there twice', '{"a":1,"b":2,"a":3}'],
    ['numbers that no double has', '[1e400,-1e400,1E+2,-0,0.30000000000000004,1.0]'],
    ['names that look like numbers', '{"10":1,"9":2,"b":3,"__proto__":4}'],
    ['escapes', '{"a":"\\u0041\\/\\u202e\\"{[,:","b\\n":"\\\\"}'],
    ['only a number', '9007199254740993'],
    ['nothing in it', '{"a":{},"b":[],"c":[{}]}'],
  ])('is shown with its own parts: %s', (_, stored) => {
    const { shown, sent } = layoutOf(stored);
    expect(shown.replace(/\n */g, '').replaceAll('": ', '":')).toBe(stored);
    expect(sent(shown)).toBe(stored);
  });

  it('is indented as people know it', () => {
    const stored = '{"a":[1,{"b":"x y"},[]],"c":{},"d":null}';
    expect(layoutOf(stored).shown).toBe(JSON.stringify(JSON.parse(stored), null, 2));
  });

  it.each([
    ['0.10', '0.20', '{"orderId":1790000000000000001,"amount":0.20}'],
    ['1790000000000000001', '1790000000000000003', '{"orderId":1790000000000000003,"amount":0.10}'],
    ['"amount": 0.10', '"amount": 0.10,\n  "by": "ada"', '{"orderId":1790000000000000001,"amount":0.10,"by":"ada"}'],
    ['"orderId": 1790000000000000001,\n  ', '', '{"amount":0.10}'],
  ])('keeps what was not edited: %s becomes %s', (part, instead, expected) => {
    const { shown, sent } = layoutOf('{"orderId":1790000000000000001,"amount":0.10}');
    expect(sent(shown.replace(part, instead))).toBe(expected);
  });

  it('keeps its white space where it was not edited, in several places at once', () => {
    const { shown, sent } = layoutOf(' {\t"a" : 1 ,\r\n"b":[ 1,2 ,3 ], "c":"x  y"}\r\n');
    expect(shown).toBe('{\n  "a": 1,\n  "b": [\n    1,\n    2,\n    3\n  ],\n  "c": "x  y"\n}');
    expect(sent(shown.replace('"a": 1', '"a": 7').replace('x  y', 'z'))).toBe(
      ' {\t"a" : 7 ,\r\n"b":[ 1,2 ,3 ], "c":"z"}\r\n',
    );
    expect(sent(shown.replace('    2,\n', ''))).toBe(' {\t"a" : 1 ,\r\n"b":[ 1,3 ], "c":"x  y"}\r\n');
  });

  it('is what was written, when that was written anew', () => {
    const { sent } = layoutOf('{"a":1}');
    expect(sent('{"order": 1}')).toBe('{"order": 1}');
    expect(sent('{\n  "a": {\n    "b": 1\n  }\n}')).toBe('{"a":{"b":1}}');
    expect(sent('[1\n2]')).toBe('[1\n2]');
    expect(sent('no  JSON')).toBe('no  JSON');
    expect(sent('')).toBe('');
  });

  it('is shown as it is stored when it is nested too deep to be read', () => {
    const stored = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    expect(layoutOf(stored).shown).toBe(stored);
  });
});

describe('a body of text', () => {
  it('keeps its line ends where lines were not edited', () => {
    const { shown, sent } = layoutOf('id;amount\r\n1;0.10\n2;3\r\r\n\n');
    expect(shown).toBe('id;amount\n1;0.10\n2;3\n\n\n');
    expect(sent(shown)).toBe('id;amount\r\n1;0.10\n2;3\r\r\n\n');
    expect(sent(shown.replace('0.10', '0.20'))).toBe('id;amount\r\n1;0.20\n2;3\r\r\n\n');
  });

  it('has its own line end in what is added', () => {
    const { shown, sent } = layoutOf('id;amount\r\n1;2\r\n');
    expect(sent(`${shown}3;4\n`)).toBe('id;amount\r\n1;2\r\n3;4\r\n');
  });

  it('keeps every other character', () => {
    const stored = ' \u00a0{"a":\u30001}\ufeff\t\u2028 x  ';
    expect(layoutOf(stored).shown).toBe(stored);
    expect(layoutOf(stored).sent(`${stored}y`)).toBe(`${stored}y`);
  });

  it('of JSON that is shown as it is stored, is sent as it was written', () => {
    const { shown, sent } = layoutOf('{"a": 0.10}', false);
    expect(shown).toBe('{"a": 0.10}');
    expect(sent('{"a": 0.20}')).toBe('{"a": 0.20}');
  });
});
