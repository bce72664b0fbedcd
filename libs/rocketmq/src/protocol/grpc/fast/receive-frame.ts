// Handwritten encoder for the request of a poll, of which a backlog needs one for every 32 messages.

import { MESSAGE_PREFIX_BYTES, writeMessagePrefix } from '../../../support/grpc/framing.js';
import { MessageQueue } from '../generated/apache/rocketmq/v2/definition.js';
import type { ReceiveMessageRequest } from '../generated/apache/rocketmq/v2/service.js';
import type { Duration } from '../generated/google/protobuf/duration.js';
import {
  fieldSize,
  isUint31,
  numberFieldSize,
  resourceSize,
  textFieldSize,
  textSize,
  writeLength,
  writeNumberField,
  writeResource,
  writeText,
  writeTextField,
} from './wire-writing.js';

/** Frames the polls of one client. */
export class PollFramer {
  /** By queue: routes keep them, and every poll of a queue names it. */
  private readonly queues = new WeakMap<MessageQueue, Uint8Array>();

  /** The framed request; undefined when it contains fields that only the generated code can write. */
  frame(request: ReceiveMessageRequest): Buffer | undefined {
    const { group, messageQueue, filterExpression: filter, batchSize, invisibleDuration, longPollingTimeout } = request;
    const { attemptId } = request;
    if (group === undefined || messageQueue === undefined || filter === undefined || attemptId === undefined)
      return undefined;
    if (request.autoRenew || !isUint31(batchSize) || !isUint31(filter.type)) return undefined;
    if (!isUsual(invisibleDuration) || !isUsual(longPollingTimeout)) return undefined;
    const queue = this.encoded(messageQueue);
    const groupSize = resourceSize(group);
    const filterSize = numberFieldSize(filter.type) + textFieldSize(filter.expression);
    const leaseSize = durationSize(invisibleDuration);
    const pollSize = durationSize(longPollingTimeout);
    const size =
      fieldSize(groupSize) +
      fieldSize(queue.length) +
      fieldSize(filterSize) +
      numberFieldSize(batchSize) +
      fieldSize(leaseSize) +
      fieldSize(pollSize) +
      fieldSize(textSize(attemptId));
    const frame = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES + size);
    writeMessagePrefix(frame, size);
    let at = writeResource(frame, MESSAGE_PREFIX_BYTES, 0x0a, group, groupSize);
    at = writeLength(frame, at, 0x12, queue.length);
    frame.set(queue, at);
    at = writeLength(frame, at + queue.length, 0x1a, filterSize);
    at = writeNumberField(frame, at, 0x08, filter.type);
    at = writeTextField(frame, at, 0x12, filter.expression);
    at = writeNumberField(frame, at, 0x20, batchSize);
    at = writeDuration(frame, at, 0x2a, invisibleDuration, leaseSize);
    at = writeDuration(frame, at, 0x3a, longPollingTimeout, pollSize);
    writeText(frame, at, 0x42, attemptId);
    return frame;
  }

  private encoded(queue: MessageQueue): Uint8Array {
    let encoded = this.queues.get(queue);
    if (encoded === undefined) {
      encoded = MessageQueue.encode(queue).finish();
      this.queues.set(queue, encoded);
    }
    return encoded;
  }
}

function isUsual(duration: Duration | undefined): duration is Duration {
  return duration !== undefined && isUint31(Number(duration.seconds)) && isUint31(duration.nanos);
}

function durationSize({ seconds, nanos }: Duration): number {
  return numberFieldSize(Number(seconds)) + numberFieldSize(nanos);
}

function writeDuration(frame: Buffer, start: number, tag: number, { seconds, nanos }: Duration, size: number): number {
  const at = writeNumberField(frame, writeLength(frame, start, tag, size), 0x08, Number(seconds));
  return writeNumberField(frame, at, 0x10, nanos);
}
