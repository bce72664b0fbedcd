// Indexes the positions of messages by id and by key. Written with the message; only tools read it.

import type { LogPosition } from '../store/records.js';
import { keys, type StoredMessage } from '../store/records.js';
import type { Key, Store } from '../store/store.js';
import { type MessageEntry, messageAt } from './views.js';

/** When the messages were stored, and how many of them at most. */
interface IndexRange {
  readonly topic: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

interface KeyQuery extends IndexRange {
  readonly key: string;
}

interface IdQuery extends IndexRange {
  readonly messageId: string;
}

export const ALWAYS = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER - 1 } as const;

/** The keys of the entries of a stored message. */
export function indexKeys(topic: string, { queueId, offset }: LogPosition, message: StoredMessage): Key[] {
  const { messageId, keys: own, storeTimestampMs } = message;
  const byKey = [...new Set(own)].map((key): Key => {
    return [...keys.indexByKey(topic, key), storeTimestampMs, queueId, offset];
  });
  return [[...keys.indexById(topic, messageId), queueId, offset], ...byKey];
}

/** The newest messages with an id up to the limit, in order of storage. Ids are not unique. */
export function messagesById(store: Store, { topic, messageId, fromMs, toMs, limit }: IdQuery): MessageEntry[] {
  // By queue and offset: the newest of all are among the newest of each queue.
  const ofQueue = new Map<number, MessageEntry[]>();
  for (const entry of entriesOf(store, topic, store.scan(keys.indexById(topic, messageId)))) {
    const { storeTimestampMs } = entry.message;
    if (storeTimestampMs < fromMs || storeTimestampMs > toMs) continue;
    const newest = ofQueue.get(entry.queueId) ?? [];
    newest.push(entry);
    if (newest.length > limit) newest.shift();
    ofQueue.set(entry.queueId, newest);
  }
  const entries = [...ofQueue.values()].flat();
  return entries.sort((left, right) => left.message.storeTimestampMs - right.message.storeTimestampMs).slice(-limit);
}

/** The newest messages with a key up to the limit, in order of storage. */
export function messagesByKey(store: Store, { topic, key, fromMs, toMs, limit }: KeyQuery): MessageEntry[] {
  const prefix = keys.indexByKey(topic, key);
  const range = { from: [...prefix, fromMs], before: [...prefix, toMs + 1] };
  return [...entriesOf(store, topic, lastOf(store.scan(prefix, range), limit))];
}

function* entriesOf(
  store: Store,
  topic: string,
  found: Iterable<readonly [readonly (string | number)[], unknown]>,
): Iterable<MessageEntry> {
  for (const [key] of found) {
    const [queueId, offset] = key.slice(-2) as [number, number];
    const message = messageAt(store, topic, queueId, offset);
    if (message !== undefined) yield { topic, queueId, offset, message };
  }
}

/** Keeps the last items in a ring buffer, so that a key with a million messages does not load them all. */
function lastOf<T>(items: Iterable<T>, limit: number): T[] {
  const ring: T[] = [];
  let count = 0;
  for (const item of items) ring[count++ % limit] = item;
  const start = count > limit ? count % limit : 0;
  return [...ring.slice(start), ...ring.slice(0, start)];
}
