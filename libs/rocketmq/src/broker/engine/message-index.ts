// Indexes the positions of messages by id and by key. Written with the message; only tools read it.

import type { LogPosition } from '../store/records.js';
import { keys, type StoredMessage } from '../store/records.js';
import type { Key, Store } from '../store/store.js';
import { type MessageEntry, messageAt } from './views.js';

/** A query for messages with a key. */
interface KeyQuery {
  readonly topic: string;
  readonly key: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

/** The keys of the entries of a stored message. */
export function indexKeys(topic: string, { queueId, offset }: LogPosition, message: StoredMessage): Key[] {
  const { messageId, keys: own, storeTimestampMs } = message;
  const byKey = [...new Set(own)].map((key): Key => {
    return [...keys.indexByKey(topic, key), storeTimestampMs, queueId, offset];
  });
  return [[...keys.indexById(topic, messageId), queueId, offset], ...byKey];
}

/** The newest messages with an id up to the limit, in order of storage. Ids are not unique. */
export function messagesById(store: Store, topic: string, messageId: string, limit: number): MessageEntry[] {
  // By queue and offset: the newest of all are among the newest of each queue.
  const ofQueue = new Map<number, (readonly [Key, unknown])[]>();
  for (const pair of store.scan(keys.indexById(topic, messageId))) {
    const queueId = pair[0].at(-2) as number;
    const newest = ofQueue.get(queueId) ?? [];
    newest.push(pair);
    if (newest.length > limit) newest.shift();
    ofQueue.set(queueId, newest);
  }
  const entries = entriesOf(store, topic, [...ofQueue.values()].flat(), Number.POSITIVE_INFINITY);
  return entries.sort((left, right) => left.message.storeTimestampMs - right.message.storeTimestampMs).slice(-limit);
}

/** The newest messages with a key up to the limit, in order of storage. */
export function messagesByKey(store: Store, { topic, key, fromMs, toMs, limit }: KeyQuery): MessageEntry[] {
  const prefix = keys.indexByKey(topic, key);
  const range = { from: [...prefix, fromMs], before: [...prefix, toMs + 1] };
  return entriesOf(store, topic, lastOf(store.scan(prefix, range), limit), limit);
}

function entriesOf(
  store: Store,
  topic: string,
  found: Iterable<readonly [readonly (string | number)[], unknown]>,
  limit: number,
): MessageEntry[] {
  const entries: MessageEntry[] = [];
  for (const [key] of found) {
    if (entries.length >= limit) break;
    const [queueId, offset] = key.slice(-2) as [number, number];
    const message = messageAt(store, topic, queueId, offset);
    if (message !== undefined) entries.push({ topic, queueId, offset, message });
  }
  return entries;
}

/** Keeps the last items in a ring buffer, so that a key with a million messages does not load them all. */
function lastOf<T>(items: Iterable<T>, limit: number): T[] {
  const ring: T[] = [];
  let count = 0;
  for (const item of items) ring[count++ % limit] = item;
  const start = count > limit ? count % limit : 0;
  return [...ring.slice(start), ...ring.slice(0, start)];
}
