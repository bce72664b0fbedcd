// Checks a message before it is sent: the types of its fields, for a program without a compiler, and the limits of the server.

import { isUint8Array } from 'node:util/types';
import { UsageError } from '../../support/errors.js';
import { anyString, type Check, checkedElsewhere, describe, isIntegerFrom, listWhere } from '../../support/options.js';
import { isSendableKey, isSendableTag } from './forwarded-message.js';
import { LIMITS } from './limits.js';
import { deliveryTimestampMs, type OutgoingMessage } from './message.js';
import {
  HALF_CHARACTER_PROBLEM,
  hasControlCharacter,
  hasHalfCharacter,
  isReservedProperty,
  liteTopicProblem,
  MESSAGE_GROUP_PROPERTY,
  topicNameProblem,
} from './names.js';

type Reject = (field: string, code: string, problem: string) => void;

const isText = (value: unknown): boolean => typeof value === 'string';

/** The code and the check of each field by its type, for messages that no compiler has checked. Undefined is no value. */
const FIELDS: readonly (readonly [field: keyof OutgoingMessage, code: string, check: Check])[] = [
  ['topic', 'ILLEGAL_TOPIC', anyString],
  ['body', 'ILLEGAL_BODY', bodyProblem],
  ['tag', 'ILLEGAL_MESSAGE_TAG', anyString],
  ['keys', 'ILLEGAL_MESSAGE_KEY', listWhere('strings', isText)],
  ['properties', 'ILLEGAL_MESSAGE_PROPERTY_VALUE', propertiesProblem],
  ['messageGroup', 'ILLEGAL_MESSAGE_GROUP', anyString],
  [
    'deliverAt',
    'ILLEGAL_DELIVERY_TIME',
    (value) => (isDate(value) ? undefined : `must be a Date, not ${describe(value)}`),
  ],
  [
    'delayMs',
    'ILLEGAL_DELIVERY_TIME',
    (value) => (typeof value === 'number' ? undefined : `must be a number, not ${describe(value)}`),
  ],
  ['priority', 'ILLEGAL_PRIORITY', checkedElsewhere],
  ['liteTopic', 'ILLEGAL_LITE_TOPIC', anyString],
  ['messageId', 'ILLEGAL_MESSAGE_ID', anyString],
];

/** Never quotes the body. */
function bodyProblem(value: unknown): string | undefined {
  if (isUint8Array(value)) return undefined;
  if (typeof value !== 'string') return `must be a string or bytes, not ${typeName(value)}`;
  return hasHalfCharacter(value) ? HALF_CHARACTER_PROBLEM : undefined;
}

function isDate(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Date]';
}

function propertiesProblem(value: unknown): string | undefined {
  // A Map would have none.
  if (Object.prototype.toString.call(value) !== '[object Object]')
    return `must be an object of strings, not ${typeName(value)}`;
  const wrong = Object.entries(value as object).find(([, one]) => !isText(one));
  if (wrong === undefined) return undefined;
  const [name, one] = wrong;
  return `contains ${JSON.stringify(name)}${propertyProblem(name, one)?.problem}`;
}

function typeName(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  return `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}

/**
 * Checks that a message and its fields have the types that are declared, for a program without a compiler.
 * @param hasBytes false for a message whose body is encoded later
 * @throws UsageError that names the field; nothing was sent
 */
export function assertMessageTypes(message: unknown, hasBytes = true): void {
  assertIsMessage(message);
  const given = message as Readonly<Record<string, unknown>>;
  for (const [field, code, check] of FIELDS) {
    const value = given[field];
    const isRead = field === 'topic' || (field === 'body' ? hasBytes : value !== undefined);
    const problem = isRead ? check(value) : undefined;
    if (problem !== undefined) throw rejection(given.topic, field, code, problem);
  }
}

/** @throws UsageError `ILLEGAL_MESSAGE` for what has no fields */
export function assertIsMessage(message: unknown): void {
  if (typeof message === 'object' && message !== null && !Array.isArray(message)) return;
  const text = `a message must be an object with topic and body, not ${typeName(message)}; nothing was sent`;
  throw new UsageError('ILLEGAL_MESSAGE', text, 'message');
}

function rejection(topic: unknown, field: string, code: string, problem: string): UsageError {
  const where = typeof topic === 'string' ? `message to "${topic}"` : 'a message';
  return new UsageError(code, `${where}: ${field} ${problem}; nothing was sent`, field);
}

/**
 * Checks a message against the server's limits before it is sent. Its types must be right: {@link assertMessageTypes}.
 * @param maxBodyBytes more than the server's limit only for a body that is compressed later
 * @param maxDelayMs how far ahead a delayed message may be
 * @throws UsageError that names the field and the limit; nothing was sent
 */
export function assertSendable(
  message: OutgoingMessage,
  bodySize: number,
  nowMs: number,
  maxBodyBytes: number = LIMITS.bodyBytes,
  maxDelayMs: number = LIMITS.delayMs,
): void {
  const reject = (field: string, code: string, problem: string): never => {
    throw rejection(message.topic, field, code, problem);
  };
  const topicProblem = topicNameProblem(message.topic);
  if (topicProblem !== undefined) reject('topic', 'ILLEGAL_TOPIC', topicProblem);
  if (bodySize === 0) reject('body', 'MESSAGE_BODY_EMPTY', 'is empty; the server accepts 1 byte to 4 MiB');
  if (bodySize > maxBodyBytes) {
    reject('body', 'MESSAGE_BODY_TOO_LARGE', `has ${bodySize} bytes; the limit is ${maxBodyBytes}`);
  }
  if (message.messageId !== undefined && !isSendableId(message.messageId)) {
    const problem = 'must not be blank or contain control characters or half of a character';
    reject('messageId', 'ILLEGAL_MESSAGE_ID', problem);
  }
  assertLabels(message, reject);
  assertTiming(message, nowMs, maxDelayMs, reject);
  assertPriority(message, reject);
  assertLiteTopic(message, reject);
}

/** A control character could end the id in the list of properties that the server stores, and begin another one. */
function isSendableId(messageId: string): boolean {
  return messageId.trim() !== '' && !hasControlCharacter(messageId) && !hasHalfCharacter(messageId);
}

function assertLabels(message: OutgoingMessage, reject: Reject): void {
  const { tag, keys = [], properties = {} } = message;
  if (tag !== undefined && !isSendableTag(tag)) {
    reject('tag', 'ILLEGAL_MESSAGE_TAG', 'must not be blank or contain "|", control characters or half of a character');
  }
  for (const key of keys) {
    if (!isSendableKey(key)) {
      reject(
        'keys',
        'ILLEGAL_MESSAGE_KEY',
        `contains ${JSON.stringify(key)}: a key must not be empty or contain white space or half of a character`,
      );
    }
  }
  const entries = Object.entries(properties);
  if (entries.length > LIMITS.properties) {
    reject(
      'properties',
      'MESSAGE_PROPERTIES_TOO_LARGE',
      `has ${entries.length} entries; the limit is ${LIMITS.properties}`,
    );
  }
  for (const [name, value] of entries) {
    const found = propertyProblem(name, value);
    if (found !== undefined) reject('properties', found.code, `contains ${JSON.stringify(name)}${found.problem}`);
  }
  const size = [tag ?? '', ...keys, ...entries.flat()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (size > LIMITS.propertiesBytes) {
    const problem = `with tag and keys have ${size} bytes; the limit is ${LIMITS.propertiesBytes}`;
    reject('properties', 'MESSAGE_PROPERTIES_TOO_LARGE', problem);
  }
}

interface Problem {
  readonly code: string;
  readonly problem: string;
}

function problemOf(code: string, problem: string): Problem {
  return { code, problem };
}

/** Why a property cannot be sent; undefined if it can. `problem` follows its name. */
export function propertyProblem(name: string, value: unknown): Problem | undefined {
  const ofValue = (problem: string) => problemOf('ILLEGAL_MESSAGE_PROPERTY_VALUE', problem);
  // Values may be secrets.
  if (typeof value !== 'string') return ofValue(`, which must be a string, not ${typeName(value)}`);
  if (value === '') return ofValue(' with an empty value, which the server would drop; remove it');
  if (name === MESSAGE_GROUP_PROPERTY) {
    return problemOf(
      'ILLEGAL_MESSAGE_PROPERTY_KEY',
      ', in which the server stores the message group; set messageGroup',
    );
  }
  if (name === '' || isReservedProperty(name) || hasControlCharacter(name) || hasControlCharacter(value)) {
    const problem = ': the name is empty or reserved by the server, or there is a control character in it';
    return problemOf('ILLEGAL_MESSAGE_PROPERTY_KEY', problem);
  }
  if (hasHalfCharacter(name) || hasHalfCharacter(value))
    return ofValue(`, whose name or value ${HALF_CHARACTER_PROBLEM}`);
  return undefined;
}

/** The end of what the wire can carry. */
const MAX_DUE_MS = Date.UTC(10_000, 0) - 1;

function assertTiming(message: OutgoingMessage, nowMs: number, maxDelayMs: number, reject: Reject): void {
  const { messageGroup, deliverAt, delayMs } = message;
  if (messageGroup !== undefined) {
    const size = Buffer.byteLength(messageGroup);
    if (messageGroup.trim() === '' || size >= LIMITS.messageGroupBytes || hasControlCharacter(messageGroup)) {
      const problem = `must be 1 to ${LIMITS.messageGroupBytes - 1} bytes without control characters, not blank`;
      reject('messageGroup', 'ILLEGAL_MESSAGE_GROUP', problem);
    }
    if (hasHalfCharacter(messageGroup)) reject('messageGroup', 'ILLEGAL_MESSAGE_GROUP', HALF_CHARACTER_PROBLEM);
    if (deliverAt !== undefined || delayMs !== undefined) {
      reject('messageGroup', 'DELIVERY_TIME_WITH_GROUP', 'and a delivery time cannot be combined; set only one');
    }
  }
  if (deliverAt !== undefined && delayMs !== undefined) {
    reject('delayMs', 'ILLEGAL_DELIVERY_TIME', 'and deliverAt cannot be combined; set only one');
  }
  const dueMs = deliveryTimestampMs(message, nowMs);
  if (dueMs === undefined) return;
  const field = deliverAt === undefined ? 'delayMs' : 'deliverAt';
  if (!Number.isFinite(dueMs) || (delayMs !== undefined && delayMs < 0)) {
    reject(field, 'ILLEGAL_DELIVERY_TIME', 'must be a valid, non-negative time');
  }
  if (dueMs < 0 || dueMs > MAX_DUE_MS) {
    reject(field, 'ILLEGAL_DELIVERY_TIME', 'must be a time of the years 1970 to 9999');
  }
  if (dueMs > nowMs + maxDelayMs) {
    const problem = `is more than ${maxDelayMs} ms ahead; set the option maxDelayMs if the server allows more`;
    reject(field, 'ILLEGAL_DELIVERY_TIME', problem);
  }
}

function assertPriority({ priority, messageGroup, deliverAt, delayMs }: OutgoingMessage, reject: Reject): void {
  if (priority === undefined) return;
  if (!isIntegerFrom(priority, 0, LIMITS.priority)) {
    reject(
      'priority',
      'ILLEGAL_PRIORITY',
      `must be an integer from 0 to ${LIMITS.priority}, not ${describe(priority)}`,
    );
  }
  if (messageGroup !== undefined || deliverAt !== undefined || delayMs !== undefined) {
    reject(
      'priority',
      'PRIORITY_WITH_OTHER_TYPE',
      'cannot be combined with a message group or a delivery time; set only one',
    );
  }
}

function assertLiteTopic(message: OutgoingMessage, reject: Reject): void {
  const { liteTopic, messageGroup, priority, deliverAt, delayMs } = message;
  if (liteTopic === undefined) return;
  const problem = liteTopicProblem(liteTopic);
  if (problem !== undefined) reject('liteTopic', 'ILLEGAL_LITE_TOPIC', problem);
  if (messageGroup !== undefined || priority !== undefined || deliverAt !== undefined || delayMs !== undefined) {
    const combined = 'cannot be combined with a message group, a priority or a delivery time; set only one';
    reject('liteTopic', 'LITE_TOPIC_WITH_OTHER_TYPE', combined);
  }
}
