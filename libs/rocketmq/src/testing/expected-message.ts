// What a matcher expects of a message, and how messages are compared with it.

import type { BodyCodec } from '../nest/messages/body-codecs.js';
import { type TopicLike, toTopicDefinition } from '../nest/messages/topic-definition.js';
import { topicNameProblem } from '../protocol/model/names.js';
import { UsageError } from '../support/errors.js';
import {
  anyObject,
  anyString,
  assertOptions,
  type Check,
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
   * The body as it is sent: encoded and decoded by the topic's codec, or as JSON, then compared as by `toEqual`. So an asymmetric matcher is
   * asked about the string that JSON makes of a Date. Bytes are compared with the bytes of the message.
   */
  readonly body?: Expected<Input>;
  /** Properties that the message has, among others; an asymmetric matcher in place of the object is asked about all. */
  readonly properties?: Expected<Readonly<Record<string, string>>>;
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
  readonly group?: Expected<string>;
}

/** What is looked for. */
export interface Claim {
  readonly topic: string;
  readonly codec: BodyCodec;
  /** The name of a topic says nothing of its bodies: they may also be texts that were sent as they are. */
  readonly isByName: boolean;
  readonly expected: ExpectedDelivery;
}

/** The functions of `expect` that are the same in Jest and Vitest. */
export interface Comparing {
  equals(actual: unknown, expected: unknown, testers?: unknown[]): boolean;
  readonly customTesters?: readonly unknown[];
  readonly utils: { readonly iterableEquality: unknown };
}

const textOrMatcher: Check = (value) => (isAsymmetric(value) ? undefined : anyString(value));

const MESSAGE_CHECKS: OptionChecks<ExpectedMessage> = {
  body: checkedElsewhere,
  properties: anyObject,
  keys: checkedElsewhere,
  tag: checkedElsewhere,
  messageGroup: checkedElsewhere,
  times: (value) => (isIntegerFrom(value, 0) ? undefined : `must be an integer of at least 0, not ${describe(value)}`),
};
const DELIVERY_CHECKS: OptionChecks<ExpectedDelivery> = {
  ...MESSAGE_CHECKS,
  group: textOrMatcher,
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
  const isByName = typeof topic === 'string';
  return { topic: definition.name, codec: definition.codec ?? codec, isByName, expected: expected as ExpectedDelivery };
}

/** What is compared, of a claim or a message: only the fields that are expected. */
type Compared = Readonly<Record<string, unknown>>;

/** The expected fields of a claim. */
export function expectedFields({ expected, codec }: Claim): Compared {
  const { times: _times, body, ...fields } = expected;
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  if (body === undefined) return Object.fromEntries(given);
  return { body: asSent(body, codec), ...Object.fromEntries(given) };
}

/** The same fields of a message. */
export function fieldsOf(message: ObservedMessage, claim: Claim, like: Compared, comparing: Comparing): Compared {
  const values = Object.keys(like).map((name) => {
    if (name === 'body') return [name, bodyLike(message, claim, like.body, comparing)];
    if (name === 'properties') return [name, pick(message.properties, like.properties)];
    return [name, message[name as 'tag']];
  });
  return Object.fromEntries(values);
}

/** A body in the form in which it is equal to what is expected, if there is one. */
function bodyLike(message: ObservedMessage, claim: Claim, like: unknown, comparing: Comparing): unknown {
  const { bytes } = message;
  if (like instanceof Uint8Array) return bytes;
  const decoded = bodyOf(message, claim);
  if (!claim.isByName || isEqual(comparing, decoded, like)) return decoded;
  const text = bytes.toString();
  return isEqual(comparing, text, like) ? text : decoded;
}

/** A body as the codec of the claim decodes it; what it cannot decode as text. */
export function bodyOf({ bytes }: ObservedMessage, { codec }: Claim): unknown {
  try {
    return codec.decode(bytes);
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
  return equals(actual, expected, [bytesEquality, ...customTesters, utils.iterableEquality]);
}

/** `expect` compares a megabyte in seconds, and takes a Buffer and a Uint8Array for different. */
function bytesEquality(actual: unknown, expected: unknown): boolean | undefined {
  if (!(actual instanceof Uint8Array && expected instanceof Uint8Array)) return undefined;
  return Buffer.compare(actual, expected) === 0;
}

/** The expected value with the actual one in place of each asymmetric matcher that accepts it: a diff then shows what differs. */
export function withAccepted(expected: unknown, actual: unknown): unknown {
  if (isAsymmetric(expected)) return expected.asymmetricMatch(actual) ? actual : expected;
  if (Array.isArray(expected) && Array.isArray(actual))
    return expected.map((value, index) => withAccepted(value, actual[index]));
  if (!isPlain(expected) || !isPlain(actual)) return expected;
  return Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, withAccepted(value, actual[name])]));
}

/** A value after encoding and decoding. Its asymmetric matchers stay, and what they contain is converted as well. */
function asSent(value: unknown, codec: BodyCodec): unknown {
  if (value instanceof Uint8Array) return value;
  if (isAsymmetric(value)) return withSampleAsSent(value, codec);
  const matchers = new Map<string, AsymmetricMatch>();
  try {
    const marked = withMarks(value, matchers);
    return withoutMarks(codec.decode(Buffer.from(codec.encode(marked))), matchers, codec);
  } catch {
    // It cannot be sent, so that no message is equal to it; the output shows it as it was given.
    return value;
  }
}

/** `expect.objectContaining()` and the like keep what they were given in `sample`. */
function withSampleAsSent(matcher: AsymmetricMatch & { readonly sample?: unknown }, codec: BodyCodec): AsymmetricMatch {
  const { sample } = matcher;
  if (typeof sample !== 'object' || sample === null || sample instanceof RegExp) return matcher;
  const copy = Object.create(Object.getPrototypeOf(matcher)) as AsymmetricMatch;
  return Object.assign(copy, matcher, { sample: asSent(sample, codec) });
}

/** A copy in which strings stand for the asymmetric matchers; the value itself if it has none. */
function withMarks(value: unknown, matchers: Map<string, AsymmetricMatch>): unknown {
  if (isAsymmetric(value)) {
    const mark = `an asymmetric matcher of nestjs-rocketmq/testing: ${matchers.size}`;
    matchers.set(mark, value);
    return mark;
  }
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value;
  const before = matchers.size;
  if (Array.isArray(value)) {
    const marked = value.map((one) => withMarks(one, matchers));
    return matchers.size === before ? value : marked;
  }
  const marked = Object.entries(value).map(([name, one]) => [name, withMarks(one, matchers)]);
  if (matchers.size === before) return value;
  return Object.assign(Object.create(Object.getPrototypeOf(value)), Object.fromEntries(marked));
}

function withoutMarks(value: unknown, matchers: ReadonlyMap<string, AsymmetricMatch>, codec: BodyCodec): unknown {
  if (matchers.size === 0) return value;
  if (typeof value === 'string') {
    const matcher = matchers.get(value);
    return matcher === undefined ? value : withSampleAsSent(matcher, codec);
  }
  if (Array.isArray(value)) return value.map((one) => withoutMarks(one, matchers, codec));
  if (!isPlain(value)) return value;
  const entries = Object.entries(value).map(([name, one]) => [name, withoutMarks(one, matchers, codec)]);
  return Object.assign(Object.create(Object.getPrototypeOf(value)), Object.fromEntries(entries));
}

function isAsymmetric(value: unknown): value is AsymmetricMatch {
  return typeof (value as AsymmetricMatch | null | undefined)?.asymmetricMatch === 'function';
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function pick(all: Readonly<Record<string, string>>, names: unknown): Compared {
  if (!isPlain(names) || isAsymmetric(names)) return all;
  return Object.fromEntries(Object.keys(names).flatMap((name) => (name in all ? [[name, all[name]]] : [])));
}
