// Handwritten decoder for an answer to a poll, in one pass. It is on the path of every message: the generated code creates strings
// and BigInts for each timestamp, and three copies of the body. Unusual fields are left to the generated code.

import { kept } from '../../../support/gathered-bytes.js';
import type {
  Digest,
  DigestType,
  Encoding,
  Message,
  MessageType,
  Resource,
  SystemProperties,
} from '../generated/apache/rocketmq/v2/definition.js';
import { ReceiveMessageResponse } from '../generated/apache/rocketmq/v2/service.js';
import type { Duration } from '../generated/google/protobuf/duration.js';
import { readOr, resourceOf, setOwn, statusOf, UNUSUAL, type WireReader } from './wire-reading.js';

/** The answer as the generated code reads it. @throws Error when the bytes are not a valid message */
export function decodeReceived(bytes: Uint8Array): ReceiveMessageResponse {
  return readOr(bytes, answerOf, (input) => ReceiveMessageResponse.decode(input));
}

function answerOf(reader: WireReader): ReceiveMessageResponse {
  const content = contentOf(reader);
  if (!reader.isAtEnd) throw UNUSUAL;
  return { content };
}

function contentOf(reader: WireReader): ReceiveMessageResponse['content'] {
  switch (reader.tag()) {
    case 0x0a:
      return { $case: 'status', value: reader.inner(statusOf) };
    case 0x12:
      return { $case: 'message', value: reader.inner(messageOf) };
    case 0x1a:
      return { $case: 'deliveryTimestamp', value: reader.inner(timeOf) };
    default:
      throw UNUSUAL;
  }
}

/** A message, read from the fields that it usually has. */
export function messageOf(reader: WireReader, bodyOf = keptOf): Message {
  let topic: Resource | undefined;
  const userProperties: Record<string, string> = {};
  let systemProperties: SystemProperties | undefined;
  let body: Buffer | undefined;
  while (!reader.isAtEnd) {
    switch (reader.tag()) {
      case 0x0a:
        topic = reader.inner(resourceOf);
        break;
      case 0x12:
        setOwn(userProperties, ...reader.inner(entryOf));
        break;
      case 0x1a:
        systemProperties = reader.inner(systemOf);
        break;
      case 0x22:
        body = bodyOf(reader);
        break;
      default:
        throw UNUSUAL;
    }
  }
  return { topic, userProperties, systemProperties, body: body ?? Buffer.alloc(0) };
}

const keptOf = (reader: WireReader): Buffer => kept(reader.view());

function entryOf(reader: WireReader): [name: string, value: string] {
  let name = '';
  let value = '';
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 0x0a) name = reader.text();
    else if (tag === 0x12) value = reader.text();
    else throw UNUSUAL;
  }
  return [name, value];
}

function systemOf(reader: WireReader): SystemProperties {
  const system = emptySystem();
  while (!reader.isAtEnd) readSystem(reader, system, reader.tag());
  return system;
}

function readSystem(reader: WireReader, system: SystemProperties, tag: number): void {
  switch (tag) {
    case 0x0a:
      system.tag = reader.text();
      return;
    case 0x12:
      system.keys.push(reader.text());
      return;
    case 0x1a:
      system.messageId = reader.text();
      return;
    case 0x22:
      system.bodyDigest = reader.inner(digestOf);
      return;
    case 0x28:
      system.bodyEncoding = reader.int32() as Encoding;
      return;
    case 0x30:
      system.messageType = reader.int32() as MessageType;
      return;
    case 0x3a:
      system.bornTimestamp = reader.inner(timeOf);
      return;
    case 0x42:
      system.bornHost = reader.text();
      return;
    case 0x4a:
      system.storeTimestamp = reader.inner(timeOf);
      return;
    case 0x52:
      system.storeHost = reader.text();
      return;
    default:
      readDelivery(reader, system, tag);
  }
}

function readDelivery(reader: WireReader, system: SystemProperties, tag: number): void {
  switch (tag) {
    case 0x5a:
      system.deliveryTimestamp = reader.inner(timeOf);
      return;
    case 0x62:
      system.receiptHandle = reader.text();
      return;
    case 0x68:
      system.queueId = reader.int32();
      return;
    case 0x70:
      system.queueOffset = BigInt(reader.varint());
      return;
    case 0x7a:
      system.invisibleDuration = reader.inner(durationOf);
      return;
    case 0x80:
      system.deliveryAttempt = reader.int32();
      return;
    case 0x8a:
      system.messageGroup = reader.text();
      return;
    case 0xaa:
      system.liteTopic = reader.text();
      return;
    case 0xb0:
      system.priority = reader.int32();
      return;
    default:
      throw UNUSUAL;
  }
}

/** All fields are set from the start: objects of one shape are fast to create and to read. */
function emptySystem(): SystemProperties {
  return {
    tag: undefined,
    keys: [],
    messageId: '',
    bodyDigest: undefined,
    bodyEncoding: 0,
    messageType: 0,
    bornTimestamp: undefined,
    bornHost: '',
    storeTimestamp: undefined,
    storeHost: '',
    deliveryTimestamp: undefined,
    receiptHandle: undefined,
    queueId: 0,
    queueOffset: undefined,
    invisibleDuration: undefined,
    deliveryAttempt: undefined,
    messageGroup: undefined,
    traceContext: undefined,
    orphanedTransactionRecoveryDuration: undefined,
    deadLetterQueue: undefined,
    liteTopic: undefined,
    priority: undefined,
  };
}

function digestOf(reader: WireReader): Digest {
  const digest: Digest = { type: 0, checksum: '' };
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 0x08) digest.type = reader.int32() as DigestType;
    else if (tag === 0x12) digest.checksum = reader.text();
    else throw UNUSUAL;
  }
  return digest;
}

function timeOf(reader: WireReader): Date {
  const { seconds, nanos } = secondsOf(reader);
  return new Date(seconds * 1_000 + nanos / 1_000_000);
}

function durationOf(reader: WireReader): Duration {
  const { seconds, nanos } = secondsOf(reader);
  return { seconds: BigInt(seconds), nanos };
}

function secondsOf(reader: WireReader): { readonly seconds: number; readonly nanos: number } {
  let seconds = 0;
  let nanos = 0;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === 0x08) seconds = reader.varint();
    else if (tag === 0x10) nanos = reader.int32();
    else throw UNUSUAL;
  }
  return { seconds, nanos };
}
