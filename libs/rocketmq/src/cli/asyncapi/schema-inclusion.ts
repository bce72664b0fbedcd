// Whether one JSON Schema accepts every value that another one accepts. It knows the keywords of draft 07 that libraries write; any
// other one makes the result unknown. Never a yes that is not certain, with one exception: fields that a schema does not name are not sent.

import { isDeepStrictEqual } from 'node:util';
import {
  isAny,
  isInteger,
  listIn,
  partAt,
  type SchemaObject,
  type SchemaType,
  schemaObject,
  schemasIn,
  typeOfValue,
  typesOf,
  unknownKeywords,
  valuesOf,
} from './json-schema.js';
import { includedByType } from './type-rules.js';
import { isNo, isYes, no, uncertain, unknown, type Verdict, YES } from './verdict.js';

/** The alternatives of a schema are compared with each other: more than this many in one place are not looked at. */
const MOST_ALTERNATIVES = 500;

/** Alternatives can contain themselves without end. */
const MOST_DEPTH = 200;
/** Of all comparisons with one document: some tens of thousands of fields. */
const MOST_STEPS = 200_000;

/** A schema without alternatives: one type, or one value. */
interface Alternative {
  readonly type: SchemaType;
  readonly schema: SchemaObject;
}

/** The alternatives of a schema, and what was left out of them. */
interface Alternatives {
  readonly all: readonly Alternative[];
  readonly without?: string | undefined;
}

/** Compares a schema of one document with one of another. */
export class SchemaInclusion {
  /** The pairs that are being compared: schemas can contain themselves. */
  private readonly open: (readonly [object, object])[] = [];
  private steps = 0;

  /** @param sender the document of the schemas of what is sent @param receiver that of what is accepted */
  constructor(
    private readonly sender: unknown,
    private readonly receiver: unknown,
  ) {}

  /** @returns where a value that `sent` describes may not fit `accepted` */
  included(sent: unknown, accepted: unknown, where = ''): Verdict {
    const may = this.resolved(sent, this.sender);
    const must = this.resolved(accepted, this.receiver);
    if (may === undefined || must === undefined) return unknown(where, 'a reference leads nowhere');
    if (this.open.some(([one, other]) => one === may && other === must)) return YES;
    this.steps += 1;
    if (this.open.length > MOST_DEPTH || this.steps > MOST_STEPS) return unknown(where, 'it has too many parts');
    this.open.push([may, must]);
    try {
      return this.compared(may, must, where);
    } finally {
      this.open.pop();
    }
  }

  private compared(may: SchemaObject, must: SchemaObject, where: string): Verdict {
    if (isAny(must) || (isDeepStrictEqual(may, must) && !hasReference(may))) return YES;
    const strange = unknownKeywords(must).map((name) => unknown(where, `the keyword ${name} is not understood`));
    const { all, without } = this.alternatives(may);
    if (all.length > MOST_ALTERNATIVES) return unknown(where, 'it has too many parts');
    const verdict = all.flatMap((one) => this.accepts(must, one, where));
    return [...strange.flat(), ...(without === undefined ? verdict : uncertain(verdict, without))];
  }

  /** Undefined for a reference that leads nowhere or has keywords beside it, which is not allowed in draft 07. */
  private resolved(schema: unknown, document: unknown): SchemaObject | undefined {
    let found = schemaObject(schema);
    for (let steps = 0; typeof found.$ref === 'string'; steps++) {
      const { $ref, ...beside } = found;
      const next = partAt(document, $ref as string);
      const isPlain = Object.keys(beside).every((name) => ['description', 'title', 'default'].includes(name));
      if (next === undefined || !isPlain || steps > 20) return undefined;
      found = schemaObject(next);
    }
    return found;
  }

  private accepts(must: SchemaObject, may: Alternative, where: string): Verdict {
    const { type, schema } = may;
    const types = typesOf(must);
    if (!types.includes(type))
      return no(where, `may be ${withArticle(type)}, but only ${types.join(' or ')} is accepted`);
    if (type === 'number' && isInteger(must) && !isInteger(schema))
      return no(where, 'may be any number, but only integers are accepted');
    const values = valuesOf(must);
    if (values !== undefined) {
      const isListed = (one: unknown): boolean => values.some((other) => isDeepStrictEqual(one, other));
      const [strange] = valuesOf(schema)?.flatMap((one) => (isListed(one) ? [] : JSON.stringify(one))) ?? [
        `any ${type}`,
      ];
      if (strange !== undefined && values.length === 0) return no(where, 'is not accepted');
      const listed = values.map((one) => JSON.stringify(one)).join(', ');
      if (strange !== undefined) return no(where, `may be ${strange}, but only ${listed} is accepted`);
    }
    return [
      ...includedByType(type, schema, must, where, (sent, accepted, at) => this.included(sent, accepted, at)),
      ...listIn(must.allOf).flatMap((one) => this.included(schema, one, where)),
      ...this.oneOfThem(may, listIn(must.anyOf), where, false),
      ...this.oneOfThem(may, listIn(must.oneOf), where, true),
    ];
  }

  private oneOfThem(
    { schema }: Alternative,
    alternatives: readonly unknown[],
    where: string,
    isOnlyOne: boolean,
  ): Verdict {
    if (alternatives.length === 0) return YES;
    const verdicts = alternatives.map((one) => this.included(schema, one, where));
    const fit = verdicts.findIndex(isYes);
    if (fit === -1) {
      if (!verdicts.every(isNo)) return unknown(where, 'it may fit none of the accepted alternatives');
      // The one that misses least says best what is wrong.
      return [...verdicts].sort((one, other) => one.length - other.length)[0] as Verdict;
    }
    if (!isOnlyOne) return YES;
    const others = alternatives.filter((_, index) => index !== fit);
    const areApart = others.every(
      (one) => this.areApart(schema, one, this.sender) || this.areApart(alternatives[fit], one, this.receiver),
    );
    return areApart ? YES : unknown(where, 'it may fit several alternatives of oneOf');
  }

  /** Whether no value fits both, as far as types, values and required fields show. */
  private areApart(one: unknown, other: unknown, document: unknown, depth = 0): boolean {
    const [left, right] = [this.resolved(one, document), this.resolved(other, this.receiver)];
    if (left === undefined || right === undefined || depth > 5) return false;
    if (!typesOf(left).some((type) => typesOf(right).includes(type))) return true;
    const [values, others] = [valuesOf(left), valuesOf(right)];
    if (values !== undefined && others !== undefined)
      return !values.some((value) => others.some((same) => isDeepStrictEqual(value, same)));
    const areObjects = [left, right].every((schema) => typesOf(schema).join() === 'object');
    if (!areObjects) return false;
    const [fields, more] = [schemasIn(left.properties), schemasIn(right.properties)];
    return listIn(left.required).some((name) => {
      const key = String(name);
      if (!listIn(right.required).includes(name) || !Object.hasOwn(fields, key) || !Object.hasOwn(more, key))
        return false;
      return this.areApart(fields[key], more[key], document, depth + 1);
    });
  }

  private alternatives(schema: SchemaObject, depth = 0): Alternatives {
    const { anyOf, oneOf, allOf, ...own } = schema;
    // Alternatives can contain themselves.
    if (depth > 20) return { all: split({}), without: 'anyOf' };
    let left = unknownKeywords(schema).join(' and ') || undefined;
    let all: SchemaObject[] = [own];
    for (const part of listIn(allOf)) {
      const resolved = this.resolved(part, this.sender);
      if (resolved === undefined || unknownKeywords(resolved).length > 0 || 'allOf' in resolved) left ??= 'allOf';
      const joined = all.map((one) => both(one, resolved ?? {}));
      left ??= joined.find(({ isWhole }) => !isWhole) && 'allOf';
      all = joined.map(({ schema: one }) => one);
    }
    for (const [keyword, list] of Object.entries({ anyOf, oneOf })) {
      if (list === undefined) continue;
      all = all.flatMap((one) =>
        listIn(list).flatMap((part) => {
          const resolved = this.resolved(part, this.sender);
          if (resolved === undefined) left ??= keyword;
          const { all: parts, without } = this.alternatives(resolved ?? {}, depth + 1);
          left ??= without;
          return parts.map(({ schema: inner }) => {
            const joined = both(one, inner);
            if (!joined.isWhole) left ??= keyword;
            return joined.schema;
          });
        }),
      );
      if (all.length > MOST_ALTERNATIVES) break;
    }
    return { all: all.flatMap(split), without: left };
  }
}

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
    return { type, enum: [value], items, additionalItems: false, minItems: items.length, maxItems: items.length };
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

function hasReference(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasReference);
  if (typeof value !== 'object' || value === null) return false;
  return '$ref' in value || Object.values(value).some(hasReference);
}

function withArticle(type: SchemaType): string {
  if (type === 'null') return 'null';
  return `${type === 'array' || type === 'object' ? 'an' : 'a'} ${type}`;
}
