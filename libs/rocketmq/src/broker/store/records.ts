// The engine's records in the store, and their keys. No decisions.

import { createHash } from 'node:crypto';
import type { LiteGroup } from '../../protocol/model/lite-group.js';
import type { MessageType } from '../../protocol/model/message.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import type { Key } from './store.js';

/** A topic. Its type is undefined until its first message if it was created on first use. */
export interface TopicRecord {
  readonly name: string;
  readonly type: MessageType | undefined;
  readonly queues: number;
}

/** A consumer group. */
export interface GroupRecord {
  readonly name: string;
  /** Whether its messages are delivered in order (RocketMQ: `consumeMessageOrderly`). */
  readonly fifo: boolean;
  /** Below 1, the group has no attempt: every message becomes a dead letter. */
  readonly maxDeliveryAttempts: number;
  readonly backoff: BackoffPolicy;
  /** False: consumers by remoting may not broadcast (RocketMQ: `consumeBroadcastEnable`). Default: true. */
  readonly broadcast?: boolean | undefined;
  /** True: nothing is delivered to it (RocketMQ: `consumeEnable` is false). Default: false. */
  readonly isPaused?: boolean | undefined;
  /** Set for a group that is bound to the lite topics of a topic. */
  readonly lite?: Required<LiteGroup> | undefined;
}

/** How the consumers of a group that let the broker divide the queues of a topic receive from them. */
export interface ConsumeMode {
  readonly mode: 'PULL' | 'POP';
  /** With POP: how many other clients each one shares its queues with; below 1 all share all. */
  readonly popShareQueueNum: number;
}

/** Whether messages of a queue are delivered to the group one batch after another. Those of a lite topic always are. */
export function isOrdered({ fifo, lite }: GroupRecord): boolean {
  return fifo || lite !== undefined;
}

/** A message as its producer sent it, with the time at which it was stored. Written once. */
export interface StoredMessage {
  readonly messageId: string;
  readonly type: MessageType;
  readonly body: Buffer;
  /** The protocol's number of the body encoding, returned unchanged. */
  readonly bodyEncoding: number;
  readonly tag: string | undefined;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly messageGroup: string | undefined;
  readonly priority: number | undefined;
  readonly liteTopic?: string | undefined;
  readonly traceContext: string | undefined;
  readonly bornTimestampMs: number;
  readonly bornHost: string;
  readonly storeTimestampMs: number;
  readonly deliveryTimestampMs: number | undefined;
  /** For a dead letter: the delivery attempts in its group; otherwise 0. */
  readonly earlierAttempts: number;
  /** For a dead letter, and for the copy of a retry: the topic that it was sent to. */
  readonly originTopic?: string | undefined;
  /** What only clients of the remoting protocol read. */
  readonly remoting?: RemotingParts | undefined;
}

/** Parts of a message that a client of the remoting protocol sent, and that no field of the message carries. */
export interface RemotingParts {
  /** The number that the producer set (`Message.setFlag`). */
  readonly flag: number;
  /** Whether the broker adds the names of itself, which it does unless the message was sent in a batch. */
  readonly isSigned: boolean;
  /** How the body is compressed: the bits of `sysFlag` for it. */
  readonly sysFlag: number;
  /** Properties that the server reserves. */
  readonly properties: Readonly<Record<string, string>>;
}

/**
 * The body of a message to store. One that is a part of a larger buffer is copied, because it would keep all of that in memory, and the store
 * could not weigh it.
 */
export function bodyToStore(body: Buffer): Buffer {
  if (2 * body.length > body.buffer.byteLength) return body;
  const copy = Buffer.allocUnsafeSlow(body.length);
  copy.set(body);
  return copy;
}

/** A part of a text, as a text of its own: V8 would keep the whole text in memory as long as the part. */
export function partToStore(part: string): string {
  return Buffer.from(part).toString();
}

/** A message that was delivered to a group and is not settled. */
export interface DeliveryRecord {
  /** The number of counted deliveries, starting at 1. */
  readonly attempt: number;
  /** When the group first received the message; undefined for one that starts over, or that an earlier release stored. */
  readonly firstAtMs?: number | undefined;
  /** Identifies the newest receipt handle; older ones are invalid. */
  readonly serial: number;
  /** The next delivery does not count: the message was released with `suspend`. */
  readonly keepsAttempt: boolean;
  readonly state: DeliveryState;
}

export type DeliveryState =
  /** Held by a consumer until `endsAtMs`. `changed` once the consumer has changed that time, to renew or to delay a retry. */
  | {
      readonly kind: 'leased';
      readonly endsAtMs: number;
      readonly changed: boolean;
      readonly renewal?: Renewal | undefined;
      /** The client that received it, for administration. */
      readonly holder?: string | undefined;
    }
  /** The lease has ended; the message waits for the next pop. */
  | { readonly kind: 'ready'; readonly sinceMs: number }
  /** Ordered groups only: acked, but an earlier message of the queue is not. */
  | { readonly kind: 'acked' };

/** The broker renews this lease while its client is connected (`auto_renew`). */
export interface Renewal {
  readonly clientId: string;
  /** The lease is not renewed beyond this time. */
  readonly untilMs: number;
}

/** A queue of a topic, as a group sees it. */
export interface QueueRef {
  readonly topic: string;
  readonly group: string;
  readonly queueId: number;
}

/** A half message and the state of its checks. */
export interface HalfRecord {
  readonly message: StoredMessage;
  readonly transactionId: string;
  readonly checks: number;
  readonly nextCheckAtMs: number;
  /**
   * The times until which this transaction can be ended (RocketMQ: `transactionDataExpireMillis`), the earliest first: one from
   * the half message, and one more from each check. An end without a resolution uses one up.
   */
  readonly openUntilMs: readonly number[];
  /** Where it is stored when it commits; undefined: the broker chooses. */
  readonly queueId?: number | undefined;
  /** With a recovery duration: after this time only an answer to a check ends it (`EndTransactionProcessor`, 5.5.0). */
  readonly endableUntilMs: number | undefined;
}

/** An entry of the index by due time. */
export type Due =
  | { readonly kind: 'lease'; readonly queue: QueueRef; readonly offset: number }
  | { readonly kind: 'delayed'; readonly key: Key }
  | { readonly kind: 'check'; readonly key: Key };

/** Parses the key of an entry by due time. The key contains everything that the record does. */
export function dueOf(key: Key): Due {
  const [, , kind, ...reference] = key;
  if (kind !== 'lease') return { kind: kind as 'delayed' | 'check', key: reference };
  const [group, topic, queueId, offset] = reference as [string, string, number, number];
  return { kind, queue: { group, topic, queueId }, offset };
}

/** The reverse of {@link dueOf}. */
export function dueReference(due: Due): Key {
  if (due.kind !== 'lease') return [due.kind, ...due.key];
  const { group, topic, queueId } = due.queue;
  return ['lease', group, topic, queueId, due.offset];
}

/** Describes the record of a key for error messages. */
export function nameOfRecord([kind, ...parts]: Key): string {
  switch (kind) {
    case 'log':
      return `the message of topic "${parts[0]}", queue ${parts[1]}, offset ${parts[2]}`;
    case 'delayed':
    case 'half':
      return `the ${kind} message "${parts[1]}" of topic "${parts[0]}"`;
    default:
      return `the record "${[kind, ...parts].join(' ')}"`;
  }
}

/** Longer strings of producers are replaced by their digests in keys, because a store on disk limits the length of keys. */
const MAX_TEXT_LENGTH = 255;

function shortened(text: string): string {
  return text.length <= MAX_TEXT_LENGTH ? text : `sha256 ${createHash('sha256').update(text).digest('hex')}`;
}

/** The keys: the kind first, then from general to specific, so that each scan has one prefix. */
export const keys = {
  topics: ['topic'] as Key,
  topic: (topic: string): Key => ['topic', topic],
  groups: ['group'] as Key,
  group: (group: string): Key => ['group', group],
  /** The offset of the next message of a queue. */
  end: (topic: string, queueId: number): Key => ['end', topic, queueId],
  ends: (topic: string): Key => ['end', topic],
  allEnds: ['end'] as Key,
  /** The first offset of a queue that retention has not deleted; absent if it has deleted none. */
  begin: (topic: string, queueId: number): Key => ['begin', topic, queueId],
  begins: (topic: string): Key => ['begin', topic],
  log: (topic: string): Key => ['log', topic],
  message: (topic: string, queueId: number, offset: number): Key => ['log', topic, queueId, offset],
  cursors: ['cursor'] as Key,
  /** The first offset of a queue that was never delivered to a group. */
  cursorsOf: (group: string): Key => ['cursor', group],
  cursor: ({ group, topic, queueId }: QueueRef): Key => ['cursor', group, topic, queueId],
  modesOf: (group: string): Key => ['mode', group],
  mode: (group: string, topic: string): Key => ['mode', group, topic],
  deliveries: ['delivery'] as Key,
  deliveriesOfGroup: (group: string): Key => ['delivery', group],
  deliveriesOf: ({ group, topic, queueId }: QueueRef): Key => ['delivery', group, topic, queueId],
  delivery: (queue: QueueRef, offset: number): Key => [...keys.deliveriesOf(queue), offset],
  /** Deliveries of an unordered group that wait for the next pop, the oldest first. */
  readyOf: (group: string, topic: string): Key => ['ready', group, topic],
  ready: ({ group, topic, queueId }: QueueRef, sinceMs: number, offset: number): Key => [
    'ready',
    group,
    topic,
    sinceMs,
    queueId,
    offset,
  ],
  /** The attempt id of the newest pop of an ordered group from a queue. */
  attemptIdsOf: (group: string): Key => ['attemptId', group],
  attemptId: ({ group, topic, queueId }: QueueRef): Key => ['attemptId', group, topic, queueId],
  delayed: ['delayed'] as Key,
  delayedOf: (topic: string): Key => ['delayed', topic],
  delayedById: (topic: string, messageId: string): Key => ['delayed', topic, shortened(messageId)],
  delayedAt: (topic: string, messageId: string, dueAtMs: number): Key => [
    ...keys.delayedById(topic, messageId),
    dueAtMs,
  ],
  halves: ['half'] as Key,
  halvesOf: (topic: string): Key => ['half', topic],
  halvesById: (topic: string, transactionId: string): Key => ['half', topic, shortened(transactionId)],
  /** Positions of messages by id, and by key and time. */
  indexOf: (topic: string): Key => ['index', topic],
  indexById: (topic: string, messageId: string): Key => ['index', topic, 'id', shortened(messageId)],
  indexByKey: (topic: string, key: string): Key => ['index', topic, 'key', shortened(key)],
  dues: ['due'] as Key,
  due: (atMs: number, reference: Key): Key => ['due', atMs, ...reference],
  serial: ['serial'] as Key,
  /** The number of a topic in log offsets, and the topic of each number. */
  topicNumber: (topic: string): Key => ['topicNumber', topic],
  numberedTopics: ['numberedTopic'] as Key,
  numberedTopic: (number: number): Key => ['numberedTopic', number],
  /** How the broker's time was moved, by number. */
  times: ['time'] as Key,
  time: (number: number): Key => ['time', number],
  /** The queue of each lite topic. */
  lites: (topic: string): Key => ['lite', topic],
  lite: (topic: string, liteTopic: string): Key => ['lite', topic, liteTopic],
  /** The id of the next queue for a lite topic of a topic. */
  liteNext: (topic: string): Key => ['liteNext', topic],
  /** The number of lite topics of all topics. */
  liteCount: ['liteCount'] as Key,
  /** What a name server keeps by namespace and key. */
  settings: ['setting'] as Key,
  setting: (namespace: string, key: string): Key => ['setting', shortened(namespace), shortened(key)],
} as const;

/** The queue and offset of a message. */
export interface LogPosition {
  readonly queueId: number;
  readonly offset: number;
}

/** A position with its topic. */
export interface TopicPosition extends LogPosition {
  readonly topic: string;
}
