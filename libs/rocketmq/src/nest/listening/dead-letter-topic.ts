// Dead letters sent to a topic of the application's choice, with their origin and reason in properties.

import type { DeadLetter } from '../../consumer/model/failure-policy.js';
import type { Producer } from '../../producer/producer.js';
import { LIMITS } from '../../protocol/model/limits.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { isReservedProperty } from '../../protocol/model/names.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { TopicDefinition } from '../messages/topic-definition.js';

/** The properties of a message in a listener's `deadLetterTopic` that describe its origin. Values are strings, numbers in decimal. */
export const DEAD_LETTER_PROPERTIES = {
  topic: 'originTopic',
  messageId: 'originMessageId',
  consumerGroup: 'originConsumerGroup',
  /** Deliveries, including the last one. */
  attempts: 'originAttempts',
  /** See `DeadLetterReason`. */
  reason: 'deadLetterReason',
  errorName: 'errorName',
  /** At most 500 characters, on one line. */
  errorMessage: 'errorMessage',
} as const;

const ERROR_MESSAGE_LENGTH = 500;

/** Sends dead letters to a topic; resolves when the server has stored the message. */
export function deadLetterSender(
  { name }: TopicDefinition,
  producer: () => Producer | undefined,
): (deadLetter: DeadLetter) => Promise<void> {
  return async (deadLetter) => {
    const running = producer();
    if (running === undefined)
      throw new StateError('NOT_RUNNING', 'the producer is closed; the dead letter was not sent');
    await running.send(deadLetterMessage(name, deadLetter));
  };
}

/** The message as it is forwarded. */
function deadLetterMessage(topic: string, { message, consumerGroup, reason, error }: DeadLetter): OutgoingMessage {
  const names = DEAD_LETTER_PROPERTIES;
  const story = {
    [names.topic]: message.topic,
    [names.messageId]: message.messageId,
    [names.consumerGroup]: consumerGroup,
    [names.attempts]: String(message.deliveryAttempt),
    [names.reason]: reason,
    [names.errorName]: inOneLine(error instanceof Error ? error.name : typeof error),
    [names.errorMessage]: inOneLine(describeError(error)),
  };
  const own = Object.entries(message.properties).filter(
    ([name]) => !isReservedProperty(name) && !Object.hasOwn(story, name),
  );
  // The server rejects a message with more properties; the origin matters more than the message's last properties.
  const kept = own.slice(0, LIMITS.properties - Object.keys(story).length);
  const { body, tag, keys } = message;
  return { topic, body, tag, keys, properties: { ...Object.fromEntries(kept), ...story } };
}

/** The server rejects control characters and drops empty values. */
function inOneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cs}]+/gu, ' ').trim();
  return line === '' ? '-' : line.slice(0, ERROR_MESSAGE_LENGTH);
}
