// Which messages an ordered group is handed: a queue's, in order, and nothing more of that queue until they are settled or
// their leases ended. Then from the first unsettled one on, later acked ones included (seen on 5.5.0).

import type { Pop } from './pop.js';
import { type DeliveryRecord, keys, type QueueRef } from './records.js';

/** @param turns the queues in the order of their turn */
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
  const isRepeat = request.attemptId !== undefined && changes.get<string>(keys.attemptId(queue)) === request.attemptId;
  if (isBlocked && !isRepeat) return;
  const before = pop.handedOut;
  for (const [key, record] of held) {
    if (pop.isDone) break;
    const offset = key.at(-1) as number;
    // Acked, and all before it has just become dead letters: nothing is left that it could wait for.
    if (record.state.kind === 'acked' && pop.handedOut === before) changes.delete(key);
    else if (!pop.takeAgain(queue, offset, record, isRepeat ? record.attempt : record.attempt + 1)) return;
  }
  // A repeat after a lost answer gets what was lost, not more: its batch is still open.
  if (!isBlocked) pop.takeNew(queue);
  if (pop.handedOut === before) return;
  if (request.attemptId === undefined) changes.delete(keys.attemptId(queue));
  else changes.put(keys.attemptId(queue), request.attemptId);
}
