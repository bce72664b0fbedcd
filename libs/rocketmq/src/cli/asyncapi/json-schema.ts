// JSON Schemas of draft 07 as the comparison reads them: which keywords it knows, references, and the alternatives of a schema.

import { isDeepStrictEqual } from 'node:util';

/** An object with keywords; `true` and `false` are converted. */
export type SchemaObject = Readonly<Record<string, unknown>>;

/** Keywords that accept or reject nothing. `format` is not one: libraries enforce it. */
const ANNOTATIONS: readonly string[] = [
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'definitions',
  '$defs',
  '$comment',
  '$id',
  'id',
  '$schema',
];

/** Keywords that the comparison understands. */
const KNOWN: readonly string[] = [
  'type',
  'enum',
  'const',
  'properties',
  'required',
  'additionalProperties',
  'propertyNames',
  'minProperties',
  'maxProperties',
  'items',
  'additionalItems',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'contentEncoding',
  'contentMediaType',
  'anyOf',
  'oneOf',
  'allOf',
];

/** Of the known keywords those with a number; draft 04 had booleans in some. */
const NUMERIC: readonly string[] = KNOWN.filter((name) => /^(exclusiveM|m)(in|ax)/.test(name));

export const TYPES = ['null', 'boolean', 'number', 'string', 'array', 'object'] as const;
export type SchemaType = (typeof TYPES)[number];

/** Accepts nothing. */
const NEVER: SchemaObject = { enum: [] };

/** The keywords of a schema that the comparison does not understand. */
export function unknownKeywords(schema: SchemaObject): string[] {
  return Object.keys(schema).filter((name) => {
    if (name === 'type') return !areTypes(schema.type);
    if (NUMERIC.includes(name)) return typeof schema[name] !== 'number';
    return !KNOWN.includes(name) && !ANNOTATIONS.includes(name) && !name.startsWith('x-');
  });
}

function areTypes(type: unknown): boolean {
  const named: readonly unknown[] = Array.isArray(type) ? type : [type];
  return named.every((one) => one === 'integer' || TYPES.some((known) => known === one));
}

/** A schema as an object, `true` and a missing one as one without keywords. */
export function schemaObject(schema: unknown): SchemaObject {
  if (schema === false) return NEVER;
  if (typeof schema !== 'object' || schema === null) return {};
  const given = schema as SchemaObject;
  // What libraries write for `never`.
  const { not, ...others } = given;
  return isEmpty(not) && isAny(others) ? NEVER : given;
}

/** Whether a schema accepts everything. */
export function isAny(schema: SchemaObject): boolean {
  return Object.keys(schema).every((name) => ANNOTATIONS.includes(name) || name.startsWith('x-'));
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** A part of a document by its pointer, `#/components/schemas/orders`; undefined where there is none. */
export function partAt(document: unknown, pointer: string): unknown {
  if (!pointer.startsWith('#')) return undefined;
  let part: unknown = document;
  for (const name of pointer.slice(1).split('/').slice(1)) {
    const key = decoded(name).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, key)) return undefined;
    part = (part as Record<string, unknown>)[key];
  }
  return part;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** The types that a schema names; all of them where it names none. An integer is a number. */
export function typesOf({ type }: SchemaObject): SchemaType[] {
  // A name that is not known may be any of them.
  if (type === undefined || !areTypes(type)) return [...TYPES];
  const named = (Array.isArray(type) ? type : [type]).map((one) => (one === 'integer' ? 'number' : one));
  return TYPES.filter((one) => named.includes(one));
}

/** Whether its numbers are integers. */
export function isInteger({ type }: SchemaObject): boolean {
  const named: readonly unknown[] = Array.isArray(type) ? type : [type];
  return named.includes('integer') && !named.includes('number');
}

/** The values that a schema lists; undefined where it lists none. */
export function valuesOf(schema: SchemaObject): readonly unknown[] | undefined {
  const listed = Array.isArray(schema.enum) ? schema.enum : undefined;
  if (!Object.hasOwn(schema, 'const')) return listed;
  return (listed ?? [schema.const]).filter((one) => isDeepStrictEqual(one, schema.const));
}

/** The type of a value of JSON. */
export function typeOfValue(value: unknown): SchemaType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as SchemaType;
}

/** An object of schemas by names. */
export function schemasIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
