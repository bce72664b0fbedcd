// Creates a message for the outbox from the definition of its topic: validated and encoded while the transaction can still fail.

import type { TopicType } from '../../protocol/model/message.js';
import type { OutboxMessage } from '../../sql/outbox-message.js';
import { UsageError } from '../../support/errors.js';
import { assertObject, describe } from '../../support/options.js';
import { type BodyCodec, jsonCodec } from '../messages/body-codecs.js';
import { assertFits, encoded, type FieldArguments, type MessageFields } from '../messages/outgoing.js';
import { NAMES_AS_GIVEN } from '../messages/resource-names.js';
import type { NotInferred, TopicDefinition } from '../messages/topic-definition.js';

/** What is different for a message of the outbox. */
interface OutboxFields {
  /** Of topics without one of their own; pass it where the module sets one. Default: JSON. */
  readonly codec?: BodyCodec;
  /** The outbox assigns it. */
  readonly messageId?: undefined;
}

/**
 * Creates the message for `outbox.add` of `nestjs-rocketmq/sql`, with the body validated by the topic's schema and encoded, as a send
 * does. Prefixes of topics and outgoing hooks are applied when the relay sends it with `RocketMQProducer`.
 * @throws UsageError when body or fields do not fit the topic
 */
export async function outboxMessage<Body, Input, Type extends TopicType>(
  topic: TopicDefinition<Body, Input, Type>,
  body: NotInferred<Input>,
  ...options: FieldArguments<Type, OutboxFields>
): Promise<OutboxMessage> {
  if (typeof Object(topic).name !== 'string') {
    const text = `topic must be a topic from defineTopic(), not ${describe(topic)}; nothing was added`;
    throw new UsageError('ILLEGAL_TOPIC', text, 'topic');
  }
  const given = options[0] ?? {};
  assertObject('options', given);
  const { codec = jsonCodec, ...fields }: MessageFields & OutboxFields = given;
  assertFits(topic as TopicDefinition, fields);
  return encoded(topic as TopicDefinition, body, fields, { codec, names: NAMES_AS_GIVEN });
}
