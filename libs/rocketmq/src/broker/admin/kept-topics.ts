// The topics of its own in which a real server keeps half messages, delayed messages and redeliveries, as tools read them. This broker has no
// such topics: what waits is in its records, what is over in its trail.

import { DELAYED_TOPIC, HALF_TOPIC, RETRY_PREFIX } from '../../protocol/model/names.js';
import type { Engine } from '../engine/engine.js';
import type { QueueRange } from '../engine/offsets.js';
import { dueAtOf } from '../engine/recall-handle.js';
import { asDelayed, asHalf } from '../engine/trail.js';
import type { MessageEntry } from '../engine/views.js';
import { peek } from '../store/damaged-record.js';
import { type HalfRecord, keys, type StoredMessage } from '../store/records.js';
import type { Key, Store } from '../store/store.js';

/** Whether the messages of a topic with an id are found by {@link keptById}. */
export function isKeptTopic(topic: string): boolean {
  return topic === HALF_TOPIC || topic === DELAYED_TOPIC || topic.startsWith(RETRY_PREFIX);
}

/** The newest messages with an id up to the limit: what is over, then what waits. */
export function keptById(
  store: Store,
  engine: Engine,
  topic: string,
  messageId: string,
  limit: number,
): MessageEntry[] {
  const past = engine.trail?.find(topic, messageId, limit) ?? [];
  const waiting = engine.topics().flatMap(({ name }): MessageEntry[] => {
    if (topic === HALF_TOPIC) return halvesById(store, name, messageId);
    return topic === DELAYED_TOPIC ? delayedById(store, engine, name, messageId) : [];
  });
  return [...past, ...waiting].slice(-limit);
}

/** The delayed messages are one queue, in the order in which they arrived: a message moves forward when one before it leaves. */
export function delayedRange(store: Store, { trail }: Engine): QueueRange {
  const maxOffset = trail?.delayed.all.length ?? 0;
  const newest = trail?.delayed.all.at(-1);
  const last = newest && (peek(store, newest) as StoredMessage | undefined);
  return { queueId: 0, minOffset: 0, maxOffset, lastStoredAtMs: last?.storeTimestampMs };
}

/** The delayed messages from an offset on, read lazily, without those that cannot be read. */
export function* delayedFrom(store: Store, { trail }: Engine, from: number): Iterable<MessageEntry> {
  const all = trail?.delayed.all ?? [];
  for (let offset = from; offset < all.length; offset++) {
    const entry = delayedAt(store, all[offset] as Key, offset);
    if (entry !== undefined) yield entry;
  }
}

/** The offset of the first delayed message that was stored at this time or later. */
export function delayedOffsetAt(store: Store, engine: Engine, atMs: number): number {
  for (const { offset, message } of delayedFrom(store, engine, 0)) if (message.storeTimestampMs >= atMs) return offset;
  return delayedRange(store, engine).maxOffset;
}

function delayedById(store: Store, { trail }: Engine, topic: string, messageId: string): MessageEntry[] {
  const found = [...store.scan(keys.delayedById(topic, messageId), { tolerant: true })];
  return found.flatMap(([key]) => delayedAt(store, key, trail?.delayed.indexOf(key) ?? 0) ?? []);
}

function delayedAt(store: Store, key: Key, offset: number): MessageEntry | undefined {
  const message = peek(store, key) as StoredMessage | undefined;
  if (message === undefined) return undefined;
  return { topic: DELAYED_TOPIC, queueId: 0, offset, message: asDelayed(String(key[1]), message, dueAtOf(key)) };
}

function halvesById(store: Store, topic: string, messageId: string): MessageEntry[] {
  const found = [...store.scan(keys.halvesById(topic, messageId), { tolerant: true })];
  return found.flatMap(([key, value]) => {
    if (value === undefined) return [];
    const message = asHalf(topic, (value as HalfRecord).message);
    return [{ topic: HALF_TOPIC, queueId: 0, offset: Number(key.at(-1)), message }];
  });
}
