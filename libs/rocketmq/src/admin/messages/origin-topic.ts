// The topic that a stored message was sent to, which is not always the one in which it lies.

import { DEAD_LETTER_PREFIX, RETRY_PREFIX } from '../../protocol/model/names.js';
import { kindOfTopic, originOfRetryTopic } from '../system-names.js';
import { PROPERTIES, type StoredMessageView } from './message-view.js';

/** The names of properties that the server sets, whose values are those of one message. */
type Property = (name: string) => string | undefined;

/**
 * The topic that a message was sent to, also of a copy in a retry topic, in a dead letter queue, or among delayed and half messages. Undefined
 * when the server did not keep it.
 */
export function originTopicOf(message: StoredMessageView & { readonly originTopic?: string }): string | undefined {
  const { topic, systemProperties } = message;
  if (message.originTopic !== undefined) return message.originTopic;
  const property: Property = (name) => systemProperties[name];
  switch (kindOfTopic(topic, new Set())) {
    case 'user':
      return topic;
    case 'retry': {
      const group = property(PROPERTIES.originGroup);
      const own = property(PROPERTIES.retryTopic);
      if (own !== undefined && !own.startsWith(RETRY_PREFIX)) return own;
      return group === undefined ? undefined : originOfRetryTopic(group, topic);
    }
    case 'dead-letter':
      return originOfDeadLetter(topic.slice(DEAD_LETTER_PREFIX.length), property);
    case 'system':
      return property(PROPERTIES.realTopic);
  }
}

/** Set by the server when it moved the message there; for a redelivery it is the name of the retry topic. */
export function originOfDeadLetter(consumerGroup: string, property: Property): string | undefined {
  const from = property(PROPERTIES.retryTopic);
  if (from === undefined || !from.startsWith(RETRY_PREFIX)) return from;
  return originOfRetryTopic(property(PROPERTIES.originGroup) ?? consumerGroup, from);
}
