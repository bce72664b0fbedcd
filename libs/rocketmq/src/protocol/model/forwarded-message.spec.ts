import { describe, expect, it } from '@jest/globals';
import { forwarded, forwardedWithLess, isForwardable } from './forwarded-message.js';
import { assertSendable } from './message-checks.js';

const plain = { body: Buffer.from('b'), tag: 't', keys: ['k'], properties: { p: 'v' } };

describe('a message that is forwarded', () => {
  it('is as it was when a send accepts it', () => {
    expect(forwarded(plain)).toEqual(plain);
    expect(isForwardable(plain)).toBe(true);
    const full = { ...plain, properties: { p: 'x'.repeat(15_000) } };
    expect(forwarded(full)).toEqual(full);
  });

  it.each([
    ['a tag of two', { tag: 'a||b' }],
    ['a blank tag', { tag: ' ' }],
    ['an empty tag', { tag: '' }],
    ['keys with white space and without anything', { keys: ['', 'a b', 'c\td', 'e'] }],
    ['control characters', { tag: '\u0000', keys: ['\u009f'], properties: { 'a\u0001b': 'c\u007fd' } }],
    ['half surrogate pairs', { properties: { half: '\ud800' } }],
    ['too many properties', { properties: Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`p${i}`, 'v'])) }],
    ['too large properties', { properties: { a: 'ü'.repeat(20_000), b: 'x' } }],
    ['too many keys', { keys: Array.from({ length: 5_000 }, (_, index) => `key-${index}`) }],
    ['a long tag', { tag: 'x'.repeat(20_000) }],
    ['no body', { body: Buffer.alloc(0) }],
    ['reserved, nameless and empty properties', { properties: { KEYS: 'a', '': 'b', c: '' } }],
    // Each note is cut inside one of the pairs.
    ['a long tag of surrogate pairs', { tag: `|${'😀'.repeat(200)}` }],
    ['long keys of surrogate pairs', { keys: [`a b${'😀'.repeat(200)}`, `a bc${'😀'.repeat(200)}`] }],
    ['long names of surrogate pairs', { properties: { [`x${'😀'.repeat(160)}`]: 'y'.repeat(17_000) } }],
    ['even ones', { properties: { [`xy${'😀'.repeat(160)}`]: 'y'.repeat(17_000) }, tag: `||${'😀'.repeat(200)}` }],
    ['names of the notes', { tag: '|', properties: { originTag: 'mine' } }],
  ])('can be sent with %s, and with a story of its own', (_what, labels) => {
    const message = { ...plain, ...labels };
    const story = { errorMessage: 'e'.repeat(500), p: 'other' };
    const copy = forwarded(message, story);
    expect(copy.properties).toMatchObject(story);
    const traced = { ...copy.properties, traceparent: 'x'.repeat(55), tracestate: 'y'.repeat(200) };
    assertSendable({ topic: 't', ...copy, properties: traced }, copy.body.length, 0);
    expect(isForwardable({ ...plain, ...copy })).toBe(true);
  });

  it('is stored in no lite topic again, and is no ordered message', () => {
    const properties = { INNER_MULTI_DISPATCH: '%LMQ%$chats$one', __SHARDINGKEY: 'g', p: 'v' };
    expect(forwarded({ ...plain, properties }).properties).toEqual({ p: 'v' });
  });

  it('says what it could not carry', () => {
    const { keys, properties, tag } = forwarded({
      body: Buffer.alloc(0),
      tag: 'a\u0007|b',
      keys: ['good', 'not good'],
      properties: { large: 'x'.repeat(17_000), small: 'a\nb' },
    });
    expect({ keys, properties, tag }).toEqual({
      tag: undefined,
      keys: ['good'],
      properties: {
        small: 'a\\u000ab',
        originBody: 'empty',
        originTag: 'a\\u0007|b',
        originKeys: '["good","not good"]',
        originPropertiesLeftOut: '["large"]',
      },
    });
  });

  it('still says what an earlier copy could not carry, once it is a copy itself', () => {
    const small = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`p${index}`, 'x'.repeat(200)]));
    const first = forwarded({ ...plain, tag: '|', properties: { large: 'x'.repeat(17_000), ...small } });
    const second = forwarded({ ...plain, ...first }, { story: 's'.repeat(6_000) });
    expect(second.properties).toMatchObject({ originTag: '|', p0: small.p0 });
    expect(second.properties.originPropertiesLeftOut).toMatch(/^\["large","p\d\d",/);
  });

  it('has copies with less and less, which the names of what is left out always fit', () => {
    const properties = Object.fromEntries(Array.from({ length: 128 }, (_, index) => [`ü${index}`, 'v'.repeat(100)]));
    const message = { ...plain, properties };
    const copies = forwardedWithLess(message).map((copy) => Object.keys(copy.properties).length);
    expect(copies).toEqual([...copies].sort((one, other) => other - one));
    expect(forwardedWithLess(message).at(-1)).toMatchObject({
      keys: [],
      properties: { originTag: 't', originKeys: '["k"]' },
    });
    expect(forwardedWithLess({ ...plain, tag: undefined, keys: [], properties: {} })).toEqual([]);
  });
});
