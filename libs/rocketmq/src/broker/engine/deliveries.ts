// Deliveries to groups: leases, receipt handles, attempts, dead letters. Which messages a pop delivers is decided in
// unordered-pop.ts and ordered-pop.ts.
// Over 300 lines: a delivery changes in one place only.

import { deadLetterTopicOf } from '../../protocol/model/names.js';
import { MINUTE_MS, SECOND_MS } from '../../support/clock.js';
import {
  type DeliveryRecord,
  type DeliveryState,
  type GroupRecord,
  isOrdered,
  keys,
  type QueueRef,
  type Renewal,
  type StoredMessage,
} from '../store/records.js';
import type { Changes } from './changes.js';
import type { MessageLog } from './log.js';
import { formatHandle, parseHandle, type ReceiptHandle } from './receipt-handle.js';
import type { Registry } from './registry.js';
import { Rejection } from './rejection.js';

/** The broker renews a lease by this much at a time. */
const RENEWAL_MS = MINUTE_MS;
/** When a client disconnects in order, its messages are redelivered after this time. */
const RELEASED_LEASE_MS = SECOND_MS;

/** A message handed to a consumer. */
export interface Delivery {
  readonly topic: string;
  readonly message: StoredMessage;
  readonly queueId: number;
  readonly offset: number;
  /** As the consumer sees it, starting at 1. */
  readonly attempt: number;
  readonly receiptHandle: string;
}

/** A lease that begins. */
interface Lease {
  readonly attempt: number;
  /** When the group first received it. */
  readonly firstAtMs: number | undefined;
  readonly endsAtMs: number;
  readonly renewal?: Renewal | undefined;
  readonly holder?: string | undefined;
  /** The consumer has changed the end of an earlier one. */
  readonly changed?: boolean;
  readonly keepsAttempt?: boolean;
  /** Default: a new one. */
  readonly serial?: number;
}

/** The lease that a message is delivered with. */
interface HandOver extends Lease {
  readonly message: StoredMessage;
}

/** A receipt handle in a request of a client. */
export interface HandleRef {
  readonly topic: string;
  readonly group: GroupRecord;
  readonly receiptHandle: string;
  readonly nowMs: number;
}

export interface ChangeRequest extends HandleRef {
  readonly invisibleMs: number;
  /** The next delivery does not count as an attempt. As on the real server, ordered groups ignore this, except for lite topics. */
  readonly suspend: boolean;
}

/** The delivery of a handle; `settled` if it was acked or dead-lettered before. */
type Located =
  | { readonly kind: 'held'; readonly queue: QueueRef; readonly handle: ReceiptHandle; readonly record: DeliveryRecord }
  | { readonly kind: 'settled' };

/** Keeps the delivery records of all groups. */
export class Deliveries {
  /** Deliveries up to this serial happened before the broker started. */
  private lastEarlierSerial = 0;

  constructor(
    private readonly log: MessageLog,
    private readonly registry: Registry,
  ) {}

  /**
   * Ends the renewals of stored deliveries when the broker starts. It is unknown whether their responses arrived, so a renewal must
   * not outlive the process that sent the response; the real proxy keeps its renewals in memory, too.
   * @param gap how many serials are left out: a store that was not flushed has forgotten some that receipt handles have
   */
  endRenewals(changes: Changes, gap: number): void {
    this.lastEarlierSerial = changes.takeSerials(gap);
  }

  /** Delivers a message: writes its record and its lease, and issues its handle. */
  deliver(changes: Changes, queue: QueueRef, offset: number, handOver: HandOver): Delivery {
    const { topic, queueId } = queue;
    const { message } = handOver;
    const attempt = message.earlierAttempts + handOver.attempt;
    const receiptHandle = this.lease(changes, queue, offset, handOver);
    return { topic, message, queueId, offset, attempt, receiptHandle };
  }

  /** Settles a delivery. Idempotent while the handle's lease lasts. */
  ack(changes: Changes, request: HandleRef): void {
    const located = this.locate(changes, request);
    if (located.kind === 'settled') {
      if ((parseHandle(request.receiptHandle)?.leaseEndsAtMs ?? 0) <= request.nowMs) throw endedLease();
      return;
    }
    assertLeased(located.record, request.nowMs);
    const { queue, handle, record } = located;
    this.settle(changes, request.group, queue, handle.offset, record);
    const { topic, queueId, group } = queue;
    changes.markAck({ topic, queueId, group, offset: handle.offset });
  }

  /** Sets the remaining time of a lease. @returns the handle that replaces the given one */
  change(changes: Changes, request: ChangeRequest): string {
    const located = this.locate(changes, request);
    if (located.kind === 'settled') throw deadHandle('its message is already settled');
    const { queue, handle, record } = located;
    assertLeased(record, request.nowMs);
    const { group, suspend } = request;
    const endsAtMs = request.nowMs + request.invisibleMs;
    if (suspend && group.lite !== undefined) this.suspendQueue(changes, queue, handle.offset, Math.ceil(endsAtMs));
    this.dropState(changes, queue, handle.offset, record.state);
    return this.lease(changes, queue, handle.offset, {
      attempt: record.attempt,
      firstAtMs: record.firstAtMs,
      endsAtMs,
      changed: true,
      keepsAttempt: suspend && (group.lite === undefined ? !group.fifo : isCounted(record)),
      holder: record.state.kind === 'leased' ? record.state.holder : undefined,
    });
  }

  /**
   * Makes a message available again to a group that received it before. Its earlier handles become invalid.
   * @param record its delivery record; undefined if it was settled
   * @throws Rejection `store-full`
   */
  giveAgain(
    changes: Changes,
    queue: QueueRef,
    offset: number,
    record: DeliveryRecord | undefined,
    nowMs: number,
  ): void {
    if (record === undefined) this.registry.assertRoom();
    else this.dropState(changes, queue, offset, record.state);
    // A settled message starts over: its next delivery is attempt 1.
    const attempt = record?.state.kind === 'leased' ? record.attempt : 0;
    this.makeReady(changes, queue, offset, attempt, nowMs);
    changes.delete(keys.attemptId(queue));
    changes.markAvailable(queue.topic, queue.group);
    changes.markTrail({ queue, offset, attempt, firstAtMs: record?.firstAtMs, nowMs });
  }

  /** The next delivery of a message of an ordered group is attempt 1, even if it was acked. Its earlier handles become invalid. */
  startOver(changes: Changes, queue: QueueRef, offset: number, record: DeliveryRecord, nowMs: number): void {
    this.dropState(changes, queue, offset, record.state);
    this.makeReady(changes, queue, offset, 0, nowMs);
  }

  /** Dead-letters a delivery, even if its lease has ended, as on the real server. */
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

  /** Copies a message to the dead letter queue of the group. The caller settles the original. */
  deadLetter(
    changes: Changes,
    queue: QueueRef,
    group: GroupRecord,
    { message, attempts, nowMs }: { message: StoredMessage; attempts: number; nowMs: number },
  ): void {
    const topic = this.registry.systemTopic(changes, deadLetterTopicOf(group.name));
    // A dead letter that is dead-lettered again keeps the topic that it was originally sent to.
    const originTopic = message.originTopic ?? queue.topic;
    const copy: StoredMessage = { ...message, storeTimestampMs: nowMs, earlierAttempts: attempts, originTopic };
    this.log.append(changes, topic, this.log.chooseQueue(topic), copy);
    changes.markDeadLetter(queue.topic, group.name);
  }

  /**
   * The lease of a delivery has expired.
   * @param isPresent whether a client is still connected; if so, its leases are renewed
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
    const { keepsAttempt, attempt, firstAtMs } = record;
    // Released with its attempt kept, it has not failed; a consumer that pauses releases it every few seconds.
    if (!keepsAttempt) changes.markTrail({ queue, offset, attempt, firstAtMs, nowMs: atMs });
  }

  /** A client disconnected in order: as on the real server, the leases that the broker renewed for it end soon. */
  release(changes: Changes, group: string, clientId: string, nowMs: number): void {
    for (const [key, record] of changes.scan<DeliveryRecord>(keys.deliveriesOfGroup(group))) {
      const { state } = record;
      if (state.kind !== 'leased' || state.renewal?.clientId !== clientId) continue;
      const [, , topic, queueId, offset] = key as [string, string, string, number, number];
      const endsAtMs = Math.ceil(nowMs + RELEASED_LEASE_MS);
      this.moveLease(changes, { topic, group, queueId }, offset, record, { ...state, endsAtMs, renewal: undefined });
    }
  }

  /** Deletes a record and its index entries. */
  drop(changes: Changes, queue: QueueRef, offset: number, state: DeliveryState): void {
    this.dropState(changes, queue, offset, state);
    changes.delete(keys.delivery(queue, offset));
  }

  /** Deletes the index entries of a state. */
  dropState(changes: Changes, queue: QueueRef, offset: number, state: DeliveryState): void {
    if (state.kind === 'leased') changes.deleteDue(state.endsAtMs, { kind: 'lease', queue, offset });
    if (state.kind === 'ready') changes.delete(keys.ready(queue, state.sinceMs, offset));
  }

  /** One message of a lite topic that is released with `suspend` releases those held beside it, as on the real server. */
  private suspendQueue(changes: Changes, queue: QueueRef, except: number, endsAtMs: number): void {
    for (const [key, record] of changes.scan<DeliveryRecord>(keys.deliveriesOf(queue))) {
      const offset = key.at(-1) as number;
      if (offset === except || record.state.kind !== 'leased') continue;
      this.moveLease(
        changes,
        queue,
        offset,
        { ...record, keepsAttempt: isCounted(record) },
        { ...record.state, endsAtMs },
      );
    }
  }

  private makeReady(changes: Changes, queue: QueueRef, offset: number, attempt: number, nowMs: number): void {
    const state: DeliveryState = { kind: 'ready', sinceMs: nowMs };
    const record: DeliveryRecord = { attempt, serial: changes.nextSerial(), keepsAttempt: false, state };
    changes.put(keys.delivery(queue, offset), record);
    changes.put(keys.ready(queue, nowMs, offset), offset);
  }

  /** Changes the end of a lease without changing its handle. */
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

  private lease(changes: Changes, queue: QueueRef, offset: number, lease: Lease): string {
    const { attempt, firstAtMs, changed = false, keepsAttempt = false, renewal, holder } = lease;
    // Integer milliseconds, so that the formatted handle and the record have equal values.
    const endsAtMs = Math.ceil(lease.endsAtMs);
    const { serial = changes.nextSerial() } = lease;
    const state: DeliveryState = { kind: 'leased', endsAtMs, changed, renewal, holder };
    const record: DeliveryRecord = { attempt, firstAtMs, serial, keepsAttempt, state };
    changes.put(keys.delivery(queue, offset), record);
    changes.putDue(endsAtMs, { kind: 'lease', queue, offset });
    return formatHandle({ queueId: queue.queueId, offset, leaseEndsAtMs: endsAtMs, serial });
  }

  private settle(changes: Changes, group: GroupRecord, queue: QueueRef, offset: number, record: DeliveryRecord): void {
    this.dropState(changes, queue, offset, record.state);
    if (!isOrdered(group)) {
      changes.delete(keys.delivery(queue, offset));
      return;
    }
    changes.put(keys.delivery(queue, offset), { ...record, state: { kind: 'acked' } } satisfies DeliveryRecord);
    this.forgetLeadingAcks(changes, queue, offset);
    changes.markAvailable(queue.topic, queue.group);
  }

  /** Moves an ordered queue to its first message that is not acked. Acks behind that message are kept. */
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

/** The real server counts the first release of a message of a lite topic, and no further one. */
function isCounted({ attempt }: DeliveryRecord): boolean {
  return attempt > 1;
}

function assertLeased({ state }: DeliveryRecord, nowMs: number): void {
  if (state.kind !== 'leased' || state.endsAtMs <= nowMs) throw endedLease();
}

/** The real server's message. It does not detect, or fails on, handles that are invalid for another reason. */
function endedLease(): Rejection {
  return new Rejection('dead-handle', 'receipt handle is expired: its lease ended');
}

function deadHandle(why: string): Rejection {
  return new Rejection('dead-handle', `receipt handle is void: ${why}`);
}
