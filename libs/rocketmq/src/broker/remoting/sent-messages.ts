// The messages in requests to store some: their fields, and what they become in the engine.

import { isIP } from 'node:net';
import { Encoding } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { DELAY_LEVELS_MS } from '../../protocol/model/delay-levels.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { isReservedProperty, MESSAGE_GROUP_PROPERTY } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { integerIn } from '../../protocol/remoting/property-values.js';
import { decodeProperties, SYS_FLAGS } from '../../protocol/remoting/stored-message.js';
import { DAY_MS, SECOND_MS } from '../../support/clock.js';
import { AdminRejection, numberIn } from '../admin/admin-answer.js';
import { isTime, NO_BORN_TIME } from '../services/validation.js';
import { bodyToStore, partToStore, type RemotingParts, type StoredMessage } from '../store/records.js';
import type { ClientTime } from '../time/client-time.js';

/** A request to store one message, or a batch of them. @see SendMessageRequestHeader of the server */
export interface SendFields {
  readonly producerGroup: string;
  readonly topic: string;
  /** The topic whose settings a new topic has, and how many queues at most. */
  readonly defaultTopic: string;
  readonly defaultTopicQueueNums: number;
  /** Negative: the broker chooses. */
  readonly queueId: number;
  readonly sysFlag: number;
  readonly bornTimestampMs: number;
  readonly flag: number;
  readonly properties: string;
  readonly reconsumeTimes: number;
  readonly maxReconsumeTimes: number | undefined;
  readonly isBatch: boolean;
}

/** The names of the fields, and the letters of them that request code 310 has. @see SendMessageRequestHeaderV2 of the server */
const LETTERS = {
  producerGroup: 'a',
  topic: 'b',
  defaultTopic: 'c',
  defaultTopicQueueNums: 'd',
  queueId: 'e',
  sysFlag: 'f',
  bornTimestamp: 'g',
  flag: 'h',
  properties: 'i',
  reconsumeTimes: 'j',
  maxReconsumeTimes: 'l',
  batch: 'm',
} as const;

/** @throws AdminRejection for a number that is missing */
export function sendFieldsOf({ code, fields }: RemotingFrame): SendFields {
  const isLong = code === REQUEST_CODES.sendMessage || code === REQUEST_CODES.sendReplyMessage;
  const nameOf = (name: keyof typeof LETTERS): string => (isLong ? name : LETTERS[name]);
  const text = (name: keyof typeof LETTERS): string => fields[nameOf(name)] ?? '';
  const number = (name: keyof typeof LETTERS): number => numberIn(fields, nameOf(name));
  const optional = (name: keyof typeof LETTERS): number | undefined => (text(name) === '' ? undefined : number(name));
  return {
    producerGroup: text('producerGroup'),
    topic: text('topic'),
    defaultTopic: text('defaultTopic'),
    defaultTopicQueueNums: optional('defaultTopicQueueNums') ?? 0,
    queueId: number('queueId'),
    sysFlag: number('sysFlag'),
    bornTimestampMs: number('bornTimestamp'),
    flag: optional('flag') ?? 0,
    properties: text('properties'),
    reconsumeTimes: optional('reconsumeTimes') ?? 0,
    maxReconsumeTimes: optional('maxReconsumeTimes'),
    isBatch: text('batch') === 'true',
  };
}

/** A message of a request. */
interface SentPart {
  readonly body: Buffer;
  readonly flag: number;
  readonly properties: string;
}

/** Of an entry beside its body and properties. */
const ENTRY_BYTES = 22;
/** Each entry takes memory beyond its bytes. */
const MAX_ENTRIES = 65_536;

/** The messages of a batch. @see MessageDecoder.decodeMessages of the server @throws AdminRejection */
export function batchIn(body: Buffer): SentPart[] {
  const parts: SentPart[] = [];
  for (let at = 0; at < body.length; ) {
    const rest = body.length - at;
    const size = rest < ENTRY_BYTES ? 0 : body.readInt32BE(at);
    const bodyBytes = size < ENTRY_BYTES || size > rest ? -1 : body.readInt32BE(at + 16);
    const end = at + 20 + bodyBytes;
    const hasRoom = bodyBytes >= 0 && end + 2 <= at + size;
    if (!hasRoom || end + 2 + body.readUInt16BE(end) > at + size || parts.length >= MAX_ENTRIES) {
      throw new AdminRejection(
        RESPONSE_CODES.messageIllegal,
        'the body is not a batch of messages; nothing was stored',
      );
    }
    const properties = body.toString('utf8', end + 2, end + 2 + body.readUInt16BE(end));
    parts.push({ flag: body.readInt32BE(at + 12), body: body.subarray(at + 20, end), properties });
    at += size;
  }
  return parts;
}

/** Who sent a message, and when it arrived. */
export interface Arrival {
  /** The address of the client, without its port. */
  readonly host: string;
  /** The same with the port. */
  readonly address: string;
  readonly nowMs: number;
  readonly clientTime: ClientTime;
  /** An id for a message whose client gave it none. */
  nextId(): string;
}

/** What a message of a gRPC client would have; its body is compressed by what is called zlib here. */
export const GRPC_PARTS: RemotingParts = { flag: 0, isSigned: true, sysFlag: 0x300, properties: {} };
/** @see CompressionType of the server: 0 is what clients of 4.x write */
const COMPRESSION_TYPE = SYS_FLAGS.compressionType;
/** Of nearly all messages: one object for all, to save memory. Java clients set WAIT in each. */
const USUAL_OF_REMOTING: readonly RemotingParts['properties'][] = [{}, { WAIT: 'true' }];
const USUAL_PARTS = [true, false].map((isSigned) =>
  USUAL_OF_REMOTING.map((properties): RemotingParts => ({ flag: 0, isSigned, sysFlag: 0, properties })),
);
const NO_KEYS: readonly string[] = [];
/** Stored in fields of their own. */
const CARRIED: ReadonlySet<string> = new Set([
  'UNIQ_KEY',
  'TAGS',
  'KEYS',
  'TIMER_DELIVER_MS',
  'RETRY_TOPIC',
  '_SYS_MSG_PRIORITY_',
  '__LITE_TOPIC',
  'TRACE_CONTEXT',
  MESSAGE_GROUP_PROPERTY,
]);

/** The message as the engine stores it, whatever it waits for. @throws AdminRejection for a born time that no consumer can receive */
export function messageToStore(send: SendFields, part: SentPart, arrival: Arrival): StoredMessage {
  const { nowMs, clientTime } = arrival;
  if (!isTime(send.bornTimestampMs)) throw new AdminRejection(RESPONSE_CODES.systemError, NO_BORN_TIME);
  const properties: Record<string, string> = {};
  const reserved: Record<string, string> = {};
  const all = decodeProperties(part.properties);
  for (const [name, value] of all) {
    if (CARRIED.has(name)) continue;
    const target = isReservedProperty(name) ? reserved : properties;
    Object.defineProperty(target, partToStore(name), { ...OWN, value: partToStore(value) });
  }
  const text = (name: string): string | undefined => {
    const value = all.get(name);
    return value === undefined ? undefined : partToStore(value);
  };
  const priority = integerIn(all.get('_SYS_MSG_PRIORITY_'));
  const hasPriority = priority !== undefined && priority >= 0 && priority <= LIMITS.priority;
  const isPacked = (send.sysFlag & SYS_FLAGS.compressed) !== 0;
  const dueMs = integerIn(all.get('TIMER_DELIVER_MS'));
  const { flag } = part;
  const keys = all
    .get('KEYS')
    ?.split(' ')
    .filter((key) => key !== '');
  const message = {
    messageId: text('UNIQ_KEY') ?? arrival.nextId(),
    body: bodyToStore(part.body),
    bodyEncoding: isPacked ? Encoding.GZIP : Encoding.IDENTITY,
    tag: text('TAGS'),
    keys: keys === undefined ? NO_KEYS : keys.map(partToStore),
    properties,
    messageGroup: text(MESSAGE_GROUP_PROPERTY),
    priority: hasPriority ? priority : undefined,
    liteTopic: text('__LITE_TOPIC'),
    traceContext: text('TRACE_CONTEXT'),
    bornTimestampMs: clientTime.toBroker(send.bornTimestampMs),
    bornHost: isIP(arrival.host) > 0 ? arrival.address : '',
    storeTimestampMs: nowMs,
    deliveryTimestampMs: dueMs === undefined ? undefined : clientTime.toBroker(dueMs),
    earlierAttempts: send.reconsumeTimes,
    originTopic: text('RETRY_TOPIC'),
    remoting: partsOf(
      { flag, isSigned: !send.isBatch, sysFlag: isPacked ? send.sysFlag & COMPRESSION_TYPE : 0, properties: reserved },
      isPacked,
    ),
  };
  return { ...message, type: typeOf(message, all) };
}

function partsOf(parts: RemotingParts, isPacked: boolean): RemotingParts {
  const { flag, isSigned, properties } = parts;
  const names = Object.keys(properties);
  const waits = names.length === 1 && properties.WAIT === 'true';
  if (flag !== 0 || isPacked || (names.length > 0 && !waits)) return parts;
  return USUAL_PARTS[isSigned ? 0 : 1]?.[waits ? 1 : 0] ?? parts;
}

/** The message with more of the properties that clients of the remoting protocol and servers add. */
export function withReserved(message: StoredMessage, own: Readonly<Record<string, string>>): StoredMessage {
  const { properties, ...parts } = message.remoting ?? GRPC_PARTS;
  return { ...message, remoting: { ...parts, properties: { ...properties, ...own } } };
}

const OWN = { enumerable: true, writable: true, configurable: true };

function typeOf(
  { messageGroup, priority, liteTopic }: Partial<StoredMessage>,
  properties: ReadonlyMap<string, string>,
): StoredMessage['type'] {
  if (properties.get('TRAN_MSG') === 'true') return 'transaction';
  if (DELAYS.some((name) => properties.has(name))) return 'delay';
  if (messageGroup !== undefined) return 'fifo';
  if (priority !== undefined) return 'priority';
  return liteTopic === undefined ? 'normal' : 'lite';
}

const DELAYS = ['TIMER_DELAY_SEC', 'TIMER_DELAY_MS', 'TIMER_DELIVER_MS', 'DELAY'];
/** How far ahead a broker takes messages by time (`timerMaxDelaySec`). */
const MAX_TIMER_MS = 3 * DAY_MS;

/** When a message becomes visible. */
interface DueTime {
  readonly atMs: number;
  /** Whether it can be recalled: one with a delay level cannot. */
  readonly isTimer: boolean;
}

/**
 * @returns undefined for a message that is visible at once
 * @throws AdminRejection for a time that the server does not take
 * @see HookUtils.handleScheduleMessage of the server, which looks at the properties in this order
 */
export function dueTimeOf(properties: string, { nowMs, clientTime }: Arrival): DueTime | undefined {
  const all = decodeProperties(properties);
  const level = all.get('DELAY');
  const levelMs = level === undefined ? undefined : delayOfLevel(integerIn(level) ?? illegalNumber(level));
  if (levelMs !== undefined) return { atMs: nowMs + levelMs, isTimer: false };
  // A message that was delayed before, and that its consumer sends on with all properties, does not wait again.
  if (all.has('TIMER_OUT_MS')) return undefined;
  const delayed = [
    ['TIMER_DELAY_SEC', SECOND_MS],
    ['TIMER_DELAY_MS', 1],
  ] as const;
  for (const [name, unitMs] of delayed) {
    const delay = all.get(name);
    if (delay !== undefined) return timer(nowMs + timeIn(delay) * unitMs, nowMs);
  }
  const at = all.get('TIMER_DELIVER_MS');
  return at === undefined ? undefined : timer(clientTime.toBroker(timeIn(at)), nowMs);
}

/** @returns undefined for a level that delays nothing; beyond the last level that one is meant, as on the server */
export function delayOfLevel(level: number): number | undefined {
  return level <= 0 ? undefined : DELAY_LEVELS_MS[Math.min(level, DELAY_LEVELS_MS.length) - 1];
}

function timer(atMs: number, nowMs: number): DueTime | undefined {
  if (atMs - nowMs > MAX_TIMER_MS) throw illegalTimer();
  return atMs > nowMs ? { atMs, isTimer: true } : undefined;
}

function timeIn(text: string): number {
  const time = integerIn(text);
  if (time === undefined) throw illegalTimer();
  return time;
}

function illegalTimer(): AdminRejection {
  return new AdminRejection(
    RESPONSE_CODES.messageIllegal,
    'timer message illegal, the delay time should not be bigger than the max delay 259200000ms; or if set del msg, the delay time should be bigger than the current time',
  );
}

function illegalNumber(text: string): never {
  throw new AdminRejection(RESPONSE_CODES.systemError, `java.lang.NumberFormatException, For input string: "${text}"`);
}
