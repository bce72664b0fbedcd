// Handwritten encoder for send requests, in one pass into one buffer with the gRPC prefix. It is on the path of every message: the
// generated code makes three copies of the body. Unusual fields are left to the generated code.

import { MESSAGE_PREFIX_BYTES, writeMessagePrefix } from '../../support/grpc/framing.js';
import type { Message } from './generated/apache/rocketmq/v2/definition.js';
import type { SendMessageRequest } from './generated/apache/rocketmq/v2/service.js';
import { isUsual, type MessageSizes, sizesOf, writeMessage } from './message-writing.js';
import { fieldSize } from './wire-writing.js';

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
