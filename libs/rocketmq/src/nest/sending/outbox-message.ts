// Creates a message for the outbox from the definition of its topic: validated and encoded while the transaction can still fail.

import type { OutboxMessage } from '../../sql/outbox-message.js';
import { type BodyCodec, encodeBody, jsonCodec } from '../messages/message-body.js';
import { assertFits, type MessageFields } from '../messages/outgoing.js';
import type { Given, TopicDefinition } from '../messages/topic-definition.js';

/**
 * Creates the message for `outbox.add` of `nestjs-rocketmq/sql`, with the body validated by the topic's schema and encoded, as a send
 * does. Prefixes of topics and outgoing hooks are applied when the relay sends it with `RocketMQProducer`.
 * @param codec of topics without one of their own; pass it where the module sets one. Default JSON
 * @throws UsageError when body or fields do not fit the topic
 */
export async function outboxMessage<Body, Input>(
  topic: TopicDefinition<Body, Input>,
  body: Given<Input>,
  fields: Omit<MessageFields, 'messageId'> = {},
  codec: BodyCodec = jsonCodec,
): Promise<OutboxMessage> {
  assertFits(topic as TopicDefinition, fields);
  return { ...fields, topic: topic.name, body: await encodeBody(topic as TopicDefinition, body, codec) };
}
