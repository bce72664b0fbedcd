// The topic in which a real server keeps delayed messages, as tools read it. This broker keeps them by topic; here they are one queue, in
// the order in which they arrived. Those that were delivered or canceled are gone, which tools see as offsets that are no longer stored.

import { DELAYED_TOPIC } from '../../protocol/model/names.js';
import type { QueueRange } from '../engine/offsets.js';
import { dueAtOf } from '../engine/recall-handle.js';
import { keys, type StoredMessage } from '../engine/records.js';
import type { MessageEntry } from '../engine/views.js';
import type { Store } from '../store/store.js';

/** The delayed messages by offset. */
export function delayedEntries(store: Store): MessageEntry[] {
  const entries: MessageEntry[] = [];
  for (const [key, value] of store.scan(keys.delayed, { tolerant: true })) {
    if (value === undefined) continue;
    const message = value as StoredMessage;
    // A handle names the due time, and the server the one before it.
    const own = { REAL_TOPIC: String(key[1]), REAL_QID: '0', TIMER_OUT_MS: String(dueAtOf(key) - 1) };
    const properties = { ...message.properties, ...own };
    entries.push({
      topic: DELAYED_TOPIC,
      queueId: 0,
      offset: key.at(-1) as number,
      message: { ...message, properties },
    });
  }
  return entries.sort((left, right) => left.offset - right.offset);
}

export function delayedRange(store: Store): QueueRange {
  const entries = delayedEntries(store);
  const [first, last] = [entries[0], entries.at(-1)];
  const maxOffset = last === undefined ? 0 : last.offset + 1;
  const lastStoredAtMs = last?.message.storeTimestampMs;
  return { queueId: 0, minOffset: first?.offset ?? maxOffset, maxOffset, lastStoredAtMs };
}
