// The offsets of topics and groups. Read-only.

import { type DeliveryRecord, type GroupRecord, keys, type QueueRef, type TopicRecord } from '../store/records.js';
import type { Store } from '../store/store.js';
import { messageAt } from './views.js';

/** A queue of a topic: its first stored offset, the offset of its next message, and when its last message was stored. */
export interface QueueRange {
  readonly queueId: number;
  readonly minOffset: number;
  readonly maxOffset: number;
  readonly lastStoredAtMs: number | undefined;
}

/** A queue as a group sees it. */
interface GroupPosition extends QueueRange {
  /** For an ordered group the first offset that is not settled, otherwise the first that was never delivered. */
  readonly offset: number;
  /** When the message before `offset` was stored. */
  readonly storedAtMs: number | undefined;
}

export function queueRanges(store: Store, { name, queues }: TopicRecord): QueueRange[] {
  return Array.from({ length: queues }, (_, queueId) => {
    const maxOffset = endOf(store, name, queueId);
    let minOffset = maxOffset;
    for (const [key] of store.scan([...keys.log(name), queueId], { tolerant: true })) {
      minOffset = key.at(-1) as number;
      break;
    }
    return {
      queueId,
      minOffset,
      maxOffset,
      lastStoredAtMs: messageAt(store, name, queueId, maxOffset - 1)?.storeTimestampMs,
    };
  });
}

/** How many messages these topics have stored since then. */
export function storedSince(store: Store, topics: readonly TopicRecord[], sinceMs: number): number {
  const counts = topics.flatMap((topic) =>
    queueRanges(store, topic).map((range) => range.maxOffset - offsetAt(store, topic.name, range, sinceMs)),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The topics in which a group has received messages or was moved. */
export function topicsOfGroup(store: Store, group: string): string[] {
  return [...new Set(Array.from(store.scan(keys.cursorsOf(group)), ([key]) => key[2] as string))];
}

/** The groups that have received messages of the topic. */
export function groupsOfTopic(store: Store, groups: readonly GroupRecord[], topic: string): string[] {
  const has = (group: string): boolean => {
    for (const _ of store.scan([...keys.cursorsOf(group), topic])) return true;
    return false;
  };
  return groups.map(({ name }) => name).filter(has);
}

export function positionsOf(store: Store, group: GroupRecord, topic: TopicRecord): GroupPosition[] {
  return queueRanges(store, topic).map((range) => {
    const queue = { group: group.name, topic: topic.name, queueId: range.queueId };
    const offset = positionOf(store, group, queue);
    return { ...range, offset, storedAtMs: messageAt(store, topic.name, range.queueId, offset - 1)?.storeTimestampMs };
  });
}

/** The number of messages that are ready to be redelivered. Of an ordered queue they lie behind its offset, and are not counted twice. */
export function countReady(store: Store, group: string, topic: string): number {
  let count = 0;
  for (const _ of store.scan(keys.readyOf(group, topic))) count++;
  return count;
}

/** The offset of the first message of a queue that was stored at this time or later; the end of the queue if there is none. */
export function offsetAt(
  store: Store,
  topic: string,
  { queueId, minOffset, maxOffset }: QueueRange,
  atMs: number,
): number {
  let [low, high] = [minOffset, maxOffset];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((messageAt(store, topic, queueId, middle)?.storeTimestampMs ?? 0) < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where a group goes on in a queue. */
export function positionOf(store: Store, { fifo }: GroupRecord, queue: QueueRef): number {
  const cursor = (store.get(keys.cursor(queue)) as number | undefined) ?? 0;
  if (!fifo) return cursor;
  for (const [key, record] of store.scan(keys.deliveriesOf(queue))) {
    if ((record as DeliveryRecord).state.kind !== 'acked') return Math.min(cursor, key.at(-1) as number);
  }
  return cursor;
}

function endOf(store: Store, topic: string, queueId: number): number {
  return (store.get(keys.end(topic, queueId)) as number | undefined) ?? 0;
}
