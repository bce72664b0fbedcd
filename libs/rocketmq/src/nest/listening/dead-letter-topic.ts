// Dead letters sent to a topic of the application's choice, with their story in properties.

import type { DeadLetter } from '../../consumer/model/failure-policy.js';
import type { Producer } from '../../producer/producer.js';
import { LIMITS } from '../../protocol/model/limits.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { isReservedProperty } from '../../protocol/model/names.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { TopicDefinition } from '../messages/topic-definition.js';

/** The properties of a message in a listener's `deadLetterTopic` that tell its story. Values are texts, numbers in decimal. */
export const DEAD_LETTER_PROPERTIES = {
  topic: 'originTopic',
  messageId: 'originMessageId',
  consumerGroup: 'originConsumerGroup',
  /** Deliveries, the last one included. */
  attempts: 'originAttempts',
  /** See `DeadLetterReason`. */
  reason: 'deadLetterReason',
  errorName: 'errorName',
  /** At most 500 characters, in one line. */
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

/** The message as it is sent on. */
export function deadLetterMessage(
  topic: string,
  { message, consumerGroup, reason, error }: DeadLetter,
): OutgoingMessage {
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
  // The server refuses a message with more; its story is worth more than its last properties.
  const kept = own.slice(0, LIMITS.properties - Object.keys(story).length);
  const { body, tag, keys } = message;
  return { topic, body, tag, keys, properties: { ...Object.fromEntries(kept), ...story } };
}

/** The server refuses control characters and takes empty values for none. */
function inOneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cs}]+/gu, ' ').trim();
  return line === '' ? '-' : line.slice(0, ERROR_MESSAGE_LENGTH);
}
