// What became of messages, for tools. A real server keeps a half message, a delayed message and each redelivery in topics of its own, also
// when they are over. This broker keeps what waits in its records, and of what is over an entry here: without a body, in memory, and no
// more than a bounded number.

import { DELAYED_TOPIC, HALF_TOPIC, RETRY_PREFIX } from '../../protocol/model/names.js';
import { peek } from '../store/damaged-record.js';
import {
  type DeliveryRecord,
  type GroupRecord,
  isOrdered,
  keys,
  type QueueRef,
  type StoredMessage,
  type TopicPosition,
} from '../store/records.js';
import type { Key, Store } from '../store/store.js';
import { DelayedOrder } from './delayed-order.js';
import { type MessageEntry, messageAt } from './views.js';

const MAX_ENTRIES = 2_000;
/** Producers choose ids and names, which may be long. */
const MAX_CHARACTERS = 1_000_000;

/** A property of an entry whose message is not stored any more. */
const BODY_GONE = 'BODY_GONE';

/** What is over. */
interface TrailEntry {
  /** The topic in which a real server keeps it. */
  readonly keptIn: string;
  /** The topic that the message was sent to. */
  readonly topic: string;
  /** For a redelivery. */
  readonly group?: string;
  /** As a real server keeps it, but for its body. */
  readonly message: StoredMessage;
  /** Where its body is stored, if it still is. Undefined: nowhere. */
  readonly at: TopicPosition | undefined;
}

/** A delivery that has failed: its message waits for the next one. */
interface RetryNote {
  readonly queue: QueueRef;
  readonly offset: number;
  /** The number of the delivery. */
  readonly attempt: number;
  readonly firstAtMs: number | undefined;
  readonly nowMs: number;
}

/** What a command reports. A deletion removes the entries of the topic or group. */
export type TrailNote =
  | TrailEntry
  | RetryNote
  | { readonly deleted: { topic: string } | { group: string } }
  /** A delayed message begins or ends to wait. */
  | { readonly delayed: Key; readonly isWaiting: boolean };

export class Trail {
  private entries: (TrailEntry & { readonly serial: number })[] = [];
  private characters = 0;
  /** The number of entries that were ever added: offsets below it are those of redeliveries that do not wait. */
  written = 0;

  /** What is not over yet. */
  readonly delayed: DelayedOrder;

  constructor(private readonly store: Store) {
    this.delayed = new DelayedOrder(store);
  }

  /** Must be called after the command's changes were written. */
  add(note: TrailNote): void {
    if ('deleted' in note) this.forget(note.deleted);
    else if ('delayed' in note) this.delayed[note.isWaiting ? 'arrived' : 'left'](note.delayed);
    else if ('keptIn' in note) this.keep(note);
    else this.retry(note);
  }

  /** Whether there are redeliveries of a group. */
  hasRetries({ group, topic }: Pick<QueueRef, 'group' | 'topic'>): boolean {
    return this.entries.some((one) => one.group === group && one.topic === topic);
  }

  /** The newest entries of a message up to the limit, in the order in which they were added. */
  find(keptIn: string, messageId: string, limit: number): MessageEntry[] {
    const found = this.entries.filter((one) => one.keptIn === keptIn && one.message.messageId === messageId);
    return found.slice(-limit).map((entry) => {
      // Below those of the delayed messages that wait: a cancellation is of an earlier one.
      const own = entry.group === undefined ? 0 : entry.serial;
      const offset = this.waits(entry) ? this.written + entry.serial : own;
      return { topic: keptIn, queueId: 0, offset, message: this.withBody(entry) };
    });
  }

  /** Ordered groups redeliver a message where it is; for the others a real server stores it again. */
  private retry({ queue, offset, attempt, firstAtMs, nowMs }: RetryNote): void {
    const { group, topic, queueId } = queue;
    const record = peek(this.store, keys.group(group)) as GroupRecord | undefined;
    const stored = messageAt(this.store, topic, queueId, offset);
    if (record === undefined || isOrdered(record) || stored === undefined) return;
    const own = { ORIGIN_GROUP: group, ...(firstAtMs !== undefined && { '1ST_POP_TIME': String(firstAtMs) }) };
    const message = { ...withProperties(stored, own), storeTimestampMs: nowMs, earlierAttempts: attempt };
    this.keep({ keptIn: retryTopicOf(group, topic), topic, group, message, at: { topic, queueId, offset } });
  }

  private keep({ message, ...entry }: TrailEntry): void {
    const kept = { ...entry, message: { ...message, body: Buffer.alloc(0) }, serial: this.written++ };
    this.entries.push(kept);
    this.characters += charactersOf(kept);
    while (this.entries.length > MAX_ENTRIES || this.characters > MAX_CHARACTERS) {
      const oldest = this.entries.shift();
      if (oldest !== undefined) this.characters -= charactersOf(oldest);
    }
  }

  private forget(deleted: Partial<QueueRef>): void {
    this.entries = this.entries.filter(({ topic, group }) =>
      deleted.group === undefined ? topic !== deleted.topic : group !== deleted.group,
    );
    if (deleted.topic !== undefined) this.delayed.deletedTopic(deleted.topic);
    this.characters = this.entries.reduce((sum, entry) => sum + charactersOf(entry), 0);
  }

  /** Whether it is the newest redelivery of its message, and nobody has received it. */
  private waits(entry: TrailEntry): boolean {
    const { group, at } = entry;
    if (group === undefined || at === undefined) return false;
    const record = peek(this.store, keys.delivery({ ...at, group }, at.offset)) as DeliveryRecord | undefined;
    if (record?.state.kind !== 'ready') return false;
    return entry === this.entries.findLast((one) => one.group === group && one.at && samePlace(one.at, at));
  }

  /** Another message may be there, if a topic of the server's own was deleted. */
  private withBody({ at, message }: TrailEntry): StoredMessage {
    const stored = at && messageAt(this.store, at.topic, at.queueId, at.offset);
    if (stored?.messageId === message.messageId) return { ...message, body: stored.body };
    return { ...withProperties(message, { [BODY_GONE]: 'true' }), bodyEncoding: 0 };
  }
}

/** The topic in which a real server keeps the redeliveries of a group. @see KeyBuilder.buildPopRetryTopic */
export function retryTopicOf(group: string, topic: string): string {
  return `${RETRY_PREFIX}${group}_${topic}`;
}

/** A half message as a real server keeps it. */
export function asHalf(topic: string, message: StoredMessage): StoredMessage {
  return withProperties(message, placeOf(topic));
}

/** A delayed message as a real server keeps it. A handle names the due time, and the server the one before it. */
export function asDelayed(topic: string, message: StoredMessage, dueAtMs: number): StoredMessage {
  return withProperties(message, { ...placeOf(topic), TIMER_OUT_MS: String(dueAtMs - 1) });
}

/** @param at where it is stored since its end; undefined if it was rolled back */
export function halfEntry(topic: string, message: StoredMessage, at: TopicPosition | undefined): TrailEntry {
  return { keptIn: HALF_TOPIC, topic, message: asHalf(topic, message), at };
}

/** @param at where it is stored since it became visible; undefined if it was canceled */
export function delayedEntry(
  topic: string,
  message: StoredMessage,
  dueAtMs: number,
  at: TopicPosition | undefined,
): TrailEntry {
  return { keptIn: DELAYED_TOPIC, topic, message: asDelayed(topic, message, dueAtMs), at };
}

/** The cancellation of a delayed message, which a real server stores as a message. */
export function recallEntry(topic: string, message: StoredMessage, dueAtMs: number, nowMs: number): TrailEntry {
  const bare = { ...message, tag: undefined, keys: [], properties: { TIMER_DEL_UNIQKEY: message.messageId } };
  const { message: canceled, ...entry } = delayedEntry(topic, bare, dueAtMs, undefined);
  return { ...entry, message: { ...canceled, bornTimestampMs: nowMs, storeTimestampMs: nowMs } };
}

function withProperties(message: StoredMessage, own: StoredMessage['properties']): StoredMessage {
  return { ...message, properties: { ...message.properties, ...own } };
}

function placeOf(topic: string): StoredMessage['properties'] {
  return { REAL_TOPIC: topic, REAL_QID: '0' };
}

function samePlace(left: TopicPosition, right: TopicPosition): boolean {
  return left.topic === right.topic && left.queueId === right.queueId && left.offset === right.offset;
}

function charactersOf({ keptIn, message }: TrailEntry): number {
  const { messageId, tag = '', keys: own, messageGroup = '', liteTopic = '', traceContext = '', properties } = message;
  const texts = [keptIn, messageId, tag, messageGroup, liteTopic, traceContext, ...own];
  return [...texts, ...Object.entries(properties).flat()].reduce((sum, { length }) => sum + length, 0);
}
