// Handwritten codecs for acks and their answers, in one pass: they are on the path of every message.

import { MESSAGE_PREFIX_BYTES, writeMessagePrefix } from '../../support/grpc/framing.js';
import type { Resource, Status } from './generated/apache/rocketmq/v2/definition.js';
import {
  type AckMessageEntry,
  type AckMessageRequest,
  AckMessageResponse,
  type AckMessageResultEntry,
} from './generated/apache/rocketmq/v2/service.js';
import { allBytes, BYTES, readOr, UNUSUAL, VARINT, type WireReader } from './wire-reading.js';
import { fieldSize, textFieldSize, writeLength, writeTextField } from './wire-writing.js';

/** The framed request; undefined when it contains fields that only the generated code can write. */
export function frameAckMessage({ group, topic, entries }: AckMessageRequest): Buffer | undefined {
  if (group === undefined || topic === undefined) return undefined;
  const groupSize = resourceSize(group);
  const topicSize = resourceSize(topic);
  let size = fieldSize(groupSize) + fieldSize(topicSize);
  const entrySizes: number[] = [];
  for (const entry of entries) {
    if (entry.liteTopic !== undefined) return undefined;
    const entrySize = textFieldSize(entry.messageId) + textFieldSize(entry.receiptHandle);
    entrySizes.push(entrySize);
    size += fieldSize(entrySize);
  }
  const frame = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES + size);
  writeMessagePrefix(frame, size);
  let at = writeResource(frame, MESSAGE_PREFIX_BYTES, 0x0a, group, groupSize);
  at = writeResource(frame, at, 0x12, topic, topicSize);
  for (let index = 0; index < entries.length; index++) {
    const { messageId, receiptHandle } = entries[index] as AckMessageEntry;
    at = writeLength(frame, at, 0x1a, entrySizes[index] as number);
    at = writeTextField(frame, at, 0x0a, messageId);
    at = writeTextField(frame, at, 0x12, receiptHandle);
  }
  return frame;
}

/** The answer as the generated code reads it. @throws Error when the bytes are not a valid message */
export function decodeAcked(bytes: Uint8Array): AckMessageResponse {
  return readOr(bytes, answerOf, (input) => AckMessageResponse.decode(input));
}

function resourceSize({ resourceNamespace, name }: Resource): number {
  return textFieldSize(resourceNamespace) + textFieldSize(name);
}

function writeResource(frame: Buffer, start: number, tag: number, resource: Resource, size: number): number {
  let at = writeLength(frame, start, tag, size);
  at = writeTextField(frame, at, 0x0a, resource.resourceNamespace);
  return writeTextField(frame, at, 0x12, resource.name);
}

function answerOf(reader: WireReader): AckMessageResponse {
  let status: Status | undefined;
  const entries: AckMessageResultEntry[] = [];
  while (!reader.isAtEnd) {
    const field = reader.field(allBytes);
    if (field === 1) status = statusOf(reader.inner());
    else if (field === 2) entries.push(resultOf(reader.inner()));
    else throw UNUSUAL;
  }
  return { status, entries };
}

function resultOf(reader: WireReader): AckMessageResultEntry {
  const result: AckMessageResultEntry = { messageId: '', receiptHandle: '', status: undefined };
  while (!reader.isAtEnd) {
    const field = reader.field(allBytes);
    if (field === 1) result.messageId = reader.text();
    else if (field === 2) result.receiptHandle = reader.text();
    else if (field === 3) result.status = statusOf(reader.inner());
    else throw UNUSUAL;
  }
  return result;
}

function statusOf(reader: WireReader): Status {
  const status: Status = { code: 0, message: '' };
  while (!reader.isAtEnd) {
    const field = reader.field((number) => (number === 1 ? VARINT : BYTES));
    if (field === 1) status.code = reader.int32();
    else if (field === 2) status.message = reader.text();
    else throw UNUSUAL;
  }
  return status;
}
