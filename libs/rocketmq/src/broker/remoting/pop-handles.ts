// How clients of the remoting protocol name a delivery: by what the answer to their pop says, field by field, and by the queue and the offset of
// the message. @see ExtraInfoUtil of the server

import { RETRY_PREFIX } from '../../protocol/model/names.js';
import { formatHandle, parseHandle } from '../engine/receipt-handle.js';
import type { GroupRecord, QueueRef } from '../store/records.js';
import { type DeliveryRecord, keys } from '../store/records.js';
import type { Store } from '../store/store.js';

/**
 * Clients return the number of the revive queue, an `int`, with everything that they say about a delivery. This broker has no such queues, and
 * puts there what distinguishes the delivery from others of its message: a part of its serial, and whether it is an ordered one.
 */
const SERIALS = 2 ** 30;

/** What was popped, as a client names it. */
export interface PoppedRef {
  readonly queue: QueueRef;
  readonly offset: number;
  /** The number of the revive queue. */
  readonly mark: number;
}

/** What an answer states for the deliveries of one pop, or for one whose lease was changed. */
export function markOf(receiptHandle: string, isOrdered: boolean): number {
  const serial = parseHandle(receiptHandle)?.serial ?? 0;
  return (serial % SERIALS) * 2 + (isOrdered ? 1 : 0);
}

/** The group as the pop saw it: the request decides whether it is ordered, and attempts are counted by the clients. */
export function asPopped(group: GroupRecord, isOrdered: boolean): GroupRecord {
  return { ...group, fifo: isOrdered, maxDeliveryAttempts: Number.POSITIVE_INFINITY, lite: undefined };
}

export function wasOrdered(mark: number): boolean {
  return mark % 2 === 1;
}

/** The handle by which the engine knows the delivery; undefined if the message is settled, or was delivered again. */
export function receiptHandleOf(store: Store, { queue, offset, mark }: PoppedRef): string | undefined {
  const record = store.get(keys.delivery(queue, offset)) as DeliveryRecord | undefined;
  if (record?.state.kind !== 'leased' || record.serial % SERIALS !== Math.floor(mark / 2)) return undefined;
  return formatHandle({
    queueId: queue.queueId,
    offset,
    leaseEndsAtMs: record.state.endsAtMs,
    serial: record.serial,
  });
}

/** The number of the revive queue in `extraInfo`; undefined for a text that no broker wrote. */
export function markIn(extraInfo: string): number | undefined {
  const field = /^-?\d{1,19} \d{1,16} \d{1,16} (\d{1,10}) [012] [^ ]+ \d{1,10} \d{1,19}(?: |$)/.exec(extraInfo)?.[1];
  return field === undefined ? undefined : Number(field);
}

/** Whether a topic keeps the retries of a group, as answers to pops name it. */
export function kindOf(topic: string): '0' | '1' {
  return topic.startsWith(RETRY_PREFIX) ? '1' : '0';
}
