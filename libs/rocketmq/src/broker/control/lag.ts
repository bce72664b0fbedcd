// Computes the lag of groups from the indexes, reading only the oldest messages.

import { queueRanges, topicsOfGroup } from '../engine/offsets.js';
import { messageAt } from '../engine/views.js';
import { type DeliveryRecord, type GroupRecord, keys, type TopicRecord } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { LagState } from './control-views.js';
import { allOf } from './pages.js';

/** The lag of a group in every topic of which messages were delivered to it. */
export async function lagOfGroup(store: Store, group: GroupRecord): Promise<LagState[]> {
  const lags: LagState[] = [];
  for (const name of topicsOfGroup(store, group.name)) {
    const topic = store.get(keys.topic(name)) as TopicRecord | undefined;
    if (topic !== undefined) lags.push(await lagIn(store, group.name, topic));
  }
  return lags;
}

async function lagIn(store: Store, group: string, topic: TopicRecord): Promise<LagState> {
  let fresh = 0;
  let again = 0;
  let inFlight = 0;
  const stored: number[] = [];
  const readySince: number[] = [];
  for (const { queueId, minOffset, maxOffset } of queueRanges(store, topic)) {
    const queue = { group, topic: topic.name, queueId };
    const cursor = Math.max(minOffset, (store.get(keys.cursor(queue)) as number | undefined) ?? 0);
    fresh += Math.max(0, maxOffset - cursor);
    const oldestFresh = messageAt(store, topic.name, queueId, cursor)?.storeTimestampMs;
    if (oldestFresh !== undefined) {
      stored.push(oldestFresh);
      readySince.push(oldestFresh);
    }
    let isOldest = true;
    for await (const [key, value] of allOf(store, keys.deliveriesOf(queue))) {
      const { state } = value as DeliveryRecord;
      if (state.kind === 'acked') continue;
      if (state.kind === 'leased') inFlight++;
      else {
        again++;
        readySince.push(state.sinceMs);
      }
      const atMs = isOldest ? messageAt(store, topic.name, queueId, key.at(-1) as number)?.storeTimestampMs : undefined;
      if (atMs !== undefined) stored.push(atMs);
      isOldest = false;
    }
  }
  const ready = fresh + again;
  const [oldestStoredAtMs, oldestReadyAtMs] = [least(stored), least(readySince)];
  return {
    group,
    topic: topic.name,
    lag: ready + inFlight,
    ready,
    inFlight,
    ...(oldestStoredAtMs !== undefined && { oldestStoredAtMs }),
    ...(oldestReadyAtMs !== undefined && { oldestReadyAtMs }),
  };
}

/** Avoids spread arguments, since there may be very many values. */
function least(numbers: readonly number[]): number | undefined {
  let found: number | undefined;
  for (const number of numbers) if (found === undefined || number < found) found = number;
  return found;
}
