// Handwritten decoder for an answer to a poll, in one pass. It is on the path of every message: the generated code creates strings
// and BigInts for each timestamp, and three copies of the body. Unusual fields are left to the generated code.

import type {
  Digest,
  DigestType,
  Encoding,
  Message,
  MessageType,
  Resource,
  SystemProperties,
} from './generated/apache/rocketmq/v2/definition.js';
import { ReceiveMessageResponse } from './generated/apache/rocketmq/v2/service.js';
import type { Duration } from './generated/google/protobuf/duration.js';
import { allBytes, allVarints, BYTES, readOr, setOwn, UNUSUAL, VARINT, WireReader } from './wire-reading.js';

/** The answer as the generated code reads it. @throws Error when the bytes are not a valid message */
export function decodeReceived(bytes: Uint8Array): ReceiveMessageResponse {
  return readOr(bytes, answerOf, (input) => ReceiveMessageResponse.decode(input));
}

function answerOf(reader: WireReader): ReceiveMessageResponse {
  if (reader.field(allBytes) !== 2) throw UNUSUAL;
  const content = { $case: 'message', value: messageOf(reader.inner()) } as const;
  if (!reader.isAtEnd) throw UNUSUAL;
  return { content };
}

/** A message, read from the fields that it usually has. */
export function messageOf(reader: WireReader, bodyOf = copyOf): Message {
  let topic: Resource | undefined;
  const userProperties: Record<string, string> = {};
  let systemProperties: SystemProperties | undefined;
  let body: Buffer | undefined;
  while (!reader.isAtEnd) {
    switch (reader.field(allBytes)) {
      case 1:
        topic = resourceOf(reader.inner());
        break;
      case 2:
        readEntry(reader.inner(), userProperties);
        break;
      case 3:
        systemProperties = systemOf(reader.inner());
        break;
      case 4:
        body = bodyOf(reader);
        break;
      default:
        throw UNUSUAL;
    }
  }
  return { topic, userProperties, systemProperties, body: body ?? Buffer.alloc(0) };
}

const copyOf = (reader: WireReader): Buffer => reader.copy();

export function resourceOf(reader: WireReader): Resource {
  const resource: Resource = { resourceNamespace: '', name: '' };
  while (!reader.isAtEnd) {
    const field = reader.field(allBytes);
    if (field === 1) resource.resourceNamespace = reader.text();
    else if (field === 2) resource.name = reader.text();
    else throw UNUSUAL;
  }
  return resource;
}

function readEntry(reader: WireReader, entries: Record<string, string>): void {
  let name = '';
  let value = '';
  while (!reader.isAtEnd) {
    const field = reader.field(allBytes);
    if (field === 1) name = reader.text();
    else if (field === 2) value = reader.text();
    else throw UNUSUAL;
  }
  setOwn(entries, name, value);
}

/** A bit for each numeric field. */
const SYSTEM_NUMBERS = [5, 6, 13, 14, 16, 22].reduce((bits, field) => bits | (1 << field), 0);
const systemWireType = (field: number): number => (field < 31 && (SYSTEM_NUMBERS >> field) & 1 ? VARINT : BYTES);

function systemOf(reader: WireReader): SystemProperties {
  const system = emptySystem();
  while (!reader.isAtEnd) readSystem(reader, system, reader.field(systemWireType));
  return system;
}

function readSystem(reader: WireReader, system: SystemProperties, field: number): void {
  switch (field) {
    case 1:
      system.tag = reader.text();
      return;
    case 2:
      system.keys.push(reader.text());
      return;
    case 3:
      system.messageId = reader.text();
      return;
    case 4:
      system.bodyDigest = digestOf(reader.inner());
      return;
    case 5:
      system.bodyEncoding = reader.int32() as Encoding;
      return;
    case 6:
      system.messageType = reader.int32() as MessageType;
      return;
    case 7:
      system.bornTimestamp = timeOf(reader.inner());
      return;
    case 8:
      system.bornHost = reader.text();
      return;
    case 9:
      system.storeTimestamp = timeOf(reader.inner());
      return;
    case 10:
      system.storeHost = reader.text();
      return;
    default:
      readDelivery(reader, system, field);
  }
}

function readDelivery(reader: WireReader, system: SystemProperties, field: number): void {
  switch (field) {
    case 11:
      system.deliveryTimestamp = timeOf(reader.inner());
      return;
    case 12:
      system.receiptHandle = reader.text();
      return;
    case 13:
      system.queueId = reader.int32();
      return;
    case 14:
      system.queueOffset = BigInt(reader.varint());
      return;
    case 15:
      system.invisibleDuration = durationOf(reader.inner());
      return;
    case 16:
      system.deliveryAttempt = reader.int32();
      return;
    case 17:
      system.messageGroup = reader.text();
      return;
    case 21:
      system.liteTopic = reader.text();
      return;
    case 22:
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
    const field = reader.field((number) => (number === 1 ? VARINT : BYTES));
    if (field === 1) digest.type = reader.int32() as DigestType;
    else if (field === 2) digest.checksum = reader.text();
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
    const field = reader.field(allVarints);
    if (field === 1) seconds = reader.varint();
    else if (field === 2) nanos = reader.int32();
    else throw UNUSUAL;
  }
  return { seconds, nanos };
}
