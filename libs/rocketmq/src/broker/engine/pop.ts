// One pop in progress: what every pop does with a message, whatever the order in which messages are chosen.

import { HOUR_MS } from '../../support/clock.js';
import { DamagedRecord } from '../store/damaged-record.js';
import type { Changes } from './changes.js';
import type { Deliveries, Delivery, PopRequest, PopResult } from './deliveries.js';
import type { MessageLog } from './log.js';
import { type DeliveryRecord, keys, type QueueRef, type StoredMessage, type TopicRecord } from './records.js';

/**
 * A filter that wants nothing must not hold the process up: a pop looks at no more messages than this, and at fewer when the filter has
 * much to do for each.
 */
export const LONGEST_SCAN = 1_000;

/**
 * The queues of a topic in the order in which a pop looks at them: the highest first where the queue is the priority, else
 * each queue first in turn, or the last one would starve under load.
 */
export function queueTurns({ type, queues }: TopicRecord, firstQueue: number): number[] {
  return Array.from({ length: queues }, (_, turn) => {
    return type === 'priority' ? queues - 1 - turn : (firstQueue + turn) % queues;
  });
}

/** From the delivery on, the broker renews a lease for this long (`renewMaxTimeMillis`). */
const LONGEST_RENEWAL_MS = 3 * HOUR_MS;

/** Collects what one ReceiveMessage is handed. */
export class Pop {
  private readonly deliveries: Delivery[] = [];
  private skipped = 0;
  private effort = 0;
  /** A message that cannot be read. Later messages of its queue wait, since it must not be skipped silently. */
  damage: DamagedRecord | undefined;

  constructor(
    readonly changes: Changes,
    readonly request: PopRequest,
    private readonly log: MessageLog,
    private readonly ledger: Deliveries,
  ) {}

  get handedOut(): number {
    return this.deliveries.length;
  }

  get isDone(): boolean {
    return this.deliveries.length >= this.request.batchSize || this.effort >= LONGEST_SCAN;
  }

  get result(): PopResult {
    return { deliveries: this.deliveries, skipped: this.skipped };
  }

  /** A queue of the popped topic, as the popping group sees it. */
  queue(queueId: number): QueueRef {
    return { topic: this.request.topic, group: this.request.group.name, queueId };
  }

  /** Hands out what the group was never handed, from its cursor on. */
  takeNew(queue: QueueRef): void {
    const end = this.log.endOffset(this.changes, queue.topic, queue.queueId);
    const start = this.changes.get<number>(keys.cursor(queue)) ?? 0;
    let offset = start;
    for (; offset < end && !this.isDone; offset++) {
      const read = this.read(queue, offset);
      if (read === undefined) break;
      if (read.message !== undefined) this.offer(queue, offset, read.message, 1);
      // Deleted by retention, and with it all before the beginning.
      else offset = Math.max(offset, this.log.beginOffset(this.changes, queue.topic, queue.queueId) - 1);
    }
    if (offset > start) this.changes.put(keys.cursor(queue), offset);
  }

  /** Hands a message out again, with the attempt number that is its turn now. @returns false when it cannot be read */
  takeAgain(queue: QueueRef, offset: number, record: DeliveryRecord, attempt: number): boolean {
    const read = this.read(queue, offset);
    if (read === undefined) return false;
    this.ledger.drop(this.changes, queue, offset, record.state);
    if (read.message === undefined) return true;
    const isSpent = attempt > this.request.group.maxDeliveryAttempts;
    // Acked behind an unsettled message of an ordered queue: redelivered with it, but never a dead letter.
    if (!isSpent || record.state.kind !== 'acked') this.offer(queue, offset, read.message, attempt);
    return true;
  }

  /** @returns undefined for a message that cannot be read */
  private read({ topic, queueId }: QueueRef, offset: number): { message: StoredMessage | undefined } | undefined {
    try {
      return { message: this.log.message(this.changes, topic, queueId, offset) };
    } catch (error) {
      if (!(error instanceof DamagedRecord)) throw error;
      this.damage ??= error;
      return undefined;
    }
  }

  private offer(queue: QueueRef, offset: number, message: StoredMessage, attempt: number): void {
    const { group, nowMs, leaseMs, renewFor, clientId, matches, effort } = this.request;
    this.effort += effort?.(message) ?? 1;
    if (!matches(message)) {
      this.skipped++;
    } else if (attempt > group.maxDeliveryAttempts) {
      this.ledger.deadLetter(this.changes, queue, group, {
        message,
        attempts: message.earlierAttempts + attempt,
        nowMs,
      });
      this.skipped++;
    } else {
      const renewal = renewFor === undefined ? undefined : { clientId: renewFor, untilMs: nowMs + LONGEST_RENEWAL_MS };
      const lease = { message, attempt, endsAtMs: nowMs + leaseMs, renewal, holder: clientId };
      this.deliveries.push(this.ledger.deliver(this.changes, queue, offset, lease));
    }
  }
}
