// What groups were handed: leases, receipt handles, attempts, dead letters. How messages are chosen for a pop is in
// unordered-pop.ts and ordered-pop.ts.

import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import type { Changes } from './changes.js';
import type { MessageLog } from './log.js';
import { formatHandle, parseHandle, type ReceiptHandle } from './receipt-handle.js';
import {
  type DeliveryRecord,
  type DeliveryState,
  type GroupRecord,
  keys,
  type QueueRef,
  type Renewal,
  type StoredMessage,
} from './records.js';
import { Refusal } from './refusal.js';
import type { Registry } from './registry.js';

/** How far the broker moves the end of a lease that it renews. */
const RENEWAL_MS = MINUTE_MS;
/** Until what a client held when it said goodbye is there again. */
const RELEASED_LEASE_MS = SECOND_MS;

/** A message handed to a consumer. */
export interface Delivery {
  readonly topic: string;
  readonly message: StoredMessage;
  readonly queueId: number;
  readonly offset: number;
  /** As shown to the consumer: the first is 1. */
  readonly attempt: number;
  readonly receiptHandle: string;
}

/** A message on its way to a consumer. */
interface HandOver {
  readonly message: StoredMessage;
  readonly attempt: number;
  readonly endsAtMs: number;
  readonly renewal?: Renewal | undefined;
  readonly holder?: string | undefined;
}

/** A pop: the wish of one ReceiveMessage. */
export interface PopRequest {
  readonly topic: string;
  readonly group: GroupRecord;
  readonly batchSize: number;
  readonly leaseMs: number;
  readonly nowMs: number;
  readonly attemptId: string | undefined;
  /** Who asks. */
  readonly clientId?: string | undefined;
  /** The client whose leases the broker is to renew. */
  readonly renewFor?: string | undefined;
  readonly matches: (message: StoredMessage) => boolean;
  /** How much work that is for a message, 1 for what is next to none: see LONGEST_SCAN. Default 1. */
  readonly effort?: ((message: StoredMessage) => number) | undefined;
}

/** What a pop gave. `skipped`: messages that the filter or the attempt limit kept back, now settled for the group. */
export interface PopResult {
  readonly deliveries: Delivery[];
  readonly skipped: number;
}

/** A receipt handle as a client presents it. */
export interface HandleRef {
  readonly topic: string;
  readonly group: GroupRecord;
  readonly receiptHandle: string;
  readonly nowMs: number;
}

export interface ChangeRequest extends HandleRef {
  readonly invisibleMs: number;
  /** The next delivery does not count as an attempt. Without effect in ordered groups, as on the real server. */
  readonly suspend: boolean;
}

/** Finds a delivery for its handle: `settled` when it was acked or dead-lettered before. */
type Located =
  | { readonly kind: 'held'; readonly queue: QueueRef; readonly handle: ReceiptHandle; readonly record: DeliveryRecord }
  | { readonly kind: 'settled' };

/** Keeps the delivery records of all groups. */
export class Deliveries {
  /** Deliveries up to this serial took place before the broker was started. */
  private lastEarlierSerial = 0;

  constructor(
    private readonly log: MessageLog,
    private readonly registry: Registry,
  ) {}

  /**
   * The broker was started: the stored deliveries are no longer renewed. Whether their answers arrived is unknown, so a renewal must
   * not outlive the process that sent the answer; the real proxy keeps its renewals in memory, too.
   */
  endRenewals(changes: Changes): void {
    this.lastEarlierSerial = changes.get<number>(keys.serial) ?? 0;
  }

  /** Delivers a message: writes its record and its lease, and issues its handle. */
  deliver(changes: Changes, queue: QueueRef, offset: number, { message, ...lease }: HandOver): Delivery {
    const { attempt } = lease;
    const handle = this.lease(changes, queue, offset, { ...lease, changed: false });
    const { topic, queueId } = queue;
    return { topic, message, queueId, offset, attempt: message.earlierAttempts + attempt, receiptHandle: handle };
  }

  /** Settles a delivery. Repeating it is harmless while the handle's lease lasts. */
  ack(changes: Changes, request: HandleRef): void {
    const located = this.locate(changes, request);
    if (located.kind === 'settled') {
      if ((parseHandle(request.receiptHandle)?.leaseEndsAtMs ?? 0) <= request.nowMs) throw endedLease();
      return;
    }
    assertLeased(located.record, request.nowMs);
    this.settle(changes, request.group, located.queue, located.handle.offset, located.record);
  }

  /** Moves the end of a lease, counted from now. @returns the handle that replaces the given one */
  change(changes: Changes, request: ChangeRequest): string {
    const located = this.locate(changes, request);
    if (located.kind === 'settled') throw deadHandle('its message is already settled');
    const { queue, handle, record } = located;
    assertLeased(record, request.nowMs);
    this.dropState(changes, queue, handle.offset, record.state);
    return this.lease(changes, queue, handle.offset, {
      attempt: record.attempt,
      endsAtMs: request.nowMs + request.invisibleMs,
      changed: true,
      keepsAttempt: request.suspend && !request.group.fifo,
      holder: record.state.kind === 'leased' ? record.state.holder : undefined,
    });
  }

  /**
   * Lets a message that the group was handed before wait for its next pop once more. Its handles are dead.
   * @param record what the group knows of it; undefined: nothing any more
   */
  giveAgain(
    changes: Changes,
    queue: QueueRef,
    offset: number,
    record: DeliveryRecord | undefined,
    nowMs: number,
  ): void {
    if (record !== undefined) this.dropState(changes, queue, offset, record.state);
    // What was settled begins anew: its next delivery is the first.
    const attempt = record?.state.kind === 'leased' ? record.attempt : 0;
    const state: DeliveryState = { kind: 'ready', sinceMs: nowMs };
    const again: DeliveryRecord = { attempt, serial: changes.nextSerial(), keepsAttempt: false, state };
    changes.put(keys.delivery(queue, offset), again);
    changes.put(keys.ready(queue, nowMs, offset), offset);
    changes.delete(keys.attemptId(queue));
    changes.markAvailable(queue.topic, queue.group);
  }

  /** Makes a delivery a dead letter. An ended lease does not hinder it, as on the real server. */
  forward(changes: Changes, request: HandleRef): void {
    const located = this.locate(changes, request);
    if (located.kind === 'settled') return;
    const { queue, handle, record } = located;
    const message = this.log.message(changes, queue.topic, queue.queueId, handle.offset);
    if (message !== undefined) {
      const attempts = message.earlierAttempts + record.attempt;
      this.deadLetter(changes, queue, request.group, { message, attempts, nowMs: request.nowMs });
    }
    this.settle(changes, request.group, queue, handle.offset, record);
  }

  /** Copies a message to the dead-letter topic of the group. The caller settles the original. */
  deadLetter(
    changes: Changes,
    queue: QueueRef,
    group: GroupRecord,
    { message, attempts, nowMs }: { message: StoredMessage; attempts: number; nowMs: number },
  ): void {
    const topic = this.registry.deadLetterTopic(changes, group.name);
    // A dead letter of those who read dead letters still comes from where it was sent to.
    const originTopic = message.originTopic ?? queue.topic;
    const copy: StoredMessage = { ...message, storeTimestampMs: nowMs, earlierAttempts: attempts, originTopic };
    this.log.append(changes, topic, this.log.chooseQueue(topic), copy);
    changes.markDeadLetter(queue.topic, group.name);
  }

  /**
   * The lease of a delivery ended by time.
   * @param isPresent whether a client is still there, so that its leases are renewed
   */
  endLease(
    changes: Changes,
    queue: QueueRef,
    offset: number,
    atMs: number,
    isPresent: (clientId: string) => boolean,
  ): void {
    const record = changes.get<DeliveryRecord>(keys.delivery(queue, offset));
    if (record?.state.kind !== 'leased' || record.state.endsAtMs !== atMs) return;
    const renewal = record.serial > this.lastEarlierSerial ? record.state.renewal : undefined;
    if (renewal !== undefined && atMs < renewal.untilMs && isPresent(renewal.clientId)) {
      this.moveLease(changes, queue, offset, record, { ...record.state, endsAtMs: atMs + RENEWAL_MS });
      return;
    }
    this.dropState(changes, queue, offset, record.state);
    changes.put(keys.delivery(queue, offset), { ...record, state: { kind: 'ready', sinceMs: atMs } });
    changes.put(keys.ready(queue, atMs, offset), offset);
    changes.markAvailable(queue.topic, queue.group);
  }

  /** A client said goodbye: what the broker renewed for it comes back soon, as on the real server. */
  release(changes: Changes, group: string, clientId: string, nowMs: number): void {
    for (const [key, record] of changes.scan<DeliveryRecord>(keys.deliveriesOfGroup(group))) {
      const { state } = record;
      if (state.kind !== 'leased' || state.renewal?.clientId !== clientId) continue;
      const [, , topic, queueId, offset] = key as [string, string, string, number, number];
      const endsAtMs = Math.ceil(nowMs + RELEASED_LEASE_MS);
      this.moveLease(changes, { topic, group, queueId }, offset, record, { ...state, endsAtMs, renewal: undefined });
    }
  }

  /** Forgets a record together with what the indexes hold of it. */
  drop(changes: Changes, queue: QueueRef, offset: number, state: DeliveryState): void {
    this.dropState(changes, queue, offset, state);
    changes.delete(keys.delivery(queue, offset));
  }

  /** Takes a state out of the indexes. */
  dropState(changes: Changes, queue: QueueRef, offset: number, state: DeliveryState): void {
    if (state.kind === 'leased') changes.deleteDue(state.endsAtMs, { kind: 'lease', queue, offset });
    if (state.kind === 'ready') changes.delete(keys.ready(queue, state.sinceMs, offset));
  }

  /** Another end for a lease under the handle that it has. */
  private moveLease(
    changes: Changes,
    queue: QueueRef,
    offset: number,
    record: DeliveryRecord,
    state: DeliveryState & { kind: 'leased' },
  ): void {
    this.dropState(changes, queue, offset, record.state);
    changes.put(keys.delivery(queue, offset), { ...record, state } satisfies DeliveryRecord);
    changes.putDue(state.endsAtMs, { kind: 'lease', queue, offset });
  }

  private lease(
    changes: Changes,
    queue: QueueRef,
    offset: number,
    lease: {
      attempt: number;
      endsAtMs: number;
      changed: boolean;
      keepsAttempt?: boolean;
      renewal?: Renewal | undefined;
      holder?: string | undefined;
    },
  ): string {
    const { attempt, changed, keepsAttempt = false, renewal, holder } = lease;
    // Whole milliseconds, so that the handle's text and the record agree.
    const endsAtMs = Math.ceil(lease.endsAtMs);
    const serial = changes.nextSerial();
    const state: DeliveryState = {
      kind: 'leased',
      endsAtMs,
      changed,
      ...(renewal && { renewal }),
      ...(holder && { holder }),
    };
    changes.put(keys.delivery(queue, offset), { attempt, serial, keepsAttempt, state } satisfies DeliveryRecord);
    changes.putDue(endsAtMs, { kind: 'lease', queue, offset });
    return formatHandle({ queueId: queue.queueId, offset, leaseEndsAtMs: endsAtMs, serial });
  }

  private settle(changes: Changes, group: GroupRecord, queue: QueueRef, offset: number, record: DeliveryRecord): void {
    this.dropState(changes, queue, offset, record.state);
    if (!group.fifo) {
      changes.delete(keys.delivery(queue, offset));
      return;
    }
    changes.put(keys.delivery(queue, offset), { ...record, state: { kind: 'acked' } } satisfies DeliveryRecord);
    this.forgetLeadingAcks(changes, queue, offset);
    changes.markAvailable(queue.topic, queue.group);
  }

  /** An ordered queue moves on to its first message that is not acked; acks behind that one are kept. */
  private forgetLeadingAcks(changes: Changes, queue: QueueRef, justAcked: number): void {
    for (const [key, record] of changes.scan<DeliveryRecord>(keys.deliveriesOf(queue))) {
      if (record.state.kind !== 'acked' && key.at(-1) !== justAcked) return;
      changes.delete(key);
    }
    changes.delete(keys.attemptId(queue));
  }

  private locate(changes: Changes, { topic, group, receiptHandle }: HandleRef): Located {
    const handle = parseHandle(receiptHandle);
    if (handle === undefined) throw deadHandle('this broker did not issue it');
    const queue: QueueRef = { topic, group: group.name, queueId: handle.queueId };
    const record = changes.get<DeliveryRecord>(keys.delivery(queue, handle.offset));
    if (record === undefined) {
      const cursor = changes.get<number>(keys.cursor(queue)) ?? 0;
      if (handle.offset < cursor) return { kind: 'settled' };
      throw deadHandle('the message was not delivered to this group');
    }
    if (record.serial !== handle.serial) throw deadHandle('a newer handle replaced it');
    return record.state.kind === 'acked' ? { kind: 'settled' } : { kind: 'held', queue, handle, record };
  }
}

function assertLeased({ state }: DeliveryRecord, nowMs: number): void {
  if (state.kind !== 'leased' || state.endsAtMs <= nowMs) throw endedLease();
}

/** In the real server's words; handles that are void for another reason it does not find out, or fails on. */
function endedLease(): Refusal {
  return new Refusal('dead-handle', 'receipt handle is expired: its lease ended');
}

function deadHandle(why: string): Refusal {
  return new Refusal('dead-handle', `receipt handle is void: ${why}`);
}
