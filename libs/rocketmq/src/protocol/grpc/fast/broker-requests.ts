// Handwritten decoders for the requests on the path of every message, in one pass. Unusual fields are left to the generated code.

import type { Message, Resource } from '../generated/apache/rocketmq/v2/definition.js';
import {
  type AckMessageEntry,
  AckMessageRequest,
  SendMessageRequest,
} from '../generated/apache/rocketmq/v2/service.js';
import { messageOf } from './received-message.js';
import { readOr, resourceOf, UNUSUAL, type WireReader } from './wire-reading.js';

/**
 * The request as the generated code reads it. The bodies of its messages are views of its bytes: who keeps one must copy it.
 * @throws Error when the bytes are not a valid message
 */
export function decodeSend(bytes: Uint8Array): SendMessageRequest {
  return readOr(bytes, sendOf, (input) => SendMessageRequest.decode(input));
}

/** The request as the generated code reads it. @throws Error when the bytes are not a valid message */
export function decodeAck(bytes: Uint8Array): AckMessageRequest {
  return readOr(bytes, ackOf, (input) => AckMessageRequest.decode(input));
}

const viewOf = (reader: WireReader): Buffer => reader.view();
const sentOf = (reader: WireReader): Message => messageOf(reader, viewOf);

function sendOf(reader: WireReader): SendMessageRequest {
  const messages: Message[] = [];
  while (!reader.isAtEnd) {
    if (reader.tag() !== 0x0a) throw UNUSUAL;
    messages.push(reader.inner(sentOf));
  }
  return { messages };
}

function ackOf(reader: WireReader): AckMessageRequest {
  let group: Resource | undefined;
  let topic: Resource | undefined;
  const entries: AckMessageEntry[] = [];
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 0x0a) group = reader.inner(resourceOf);
    else if (tag === 0x12) topic = reader.inner(resourceOf);
    else if (tag === 0x1a) entries.push(reader.inner(entryOf));
    else throw UNUSUAL;
  }
  return { group, topic, entries };
}

function entryOf(reader: WireReader): AckMessageEntry {
  const entry: AckMessageEntry = { messageId: '', receiptHandle: '', liteTopic: undefined };
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 0x0a) entry.messageId = reader.text();
    else if (tag === 0x12) entry.receiptHandle = reader.text();
    else throw UNUSUAL;
  }
  return entry;
}
