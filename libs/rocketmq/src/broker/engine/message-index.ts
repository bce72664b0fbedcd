// Where messages lie by their id and by their keys. Written with the message; only tools read it.

import type { Store } from '../store/store.js';
import type { Changes } from './changes.js';
import type { LogPosition } from './log.js';
import { keys, type StoredMessage } from './records.js';
import { type MessageEntry, messageAt } from './views.js';

/** What of the messages with a key is wanted. */
export interface KeyQuery {
  readonly topic: string;
  readonly key: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

/** Notes a message that has just been given its place. */
export function indexMessage(changes: Changes, topic: string, at: LogPosition, message: StoredMessage): void {
  changes.put([...keys.indexById(topic, message.messageId), at.queueId, at.offset], true);
  for (const key of new Set(message.keys)) {
    changes.put([...keys.indexByKey(topic, key), message.storeTimestampMs, at.queueId, at.offset], true);
  }
}

/** Takes out what `indexMessage` noted. */
export function unindexMessage(changes: Changes, topic: string, at: LogPosition, message: StoredMessage): void {
  changes.delete([...keys.indexById(topic, message.messageId), at.queueId, at.offset]);
  for (const key of new Set(message.keys)) {
    changes.delete([...keys.indexByKey(topic, key), message.storeTimestampMs, at.queueId, at.offset]);
  }
}

/** The messages with an id: as many as were sent with it. */
export function messagesById(store: Store, topic: string, messageId: string, limit: number): MessageEntry[] {
  return entriesOf(store, topic, store.scan(keys.indexById(topic, messageId)), limit);
}

/** The messages with a key, the newest ones when there are more than the limit, the earliest first. */
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

/** A ring of the last ones, so that a key of a million messages does not collect them all. */
function lastOf<T>(items: Iterable<T>, limit: number): T[] {
  const ring: T[] = [];
  let count = 0;
  for (const item of items) ring[count++ % limit] = item;
  const start = count > limit ? count % limit : 0;
  return [...ring.slice(start), ...ring.slice(0, start)];
}
