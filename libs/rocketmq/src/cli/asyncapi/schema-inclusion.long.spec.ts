import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { payloadOf } from '../../nest/asyncapi/payload.js';
import { SchemaInclusion } from './schema-inclusion.js';

/** `yes`, or all doubts as texts. */
function verdictOf(sent: unknown, accepted: unknown): string[] | 'yes' {
  const doubts = new SchemaInclusion(sent, accepted).included(sent, accepted);
  return doubts.length === 0 ? 'yes' : doubts.map(({ kind, where, why }) => `${kind} ${where}: ${why}`);
}

const object = (properties: object, required: string[] = [], others: object = {}) => ({
  type: 'object',
  properties,
  required,
  ...others,
});
const text = { type: 'string' };
const number = { type: 'number' };
const kind = (name: string, fields: object = {}) => object({ kind: { const: name }, ...fields }, ['kind']);

describe('a schema that accepts whatever is sent', () => {
  it.each<[string, unknown, unknown]>([
    ['the same', object({ a: text }, ['a']), object({ a: text }, ['a'])],
    ['anything', object({ a: text }), {}],
    ['true', text, true],
    ['nothing is sent', false, text],
    ['an integer as a number', { type: 'integer' }, number],
    ['another description', { ...text, description: 'a' }, { ...text, description: 'b' }],
    ['a type of several', text, { type: ['string', 'null'] }],
    ['a value of a list', { const: 'a' }, { enum: ['a', 'b'] }],
    ['a list in a longer list', { type: 'string', enum: ['a'] }, { enum: ['b', 'a'] }],
    ['all booleans as a list', { type: 'boolean' }, { enum: [true, false] }],
    ['a value of the right type', { const: 3 }, { type: 'integer', minimum: 3, maximum: 5 }],
    [
      'an object as a value',
      { const: { a: 1, b: ['x'] } },
      object({ a: number, b: { type: 'array', items: text } }, ['a']),
    ],
    [
      'narrower bounds',
      { type: 'number', minimum: 2, exclusiveMaximum: 5 },
      { type: 'number', exclusiveMinimum: 1, maximum: 5 },
    ],
    [
      'narrower lengths',
      { type: 'string', minLength: 2, maxLength: 3 },
      { type: 'string', minLength: 1, maxLength: 3 },
    ],
    ['a multiple', { type: 'number', multipleOf: 4 }, { type: 'number', multipleOf: 2 }],
    [
      'the same pattern and format',
      { type: 'string', pattern: 'a', format: 'email' },
      { type: 'string', pattern: 'a', format: 'email' },
    ],
    ['a required field that may be missing', object({ a: text }, ['a']), object({ a: text })],
    ['a new optional field', object({ a: text }), object({ a: text, b: number })],
    ['an unknown field of an open object', object({ a: text, b: number }), object({ a: text })],
    ['fields of a map', object({ a: text }), { type: 'object', additionalProperties: text }],
    [
      'a map',
      { type: 'object', propertyNames: text, additionalProperties: text },
      { type: 'object', propertyNames: text, additionalProperties: {} },
    ],
    ['elements', { type: 'array', items: { const: 'a' }, minItems: 1 }, { type: 'array', items: text }],
    [
      'a tuple as a list',
      { type: 'array', items: [text, text] },
      { type: 'array', items: text, maxItems: 2, uniqueItems: false },
    ],
    ['an alternative', text, { anyOf: [number, text] }],
    ['all alternatives', { anyOf: [text, number] }, { anyOf: [number, { type: 'null' }, text] }],
    ['types as alternatives', { type: ['string', 'null'] }, { anyOf: [text, { type: 'null' }] }],
    ['variants that differ in a field', { oneOf: [kind('a')] }, { oneOf: [kind('b'), kind('a')] }],
    [
      'joined schemas',
      { allOf: [object({ a: text }, ['a']), object({ b: text }, ['b'])] },
      object({ a: text, b: text }, ['a', 'b']),
    ],
    [
      'each of the joined',
      object({ a: text, b: text }, ['a', 'b']),
      { allOf: [object({ a: text }, ['a']), object({ b: text })] },
    ],
    [
      'an own restriction beside alternatives',
      { ...object({ a: text }), anyOf: [{ required: ['a'] }] },
      object({ a: text }, ['a']),
    ],
    ['a keyword that only the sender has', { ...text, strange: 1 }, text],
    ['never, written by a library', { not: {} }, text],
    [
      'a field that is never sent',
      object({ a: { not: {} }, b: text }),
      object({ b: text }, [], { additionalProperties: false }),
    ],
    ['a value that is a multiple', { enum: [4, 6] }, { type: 'number', multipleOf: 2 }],
    ['a positive integer', { type: 'integer', exclusiveMinimum: 0 }, { type: 'integer', minimum: 1 }],
    ['an integer below 3', { type: 'integer', exclusiveMaximum: 3 }, { type: 'integer', maximum: 2 }],
    ['an integer above 1.5', { type: 'integer', minimum: 1.5 }, { type: 'number', minimum: 2 }],
  ])('%s', (_, sent, accepted) => {
    expect(verdictOf(sent, accepted)).toBe('yes');
  });
});

describe('a schema that rejects some of what is sent', () => {
  it.each<[string, unknown, unknown, string]>([
    ['another type', text, number, 'no : may be a string, but only number is accepted'],
    ['a wider type', { type: ['string', 'null'] }, text, 'no : may be null, but only string is accepted'],
    ['any number', number, { type: 'integer' }, 'no : may be any number, but only integers are accepted'],
    ['a new value', { enum: ['a', 'c'] }, { enum: ['a', 'b'] }, 'no : may be "c", but only "a", "b" is accepted'],
    ['any text', text, { enum: ['a'] }, 'no : may be any string, but only "a" is accepted'],
    ['nothing is accepted', text, false, 'no : is not accepted'],
    [
      'a lower bound',
      { type: 'number', minimum: 1 },
      { type: 'number', exclusiveMinimum: 1 },
      'no : may be below the accepted minimum 1',
    ],
    ['no upper bound', number, { type: 'number', maximum: 9 }, 'no : may be above the accepted maximum 9'],
    [
      'an integer that is not positive',
      { type: 'integer', minimum: 0 },
      { type: 'integer', exclusiveMinimum: 0 },
      'no : may be below the accepted minimum 1',
    ],
    ['a value beyond', { const: 7 }, { type: 'integer', maximum: 5 }, 'no : may be above the accepted maximum 5'],
    ['a longer text', text, { type: 'string', maxLength: 3 }, 'no : may be above the accepted maxLength 3'],
    ['no pattern', text, { type: 'string', pattern: '^a' }, 'no : only the pattern ^a is accepted'],
    ['a missing field', object({ a: text }), object({ a: text }, ['a']), 'no a: may be missing, but is required'],
    ['a field that was never sent', object({}), object({ a: text }, ['a']), 'no a: may be missing, but is required'],
    [
      'a field inside',
      object({ a: object({ b: text }) }),
      object({ a: object({ b: number }) }),
      'no a.b: may be a string, but only number is accepted',
    ],
    [
      'a field of a closed object',
      object({ a: text }),
      object({}, [], { additionalProperties: false }),
      'no a: is not accepted',
    ],
    [
      'other fields',
      { type: 'object', additionalProperties: true },
      object({}, [], { additionalProperties: false }),
      'no : may have fields that are not accepted',
    ],
    [
      'elements',
      { type: 'array', items: text },
      { type: 'array', items: number },
      'no []: may be a string, but only number is accepted',
    ],
    [
      'an element of a tuple',
      { type: 'array', items: [text] },
      { type: 'array', items: [number] },
      'no [0]: may be a string, but only number is accepted',
    ],
    [
      'too few elements',
      { type: 'array' },
      { type: 'array', minItems: 1 },
      'no : may be below the accepted minItems 1',
    ],
    ['equal elements', { type: 'array' }, { type: 'array', uniqueItems: true }, 'no : may contain an element twice'],
    [
      'a new alternative',
      { anyOf: [text, number] },
      { anyOf: [text, { type: 'null' }] },
      'no : may be a number, but only string is accepted',
    ],
    [
      'a new variant',
      { oneOf: [kind('a'), kind('c')] },
      { oneOf: [kind('a'), kind('b')] },
      'no kind: may be "c", but only "a" is accepted',
    ],
    [
      'one of the joined',
      object({ a: text }),
      { allOf: [object({ a: text }, ['a'])] },
      'no a: may be missing, but is required',
    ],
    [
      'too many fields',
      object({ a: text, b: text }),
      { type: 'object', maxProperties: 1 },
      'no : may be above the accepted maxProperties 1',
    ],
  ])('%s', (_, sent, accepted, doubt) => {
    expect(verdictOf(sent, accepted)).toContain(doubt);
  });
});

describe('schemas that it cannot decide about', () => {
  it.each<[string, unknown, unknown, string]>([
    [
      'a keyword that is not known',
      { ...text, strange: 1 },
      { ...text, strange: 2 },
      'unknown : the keyword strange is not understood',
    ],
    ['not', object({ a: text }), { not: { required: ['a'] } }, 'unknown : the keyword not is not understood'],
    ['if', object({ a: text }), { if: {} }, 'unknown : the keyword if is not understood'],
    [
      'another pattern',
      { type: 'string', pattern: 'a' },
      { type: 'string', pattern: 'b' },
      'unknown : only the pattern b is accepted',
    ],
    [
      'a format as a pattern',
      { type: 'string', format: 'uuid' },
      { type: 'string', pattern: 'b' },
      'unknown : only the pattern b is accepted',
    ],
    [
      'another multiple',
      { type: 'number', multipleOf: 3 },
      { type: 'number', multipleOf: 2 },
      'unknown : only multiples of 2 are accepted',
    ],
    [
      'alternatives that overlap',
      text,
      { oneOf: [text, { type: 'string', minLength: 2 }] },
      'unknown : it may fit several alternatives of oneOf',
    ],
    [
      'an encoding',
      { type: 'string', format: 'byte' },
      { ...text, contentEncoding: 'base64' },
      'unknown : only the contentEncoding base64 is accepted',
    ],
    [
      'alternatives that contain only themselves',
      text,
      { anyOf: [{ $ref: '#' }, { $ref: '#' }] },
      'unknown : it may fit none of the accepted alternatives',
    ],
    ['a reference to nothing', { $ref: '#/definitions/a' }, text, 'unknown : a reference leads nowhere'],
    [
      'a reference to another document',
      text,
      { $ref: 'https://example.com/a.json' },
      'unknown : a reference leads nowhere',
    ],
    [
      'an additional field',
      { type: 'object', additionalProperties: true },
      object({ a: text }),
      'unknown a: may be sent as an additional field with another schema',
    ],
    [
      'a doubt of the sender',
      { type: 'string', not: { const: '' } },
      { type: 'string', minLength: 1 },
      'unknown : may be below the accepted minLength 1, unless not rules it out',
    ],
  ])('%s', (_, sent, accepted, doubt) => {
    expect(verdictOf(sent, accepted)).toContain(doubt);
  });
});

describe('keywords that can name what is sent', () => {
  const closed = object({}, [], { additionalProperties: false });
  const notUnderstood = (name: string) => `unknown : the keyword ${name} of what is sent is not understood`;
  it.each<[string, object]>([
    ['patternProperties', { '^x-': text }],
    ['unevaluatedProperties', text],
    ['if', { required: ['b'] }],
    ['then', { properties: { a: text } }],
    ['else', { properties: { a: text } }],
    ['dependentSchemas', { b: { properties: { a: text } } }],
    ['dependencies', { b: { properties: { a: text } } }],
    ['$dynamicRef', { a: '#a' }],
    ['not', { properties: { a: number } }],
  ])('%s is unknown, unless both sides are equal', (name, value) => {
    const sent = { type: 'object', [name]: value };
    for (const accepted of [closed, { type: 'object', additionalProperties: number }, object({ a: number })])
      expect(verdictOf(sent, accepted)).toContain(notUnderstood(name));
    expect(verdictOf({ allOf: [sent] }, closed)).toContain(notUnderstood(name));
    expect(verdictOf({ anyOf: [text, sent] }, { anyOf: [text, closed] })).not.toBe('yes');
    expect(verdictOf(sent, sent)).toBe('yes');
    expect(verdictOf(sent, { type: 'object' })).toBe('yes');
  });

  it('patternProperties of zod is unknown', () => {
    const { schema: sent } = payloadOf(z.looseRecord(z.string().regex(/^x-/), z.string()));
    const { schema: accepted } = payloadOf(z.record(z.string(), z.number()));
    expect(verdictOf(sent, accepted)).toContain(notUnderstood('patternProperties'));
  });

  it('prefixItems and nullable are unknown', () => {
    const tuple = { type: 'array', prefixItems: [number], items: text };
    expect(verdictOf(tuple, { type: 'array', items: text })).toEqual([notUnderstood('prefixItems')]);
    expect(verdictOf({ ...text, nullable: true }, { ...text, minLength: 0 })).toEqual([notUnderstood('nullable')]);
  });

  it('propertyNames and minProperties say that there are fields', () => {
    const rejected = 'no : may have fields that are not accepted';
    expect(verdictOf({ type: 'object', propertyNames: { pattern: '^x-' } }, closed)).toContain(rejected);
    expect(verdictOf({ type: 'object', minProperties: 1 }, closed)).toContain(rejected);
  });

  it.each<[string, object]>([
    ['allOf in allOf', { allOf: [{ allOf: [object({ a: text })] }] }],
    ['alternatives in allOf', { allOf: [object({ b: text }), { anyOf: [object({ a: text }), object({ c: text })] }] }],
  ])('%s is looked into', (_, sent) => {
    expect(verdictOf(sent, object({ a: number }))).toEqual([
      expect.stringContaining('a: may be a string, but only number is accepted'),
    ]);
  });

  it.each(['allOf', 'anyOf', 'oneOf'])('a reference to nothing in %s is unknown', (keyword) => {
    expect(verdictOf({ [keyword]: [object({}), { $ref: 'other.json' }] }, closed)).toContain(
      'unknown : a reference leads nowhere',
    );
  });

  it('are unchanged in a schema that contains itself', () => {
    const sent = object({ inside: { $ref: '#' } }, [], { patternProperties: { '^x-': text } });
    expect(verdictOf(sent, JSON.parse(JSON.stringify(sent)))).toBe('yes');
    expect(verdictOf(sent, { ...sent, title: 'a', patternProperties: { '^x-': number } })).not.toBe('yes');
  });
});

describe('schemas that are seldom written', () => {
  it.each<[string, unknown, unknown, string]>([
    ['a type that does not exist', { type: 'date' }, { type: 'object' }, 'unless type rules it out'],
    ['a type that does not exist, accepted', text, { type: 'date' }, 'unknown : the keyword type is not understood'],
    [
      'a field that is only required',
      { type: 'object', required: ['a'] },
      object({ a: text }),
      'only string is accepted',
    ],
    [
      'a field that is only required, for a closed object',
      { type: 'object', required: ['a'] },
      object({}, [], { additionalProperties: false }),
      'no a: is not accepted',
    ],
    ['const beside enum', { const: null }, { const: null, enum: ['a'] }, 'no : is not accepted'],
    [
      'a bound of draft 04',
      { type: 'number', minimum: 0 },
      { type: 'number', minimum: 0, exclusiveMinimum: true },
      'unknown : the keyword exclusiveMinimum is not understood',
    ],
  ])('%s', (_, sent, accepted, doubt) => {
    expect(verdictOf(sent, accepted)).toContainEqual(expect.stringContaining(doubt));
  });

  it('const beside an enum that lists it is accepted', () => {
    expect(verdictOf({ const: 'a' }, { const: 'a', enum: ['a', 'b'] })).toBe('yes');
  });
});

describe('schemas that contain themselves many times', () => {
  const self = { $ref: '#' };
  it.each(['anyOf', 'oneOf', 'allOf'])('by %s', (keyword) => {
    const sent = { [keyword]: [text, self, self, self] };
    expect(verdictOf(sent, text)).toContain('unknown : it contains itself as an alternative');
    expect(verdictOf(number, { ...sent, title: 'a' })).not.toBe('yes');
  });

  it('through others, without end', () => {
    const level = (next: number) => ({ anyOf: [1, 2, 3].map(() => ({ $ref: `#/definitions/${next}` })) });
    const definitions = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [index, level((index + 1) % 30)]));
    expect(verdictOf({ ...level(0), definitions }, text)).not.toBe('yes');
    const ending = { ...definitions, 29: { enum: Array.from({ length: 60 }, (_, index) => `a${index}`) } };
    expect(verdictOf({ ...level(0), definitions: ending }, text)).toEqual(['unknown : it has too many parts']);
  });

  it('in fields by which alternatives differ', () => {
    const names = Array.from({ length: 60 }, (_, index) => `a${index}`);
    const definition = object(Object.fromEntries(names.map((name) => [name, { $ref: '#/definitions/a' }])), names);
    const schema = { oneOf: [1, 2].map(() => ({ $ref: '#/definitions/a' })), definitions: { a: definition } };
    expect(verdictOf(schema, { ...schema, title: 'a' })).toContain(
      'unknown : it may fit several alternatives of oneOf',
    );
  });
});

describe('schemas of zod', () => {
  const of = (schema: z.ZodType) => payloadOf(schema).schema;
  const Tree: z.ZodType = z.object({
    name: z.string(),
    get below() {
      return z.array(Tree);
    },
  });
  const Deeper: z.ZodType = z.object({
    name: z.number(),
    get below() {
      return z.array(Deeper);
    },
  });
  const all = z.strictObject({
    id: z.uuid(),
    email: z.email().optional(),
    at: z.iso.datetime(),
    count: z.number().int().positive().default(1),
    either: z.union([z.string(), z.number()]).nullable(),
    shape: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('circle'), radius: z.number() }),
      z.object({ kind: z.literal('square'), side: z.number() }),
    ]),
    pair: z.tuple([z.string(), z.number()]),
    tags: z.array(z.enum(['a', 'b'])).max(5),
    prices: z.record(z.string(), z.number().multipleOf(0.5)),
    both: z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() })),
    anything: z.unknown(),
    tree: Tree,
  });

  it('have positive integers in two ways', () => {
    const [one, other] = [of(z.int().positive()), of(z.int().min(1))];
    expect([verdictOf(one, other), verdictOf(other, one)]).toEqual(['yes', 'yes']);
  });

  it('accept themselves, whatever they are made of', () => {
    expect(verdictOf(of(all), of(all))).toBe('yes');
    expect(verdictOf(of(all), of(all.extend({ note: z.string().optional() })))).toBe('yes');
  });

  it('that contain themselves are compared to the end', () => {
    expect(verdictOf(of(Tree), of(Deeper))).toEqual(['no name: may be a string, but only number is accepted']);
    expect(verdictOf(of(z.json()), of(z.json()))).toBe('yes');
  });

  it('are not taken for compatible when a field is required now', () => {
    const now = all.extend({ note: z.string() });
    expect(verdictOf(of(all), of(now))).toEqual(['no note: may be missing, but is required']);
    expect(verdictOf(of(now), of(all))).toEqual(['no note: is not accepted']);
  });
});
