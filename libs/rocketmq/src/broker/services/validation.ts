// What a request must look like, with the codes of the real server's validator (PROTOCOL: limits, error catalogue).

import { durationMs } from '../../protocol/duration.js';
import {
  Code,
  type Resource,
  type SystemProperties,
  type Message as WireMessage,
} from '../../protocol/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../../protocol/limits.js';
import {
  consumerGroupNameProblem,
  hasControlCharacter,
  isReservedProperty,
  topicNameProblem,
} from '../../protocol/names.js';
import { AnswerError } from './status.js';

const LITE_TOPIC = /^[a-zA-Z0-9_-]{1,64}$/;

/** The name of a topic, checked. */
export function topicName(topic: Resource | undefined): string {
  const name = topic?.name ?? '';
  const problem = topicNameProblem(name);
  if (problem !== undefined) throw new AnswerError(Code.ILLEGAL_TOPIC, `topic "${name}" ${problem}`);
  return name;
}

/** The name of a consumer group, checked. */
export function groupName(group: Resource | undefined): string {
  const name = group?.name ?? '';
  const problem = consumerGroupNameProblem(name);
  if (problem !== undefined) throw new AnswerError(Code.ILLEGAL_CONSUMER_GROUP, `consumer group "${name}" ${problem}`);
  return name;
}

/** @throws AnswerError with the code of the first thing that is wrong */
export function assertMessage(message: WireMessage, nowMs: number): SystemProperties {
  const system = message.systemProperties;
  if (system === undefined || system.messageId.trim() === '') {
    throw new AnswerError(Code.ILLEGAL_MESSAGE_ID, 'message id cannot be blank');
  }
  const size = message.body.length;
  if (size === 0) throw new AnswerError(Code.MESSAGE_BODY_EMPTY, 'message body cannot be empty');
  if (size > LIMITS.bodyBytes) {
    throw new AnswerError(
      Code.MESSAGE_BODY_TOO_LARGE,
      `message body has ${size} bytes, the limit is ${LIMITS.bodyBytes}`,
    );
  }
  assertTagAndKeys(system);
  assertProperties(message.userProperties, system);
  assertMessageGroup(system.messageGroup);
  assertLiteTopic(system.liteTopic);
  assertPriority(system.priority);
  assertTimes(system, nowMs);
  return system;
}

function assertTagAndKeys({ tag, keys }: SystemProperties): void {
  if (tag !== undefined && tag !== '' && (tag.trim() === '' || tag.includes('|') || hasControlCharacter(tag))) {
    throw new AnswerError(Code.ILLEGAL_MESSAGE_TAG, 'tag cannot be blank or hold "|" or control characters');
  }
  for (const key of keys) {
    // The real server takes an empty key for none, and refuses a blank one.
    if (key !== '' && (key.trim() === '' || hasControlCharacter(key))) {
      throw new AnswerError(Code.ILLEGAL_MESSAGE_KEY, 'key cannot be blank or hold control characters');
    }
  }
}

function assertProperties(properties: Readonly<Record<string, string>>, { tag, keys }: SystemProperties): void {
  const entries = Object.entries(properties);
  if (entries.length > LIMITS.properties) {
    const message = `${entries.length} user properties, the limit is ${LIMITS.properties}`;
    throw new AnswerError(Code.MESSAGE_PROPERTIES_TOO_LARGE, message);
  }
  for (const [name, value] of entries) {
    if (isReservedProperty(name)) {
      throw new AnswerError(Code.ILLEGAL_MESSAGE_PROPERTY_KEY, `property "${name}" is used by the system`);
    }
    if (hasControlCharacter(name) || hasControlCharacter(value)) {
      throw new AnswerError(Code.ILLEGAL_MESSAGE_PROPERTY_KEY, 'a property cannot hold control characters');
    }
  }
  const size = [tag ?? '', ...keys, ...entries.flat()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (size > LIMITS.propertiesBytes) {
    const message = `properties have ${size} bytes, the limit is ${LIMITS.propertiesBytes}`;
    throw new AnswerError(Code.MESSAGE_PROPERTIES_TOO_LARGE, message);
  }
}

/** An empty message group is none, as on the real server. */
export function hasMessageGroup(messageGroup: string | undefined): messageGroup is string {
  return messageGroup !== undefined && messageGroup !== '';
}

function assertMessageGroup(messageGroup: string | undefined): void {
  if (!hasMessageGroup(messageGroup)) return;
  const size = Buffer.byteLength(messageGroup);
  if (messageGroup.trim() === '' || size >= LIMITS.messageGroupBytes || hasControlCharacter(messageGroup)) {
    const message = `message group must have 1 to ${LIMITS.messageGroupBytes - 1} bytes and no control characters`;
    throw new AnswerError(Code.ILLEGAL_MESSAGE_GROUP, message);
  }
}

function assertLiteTopic(liteTopic: string | undefined): void {
  if (liteTopic === undefined || LITE_TOPIC.test(liteTopic)) return;
  throw new AnswerError(Code.ILLEGAL_LITE_TOPIC, 'a lite topic has 1 to 64 letters, digits, "_" or "-"');
}

function assertPriority(priority: number | undefined): void {
  if (priority === undefined || priority >= 0) return;
  throw new AnswerError(Code.BAD_REQUEST, `the priority cannot be negative, it is ${priority}`);
}

const FIRST_TIME_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_TIME_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** Whether it is a time that `google.protobuf.Timestamp` knows. What is none has no order, and could not be told to consumers. */
function isTime(date: Date): boolean {
  return date.getTime() >= FIRST_TIME_MS && date.getTime() <= LAST_TIME_MS;
}

function assertTimes(
  { bornTimestamp, deliveryTimestamp, orphanedTransactionRecoveryDuration }: SystemProperties,
  nowMs: number,
): void {
  if (bornTimestamp !== undefined && !isTime(bornTimestamp)) {
    throw new AnswerError(Code.BAD_REQUEST, 'the born timestamp is no time of the years 1 to 9999');
  }
  if (deliveryTimestamp !== undefined && !isTime(deliveryTimestamp)) {
    throw new AnswerError(Code.ILLEGAL_DELIVERY_TIME, 'the delivery timestamp is no time of the years 1 to 9999');
  }
  if (deliveryTimestamp !== undefined && deliveryTimestamp.getTime() > nowMs + LIMITS.delayMs) {
    throw new AnswerError(Code.ILLEGAL_DELIVERY_TIME, `the max delay time is ${LIMITS.delayMs} ms`);
  }
  if (
    orphanedTransactionRecoveryDuration !== undefined &&
    durationMs(orphanedTransactionRecoveryDuration) > LIMITS.recoveryDurationMs
  ) {
    const message = `the max orphaned transaction recovery duration is ${LIMITS.recoveryDurationMs} ms`;
    throw new AnswerError(Code.BAD_REQUEST, message);
  }
}
