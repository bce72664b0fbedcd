// The request to send messages, written in one pass into one buffer with gRPC's prefix before it. It is the one request whose
// cost every message pays: the generated code makes three copies of the body. What is unusual is left to the generated code.

import { MESSAGE_PREFIX_BYTES, writeMessagePrefix } from '../support/grpc/framing.js';
import type { Message, SystemProperties } from './generated/apache/rocketmq/v2/definition.js';
import type { SendMessageRequest } from './generated/apache/rocketmq/v2/service.js';
import {
  entrySize,
  fieldSize,
  numberFieldSize,
  textFieldSize,
  textSize,
  timeSize,
  varintSize,
  writeLength,
  writeNumberField,
  writeText,
  writeTextField,
  writeTime,
  writeVarint,
} from './wire-writing.js';

/** Lengths of the parts that stand before what they measure. */
interface Sizes {
  readonly topic: number;
  readonly system: number;
  readonly whole: number;
}

/** The framed request; undefined when a message holds what only the generated code writes. */
export function frameSendMessage({ messages }: SendMessageRequest): Buffer | undefined {
  let size = 0;
  const sizes: Sizes[] = [];
  for (const message of messages) {
    if (!isUsual(message)) return undefined;
    const sized = sizesOf(message);
    sizes.push(sized);
    size += fieldSize(sized.whole);
  }
  const frame = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES + size);
  writeMessagePrefix(frame, size);
  let at = MESSAGE_PREFIX_BYTES;
  for (let index = 0; index < messages.length; index++) {
    at = writeMessage(frame, at, messages[index] as Message, sizes[index] as Sizes);
  }
  return frame;
}

/** Fields that producers leave empty, or fill rarely. */
const OTHERS: readonly (keyof SystemProperties)[] = [
  'bodyDigest',
  'storeTimestamp',
  'receiptHandle',
  'queueOffset',
  'invisibleDuration',
  'deliveryAttempt',
  'traceContext',
  'orphanedTransactionRecoveryDuration',
  'deadLetterQueue',
  'liteTopic',
];

/** What producers fill, and nothing that takes more than 32 bits or a sign. */
function isUsual({ topic, systemProperties: system, body }: Message): boolean {
  if (topic === undefined || system === undefined || !Buffer.isBuffer(body)) return false;
  if (system.storeHost !== '' || OTHERS.some((name) => system[name] !== undefined)) return false;
  return isUint32(system.queueId) && isUint32(system.priority ?? 0) && isUsualEnum(system) && areUsualTimes(system);
}

function isUsualEnum({ bodyEncoding, messageType }: SystemProperties): boolean {
  return isUint32(bodyEncoding) && isUint32(messageType);
}

function areUsualTimes({ bornTimestamp, deliveryTimestamp }: SystemProperties): boolean {
  return isUsualTime(bornTimestamp) && isUsualTime(deliveryTimestamp);
}

function isUsualTime(date: Date | undefined): boolean {
  if (date === undefined) return true;
  const ms = date.getTime();
  return Number.isInteger(ms) && ms >= 0 && ms < 2 ** 32 * 1_000;
}

function isUint32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 31;
}

function sizesOf({ topic, userProperties, systemProperties: system, body }: Message): Sizes {
  const topicSize = textFieldSize(topic?.resourceNamespace ?? '') + textFieldSize(topic?.name ?? '');
  const systemSize = systemSizeOf(system as SystemProperties);
  let whole = fieldSize(topicSize) + fieldSize(systemSize) + (body.length === 0 ? 0 : fieldSize(body.length));
  for (const name in userProperties) whole += fieldSize(entrySize(name, userProperties[name] as string));
  return { topic: topicSize, system: systemSize, whole };
}

function systemSizeOf(system: SystemProperties): number {
  let size = textFieldSize(system.messageId) + textFieldSize(system.bornHost);
  if (system.tag !== undefined) size += fieldSize(textSize(system.tag));
  for (const key of system.keys) size += fieldSize(textSize(key));
  size += numberFieldSize(system.bodyEncoding) + numberFieldSize(system.messageType) + numberFieldSize(system.queueId);
  if (system.bornTimestamp !== undefined) size += fieldSize(timeSize(system.bornTimestamp));
  if (system.deliveryTimestamp !== undefined) size += fieldSize(timeSize(system.deliveryTimestamp));
  // From field 16 on, a tag takes two bytes.
  if (system.messageGroup !== undefined) size += 1 + fieldSize(textSize(system.messageGroup));
  if (system.priority !== undefined) size += 2 + varintSize(system.priority);
  return size;
}

function writeMessage(frame: Buffer, start: number, message: Message, sizes: Sizes): number {
  const { topic, userProperties, systemProperties, body } = message;
  let at = writeLength(frame, start, 0x0a, sizes.whole);
  at = writeLength(frame, at, 0x0a, sizes.topic);
  at = writeTextField(frame, at, 0x0a, topic?.resourceNamespace ?? '');
  at = writeTextField(frame, at, 0x12, topic?.name ?? '');
  for (const name in userProperties) {
    const value = userProperties[name] as string;
    at = writeLength(frame, at, 0x12, entrySize(name, value));
    at = writeTextField(frame, at, 0x0a, name);
    at = writeTextField(frame, at, 0x12, value);
  }
  at = writeLength(frame, at, 0x1a, sizes.system);
  at = writeSystem(frame, at, systemProperties as SystemProperties);
  if (body.length === 0) return at;
  at = writeLength(frame, at, 0x22, body.length);
  body.copy(frame, at);
  return at + body.length;
}

function writeSystem(frame: Buffer, start: number, system: SystemProperties): number {
  let at = start;
  if (system.tag !== undefined) at = writeText(frame, at, 0x0a, system.tag);
  for (const key of system.keys) at = writeText(frame, at, 0x12, key);
  at = writeTextField(frame, at, 0x1a, system.messageId);
  at = writeNumberField(frame, at, 0x28, system.bodyEncoding);
  at = writeNumberField(frame, at, 0x30, system.messageType);
  if (system.bornTimestamp !== undefined) at = writeTime(frame, at, 0x3a, system.bornTimestamp);
  at = writeTextField(frame, at, 0x42, system.bornHost);
  if (system.deliveryTimestamp !== undefined) at = writeTime(frame, at, 0x5a, system.deliveryTimestamp);
  at = writeNumberField(frame, at, 0x68, system.queueId);
  if (system.messageGroup !== undefined) {
    frame[at++] = 0x8a;
    at = writeText(frame, at, 0x01, system.messageGroup);
  }
  if (system.priority !== undefined) {
    frame[at++] = 0xb0;
    frame[at++] = 0x01;
    at = writeVarint(frame, at, system.priority);
  }
  return at;
}
