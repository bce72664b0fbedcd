// Which messages an unordered group is handed: first those whose lease ended, then new ones, from all queues of the topic.

import { LONGEST_SCAN, type Pop } from './pop.js';
import { type DeliveryRecord, keys } from './records.js';

/** @param firstQueue where to begin: queues take turns, or the last one would starve under load */
export function popUnordered(pop: Pop, queues: number, firstQueue: number): void {
  const { changes, request } = pop;
  for (const [key] of changes.scan<number>(keys.readyOf(request.group.name, request.topic), {}, LONGEST_SCAN)) {
    if (pop.isDone) return;
    const [queueId, offset] = key.slice(-2) as [number, number];
    const queue = pop.queue(queueId);
    const record = changes.get<DeliveryRecord>(keys.delivery(queue, offset));
    if (record === undefined) continue;
    pop.takeAgain(queue, offset, record, record.keepsAttempt ? record.attempt : record.attempt + 1);
  }
  for (let turn = 0; turn < queues && !pop.isDone; turn++) pop.takeNew(pop.queue((firstQueue + turn) % queues));
}
