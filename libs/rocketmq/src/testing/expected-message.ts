// What a matcher expects of a message, and how messages are compared with it.

import { type BodyCodec, jsonCodec } from '../nest/messages/message-body.js';
import { type TopicLike, toTopicDefinition } from '../nest/messages/topic-definition.js';
import { topicNameProblem } from '../protocol/model/names.js';
import { UsageError } from '../support/errors.js';
import {
  anObject,
  anyText,
  assertOptions,
  checkedElsewhere,
  describe,
  isIntegerFrom,
  type OptionChecks,
} from '../support/options.js';
import type { ObservedMessage } from './observation.js';

/** `expect.objectContaining()` and the like. */
export interface AsymmetricMatch {
  asymmetricMatch(other: unknown): boolean;
}

type Whole = string | number | boolean | bigint | symbol | null | undefined | Date | Uint8Array;

/** A value in which any part may be an asymmetric matcher. */
export type Expected<T> = unknown extends T
  ? unknown
  : AsymmetricMatch | (T extends Whole ? T : { readonly [Key in keyof T]: Expected<T[Key]> });

/** A message that a test expects. Fields that are not set are not compared. */
export interface ExpectedMessage<Input = unknown> {
  /**
   * The body as it is sent, compared as by `toEqual`: decoded by the topic's codec, or as JSON. Bytes are compared with the bytes of the
   * message.
   */
  readonly body?: Expected<Input>;
  /** Properties that the message has, among others. */
  readonly properties?: Readonly<Record<string, Expected<string>>>;
  /** All keys, in order. */
  readonly keys?: Expected<readonly string[]>;
  readonly tag?: Expected<string>;
  readonly messageGroup?: Expected<string>;
  /** How many messages match, an integer of at least 0. Default: at least one. */
  readonly times?: number;
}

/** A message that a test expects at a consumer group. */
export interface ExpectedDelivery<Input = unknown> extends ExpectedMessage<Input> {
  /** The consumer group. Default: any; a message counts once, whatever the number of groups. */
  readonly group?: string;
}

/** What is looked for. */
export interface Claim {
  readonly topic: string;
  readonly codec: BodyCodec;
  readonly expected: ExpectedDelivery;
}

/** The functions of `expect` that are the same in Jest and Vitest. */
export interface Comparing {
  equals(actual: unknown, expected: unknown, testers?: unknown[]): boolean;
  readonly customTesters?: readonly unknown[];
  readonly utils: { readonly iterableEquality: unknown };
}

const MESSAGE_CHECKS: OptionChecks<ExpectedMessage> = {
  body: checkedElsewhere,
  properties: anObject,
  keys: checkedElsewhere,
  tag: checkedElsewhere,
  messageGroup: checkedElsewhere,
  times: (value) => (isIntegerFrom(value, 0) ? undefined : `must be an integer of at least 0, not ${describe(value)}`),
};
const DELIVERY_CHECKS: OptionChecks<ExpectedDelivery> = {
  ...MESSAGE_CHECKS,
  group: anyText,
};

/**
 * @param codec of the topics that have none
 * @throws UsageError that names the argument
 */
export function claimOf(
  where: string,
  { topic, expected }: { readonly topic: unknown; readonly expected: unknown },
  hasGroup: boolean,
  codec: BodyCodec,
): Claim {
  const name: unknown = typeof topic === 'string' ? topic : (topic as { name?: unknown } | undefined | null)?.name;
  const problem = typeof name === 'string' ? topicNameProblem(name) : `is ${describe(topic)}`;
  if (problem !== undefined) {
    const text = `${where}topic ${typeof name === 'string' ? `"${name}" ` : ''}${problem}; pass a topic of defineTopic() or its name`;
    throw new UsageError('ILLEGAL_TOPIC', text, 'topic');
  }
  assertOptions(expected, { options: hasGroup ? DELIVERY_CHECKS : MESSAGE_CHECKS }, where);
  const definition = toTopicDefinition(topic as TopicLike);
  return { topic: definition.name, codec: definition.codec ?? codec, expected: expected as ExpectedDelivery };
}

/** What is compared, of a claim or a message: only the fields that are expected. */
type Compared = Readonly<Record<string, unknown>>;

/** The expected fields of a claim. */
export function expectedFields({ expected, codec }: Claim): Compared {
  const { times: _times, body, ...fields } = expected;
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (body === undefined) return Object.fromEntries(given);
  return { body: codec === jsonCodec ? asJson(body) : body, ...Object.fromEntries(given) };
}

/** The same fields of a message. */
export function fieldsOf(message: ObservedMessage, { expected, codec }: Claim, like: Compared): Compared {
  const values = Object.keys(like).map((name) => {
    if (name === 'body') return [name, bodyOf(message, codec, expected.body)];
    if (name === 'properties') return [name, pick(message.properties, expected.properties ?? {})];
    return [name, message[name as 'tag']];
  });
  return Object.fromEntries(values);
}

/** A body as the codec decodes it; what it cannot decode as text. @param like what it will be compared with */
export function bodyOf({ bytes }: ObservedMessage, codec: BodyCodec, like?: unknown): unknown {
  // A Buffer and a Uint8Array are not equal to `expect`.
  if (like instanceof Uint8Array) return Buffer.isBuffer(like) ? bytes : new Uint8Array(bytes);
  try {
    const decoded = codec.decode(bytes);
    // A string sent by the name of its topic goes as it is, and may look like JSON.
    return typeof like === 'string' && typeof decoded !== 'string' ? bytes.toString() : decoded;
  } catch {
    return bytes.toString();
  }
}

/** The weight of the body among the other fields of a message. */
const BODY_WEIGHT = 2;

/** How much of the expected fields a message has; an object that is equal in part counts in part. */
export function likeness(comparing: Comparing, actual: Compared, expected: Compared): number {
  const shares = Object.entries(expected).map(([name, value]) => {
    const own = actual[name];
    const weight = name === 'body' ? BODY_WEIGHT : 1;
    if (isEqual(comparing, own, value)) return weight;
    if (!isPlain(own) || !isPlain(value)) return 0;
    const parts = Object.keys(value);
    const equal = parts.filter((part) => isEqual(comparing, own[part], value[part]));
    return (weight * equal.length) / (parts.length + 1);
  });
  return shares.reduce((sum, share) => sum + share, 0);
}

export function isEqual({ equals, customTesters = [], utils }: Comparing, actual: unknown, expected: unknown): boolean {
  return equals(actual, expected, [...customTesters, utils.iterableEquality]);
}

/** The expected value with the actual one in place of each asymmetric matcher that accepts it: a diff then shows what differs. */
export function withAccepted(expected: unknown, actual: unknown): unknown {
  if (isAsymmetric(expected)) return expected.asymmetricMatch(actual) ? actual : expected;
  if (Array.isArray(expected) && Array.isArray(actual))
    return expected.map((value, index) => withAccepted(value, actual[index]));
  if (!isPlain(expected) || !isPlain(actual)) return expected;
  return Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, withAccepted(value, actual[name])]));
}

/** A value as `JSON.parse(JSON.stringify(value))` gives it, except for matchers and bytes. */
function asJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || isAsymmetric(value) || value instanceof Uint8Array) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function') return asJson(value.toJSON());
  if (Array.isArray(value)) return value.map((one) => asJson(one) ?? null);
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, one]) => (one === undefined ? [] : [[name, asJson(one)]])),
  );
}

function isAsymmetric(value: unknown): value is AsymmetricMatch {
  return typeof (value as AsymmetricMatch | null | undefined)?.asymmetricMatch === 'function';
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function pick(all: Readonly<Record<string, string>>, names: object): Compared {
  return Object.fromEntries(Object.keys(names).flatMap((name) => (name in all ? [[name, all[name]]] : [])));
}
