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

/** A lite topic comes after them. */
const FIELD_COUNT = 10;
const NUMBER = /^-?\d{1,19}$/;

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
  const fields = text.split(' ');
  const delivery = deliveryIn(fields);
  const [, , , , , , , , commitLogOffset = '', expiresAt = '', liteTopic] = fields;
  if (fields.length < FIELD_COUNT || fields.length > FIELD_COUNT + 1 || delivery === undefined) return undefined;
  if (!NUMBER.test(commitLogOffset) || !NUMBER.test(expiresAt)) return undefined;
  // Not spread: this runs for every acknowledgement.
  return Object.assign(delivery, { commitLogOffset, expiresAtMs: Number(expiresAt), liteTopic });
}

/** The delivery in the property `POP_CK` of a message that is popped again; undefined when there is none. */
export function deliveryOfCheckPoint(checkPoint: string | undefined): Delivery | undefined {
  return checkPoint === undefined ? undefined : deliveryIn(checkPoint.split(' '));
}

function deliveryIn(fields: readonly string[]): Delivery | undefined {
  const [startOffset = '', popTimeMs = '', invisibleMs = '', reviveQueue = '', from = ''] = fields;
  const [, , , , , brokerName = '', queueId = '', offset = ''] = fields;
  const areNumbers =
    NUMBER.test(startOffset) &&
    NUMBER.test(popTimeMs) &&
    NUMBER.test(invisibleMs) &&
    NUMBER.test(reviveQueue) &&
    NUMBER.test(queueId) &&
    NUMBER.test(offset);
  if (!areNumbers || !isPoppedFrom(from) || brokerName === '') return undefined;
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
