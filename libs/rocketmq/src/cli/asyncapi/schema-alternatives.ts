// The alternatives of a schema: what it accepts as a list of schemas that have one type or one value each.

import { isDeepStrictEqual } from 'node:util';
import {
  isInteger,
  listIn,
  type SchemaObject,
  type SchemaType,
  schemasIn,
  typeOfValue,
  typesOf,
  unknownKeywords,
  valuesOf,
} from './json-schema.js';

/** The alternatives of a schema are compared with each other: more than this many in one place are not looked at. */
const MAX_ALTERNATIVES = 500;
const TOO_MANY = 'it has too many parts';

/** A schema without alternatives: one type, or one value. */
export interface Alternative {
  readonly type: SchemaType;
  readonly schema: SchemaObject;
}

/** The alternatives of a schema, and what is not certain about them. */
interface Alternatives {
  readonly all: readonly Alternative[];
  /** A keyword that may rule out some of them. */
  readonly without?: string | undefined;
  /** Why there may be others. */
  readonly missing?: string | undefined;
}

/** The document of a schema. */
interface SchemaDocument {
  /** Follows the reference of a schema; undefined where it leads nowhere. */
  resolved(part: unknown): SchemaObject | undefined;
  /** Counts the work. False: it was too much. */
  step(): boolean;
}

/** @param open the schemas whose alternatives these belong to */
export function alternativesOf(
  schema: SchemaObject,
  document: SchemaDocument,
  open: readonly SchemaObject[] = [],
): Alternatives {
  if (open.includes(schema)) return { all: [], missing: 'it contains itself as an alternative' };
  if (!document.step()) return { all: [], missing: TOO_MANY };
  const { anyOf, oneOf, allOf, ...own } = schema;
  let without = unknownKeywords(schema).join(' and ') || undefined;
  let missing: string | undefined;
  let all: SchemaObject[] = [own];
  const join = (keyword: string, parts: readonly unknown[]): void => {
    const before = all;
    all = [];
    for (const part of parts) {
      if (missing !== undefined) return;
      const found = document.resolved(part);
      const inner = found === undefined ? NOWHERE : alternativesOf(found, document, [...open, schema]);
      without ??= inner.without;
      missing ??= inner.missing;
      for (const one of before)
        for (const other of inner.all) {
          if (all.length > MAX_ALTERNATIVES || !document.step()) missing ??= TOO_MANY;
          if (missing === TOO_MANY) return;
          const joined = both(one, other.schema);
          if (!joined.isWhole) without ??= keyword;
          if (isPossible(joined.schema)) all.push(joined.schema);
        }
    }
  };
  for (const part of listIn(allOf)) join('allOf', [part]);
  for (const [keyword, list] of Object.entries({ anyOf, oneOf })) if (list !== undefined) join(keyword, listIn(list));
  const parts = all.flatMap(split);
  if (parts.length > MAX_ALTERNATIVES) return { all: [], missing: TOO_MANY };
  return { all: parts, without, missing };
}

function isPossible(schema: SchemaObject): boolean {
  return typesOf(schema).length > 0 && valuesOf(schema)?.length !== 0;
}

const NOWHERE: Alternatives = { all: [], missing: 'a reference leads nowhere' };

/** One type or one value each. */
function split(schema: SchemaObject): Alternative[] {
  const types = typesOf(schema);
  const values = valuesOf(schema);
  if (values === undefined) {
    return types.flatMap((type): Alternative[] => {
      if (type !== 'boolean') return [{ type, schema: { ...schema, type: typeName(schema, type) } }];
      return [{ type, schema: { ...schema, type, enum: [true, false] } }];
    });
  }
  return values
    .filter(
      (value) =>
        types.includes(typeOfValue(value)) &&
        !(isInteger(schema) && !Number.isInteger(value) && typeof value === 'number'),
    )
    .map((value) => ({ type: typeOfValue(value), schema: literal(value) }));
}

function typeName(schema: SchemaObject, type: SchemaType): string {
  return type === 'number' && isInteger(schema) ? 'integer' : type;
}

/** A value as a schema that accepts nothing else. */
function literal(value: unknown): SchemaObject {
  const type = typeOfValue(value);
  if (type === 'number')
    return { type: Number.isInteger(value) ? 'integer' : type, enum: [value], minimum: value, maximum: value };
  if (type === 'string')
    return { type, enum: [value], minLength: (value as string).length, maxLength: (value as string).length };
  if (type === 'array') {
    const items = (value as unknown[]).map(literal);
    const uniqueItems = new Set((value as unknown[]).map((one) => JSON.stringify(one))).size === items.length;
    const [minItems, maxItems] = [items.length, items.length];
    return { type, enum: [value], items, additionalItems: false, minItems, maxItems, uniqueItems };
  }
  if (type !== 'object') return { type, enum: [value] };
  const fields = Object.entries(value as object);
  return {
    type,
    enum: [value],
    properties: Object.fromEntries(fields.map(([name, one]) => [name, literal(one)])),
    required: fields.map(([name]) => name),
    additionalProperties: false,
  };
}

/** What both schemas demand. Not whole where a demand is left out, so that it accepts more. */
function both(one: SchemaObject, other: SchemaObject): { readonly schema: SchemaObject; readonly isWhole: boolean } {
  const schema: Record<string, unknown> = { ...other, ...one };
  let isWhole = true;
  for (const [keyword, value] of Object.entries(other)) {
    if (!Object.hasOwn(one, keyword) || isDeepStrictEqual(one[keyword], value)) continue;
    if (keyword === 'required') schema.required = [...new Set([...listIn(one.required), ...listIn(value)])];
    else if (keyword === 'type') schema.type = commonTypes(one, other);
    else if (keyword === 'enum') schema.enum = commonValues(listIn(one.enum), listIn(value));
    else if (/^(exclusiveM|m)in/.test(keyword)) schema[keyword] = Math.max(Number(one[keyword]), Number(value));
    else if (/^(exclusiveM|m)ax/.test(keyword)) schema[keyword] = Math.min(Number(one[keyword]), Number(value));
    else if (keyword === 'properties') {
      const [fields, more] = [schemasIn(one.properties), schemasIn(value)];
      const shared = Object.keys(more).filter((name) => Object.hasOwn(fields, name));
      schema.properties = {
        ...fields,
        ...more,
        ...Object.fromEntries(shared.map((name) => [name, { allOf: [fields[name], more[name]] }])),
      };
    } else if (!['title', 'description', 'default', 'examples'].includes(keyword)) isWhole = false;
  }
  // Whether fields of the one are additional for the other is not looked at.
  const isClosed = [one, other].some(
    ({ additionalProperties }) => ![undefined, true].includes(additionalProperties as true),
  );
  const haveFields = [one, other].every(({ properties }) => properties !== undefined);
  return { schema, isWhole: isWhole && !(isClosed && haveFields) };
}

function commonTypes(one: SchemaObject, other: SchemaObject): string[] {
  const shared = typesOf(one).filter((type) => typesOf(other).includes(type));
  const areIntegers = isInteger(one) || isInteger(other);
  return shared.map((type) => (type === 'number' && areIntegers ? 'integer' : type));
}

function commonValues(some: readonly unknown[], others: readonly unknown[]): readonly unknown[] {
  return some.filter((one) => others.some((other) => isDeepStrictEqual(one, other)));
}
