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
  typesOf,
  unknownKeywords,
  valuesOf,
} from './json-schema.js';
import { type Alternative, alternativesOf } from './schema-alternatives.js';
import { includedByType } from './type-rules.js';
import { isNo, isYes, no, uncertain, unknown, type Verdict, YES } from './verdict.js';

/** Alternatives can contain themselves without end. */
const MAX_DEPTH = 200;
/** How deep the fields are by which alternatives differ, such as `kind`. */
const MAX_FIELDS_DEEP = 3;
/** Of all comparisons with one document: some tens of thousands of fields. */
const MAX_STEPS = 200_000;

/** Compares a schema of one document with one of another. */
export class SchemaInclusion {
  /** The pairs that are being compared: schemas can contain themselves. */
  private readonly open: (readonly [sent: object, accepted: object, where: string])[] = [];
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
    // A schema that is compared again at the same place has no end.
    if (this.open.some(([, other, at]) => other === must && at === where))
      return unknown(where, 'it contains itself as an alternative');
    if (this.open.some(([one, other]) => one === may && other === must)) return YES;
    if (this.open.length > MAX_DEPTH || !this.step()) return unknown(where, 'it has too many parts');
    this.open.push([may, must, where]);
    try {
      return this.compared(may, must, where);
    } finally {
      this.open.pop();
    }
  }

  private compared(may: SchemaObject, must: SchemaObject, where: string): Verdict {
    if (isAny(must) || (isDeepStrictEqual(may, must) && this.leadToTheSame(may))) return YES;
    const strange = unknownKeywords(must).map((name) => unknown(where, `the keyword ${name} is not understood`));
    const { all, without, missing } = alternativesOf(may, {
      resolved: (schema) => this.resolved(schema, this.sender),
      step: () => this.step(),
    });
    const verdict = all.flatMap((one) => this.accepts(must, one, where));
    return [
      ...strange.flat(),
      ...(missing === undefined ? YES : unknown(where, missing)),
      ...hiddenParts(all, must, where),
      ...(without === undefined ? verdict : uncertain(verdict, without)),
    ];
  }

  /** False when the comparison takes too long. */
  private step(): boolean {
    this.steps += 1;
    return this.steps <= MAX_STEPS;
  }

  /** Whether the references in a schema lead to equal schemas in both documents. */
  private leadToTheSame(schema: SchemaObject): boolean {
    const references = new Set(referencesIn(schema));
    // A set grows while it is walked.
    for (const one of references) {
      const [left, right] = [partAt(this.sender, one), partAt(this.receiver, one)];
      if (left === undefined || !this.step() || !isDeepStrictEqual(left, right)) return false;
      for (const next of referencesIn(left)) references.add(next);
    }
    return true;
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
    if (depth > MAX_FIELDS_DEEP || !this.step()) return false;
    const [left, right] = [this.resolved(one, document), this.resolved(other, this.receiver)];
    if (left === undefined || right === undefined) return false;
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
}

/** A keyword that is not understood can name fields and elements that are sent. */
function hiddenParts(all: readonly Alternative[], { type: _, ...demands }: SchemaObject, where: string): Verdict {
  if (isAny(demands)) return YES;
  const names = all.flatMap(({ type, schema }) =>
    unknownKeywords(schema).filter((name) => type === 'object' || type === 'array' || name === 'nullable'),
  );
  return [...new Set(names)].flatMap((name) => unknown(where, `the keyword ${name} of what is sent is not understood`));
}

/** All references in a schema. */
function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = '$ref' in value && typeof value.$ref === 'string' ? [value.$ref] : [];
  return [...own, ...Object.values(value).flatMap(referencesIn)];
}

function withArticle(type: SchemaType): string {
  if (type === 'null') return 'null';
  return `${type === 'array' || type === 'object' ? 'an' : 'a'} ${type}`;
}
