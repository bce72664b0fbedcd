// One acknowledgement of several deliveries.

import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingRequest } from '../remoting/remoting-request.js';
import type { ReceiptHandle } from './receipt-handle.js';

/** How far the last message of a poll may be behind the first one, for a set of bits over their offsets: a poll has at most 32. */
const MAX_APART = 4096;

/** Whether a delivery can share a request. */
export function isNear({ offset, startOffset, liteTopic }: ReceiptHandle): boolean {
  // Brokers take acknowledgements of lite topics one by one.
  if (liteTopic !== undefined) return false;
  const distance = Number(offset) - Number(startOffset);
  return distance >= 0 && distance <= MAX_APART && Number.isSafeInteger(Number(offset));
}

/** One entry for what was popped together. @see BatchAck of the server */
interface BatchEntry {
  readonly c: string;
  readonly t: string;
  readonly r: string;
  readonly so: number;
  readonly q: number;
  readonly rq: number;
  readonly pt: number;
  readonly it: number;
  /** Base64 of the bits of the offsets from `so` on, lowest first. */
  readonly b: string;
}

/** For deliveries that are near the first one of their poll. */
export function batchAck(topic: string, consumerGroup: string, handles: readonly ReceiptHandle[]): RemotingRequest {
  const together = new Map<string, ReceiptHandle[]>();
  let last: ReceiptHandle[] | undefined;
  for (const handle of handles) {
    // What a poll brought from one queue mostly stays together, and a comparison costs less than a key.
    if (last?.[0] === undefined || !isOfOnePoll(last[0], handle)) {
      const { from, queueId, startOffset, popTimeMs, invisibleMs, reviveQueue } = handle;
      const key = `${from} ${queueId} ${startOffset} ${popTimeMs} ${invisibleMs} ${reviveQueue}`;
      last = together.get(key) ?? [];
      together.set(key, last);
    }
    last.push(handle);
  }
  const acks = [...together.values()].map((group) => batchEntry(topic, consumerGroup, group));
  const body = Buffer.from(JSON.stringify({ brokerName: handles[0]?.brokerName, acks }));
  return { code: REQUEST_CODES.batchAckMessage, body };
}

function isOfOnePoll(one: ReceiptHandle, other: ReceiptHandle): boolean {
  return (
    one.startOffset === other.startOffset &&
    one.popTimeMs === other.popTimeMs &&
    one.queueId === other.queueId &&
    one.from === other.from &&
    one.invisibleMs === other.invisibleMs &&
    one.reviveQueue === other.reviveQueue
  );
}

function batchEntry(topic: string, consumerGroup: string, handles: readonly ReceiptHandle[]): BatchEntry {
  // `batchAck` groups handles, and no group is empty.
  const first = handles[0] as ReceiptHandle;
  const start = Number(first.startOffset);
  const distances = handles.map(({ offset }) => Number(offset) - start);
  const bits = Buffer.alloc((Math.max(...distances) >> 3) + 1);
  for (const distance of distances) bits[distance >> 3] = (bits[distance >> 3] ?? 0) | (1 << (distance & 7));
  return {
    c: consumerGroup,
    t: topic,
    r: first.from,
    so: start,
    q: Number(first.queueId),
    rq: Number(first.reviveQueue),
    pt: Number(first.popTimeMs),
    it: Number(first.invisibleMs),
    b: bits.toString('base64'),
  };
}
