// The receipt handles that the gateway gives out: what the broker needs to find the delivery, and until when it is valid.

import { RETRY_PREFIX } from '../protocol/model/names.js';

/** Which topic a message was popped from: the topic itself, or where its group's retries are kept. */
export type PoppedFrom = '0' | '1' | '2';

/** A delivery as the broker identifies it. Numbers of 64 bits stay texts: nothing is computed with them. */
export interface Delivery {
  readonly startOffset: string;
  readonly popTimeMs: string;
  readonly invisibleMs: string;
  readonly reviveQueue: string;
  readonly from: PoppedFrom;
  readonly brokerName: string;
  readonly queueId: string;
  readonly offset: string;
  /** Set where it was popped from a lite topic: offset and queue are those of the lite topic. */
  readonly liteTopic?: string | undefined;
}

/** A handle, decoded. */
export interface ReceiptHandle extends Delivery {
  /** Where the message is stored, for dead letters. */
  readonly commitLogOffset: string;
  /** When the delivery ends, by {@link processTimeMs}. */
  readonly expiresAtMs: number;
}

// One expression for all fields, because this runs for every message and for every acknowledgement.
const CHECK_POINT =
  /^(-?\d{1,19}) (-?\d{1,19}) (-?\d{1,19}) (-?\d{1,19}) ([012]) ([^ ]+) (-?\d{1,19}) (-?\d{1,19})(?: |$)/;
const HANDLE =
  /^(-?\d{1,19}) (-?\d{1,19}) (-?\d{1,19}) (-?\d{1,19}) ([012]) ([^ ]+) (-?\d{1,19}) (-?\d{1,19}) (-?\d{1,19}) (-?\d{1,19})(?: ([^ ]*))?$/;
type Fields = readonly [
  string,
  string,
  string,
  string,
  string,
  PoppedFrom,
  string,
  string,
  string,
  string,
  string,
  string?,
];

/**
 * Milliseconds that rise steadily within a process, whatever the wall clock does, and are near it in others: a handle may be settled by
 * another process.
 */
export function processTimeMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The delivery as the broker reads it in `extraInfo`. @see ExtraInfoUtil of the server */
export function extraInfoOf(handle: Delivery): string {
  const { startOffset, popTimeMs, invisibleMs, reviveQueue, from, brokerName, queueId, offset } = handle;
  return `${startOffset} ${popTimeMs} ${invisibleMs} ${reviveQueue} ${from} ${brokerName} ${queueId} ${offset}`;
}

/** The text of a {@link ReceiptHandle}, which need not be made for it. */
export function encodeHandle(delivery: Delivery, commitLogOffset: string, expiresAtMs: number): string {
  const text = `${extraInfoOf(delivery)} ${commitLogOffset} ${Math.round(expiresAtMs)}`;
  return delivery.liteTopic === undefined ? text : `${text} ${delivery.liteTopic}`;
}

/** Undefined for a text that is not a handle of the gateway. */
export function decodeHandle(text: string): ReceiptHandle | undefined {
  const fields = HANDLE.exec(text) as Fields | null;
  if (fields === null) return undefined;
  const [, startOffset, popTimeMs, invisibleMs, reviveQueue, from, brokerName, queueId, offset] = fields;
  return {
    startOffset,
    popTimeMs,
    invisibleMs,
    reviveQueue,
    from,
    brokerName,
    queueId,
    offset,
    commitLogOffset: fields[9],
    expiresAtMs: Number(fields[10]),
    liteTopic: fields[11],
  };
}

/** The delivery in the property `POP_CK` of a message that is popped again; undefined when there is none. */
export function deliveryOfCheckPoint(checkPoint: string | undefined): Delivery | undefined {
  const fields = checkPoint === undefined ? null : (CHECK_POINT.exec(checkPoint) as Fields | null);
  if (fields === null) return undefined;
  const [, startOffset, popTimeMs, invisibleMs, reviveQueue, from, brokerName, queueId, offset] = fields;
  return { startOffset, popTimeMs, invisibleMs, reviveQueue, from, brokerName, queueId, offset };
}

export function isPoppedFrom(text: string): text is PoppedFrom {
  return text === '0' || text === '1' || text === '2';
}

/** The topic under which the broker keeps the delivery. @see KeyBuilder of the server */
export function storedTopic(topic: string, consumerGroup: string, from: PoppedFrom): string {
  // The retries of a group whose consumers used to pull are popped under their own name.
  if (from === '0' || topic === RETRY_PREFIX + consumerGroup) return topic;
  return `${RETRY_PREFIX}${consumerGroup}${from === '1' ? '_' : '+'}${topic}`;
}
