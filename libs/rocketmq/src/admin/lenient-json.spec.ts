import { describe, expect, it } from '@jest/globals';
import { parseLenientJson } from './lenient-json.js';

describe('parseLenientJson', () => {
  it('accepts numeric keys without quotes', () => {
    expect(parseLenientJson('{"brokerAddrs":{0:"10.0.0.1:10911", -1 :"b"}}')).toEqual({
      brokerAddrs: { '0': '10.0.0.1:10911', '-1': 'b' },
    });
  });

  it('leaves strings as they are, whatever they look like', () => {
    const value = { a: '{0:"x"}', b: 'quote " and \\ and ,1:', '2': [1, 2] };

    expect(parseLenientJson(JSON.stringify(value))).toEqual(value);
  });

  it('refuses what is not JSON in any other way', () => {
    expect(() => parseLenientJson('{name:"x"}')).toThrow(SyntaxError);
  });
});
