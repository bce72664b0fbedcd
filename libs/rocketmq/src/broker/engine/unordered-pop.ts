// Selects the messages of an unordered group: first those whose lease ended, then new ones, from all queues of the topic.

import { type DeliveryRecord, keys, type QueueRef } from '../store/records.js';
import { MAX_SCANNED, type Pop } from './pop.js';

/** @param turns the queues in the order in which they are popped */
export function popUnordered(pop: Pop, turns: readonly number[]): void {
  for (const { queueId, offset } of readyMessages(pop)) takeAgain(pop, pop.queue(queueId), offset);
  for (const queueId of turns) takeNew(pop, queueId);
}

/** @param turns the queues, the highest priority first; each is emptied before the next is read */
export function popByPriority(pop: Pop, turns: readonly number[]): void {
  const ready = readyMessages(pop);
  const [highest = 0] = turns;
  for (const turn of turns) {
    for (const { queueId, offset } of ready) {
      // A queue above the highest was removed from the topic.
      if (Math.min(queueId, highest) === turn) takeAgain(pop, pop.queue(queueId), offset);
    }
    takeNew(pop, turn);
  }
}

/** The oldest first. */
function readyMessages({ changes, request }: Pop): { queueId: number; offset: number }[] {
  const found = changes.scan<number>(keys.readyOf(request.group.name, request.topic), {}, MAX_SCANNED);
  return found.map(([key]) => {
    const [queueId, offset] = key.slice(-2) as [number, number];
    return { queueId, offset };
  });
}

function takeAgain(pop: Pop, queue: QueueRef, offset: number): void {
  if (pop.isDone) return;
  const record = pop.changes.get<DeliveryRecord>(keys.delivery(queue, offset));
  if (record === undefined) return;
  pop.takeAgain(queue, offset, record, record.keepsAttempt ? record.attempt : record.attempt + 1);
}

function takeNew(pop: Pop, queueId: number): void {
  if (!pop.isDone) pop.takeNew(pop.queue(queueId));
}
