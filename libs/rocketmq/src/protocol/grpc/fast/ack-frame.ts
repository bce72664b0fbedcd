// Handwritten codecs for acks and their answers, in one pass: they are on the path of every message.

import { MESSAGE_PREFIX_BYTES, writeMessagePrefix } from '../../../support/grpc/framing.js';
import type { Status } from '../generated/apache/rocketmq/v2/definition.js';
import {
  type AckMessageEntry,
  type AckMessageRequest,
  AckMessageResponse,
  type AckMessageResultEntry,
} from '../generated/apache/rocketmq/v2/service.js';
import { readOr, statusOf, UNUSUAL, type WireReader } from './wire-reading.js';
import { fieldSize, resourceSize, textSize, writeLength, writeResource, writeText } from './wire-writing.js';

/** The framed request; undefined when it contains fields that only the generated code can write. */
export function frameAckMessage({ group, topic, entries }: AckMessageRequest): Buffer | undefined {
  if (group === undefined || topic === undefined) return undefined;
  const groupSize = resourceSize(group);
  const topicSize = resourceSize(topic);
  let size = fieldSize(groupSize) + fieldSize(topicSize);
  const idSizes: number[] = [];
  const handleSizes: number[] = [];
  for (const { messageId, receiptHandle, liteTopic } of entries) {
    if (liteTopic !== undefined || messageId === '' || receiptHandle === '') return undefined;
    const idSize = textSize(messageId);
    const handleSize = textSize(receiptHandle);
    idSizes.push(idSize);
    handleSizes.push(handleSize);
    size += fieldSize(fieldSize(idSize) + fieldSize(handleSize));
  }
  const frame = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES + size);
  writeMessagePrefix(frame, size);
  let at = writeResource(frame, MESSAGE_PREFIX_BYTES, 0x0a, group, groupSize);
  at = writeResource(frame, at, 0x12, topic, topicSize);
  for (let index = 0; index < entries.length; index++) {
    const { messageId, receiptHandle } = entries[index] as AckMessageEntry;
    const idSize = idSizes[index] as number;
    const handleSize = handleSizes[index] as number;
    at = writeLength(frame, at, 0x1a, fieldSize(idSize) + fieldSize(handleSize));
    at = writeText(frame, at, 0x0a, messageId, idSize);
    at = writeText(frame, at, 0x12, receiptHandle, handleSize);
  }
  return frame;
}

/** The answer as the generated code reads it. @throws Error when the bytes are not a valid message */
export function decodeAcked(bytes: Uint8Array): AckMessageResponse {
  return readOr(bytes, answerOf, (input) => AckMessageResponse.decode(input));
}

function answerOf(reader: WireReader): AckMessageResponse {
  let status: Status | undefined;
  const entries: AckMessageResultEntry[] = [];
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 0x0a) status = reader.inner(statusOf);
    else if (tag === 0x12) entries.push(reader.inner(resultOf));
    else throw UNUSUAL;
  }
  return { status, entries };
}

function resultOf(reader: WireReader): AckMessageResultEntry {
  const result: AckMessageResultEntry = { messageId: '', receiptHandle: '', status: undefined };
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 0x0a) result.messageId = reader.text();
    else if (tag === 0x12) result.receiptHandle = reader.text();
    else if (tag === 0x1a) result.status = reader.inner(statusOf);
    else throw UNUSUAL;
  }
  return result;
}
