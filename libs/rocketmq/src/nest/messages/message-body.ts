// Encodes and decodes bodies: the codec converts them, the topic's schema validates them.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { MessageView } from '../../protocol/model/message.js';
import { parseJavaJson } from '../../protocol/remoting/java-json.js';
import { UsageError } from '../../support/errors.js';
import { describeError, issueText, reasonsText } from '../../support/logger.js';
import { describe } from '../../support/options.js';
import { systemRandom } from '../../support/random.js';
import { continued } from '../../support/thenable.js';
import { newerVersion, upgradedBody } from './body-version.js';
import { InvalidBodyError } from './invalid-body.js';
import type { MessageHooks } from './message-hooks.js';
import type { ResourceNames } from './resource-names.js';
import type { TopicDefinition } from './topic-definition.js';

/**
 * Converts bodies into bytes and back: `decode` of what `encode` returns is the body. A message by the name of its topic is different: its body is
 * sent as it is when it is bytes or a string (as UTF-8), and encoded otherwise.
 */
export interface BodyCodec {
  /** Throws when the body has no form as bytes; nothing is sent then. */
  encode(body: unknown): Uint8Array;
  /**
   * Throws when the body cannot be decoded; a retry does not help then. The message of an {@link UndecodableBody} becomes part of the error that
   * the application sees; that of other errors does not, because parsers quote what they read.
   */
  decode(bytes: Buffer): unknown;
  /** The media type of the bytes, for the AsyncAPI document. Default: none, the document does not say. */
  readonly contentType?: string;
}

/** Why a codec cannot decode a body, for an error or a log; it must not quote the body. */
export class UndecodableBody extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = 'UndecodableBody';
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The text of a body, without a byte order mark. Bytes that are no text must not become other ones. @throws UndecodableBody */
function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new UndecodableBody('it is not UTF-8; a Java sender must name the charset: getBytes(StandardCharsets.UTF_8)');
  }
}

/** @throws UndecodableBody */
function jsonIn(bytes: Uint8Array, parse: (text: string) => unknown): unknown {
  const text = textOf(bytes);
  try {
    return parse(text);
  } catch {
    throw new UndecodableBody('it is not JSON');
  }
}

/**
 * JSON in UTF-8; the default. Numbers are those of JavaScript: an integer beyond 2^53 is rounded when it is received, such as a 64-bit id of another
 * language. {@link exactJsonCodec} keeps it.
 */
export const jsonCodec: BodyCodec = {
  encode(body) {
    if (body instanceof ArrayBuffer || ArrayBuffer.isView(body))
      throw new TypeError('bytes have no JSON form; a topic of bytes needs codec: bytesCodec');
    const text = JSON.stringify(body);
    if (text === undefined) throw new TypeError(`${typeof body} has no JSON form; null has`);
    return Buffer.from(text, 'utf8');
  },
  decode: (bytes) => jsonIn(bytes, JSON.parse),
  contentType: 'application/json',
};

/** What {@link exactJsonCodec} makes of integers beyond 2^53. */
export interface ExactJsonOptions {
  /**
   * What a handler gets for an integer that a number of JavaScript cannot hold: a `bigint`, or a string of its digits. Smaller ones stay numbers;
   * in a schema, `z.coerce.bigint()` or `z.coerce.string()` makes them all alike. A `bigint` is sent as an integer, whatever is chosen here.
   */
  readonly largeIntegers: 'bigint' | 'string';
}

/**
 * JSON in UTF-8 that keeps 64-bit integers, such as a `long` of Java: `codec: exactJsonCodec({ largeIntegers: 'bigint' })` for one topic, or in
 * `RocketMQModule` for all. Integers may have up to 40 digits. Other numbers are those of JavaScript: a decimal has 15 to 17 digits.
 * @throws UsageError `ILLEGAL_OPTION`
 */
export function exactJsonCodec({ largeIntegers }: ExactJsonOptions): BodyCodec {
  if (largeIntegers !== 'bigint' && largeIntegers !== 'string') {
    const text = `largeIntegers must be bigint or string, not ${describe(largeIntegers)}`;
    throw new UsageError('ILLEGAL_OPTION', text, 'largeIntegers');
  }
  const large = largeIntegers === 'bigint' ? (digits: bigint) => digits : String;
  return { ...jsonCodec, encode: encodeExactly, decode: (bytes) => jsonIn(bytes, (text) => parseExactly(text, large)) };
}

function encodeExactly(body: unknown): Uint8Array {
  // Stands for an integer until the text is complete: no string of the body can contain it, because it is new.
  const mark = systemRandom.uuid();
  let areLarge = false;
  const text = JSON.stringify(body, function (this: Readonly<Record<string, unknown>>, key, value) {
    const given = this[key];
    if (typeof given !== 'bigint') return value;
    areLarge = true;
    return `${mark}${given}`;
  });
  if (!areLarge) return jsonCodec.encode(body);
  // Each part behind a mark begins with digits and the closing quote.
  const [first = '', ...marked] = text.split(`"${mark}`);
  return Buffer.from(first + marked.map((part) => part.replace('"', '')).join(''), 'utf8');
}

function parseExactly(text: string, large: (integer: bigint) => unknown): unknown {
  // What follows reads more than JSON.
  const rounded: unknown = JSON.parse(text);
  return MAY_BE_ROUNDED.test(text) ? replaced(parseJavaJson(text), large) : rounded;
}

const MAY_BE_ROUNDED = /\d{16}/;

function replaced(value: unknown, large: (integer: bigint) => unknown): unknown {
  if (typeof value === 'bigint') return large(value);
  if (Array.isArray(value)) return value.map((item) => replaced(item, large));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, replaced(member, large)]));
}

/** For topics whose bodies are strings, as UTF-8; a byte order mark is dropped when one is received. */
export const textCodec: BodyCodec = {
  encode(body) {
    if (typeof body === 'string') return Buffer.from(body, 'utf8');
    throw new TypeError(`the body of a topic with textCodec must be a string, not ${typeof body}`);
  },
  decode: textOf,
  contentType: 'text/plain',
};

/** How a connection converts messages: the codec for bodies, the names of topics, and the application's hooks. */
export interface MessageWire {
  readonly codec: BodyCodec;
  readonly names: ResourceNames;
  readonly hooks?: Pick<MessageHooks, 'outgoing' | 'incoming'>;
}

/** For topics whose bodies are bytes; a handler gets a Buffer. */
export const bytesCodec: BodyCodec = {
  encode(body) {
    if (body instanceof Uint8Array) return body;
    throw new TypeError(`the body of a topic with bytesCodec must be a Buffer or Uint8Array, not ${typeof body}`);
  },
  decode: (bytes) => bytes,
  contentType: 'application/octet-stream',
};

/**
 * The bytes of a body. The body is sent as passed, not as the schema transforms it: the receiver's own schema does that.
 * @throws UsageError that names the topic and what is wrong, never the body
 */
export async function encodeBody(
  { name, type, schema, codec }: TopicDefinition,
  body: unknown,
  defaultCodec: BodyCodec,
): Promise<Uint8Array | string> {
  await assertValid({ name, schema }, body);
  // Without a definition, the sender may have encoded it.
  if (type === undefined && (typeof body === 'string' || body instanceof Uint8Array)) return body;
  try {
    return (codec ?? defaultCodec).encode(body);
  } catch (cause) {
    const text = `message to "${name}": the body cannot be encoded (${describeError(cause)}); nothing was sent`;
    throw new UsageError('INVALID_BODY', text, 'body', { cause });
  }
}

/** @throws UsageError that names the topic and what is wrong, never the body */
async function assertValid({ name, schema }: Pick<TopicDefinition, 'name' | 'schema'>, body: unknown): Promise<void> {
  const { problem } = await validated(schema, body);
  if (problem === undefined) return;
  const text = `message to "${name}": the body does not fit the topic's schema (${problem}); nothing was sent`;
  throw new UsageError('INVALID_BODY', text, 'body');
}

interface Validated {
  readonly value?: unknown;
  readonly problem?: string;
}

/** The output of a schema, or what is wrong with the value: its fields, never their contents. */
export function validated(schema: StandardSchemaV1 | undefined, value: unknown): Validated | PromiseLike<Validated> {
  if (schema === undefined) return { value };
  return continued(schema['~standard'].validate(value), (result) =>
    result.issues === undefined ? { value: result.value } : { problem: issuesText(result.issues) },
  );
}

/** A received message after the application's hooks, and its body after the topic's schema. */
export interface DecodedMessage {
  readonly message: MessageView;
  readonly body: unknown;
}

/**
 * Decodes a received message, at once unless a hook, a step of `upgrade` or the schema needs time.
 * @param consumerGroup undefined in a transaction check
 * @throws InvalidBodyError that names the topic and what is wrong, never the body; whatever a hook throws
 */
export function decodeMessage(
  topic: TopicDefinition,
  received: MessageView,
  { codec, hooks }: Pick<MessageWire, 'codec' | 'hooks'>,
  consumerGroup?: string,
): DecodedMessage | PromiseLike<DecodedMessage> {
  const decode = (message: MessageView): DecodedMessage | PromiseLike<DecodedMessage> =>
    continued(decodeBody(topic, message, codec), (body) => ({ message, body }));
  return hooks === undefined ? decode(received) : continued(hooks.incoming(received, { consumerGroup }), decode);
}

function decodeBody(definition: TopicDefinition, message: MessageView, defaultCodec: BodyCodec): unknown {
  const { topic, messageId } = message;
  const { schema, codec } = definition;
  const newer = newerVersion(definition, message);
  let body: unknown;
  try {
    body = (codec ?? defaultCodec).decode(message.body);
  } catch (error) {
    // The cause is dropped, because a JSON parser quotes the body in its errors.
    const why = error instanceof UndecodableBody ? `: ${error.message}` : '';
    throw new InvalidBodyError(topic, messageId, `of ${message.body.length} bytes cannot be decoded${why}`, { newer });
  }
  const upgraded = upgradedBody(definition, message, body);
  return continued(
    continued(upgraded, (current) => validated(schema, current)),
    ({ value, problem }) => {
      if (problem === undefined) return value;
      throw new InvalidBodyError(topic, messageId, `does not fit the topic's schema (${problem})`, { newer });
    },
  );
}

/** `items.0.quantity: expected a number`, for the first few issues. */
function issuesText(issues: readonly StandardSchemaV1.Issue[]): string {
  return reasonsText(issues.map(({ path, message }) => issueText(path, message)));
}
