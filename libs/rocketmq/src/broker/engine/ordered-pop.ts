// Selects the messages of an ordered group: those of a queue in order, and no more of that queue until they are settled or
// their leases have ended. After that it starts at the first unsettled one and includes later acked ones, which are also dead-lettered with it
// after the last attempt (observed on 5.5.0). A poll that takes fewer than those forgets the attempts and the acks of the others
// (5.5.0: `ConsumerOrderInfoManager` keeps the offsets of the last poll only).

import { type DeliveryRecord, keys, type QueueRef } from '../store/records.js';
import type { Pop } from './pop.js';

/** @param turns the queues in the order in which they are popped */
export function popOrdered(pop: Pop, turns: readonly number[]): void {
  for (const queueId of turns) {
    if (pop.isDone) return;
    popQueue(pop, pop.queue(queueId));
  }
}

function popQueue(pop: Pop, queue: QueueRef): void {
  const { changes, request } = pop;
  const held = changes.scan<DeliveryRecord>(keys.deliveriesOf(queue));
  const isBlocked = held.some(([, record]) => record.state.kind === 'leased');
  const { attemptId } = request;
  // Of lite topics, the real server hands out nothing twice (5.5.0).
  const isKnown = attemptId !== undefined && request.liteTopics === undefined;
  const isRepeat = isKnown && changes.get<string>(keys.attemptId(queue)) === attemptId;
  if (isBlocked && !isRepeat) return;
  // A repeat goes on from the first message that is not settled, with new ones if it asks for more.
  const before = pop.taken;
  let count = 0;
  for (const [key, record] of held) {
    if (pop.isDone) break;
    count++;
    const offset = key.at(-1) as number;
    const attempt = isRepeat || record.keepsAttempt ? Math.max(1, record.attempt) : record.attempt + 1;
    if (!pop.takeAgain(queue, offset, record, attempt)) return;
  }
  pop.takeNew(queue);
  if (pop.taken === before) return;
  // What ended the poll may be the cost of a filter, which costs no attempts.
  const forgotten = pop.isFull ? held.slice(count) : [];
  for (const [key, record] of forgotten) pop.startOver(queue, key.at(-1) as number, record);
  if (attemptId === undefined) changes.delete(keys.attemptId(queue));
  else changes.put(keys.attemptId(queue), attemptId);
}
