// Converts a message to and from the format of the server's commit log.

import { crc32 } from 'node:zlib';
import { Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { GIVEN_UP_TOPIC, isReservedProperty, MESSAGE_GROUP_PROPERTY } from '../../protocol/model/names.js';
import { RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { integerIn } from '../../protocol/remoting/property-values.js';
import { decodeProperties, type StoredMessageFields, SYS_FLAGS } from '../../protocol/remoting/stored-message.js';
import { bodyToStore, partToStore, type StoredMessage } from '../engine/records.js';
import type { MessageEntry } from '../engine/views.js';
import { isTime, NO_BORN_TIME } from '../services/validation.js';
import type { ClientTime } from '../time/client-time.js';
import { AdminRefusal, numberIn } from './admin-answer.js';
import { isKeptTopic } from './kept-topics.js';

/** The compression type that also stands for gzip. */
const ZLIB = 0x300;
/** Properties that make a broker hold a message back, until later or until its transaction ends. */
const NOT_TAKEN = ['DELAY', 'TIMER_DELAY_SEC', 'TIMER_DELAY_MS', 'TIMER_DELIVER_MS', 'TRAN_MSG'];

/** @see MessageConst of the server for the names of the properties */
export function storedFieldsOf(
  { topic, queueId, offset, message }: MessageEntry,
  address: string,
  clientTime: ClientTime,
): StoredMessageFields {
  const isPacked = message.bodyEncoding === Encoding.GZIP;
  return {
    topic,
    queueId,
    flag: 0,
    reconsumeTimes: message.earlierAttempts,
    body: message.body,
    queueOffset: offset,
    // This broker has no common commit log; only half messages that were given up are looked up by this offset.
    commitLogOffset: topic === GIVEN_UP_TOPIC ? offset : 0,
    preparedTransactionOffset: 0,
    sysFlag: isPacked ? SYS_FLAGS.compressed | ZLIB : 0,
    bodyCrc: crc32(message.body) & 0x7f_ff_ff_ff,
    bornTimestampMs: clientTime.toClient(message.bornTimestampMs),
    bornHost: `${message.bornHost}:0`,
    storeTimestampMs: clientTime.toClient(message.storeTimestampMs),
    storeHost: address,
    properties: propertiesOf(isKeptTopic(topic) ? inTime(message, clientTime) : message, clientTime),
  };
}

/** With the moments among the properties that the server adds to what it keeps in topics of its own. */
function inTime(message: StoredMessage, clientTime: ClientTime): StoredMessage {
  const properties = { ...message.properties };
  const { TIMER_OUT_MS: outMs, '1ST_POP_TIME': firstAtMs } = properties;
  // One millisecond before the due time.
  if (outMs !== undefined) properties.TIMER_OUT_MS = String(clientTime.toClient(Number(outMs) + 1) - 1);
  if (firstAtMs !== undefined) properties['1ST_POP_TIME'] = String(clientTime.toClient(Number(firstAtMs)));
  return { ...message, properties };
}

function propertiesOf(message: StoredMessage, clientTime: ClientTime): Map<string, string> {
  const deliverAtMs = message.deliveryTimestampMs;
  const entries: [string, string | number | undefined][] = [
    ['UNIQ_KEY', message.messageId],
    ['TAGS', message.tag],
    ['KEYS', message.keys.length === 0 ? undefined : message.keys.join(' ')],
    [MESSAGE_GROUP_PROPERTY, message.messageGroup],
    ['_SYS_MSG_PRIORITY_', message.priority],
    ['__LITE_TOPIC', message.liteTopic],
    ['TRACE_CONTEXT', message.traceContext],
    ['TIMER_DELIVER_MS', deliverAtMs === undefined ? undefined : clientTime.toClient(deliverAtMs)],
    ['RETRY_TOPIC', message.originTopic],
    ['__BORNHOST', message.bornHost],
    ['BORN_TIMESTAMP', clientTime.toClient(message.bornTimestampMs)],
    ...Object.entries(message.properties),
  ];
  return new Map(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
}

/** The message of request code 10. @throws AdminRefusal for one that must be held back */
export function messageToStore(
  fields: RemotingFrame['fields'],
  body: Buffer,
  { nowMs, clientTime }: { readonly nowMs: number; readonly clientTime: ClientTime },
): StoredMessage {
  const decoded = decodeProperties(fields.properties ?? '');
  const properties = new Map(Array.from(decoded, ([name, value]) => [partToStore(name), partToStore(value)]));
  const waiting = NOT_TAKEN.find((name) => properties.has(name));
  if (waiting !== undefined) {
    const message = `the embedded broker accepts delayed and half messages over gRPC only (${waiting})`;
    throw new AdminRefusal(RESPONSE_CODES.systemError, message);
  }
  const messageId = properties.get('UNIQ_KEY');
  if (messageId === undefined || messageId === '') {
    throw new AdminRefusal(RESPONSE_CODES.systemError, 'the message has no id (UNIQ_KEY)');
  }
  const bornAtMs = numberIn(fields, 'bornTimestamp');
  if (!isTime(bornAtMs)) throw new AdminRefusal(RESPONSE_CODES.systemError, NO_BORN_TIME);
  const messageGroup = properties.get(MESSAGE_GROUP_PROPERTY);
  const priority = priorityIn(properties.get('_SYS_MSG_PRIORITY_'));
  const liteTopic = properties.get('__LITE_TOPIC');
  const isPacked = (numberIn(fields, 'sysFlag') & SYS_FLAGS.compressed) !== 0;
  const isUsers = ([name]: [string, string]): boolean => !isReservedProperty(name) && !SHOWN_ELSEWHERE.has(name);
  return {
    messageId,
    body: bodyToStore(body),
    messageGroup,
    priority,
    ...(liteTopic !== undefined && { liteTopic }),
    type: typeOf({ messageGroup, priority, liteTopic }),
    bodyEncoding: isPacked ? Encoding.GZIP : Encoding.IDENTITY,
    tag: properties.get('TAGS'),
    keys: (properties.get('KEYS') ?? '')
      .split(' ')
      .filter((key) => key !== '')
      .map(partToStore),
    properties: Object.fromEntries([...properties].filter(isUsers)),
    traceContext: properties.get('TRACE_CONTEXT'),
    bornTimestampMs: clientTime.toBroker(bornAtMs),
    bornHost: properties.get('__BORNHOST') ?? '',
    storeTimestampMs: nowMs,
    deliveryTimestampMs: undefined,
    earlierAttempts: 0,
  };
}

/** Undefined for what is no priority: servers store any text there, and deliver the message as one without. */
function priorityIn(text: string | undefined): number | undefined {
  const priority = integerIn(text);
  return priority !== undefined && priority >= 0 && priority <= LIMITS.priority ? priority : undefined;
}

function typeOf({ messageGroup, priority, liteTopic }: Partial<StoredMessage>): StoredMessage['type'] {
  if (messageGroup !== undefined) return 'fifo';
  if (priority !== undefined) return 'priority';
  return liteTopic === undefined ? 'normal' : 'lite';
}

/** Not reserved, but stored in fields of their own instead of properties. */
const SHOWN_ELSEWHERE: ReadonlySet<string> = new Set([MESSAGE_GROUP_PROPERTY, 'TRACE_CONTEXT']);
