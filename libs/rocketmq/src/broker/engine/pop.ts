// One pop in progress: what ordered and unordered pops have in common.

import { HOUR_MS } from '../../support/clock.js';
import { DamagedRecord } from '../store/damaged-record.js';
import {
  type DeliveryRecord,
  type GroupRecord,
  keys,
  type QueueRef,
  type StoredMessage,
  type TopicRecord,
} from '../store/records.js';
import type { Changes } from './changes.js';
import type { Deliveries, Delivery } from './deliveries.js';
import type { MessageLog } from './log.js';

/** A pop: one ReceiveMessage request. */
export interface PopRequest {
  readonly topic: string;
  readonly group: GroupRecord;
  readonly batchSize: number;
  /** The pop ends with the message by which its bodies have this size. Default: no limit. */
  readonly maxBytes?: number;
  readonly leaseMs: number;
  readonly nowMs: number;
  readonly attemptId: string | undefined;
  /** The only queue to receive new messages from; undefined: all. */
  readonly queueId?: number | undefined;
  /** The lite topics to receive from, for a client that subscribes to such; undefined: the topic's queues. */
  readonly liteTopics?: readonly string[] | undefined;
  /** The client that receives. */
  readonly clientId?: string | undefined;
  /** The client for which the broker renews the leases. */
  readonly renewFor?: string | undefined;
  readonly matches: (message: StoredMessage) => boolean;
  /** The cost of filtering a message; 1 is the cost of a trivial filter (see MAX_SCANNED). Default 1. */
  readonly effort?: ((message: StoredMessage) => number) | undefined;
}

/** `skipped`: messages that were not delivered because of the filter or the attempt limit; they are settled for the group. */
export interface PopResult {
  readonly deliveries: Delivery[];
  readonly skipped: number;
}

/**
 * A filter that matches nothing must not block the process: a pop examines at most this many messages, and fewer if the filter is
 * expensive.
 */
export const MAX_SCANNED = 1_000;

/**
 * The queues of a topic in the order in which a pop reads them. For a priority topic the highest comes first; otherwise
 * the first queue rotates, so that no queue starves under load.
 */
export function queueTurns({ type, queues }: TopicRecord, firstQueue: number): number[] {
  return Array.from({ length: queues }, (_, turn) => {
    return type === 'priority' ? queues - 1 - turn : (firstQueue + turn) % queues;
  });
}

/** The broker renews a lease for this long after the delivery (`renewMaxTimeMillis`). */
const MAX_RENEWAL_MS = 3 * HOUR_MS;

/** Collects the deliveries for one ReceiveMessage. */
export class Pop {
  private readonly deliveries: Delivery[] = [];
  private skipped = 0;
  private deadLettered = 0;
  private effort = 0;
  private bytes = 0;
  /** One for all deliveries of a pop, so that an answer can name it once. */
  private serial: number | undefined;
  /** A message that cannot be read. It must not be skipped silently, so later messages of its queue wait. */
  damage: DamagedRecord | undefined;
  /** There are messages that the group has not received, and no room to deliver them. */
  isWithheld = false;

  /** @param isCrowded whether only what the group has received before may be delivered: that takes no more room */
  constructor(
    readonly changes: Changes,
    readonly request: PopRequest,
    private readonly log: MessageLog,
    private readonly ledger: Deliveries,
    private readonly isCrowded: boolean,
  ) {}

  /** A message that has had its attempts counts: a proxy dead-letters it after it has received it from the broker. */
  get taken(): number {
    return this.deliveries.length + this.deadLettered;
  }

  get isFull(): boolean {
    const { batchSize, maxBytes = Number.POSITIVE_INFINITY } = this.request;
    return this.taken >= batchSize || this.bytes >= maxBytes;
  }

  get isDone(): boolean {
    return this.isFull || this.effort >= MAX_SCANNED;
  }

  get result(): PopResult {
    return { deliveries: this.deliveries, skipped: this.skipped };
  }

  /** A queue of the topic, as the group sees it. */
  queue(queueId: number): QueueRef {
    return { topic: this.request.topic, group: this.request.group.name, queueId };
  }

  /** Delivers messages that the group has not received before, starting at its cursor. */
  takeNew(queue: QueueRef): void {
    const end = this.log.endOffset(this.changes, queue.topic, queue.queueId);
    const cursor = this.changes.get<number>(keys.cursor(queue)) ?? 0;
    // A client that pulls may commit an offset beyond the end, for example that of a topic which was deleted and created again.
    const start = Math.min(cursor, end);
    if (this.isCrowded) {
      this.isWithheld ||= end > start;
      return;
    }
    let offset = start;
    for (; offset < end && !this.isDone; offset++) {
      const read = this.read(queue, offset);
      if (read === undefined) break;
      if (read.message !== undefined) this.offer(queue, offset, read.message, 1, this.request.nowMs);
      // Deleted by retention, as are all messages before the first offset.
      else offset = Math.max(offset, this.log.beginOffset(this.changes, queue.topic, queue.queueId) - 1);
    }
    if (offset !== cursor) this.changes.put(keys.cursor(queue), offset);
  }

  /** Redelivers a message with its next attempt number. @returns false if it cannot be read */
  takeAgain(queue: QueueRef, offset: number, record: DeliveryRecord, attempt: number): boolean {
    const read = this.read(queue, offset);
    if (read === undefined) return false;
    this.ledger.drop(this.changes, queue, offset, record.state);
    if (read.message === undefined) return true;
    this.offer(queue, offset, read.message, attempt, record.firstAtMs ?? this.request.nowMs);
    return true;
  }

  /** Forgets that a message was handed out. */
  startOver(queue: QueueRef, offset: number, record: DeliveryRecord): void {
    this.ledger.startOver(this.changes, queue, offset, record, this.request.nowMs);
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

  private offer(queue: QueueRef, offset: number, message: StoredMessage, attempt: number, firstAtMs: number): void {
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
      this.deadLettered++;
      this.skipped++;
    } else {
      const renewal = renewFor === undefined ? undefined : { clientId: renewFor, untilMs: nowMs + MAX_RENEWAL_MS };
      this.serial ??= this.changes.nextSerial();
      const { serial } = this;
      this.bytes += message.body.length;
      const lease = { message, attempt, firstAtMs, endsAtMs: nowMs + leaseMs, renewal, holder: clientId, serial };
      this.deliveries.push(this.ledger.deliver(this.changes, queue, offset, lease));
    }
  }
}
