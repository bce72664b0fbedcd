// Encodes and decodes bodies: the codec converts them, the topic's schema validates them.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { MessageView } from '../../protocol/model/message.js';
import { UsageError } from '../../support/errors.js';
import { describeError, issueText, reasonsText } from '../../support/logger.js';
import { continued } from '../../support/thenable.js';
import { type BodyCodec, UndecodableBody } from './body-codecs.js';
import { newerVersion, upgradedBody } from './body-version.js';
import { InvalidBodyError } from './invalid-body.js';
import type { MessageHooks } from './message-hooks.js';
import type { ResourceNames } from './resource-names.js';
import type { TopicDefinition } from './topic-definition.js';

/** How a connection converts messages: the codec for bodies, the names of topics, and the application's hooks. */
export interface MessageWire {
  readonly codec: BodyCodec;
  readonly names: ResourceNames;
  readonly hooks?: Pick<MessageHooks, 'outgoing' | 'incoming'>;
}

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
