// Converts messages, in both forms that applications use, into those that the client sends.

import { EncodingMessage } from '../../producer/sending/encoding-message.js';
import { orderKeyOf } from '../../producer/sending/send-turns.js';
import { messageTypeOf, type OutgoingMessage, type TopicType } from '../../protocol/model/message.js';
import { assertMessageTypes } from '../../protocol/model/message-checks.js';
import { UsageError } from '../../support/errors.js';
import { versionProperties } from './body-version.js';
import { encodeBody, type MessageWire } from './message-body.js';
import { type TopicDefinition, toTopicDefinition } from './topic-definition.js';

/** All fields of a message except its topic and body. */
export type MessageFields = Omit<OutgoingMessage, 'topic' | 'body'>;

/** The fields that decide the type of a message. */
export type TypeFields = Pick<MessageFields, 'messageGroup' | 'deliverAt' | 'delayMs' | 'priority' | 'liteTopic'>;

/** The fields of any message, with those of its type; the others must not be set. */
type With<Fields extends keyof TypeFields> = Omit<MessageFields, keyof TypeFields> & {
  readonly [Field in Fields]-?: NonNullable<TypeFields[Field]>;
} & { readonly [Field in Exclude<keyof TypeFields, Fields>]?: undefined };

interface FieldsByType {
  readonly normal: With<never>;
  readonly fifo: With<'messageGroup'>;
  readonly delay: With<'delayMs'> | With<'deliverAt'>;
  readonly priority: With<'priority'>;
  readonly lite: With<'liteTopic'>;
  readonly transaction: never;
}

/**
 * The fields of a message to a topic of this type: `messageGroup` of an ordered one, either `delayMs` or `deliverAt` of a delayed one,
 * and so on. A message to a transactional topic is not sent but is part of a transaction. Of a topic whose type the compiler does not know, all fields
 * are accepted and checked when the message is sent.
 */
export type FieldsOf<Type extends TopicType> = TopicType extends Type ? MessageFields : FieldsByType[Type];

/** The last parameters of a send: fields may be left out where the type of the topic needs none. */
export type FieldArguments<Type extends TopicType, More = unknown> = TopicType extends Type
  ? [options?: MessageFields & More]
  : [Type] extends ['normal']
    ? [options?: FieldsOf<Type> & More]
    : [Type] extends ['transaction']
      ? [useTransactionalSendOrTransaction: never]
      : [options: FieldsOf<Type> & More];

/** A message in its plain form. */
export interface PlainMessage extends MessageFields {
  readonly topic: string;
  /** Bytes are sent as they are, a string as UTF-8, anything else by the module's codec (JSON). */
  readonly body: unknown;
}

/** A message of a batch for one topic. */
export type TopicMessage<Input, Type extends TopicType = TopicType> = FieldsOf<Type> & { readonly body: Input };

/** A message by the definition of its topic. @throws UsageError when body or fields do not fit the topic */
export async function byDefinition(
  topic: TopicDefinition,
  body: unknown,
  fields: MessageFields,
  wire: MessageWire,
): Promise<OutgoingMessage> {
  assertFits(topic, fields);
  return encoded(topic, body, fields, wire);
}

/** A message by the name of its topic. @throws UsageError when the body cannot be encoded */
export async function byName(message: PlainMessage, wire: MessageWire): Promise<OutgoingMessage> {
  // The messages of a batch are checked nowhere else.
  assertMessageTypes(message, false);
  const { topic, body, ...fields } = message;
  return encoded(toTopicDefinition(topic), body, fields, wire);
}

/** A message with its body as bytes and its topic's name on the cluster, changed by the hooks. @throws as {@link byDefinition} */
export async function encoded(
  topic: TopicDefinition,
  body: unknown,
  fields: MessageFields,
  { codec, names, hooks }: MessageWire,
): Promise<OutgoingMessage> {
  assertMessageTypes({ ...fields, topic: topic.name }, false);
  const message = {
    ...fields,
    ...versionProperties(topic, fields.properties),
    topic: names.topic(topic.name),
    body: await encodeBody(topic, body, codec),
  };
  return hooks === undefined ? message : hooks.outgoing(message, { body });
}

/** A message that takes its place in the order of its message group or lite topic now. @param encoding also one that fails */
export function placed(
  topic: string,
  { messageGroup, liteTopic, messageId }: MessageFields,
  encoding: Promise<OutgoingMessage>,
  { names }: MessageWire,
): EncodingMessage {
  // Anything but a string is rejected when it is encoded.
  if (typeof topic !== 'string') return new EncodingMessage({ topic: '' }, encoding);
  return new EncodingMessage({ topic: names.topic(topic), messageGroup, liteTopic, messageId }, encoding);
}

/** Passes a message on: at once if it has an order, and otherwise when it is encoded. */
export function passOn<T>(
  topic: string,
  fields: MessageFields,
  encoding: Promise<OutgoingMessage>,
  wire: MessageWire,
  send: (message: OutgoingMessage | EncodingMessage) => Promise<T>,
): Promise<T> {
  const hasOrder = orderKeyOf({ ...fields, topic }) !== undefined;
  return hasOrder ? send(placed(topic, fields, encoding, wire)) : encoding.then(send);
}

/** Checked here, so that the error refers to the definition and the options, not to the cluster. */
export function assertFits({ name, type }: TopicDefinition, fields: MessageFields): void {
  const found = messageTypeOf({ ...fields, topic: name, body: '' });
  if (type === undefined || type === found) return;
  const fix: Readonly<Record<typeof type, string>> = {
    normal: 'leave out messageGroup, delayMs, deliverAt, priority and liteTopic',
    fifo: 'give a messageGroup and no delivery time',
    delay: 'give delayMs or deliverAt (0 and now are fine), and no messageGroup',
    priority: 'give a priority, no messageGroup and no delivery time',
    lite: 'give a liteTopic, no messageGroup, no priority and no delivery time',
    transaction: 'use @TransactionalSend or transaction()',
  };
  const text = `topic "${name}" is defined for ${type} messages, this is a ${found} one: ${fix[type]}; nothing was sent`;
  throw new UsageError('MESSAGE_TYPE_MISMATCH', text, 'type');
}
