// Dead letters sent to a topic of the application's choice, with their origin and reason in properties.

import type { DeadLetter } from '../../consumer/model/failure-policy.js';
import type { Producer } from '../../producer/producer.js';
import { orStored } from '../../producer/sending/durability.js';
import { FORWARDED_PROPERTIES, forwarded } from '../../protocol/model/forwarded-message.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { beginningOf } from '../../protocol/model/names.js';
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
  /** The tag, if it is not one that can be sent: other clients can store more. Control characters are written as in JSON. */
  tag: FORWARDED_PROPERTIES.tag,
  /** All keys as a JSON list, if not all of them can be sent. */
  keys: FORWARDED_PROPERTIES.keys,
  /**
   * `empty` if the message has no body: that of the dead letter is a blank then. `compressed` if it is larger than a send accepts: that of the
   * dead letter is compressed, with gzip or zlib, as the message was.
   */
  body: FORWARDED_PROPERTIES.body,
  /** The names of properties that do not fit, as a JSON list. */
  leftOut: FORWARDED_PROPERTIES.left,
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
    await running.send(deadLetterMessage(name, deadLetter)).catch(orStored);
  };
}

/** The message as it is forwarded. */
function deadLetterMessage(topic: string, { message, consumerGroup, reason, error }: DeadLetter): OutgoingMessage {
  const names = DEAD_LETTER_PROPERTIES;
  const story = {
    [names.topic]: message.topic,
    [names.messageId]: inOneLine(message.messageId),
    [names.consumerGroup]: consumerGroup,
    [names.attempts]: String(message.deliveryAttempt),
    [names.reason]: reason,
    [names.errorName]: inOneLine(error instanceof Error ? error.name : typeof error),
    [names.errorMessage]: inOneLine(describeError(error)),
  };
  return { topic, ...forwarded(message, story) } as OutgoingMessage;
}

/** The server rejects control characters and drops empty values. */
function inOneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cs}]+/gu, ' ').trim();
  return line === '' ? '-' : beginningOf(line, ERROR_MESSAGE_LENGTH);
}
