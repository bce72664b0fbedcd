// Handwritten encoders for the broker's answers on the path of every message, in one pass and with the gRPC prefix. Unusual fields
// are left to the generated code.

import { MESSAGE_PREFIX_BYTES, writeMessagePrefix } from '../../../support/grpc/framing.js';
import type { Status } from '../generated/apache/rocketmq/v2/definition.js';
import type {
  AckMessageResponse,
  AckMessageResultEntry,
  ReceiveMessageResponse,
  SendMessageResponse,
  SendResultEntry,
} from '../generated/apache/rocketmq/v2/service.js';
import { isUsual, sizesOf, writeMessage } from './message-writing.js';
import {
  fieldSize,
  numberFieldSize,
  textFieldSize,
  varintSize,
  writeLength,
  writeNumberField,
  writeTextField,
  writeVarint,
} from './wire-writing.js';

/** The framed answer; undefined when it holds what only the generated code writes. */
export function frameSent({ status, entries }: SendMessageResponse): Buffer | undefined {
  if (status === undefined || !entries.every(isUsualEntry)) return undefined;
  const sizes = entries.map(sentSize);
  const frame = framed(sizes.reduce((sum, size) => sum + fieldSize(size), fieldSize(statusSize(status))));
  let at = writeStatus(frame, MESSAGE_PREFIX_BYTES, 0x0a, status);
  for (let index = 0; index < entries.length; index++) {
    at = writeSent(frame, writeLength(frame, at, 0x12, sizes[index] as number), entries[index] as SendResultEntry);
  }
  return frame;
}

/** The framed answer; undefined when it holds what only the generated code writes. */
export function frameAcked({ status, entries }: AckMessageResponse): Buffer | undefined {
  if (status === undefined || entries.some((entry) => entry.status === undefined)) return undefined;
  const sizes = entries.map(ackedSize);
  const frame = framed(sizes.reduce((sum, size) => sum + fieldSize(size), fieldSize(statusSize(status))));
  let at = writeStatus(frame, MESSAGE_PREFIX_BYTES, 0x0a, status);
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index] as AckMessageResultEntry;
    at = writeLength(frame, at, 0x12, sizes[index] as number);
    at = writeTextField(frame, at, 0x0a, entry.messageId);
    at = writeTextField(frame, at, 0x12, entry.receiptHandle);
    at = writeStatus(frame, at, 0x1a, entry.status as Status);
  }
  return frame;
}

/** A framed message of a poll; undefined for other answers to a poll and for fields that only the generated code can write. */
export function frameReceived({ content }: ReceiveMessageResponse): Buffer | undefined {
  if (content?.$case !== 'message' || !isUsual(content.value)) return undefined;
  const sizes = sizesOf(content.value);
  const frame = framed(fieldSize(sizes.whole));
  writeMessage(frame, MESSAGE_PREFIX_BYTES, 0x12, content.value, sizes);
  return frame;
}

function framed(messageBytes: number): Buffer {
  const frame = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES + messageBytes);
  writeMessagePrefix(frame, messageBytes);
  return frame;
}

function isUsualEntry({ status, offset, recallHandle }: SendResultEntry): boolean {
  return status !== undefined && offset >= 0n && offset < 2n ** 31n && recallHandle !== undefined;
}

function sentSize({ status, messageId, transactionId, offset, recallHandle }: SendResultEntry): number {
  return (
    fieldSize(statusSize(status as Status)) +
    textFieldSize(messageId) +
    textFieldSize(transactionId) +
    (offset === 0n ? 0 : 1 + varintSize(Number(offset))) +
    textFieldSize(recallHandle)
  );
}

function writeSent(frame: Buffer, start: number, entry: SendResultEntry): number {
  let at = writeStatus(frame, start, 0x0a, entry.status as Status);
  at = writeTextField(frame, at, 0x12, entry.messageId);
  at = writeTextField(frame, at, 0x1a, entry.transactionId);
  if (entry.offset !== 0n) {
    frame[at++] = 0x20;
    at = writeVarint(frame, at, Number(entry.offset));
  }
  return writeTextField(frame, at, 0x2a, entry.recallHandle);
}

function ackedSize({ messageId, receiptHandle, status }: AckMessageResultEntry): number {
  return textFieldSize(messageId) + textFieldSize(receiptHandle) + fieldSize(statusSize(status as Status));
}

function statusSize({ code, message }: Status): number {
  return numberFieldSize(code) + textFieldSize(message);
}

function writeStatus(frame: Buffer, start: number, tag: number, status: Status): number {
  let at = writeLength(frame, start, tag, statusSize(status));
  at = writeNumberField(frame, at, 0x08, status.code);
  return writeTextField(frame, at, 0x12, status.message);
}
