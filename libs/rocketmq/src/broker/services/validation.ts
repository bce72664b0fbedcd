// Validates requests with the codes and messages of the real server, because programs match them (PROTOCOL: limits, error
// catalogue).

import { durationMs } from '../../protocol/grpc/duration.js';
import {
  Code,
  type Resource,
  type SystemProperties,
  type Message as WireMessage,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../../protocol/model/limits.js';
import {
  consumerGroupNameFault,
  hasControlCharacter,
  isReservedProperty,
  liteTopicFault,
  type NameFault,
  topicNameFault,
} from '../../protocol/model/names.js';
import { SECOND_MS } from '../../support/clock.js';
import { AnswerError } from './status.js';

const ILLEGAL_CHARACTERS = 'contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$';
/** How many characters of a name that is too long the message quotes. */
const MAX_ECHOED = 255;

/** The validated name of a topic. */
export function topicName(topic: Resource | undefined): string {
  const name = topic?.name ?? '';
  const fault = topicNameFault(name);
  if (fault !== undefined) throw new AnswerError(Code.ILLEGAL_TOPIC, wordsOfTopic(fault, name));
  return name;
}

function wordsOfTopic(fault: NameFault, name: string): string {
  switch (fault) {
    case 'blank':
      return 'The specified topic is blank';
    case 'too-long':
      return `The specified topic is longer than topic max length ${LIMITS.topicNameLength}.`;
    case 'characters':
      return `The specified topic[${name}] ${ILLEGAL_CHARACTERS}`;
    case 'reserved':
      return `cannot access system topic: ${name}`;
  }
}

/** The validated name of a consumer group. */
export function groupName(group: Resource | undefined): string {
  const name = group?.name ?? '';
  const fault = consumerGroupNameFault(name);
  if (fault !== undefined) throw new AnswerError(Code.ILLEGAL_CONSUMER_GROUP, wordsOfGroup(fault, name));
  return name;
}

function wordsOfGroup(fault: NameFault, name: string): string {
  switch (fault) {
    case 'blank':
      return 'the specified group is blank';
    case 'too-long':
      return `the specified group[${name.slice(0, MAX_ECHOED)}] is longer than group max length: ${LIMITS.consumerGroupNameLength}.`;
    case 'characters':
      return `the specified group[${name}] ${ILLEGAL_CHARACTERS}`;
    case 'reserved':
      return `cannot use system consumer group: ${name}`;
  }
}

/** @throws AnswerError ILLEGAL_INVISIBLE_TIME */
export function assertInvisibleTime(invisibleMs: number, minMs: number): void {
  const { invisibleDurationMaxMs: maxMs } = LIMITS;
  if (invisibleMs >= minMs && invisibleMs <= maxMs) return;
  const words = invisibleMs < minMs ? `too small. min is ${minMs}` : `too large. max is ${maxMs}`;
  throw new AnswerError(Code.ILLEGAL_INVISIBLE_TIME, `the invisibleTime is ${words}, it is ${invisibleMs} ms`);
}

/** @throws AnswerError with the code of the first violation */
export function assertMessage(message: WireMessage, nowMs: number, maxDelayMs: number): SystemProperties {
  const system = message.systemProperties;
  if (system === undefined || system.messageId.trim() === '') {
    throw new AnswerError(Code.ILLEGAL_MESSAGE_ID, 'message id cannot be empty');
  }
  const size = message.body.length;
  if (size === 0) throw new AnswerError(Code.MESSAGE_BODY_EMPTY, 'message body cannot be empty');
  if (size > LIMITS.bodyBytes) {
    const message = `message body cannot exceed the max ${LIMITS.bodyBytes}, it has ${size} bytes`;
    throw new AnswerError(Code.MESSAGE_BODY_TOO_LARGE, message);
  }
  assertTagAndKeys(system);
  assertProperties(message.userProperties, system);
  assertMessageGroup(system.messageGroup);
  if (hasLiteTopic(system.liteTopic)) assertLiteTopic(system.liteTopic);
  assertPriority(system.priority);
  assertTimes(system, nowMs, maxDelayMs);
  return system;
}

function assertTagAndKeys({ tag, keys }: SystemProperties): void {
  if (tag?.includes('|')) throw new AnswerError(Code.ILLEGAL_MESSAGE_TAG, "tag cannot contain '|'");
  assertText('tag', tag, Code.ILLEGAL_MESSAGE_TAG);
  for (const key of keys) assertText('key', key, Code.ILLEGAL_MESSAGE_KEY);
}

/** The real server treats an empty string as absent and rejects a blank one. */
function assertText(what: string, text: string | undefined, code: Code): void {
  if (text === undefined || text === '') return;
  if (text.trim() === '') throw new AnswerError(code, `${what} cannot be the char sequence of whitespace`);
  if (hasControlCharacter(text)) throw new AnswerError(code, `${what} cannot contain control character`);
}

function assertProperties(properties: Readonly<Record<string, string>>, { tag, keys }: SystemProperties): void {
  const entries = Object.entries(properties);
  if (entries.length > LIMITS.properties) {
    const message = `too many user properties, max is ${LIMITS.properties}, there are ${entries.length}`;
    throw new AnswerError(Code.MESSAGE_PROPERTIES_TOO_LARGE, message);
  }
  for (const [name, value] of entries) {
    if (isReservedProperty(name)) {
      throw new AnswerError(Code.ILLEGAL_MESSAGE_PROPERTY_KEY, `property is used by system: ${name}`);
    }
    if (hasControlCharacter(name) || hasControlCharacter(value)) {
      const where = hasControlCharacter(name) ? 'key' : 'value';
      const message = `the ${where} of property cannot contain control character`;
      throw new AnswerError(Code.ILLEGAL_MESSAGE_PROPERTY_KEY, message);
    }
  }
  const size = [tag ?? '', ...keys, ...entries.flat()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (size > LIMITS.propertiesBytes) {
    const message = `the total size of user property is too large, max is ${LIMITS.propertiesBytes}, it is ${size} bytes`;
    throw new AnswerError(Code.MESSAGE_PROPERTIES_TOO_LARGE, message);
  }
}

/** As on the real server, an empty message group means none. */
export function hasMessageGroup(messageGroup: string | undefined): messageGroup is string {
  return messageGroup !== undefined && messageGroup !== '';
}

function assertMessageGroup(messageGroup: string | undefined): void {
  if (!hasMessageGroup(messageGroup)) return;
  const size = Buffer.byteLength(messageGroup);
  if (size >= LIMITS.messageGroupBytes) {
    const message = `message group exceed the max size ${LIMITS.messageGroupBytes}, it has ${size} bytes and may have ${LIMITS.messageGroupBytes - 1}`;
    throw new AnswerError(Code.ILLEGAL_MESSAGE_GROUP, message);
  }
  assertText('message group', messageGroup, Code.ILLEGAL_MESSAGE_GROUP);
}

/** As on the real server, an empty lite topic means none. */
export function hasLiteTopic(liteTopic: string | undefined): liteTopic is string {
  return liteTopic !== undefined && liteTopic !== '';
}

const LITE_TOPIC_WORDS = {
  blank: 'cannot be the char sequence of whitespace',
  'too-long': `exceed the max size ${LIMITS.liteTopicLength}`,
  characters: 'can only contain alphanumeric characters, hyphens(-), and underscores(_)',
} as const;

/** @throws AnswerError ILLEGAL_LITE_TOPIC */
export function assertLiteTopic(liteTopic: string): void {
  const fault = liteTopicFault(liteTopic);
  if (fault !== undefined) throw new AnswerError(Code.ILLEGAL_LITE_TOPIC, `lite topic ${LITE_TOPIC_WORDS[fault]}`);
}

function assertPriority(priority: number | undefined): void {
  if (priority === undefined || priority >= 0) return;
  throw new AnswerError(Code.BAD_REQUEST, `the priority cannot be negative, it is ${priority}`);
}

const FIRST_TIME_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_TIME_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** Whether `google.protobuf.Timestamp` can represent the time. Others have no order and could not be sent to consumers. */
export function isTime(atMs: number): boolean {
  return atMs >= FIRST_TIME_MS && atMs <= LAST_TIME_MS;
}

export const NO_BORN_TIME = 'the born timestamp is no time of the years 1 to 9999';

function assertTimes(
  { bornTimestamp, deliveryTimestamp, orphanedTransactionRecoveryDuration }: SystemProperties,
  nowMs: number,
  maxDelayMs: number,
): void {
  if (bornTimestamp !== undefined && !isTime(bornTimestamp.getTime())) {
    throw new AnswerError(Code.BAD_REQUEST, NO_BORN_TIME);
  }
  if (deliveryTimestamp !== undefined && !isTime(deliveryTimestamp.getTime())) {
    throw new AnswerError(Code.ILLEGAL_DELIVERY_TIME, 'the delivery timestamp is no time of the years 1 to 9999');
  }
  if (deliveryTimestamp !== undefined && deliveryTimestamp.getTime() > nowMs + maxDelayMs) {
    throw new AnswerError(
      Code.ILLEGAL_DELIVERY_TIME,
      `the max delay time of message is too large, max is ${maxDelayMs} ms`,
    );
  }
  if (
    orphanedTransactionRecoveryDuration !== undefined &&
    durationMs(orphanedTransactionRecoveryDuration) > LIMITS.recoveryDurationMs
  ) {
    const most = LIMITS.recoveryDurationMs / SECOND_MS;
    const message = `the max transaction recovery time of message is too large, max is ${most} s`;
    throw new AnswerError(Code.BAD_REQUEST, message);
  }
}
