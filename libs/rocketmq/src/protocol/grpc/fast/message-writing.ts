// Writes a message as a field of another one, in one pass: in send requests and in the answers to polls. Unusual fields are left to
// the generated code.

import { MESSAGE_PREFIX_BYTES, writeMessagePrefix } from '../../../support/grpc/framing.js';
import type { Digest, Message, SystemProperties } from '../generated/apache/rocketmq/v2/definition.js';
import type { SendMessageRequest } from '../generated/apache/rocketmq/v2/service.js';
import {
  entrySize,
  fieldSize,
  isUint31,
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

/** The lengths that precede the parts they measure. */
interface MessageSizes {
  readonly topic: number;
  readonly system: number;
  readonly whole: number;
}

/** Whether {@link writeMessage} supports all fields: no others, no numbers with too many bits, no negative ones. */
export function isUsual({ topic, systemProperties: system, body }: Message): boolean {
  if (topic === undefined || system === undefined || !Buffer.isBuffer(body)) return false;
  return !hasRareFields(system) && areUsualNumbers(system) && areUsualTimes(system);
}

/** Fields that are rarely filled. */
function hasRareFields(system: SystemProperties): boolean {
  return (
    system.invisibleDuration !== undefined ||
    system.traceContext !== undefined ||
    system.orphanedTransactionRecoveryDuration !== undefined ||
    system.deadLetterQueue !== undefined
  );
}

function areUsualNumbers(system: SystemProperties): boolean {
  return (
    isUint31(system.queueId) &&
    isUint31(system.priority ?? 0) &&
    isUint31(system.deliveryAttempt ?? 0) &&
    isUint31(system.bodyEncoding) &&
    isUint31(system.messageType) &&
    isUint31(system.bodyDigest?.type ?? 0) &&
    isUint31(Number(system.queueOffset ?? 0n))
  );
}

function areUsualTimes({ bornTimestamp, storeTimestamp, deliveryTimestamp }: SystemProperties): boolean {
  return isUsualTime(bornTimestamp) && isUsualTime(storeTimestamp) && isUsualTime(deliveryTimestamp);
}

function isUsualTime(date: Date | undefined): boolean {
  if (date === undefined) return true;
  const ms = date.getTime();
  return Number.isInteger(ms) && ms >= 0 && ms < 2 ** 32 * 1_000;
}

export function sizesOf({ topic, userProperties, systemProperties: system, body }: Message): MessageSizes {
  const topicSize = textFieldSize(topic?.resourceNamespace ?? '') + textFieldSize(topic?.name ?? '');
  const systemSize = systemSizeOf(system as SystemProperties);
  let whole = fieldSize(topicSize) + fieldSize(systemSize) + (body.length === 0 ? 0 : fieldSize(body.length));
  for (const name in userProperties) whole += fieldSize(entrySize(name, userProperties[name] as string));
  return { topic: topicSize, system: systemSize, whole };
}

function systemSizeOf(system: SystemProperties): number {
  let size = textFieldSize(system.messageId) + textFieldSize(system.bornHost) + textFieldSize(system.storeHost);
  if (system.tag !== undefined) size += fieldSize(textSize(system.tag));
  for (const key of system.keys) size += fieldSize(textSize(key));
  size += numberFieldSize(system.bodyEncoding) + numberFieldSize(system.messageType) + numberFieldSize(system.queueId);
  if (system.bornTimestamp !== undefined) size += fieldSize(timeSize(system.bornTimestamp));
  if (system.deliveryTimestamp !== undefined) size += fieldSize(timeSize(system.deliveryTimestamp));
  // From field 16 on, a tag takes two bytes.
  if (system.messageGroup !== undefined) size += 1 + fieldSize(textSize(system.messageGroup));
  if (system.liteTopic !== undefined) size += 1 + fieldSize(textSize(system.liteTopic));
  if (system.priority !== undefined) size += 2 + varintSize(system.priority);
  return size + deliverySizeOf(system);
}

/** Fields that only the server sets. */
function deliverySizeOf(system: SystemProperties): number {
  let size = 0;
  if (system.bodyDigest !== undefined) size += fieldSize(digestSize(system.bodyDigest));
  if (system.storeTimestamp !== undefined) size += fieldSize(timeSize(system.storeTimestamp));
  if (system.receiptHandle !== undefined) size += fieldSize(textSize(system.receiptHandle));
  if (system.queueOffset !== undefined) size += 1 + varintSize(Number(system.queueOffset));
  if (system.deliveryAttempt !== undefined) size += 2 + varintSize(system.deliveryAttempt);
  return size;
}

function digestSize({ type, checksum }: Digest): number {
  return numberFieldSize(type) + textFieldSize(checksum);
}

/** @returns the end offset */
export function writeMessage(frame: Buffer, start: number, tag: number, message: Message, sizes: MessageSizes): number {
  const { topic, userProperties, systemProperties, body } = message;
  let at = writeLength(frame, start, tag, sizes.whole);
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
  if (system.bodyDigest !== undefined) at = writeDigest(frame, at, system.bodyDigest);
  at = writeNumberField(frame, at, 0x28, system.bodyEncoding);
  at = writeNumberField(frame, at, 0x30, system.messageType);
  if (system.bornTimestamp !== undefined) at = writeTime(frame, at, 0x3a, system.bornTimestamp);
  at = writeTextField(frame, at, 0x42, system.bornHost);
  if (system.storeTimestamp !== undefined) at = writeTime(frame, at, 0x4a, system.storeTimestamp);
  at = writeTextField(frame, at, 0x52, system.storeHost);
  if (system.deliveryTimestamp !== undefined) at = writeTime(frame, at, 0x5a, system.deliveryTimestamp);
  if (system.receiptHandle !== undefined) at = writeText(frame, at, 0x62, system.receiptHandle);
  at = writeNumberField(frame, at, 0x68, system.queueId);
  return writeLaterFields(frame, at, system);
}

/** From field 14 on; from 16 on a tag takes two bytes. */
function writeLaterFields(frame: Buffer, start: number, system: SystemProperties): number {
  let at = start;
  if (system.queueOffset !== undefined) {
    frame[at++] = 0x70;
    at = writeVarint(frame, at, Number(system.queueOffset));
  }
  if (system.deliveryAttempt !== undefined) {
    frame[at++] = 0x80;
    frame[at++] = 0x01;
    at = writeVarint(frame, at, system.deliveryAttempt);
  }
  if (system.messageGroup !== undefined) {
    frame[at++] = 0x8a;
    at = writeText(frame, at, 0x01, system.messageGroup);
  }
  if (system.liteTopic !== undefined) {
    frame[at++] = 0xaa;
    at = writeText(frame, at, 0x01, system.liteTopic);
  }
  if (system.priority !== undefined) {
    frame[at++] = 0xb0;
    frame[at++] = 0x01;
    at = writeVarint(frame, at, system.priority);
  }
  return at;
}

function writeDigest(frame: Buffer, start: number, digest: Digest): number {
  let at = writeLength(frame, start, 0x22, digestSize(digest));
  at = writeNumberField(frame, at, 0x08, digest.type);
  return writeTextField(frame, at, 0x12, digest.checksum);
}

/** The framed request; undefined when a message contains fields that only the generated code can write. */
export function frameSendMessage({ messages }: SendMessageRequest): Buffer | undefined {
  let size = 0;
  const sizes: MessageSizes[] = [];
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
    at = writeMessage(frame, at, 0x0a, messages[index] as Message, sizes[index] as MessageSizes);
  }
  return frame;
}
