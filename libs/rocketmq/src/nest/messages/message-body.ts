// Encodes and decodes bodies: the codec converts them, the topic's schema validates them.

import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { MessageView } from '../../protocol/model/message.js';
import { UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { BodyCodec } from './body-codec.js';
import { InvalidBodyError } from './invalid-body.js';
import type { MessageWire } from './message-wire.js';
import type { TopicDefinition } from './topic-definition.js';

/**
 * The bytes of a body. The body is sent as passed, not as the schema transforms it: the receiver's own schema does that.
 * @throws UsageError that names the topic and what is wrong, never the body
 */
export async function encodeBody(
  { name, schema, codec }: TopicDefinition,
  body: unknown,
  defaultCodec: BodyCodec,
): Promise<Uint8Array | string> {
  const result = await schema?.['~standard'].validate(body);
  if (result?.issues !== undefined) {
    const text = `message to "${name}": the body does not fit the topic's schema (${issuesText(result.issues)}); nothing was sent`;
    throw new UsageError('INVALID_BODY', text, 'body');
  }
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  try {
    return (codec ?? defaultCodec).encode(body);
  } catch (cause) {
    const text = `message to "${name}": the body cannot be encoded (${describeError(cause)}); nothing was sent`;
    throw new UsageError('INVALID_BODY', text, 'body', { cause });
  }
}

/** A received message after the application's hooks, and its body after the topic's schema. */
export interface DecodedMessage {
  readonly message: MessageView;
  readonly body: unknown;
}

/**
 * Decodes a received message.
 * @param consumerGroup undefined in a transaction check
 * @throws InvalidBodyError that names the topic and what is wrong, never the body; whatever a hook throws
 */
export async function decodeMessage(
  topic: TopicDefinition,
  received: MessageView,
  { codec, hooks }: Pick<MessageWire, 'codec' | 'hooks'>,
  consumerGroup?: string,
): Promise<DecodedMessage> {
  const message = hooks === undefined ? received : await hooks.incoming(received, { consumerGroup });
  return { message, body: await decodeBody(topic, message, codec) };
}

async function decodeBody(
  { schema, codec }: TopicDefinition,
  message: MessageView,
  defaultCodec: BodyCodec,
): Promise<unknown> {
  const { topic, messageId } = message;
  let body: unknown;
  try {
    body = (codec ?? defaultCodec).decode(message.body);
  } catch {
    // The cause is dropped, because a JSON parser quotes the body in its errors.
    throw new InvalidBodyError(topic, messageId, `of ${message.body.length} bytes cannot be decoded`);
  }
  if (schema === undefined) return body;
  const result = await schema['~standard'].validate(body);
  if (result.issues === undefined) return result.value;
  throw new InvalidBodyError(topic, messageId, `does not fit the topic's schema (${issuesText(result.issues)})`);
}

/** `items.0.quantity: expected a number`, for the first few issues. */
function issuesText(issues: readonly StandardSchemaV1.Issue[]): string {
  const shown = issues.slice(0, 5).map(({ path = [], message }) => {
    const where = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    return where === '' ? message : `${where}: ${message}`;
  });
  const rest = issues.length - shown.length;
  return rest > 0 ? `${shown.join('; ')}; and ${rest} more` : shown.join('; ');
}
