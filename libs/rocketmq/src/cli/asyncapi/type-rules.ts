// Whether values of one type that one schema accepts are accepted by another one: the keywords of each type.

import { isInteger, listIn, type SchemaObject, type SchemaType, schemasIn, valuesOf } from './json-schema.js';
import { isYes, no, unknown, type Verdict, YES } from './verdict.js';

/** Compares the schemas of fields and elements. */
type Included = (sent: unknown, accepted: unknown, where: string) => Verdict;

/** Both schemas accept values of this type, and the first one none of another type. */
export function includedByType(
  type: SchemaType,
  sent: SchemaObject,
  accepted: SchemaObject,
  where: string,
  included: Included,
): Verdict {
  if (type === 'number') return numbers(sent, accepted, where);
  if (type === 'string') return strings(sent, accepted, where);
  if (type === 'array') return arrays(sent, accepted, where, included);
  return type === 'object' ? objects(sent, accepted, where, included) : YES;
}

const INFINITE = Number.POSITIVE_INFINITY;

function numberIn(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

interface Bound {
  readonly value: number;
  readonly isExclusive: boolean;
}

/** The upper bound; the lower one with `minimum`, of the negated numbers. Integers have one that is not exclusive. */
function boundOf(schema: SchemaObject, side: 'maximum' | 'minimum', areIntegers: boolean): Bound {
  const sign = side === 'maximum' ? 1 : -1;
  const exclusive = side === 'maximum' ? schema.exclusiveMaximum : schema.exclusiveMinimum;
  const inclusive = sign * numberIn(schema[side], sign * INFINITE);
  const strict = sign * numberIn(exclusive, sign * INFINITE);
  const bound =
    strict <= inclusive ? { value: strict, isExclusive: strict < INFINITE } : { value: inclusive, isExclusive: false };
  if (!areIntegers) return bound;
  return { value: bound.isExclusive ? Math.ceil(bound.value) - 1 : Math.floor(bound.value), isExclusive: false };
}

function numbers(sent: SchemaObject, accepted: SchemaObject, where: string): Verdict {
  const outside = (['minimum', 'maximum'] as const).flatMap((side) => {
    const areIntegers = isInteger(sent);
    const [may, must] = [boundOf(sent, side, areIntegers), boundOf(accepted, side, areIntegers)];
    const isWithin = may.value < must.value || (may.value === must.value && (may.isExclusive || !must.isExclusive));
    const [beyond, limit] = side === 'maximum' ? ['above', must.value] : ['below', -must.value];
    return isWithin ? YES : no(where, `may be ${beyond} the accepted ${side} ${limit}`);
  });
  return [...outside, ...multiples(sent, accepted, where)];
}

function multiples(sent: SchemaObject, accepted: SchemaObject, where: string): Verdict {
  const { multipleOf: must, format } = accepted;
  if (format !== undefined && format !== sent.format)
    return unknown(where, `only the format ${String(format)} is accepted`);
  if (must === undefined || must === sent.multipleOf) return YES;
  const may = valuesOf(sent) ?? [sent.multipleOf];
  if (typeof must === 'number' && may.every((one) => numberIn(one, Number.NaN) % must === 0)) return YES;
  return unknown(where, `only multiples of ${String(must)} are accepted`);
}

function strings(sent: SchemaObject, accepted: SchemaObject, where: string): Verdict {
  // A pattern or format may imply a length, and each other.
  const isShaped = sent.pattern !== undefined || sent.format !== undefined || valuesOf(sent) !== undefined;
  const rejected = isShaped ? unknown : no;
  const lengths = between(sent, accepted, ['minLength', 'maxLength'], 0).map((why) =>
    valuesOf(sent) === undefined ? rejected(where, why) : no(where, why),
  );
  const shapes = ['pattern', 'format', 'contentEncoding', 'contentMediaType'].flatMap((keyword) => {
    const must = accepted[keyword];
    if (must === undefined || must === sent[keyword]) return YES;
    return rejected(where, `only the ${keyword} ${String(must)} is accepted`);
  });
  return [...lengths.flat(), ...shapes];
}

/** What is wrong with the fewest and the most characters, elements or fields. */
function between(
  sent: SchemaObject,
  accepted: SchemaObject,
  [least, most]: readonly [string, string],
  fewest: number,
  atMost = INFINITE,
): string[] {
  const problems: string[] = [];
  const must = { least: numberIn(accepted[least], 0), most: numberIn(accepted[most], INFINITE) };
  if (numberIn(sent[least], fewest) < must.least) problems.push(`may be below the accepted ${least} ${must.least}`);
  if (numberIn(sent[most], atMost) > must.most) problems.push(`may be above the accepted ${most} ${must.most}`);
  return problems;
}

/** The elements of a tuple, and the schema of all after them. */
function elementsOf({ items, additionalItems }: SchemaObject): {
  readonly first: readonly unknown[];
  readonly rest: unknown;
} {
  return Array.isArray(items) ? { first: items, rest: additionalItems } : { first: [], rest: items };
}

function arrays(sent: SchemaObject, accepted: SchemaObject, where: string, included: Included): Verdict {
  const counts = between(sent, accepted, ['minItems', 'maxItems'], 0, maxItemsOf(sent)).map((why) => no(where, why));
  const isSet =
    accepted.uniqueItems !== true || sent.uniqueItems === true || numberIn(sent.maxItems, maxItemsOf(sent)) <= 1;
  const [may, must] = [elementsOf(sent), elementsOf(accepted)];
  const last = numberIn(sent.maxItems, maxItemsOf(sent));
  const places = Math.min(Math.max(may.first.length, must.first.length), last);
  const single = Array.from({ length: places }, (_, index) =>
    included(
      index < may.first.length ? may.first[index] : may.rest,
      index < must.first.length ? must.first[index] : must.rest,
      `${where}[${index}]`,
    ),
  );
  const others = last > places ? included(may.rest, must.rest, `${where}[]`) : YES;
  return [...counts.flat(), ...(isSet ? YES : no(where, 'may contain an element twice')), ...single.flat(), ...others];
}

/** The elements of a tuple are all that is sent, unless it says what follows them. */
function maxItemsOf({ items, additionalItems }: SchemaObject): number {
  const isClosed = Array.isArray(items) && (additionalItems === undefined || additionalItems === false);
  return isClosed ? (items as readonly unknown[]).length : INFINITE;
}

function objects(sent: SchemaObject, accepted: SchemaObject, where: string, included: Included): Verdict {
  const always = listIn(sent.required);
  // A field can be required without being described.
  const undescribed = always.map((name) => [String(name), sent.additionalProperties || {}]);
  const may: Readonly<Record<string, unknown>> = {
    ...Object.fromEntries(undescribed),
    ...schemasIn(sent.properties),
  };
  const must = schemasIn(accepted.properties);
  const missing = listIn(accepted.required)
    .filter((name) => !always.includes(name))
    .map((name) => no(fieldOf(where, String(name)), 'may be missing, but is required'));
  const named = Object.keys(may).map((name) => {
    const field = fieldOf(where, name);
    if (Object.hasOwn(must, name)) return included(may[name], must[name], field);
    // A field that never has a value is not sent.
    if (accepted.additionalProperties === false)
      return isYes(included(may[name], false, field)) ? YES : no(field, 'is not accepted');
    return included(may[name], accepted.additionalProperties, field);
  });
  const openNames = Object.keys(must).filter((name) => !Object.hasOwn(may, name));
  const most = others(sent) === undefined ? Object.keys(may).length : INFINITE;
  const counts = between(sent, accepted, ['minProperties', 'maxProperties'], always.length, most);
  return [
    ...missing.flat(),
    ...named.flat(),
    ...additional(sent, accepted, where, included),
    ...openNames.flatMap((name) => unnamed(sent, must[name], fieldOf(where, name), included)),
    ...propertyNames(sent, accepted, where, included),
    ...counts.flatMap((why) => no(where, why)),
  ];
}

/** The schema of the fields that are not named. Undefined: none is sent, unless another keyword says that there are some. */
function others({ additionalProperties, propertyNames, properties, minProperties }: SchemaObject): unknown {
  if (additionalProperties === false) return undefined;
  const areThere =
    propertyNames !== undefined || numberIn(minProperties, 0) > Object.keys(schemasIn(properties)).length;
  return additionalProperties ?? (areThere ? true : undefined);
}

function additional(sent: SchemaObject, accepted: SchemaObject, where: string, included: Included): Verdict {
  const may = others(sent);
  if (may === undefined) return YES;
  if (accepted.additionalProperties === false) return no(where, 'may have fields that are not accepted');
  return included(may, accepted.additionalProperties, `${where}{}`);
}

/** A field that only the accepting side names. */
function unnamed(sent: SchemaObject, accepted: unknown, field: string, included: Included): Verdict {
  const may = others(sent);
  if (may === undefined) return YES;
  const verdict = included(may, accepted, field);
  return isYes(verdict) ? YES : unknown(field, 'may be sent as an additional field with another schema');
}

function propertyNames(sent: SchemaObject, accepted: SchemaObject, where: string, included: Included): Verdict {
  if (accepted.propertyNames === undefined) return YES;
  const names = { type: 'string', enum: Object.keys(schemasIn(sent.properties)) };
  const open = { type: 'string', ...schemasIn(sent.propertyNames) };
  return [names, ...(others(sent) === undefined ? [] : [open])].flatMap((one) =>
    included(one, accepted.propertyNames, `names of the fields of ${where === '' ? 'the body' : where}`),
  );
}

function fieldOf(where: string, name: string): string {
  return where === '' ? name : `${where}.${name}`;
}
