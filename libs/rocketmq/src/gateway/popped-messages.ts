// What a broker hands out for a poll: its messages, each with what the broker needs to find the delivery.

import type { FilterExpression } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LITE_QUEUE_OFFSET_PROPERTY, LITE_QUEUE_PROPERTY, RETRY_PREFIX } from '../protocol/model/names.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import {
  decodeStoredMessages,
  MalformedMessage,
  type StoredMessageFields,
} from '../protocol/remoting/stored-message.js';
import { offsetOf } from '../remoting/answers.js';
import { LITE_TOPIC_PROPERTY } from './message-properties.js';
import {
  type Delivery,
  deliveryOfCheckPoint,
  encodeHandle,
  isPoppedFrom,
  type PoppedFrom,
  processTimeMs,
} from './receipt-handle.js';

/** A popped message and what the broker needs to find its delivery. */
export interface PoppedMessage {
  readonly stored: StoredMessageFields;
  readonly attempt: number;
  readonly handle: string;
}

/** What was asked of a broker. */
export interface Poll {
  readonly address: string;
  readonly topic: string;
  readonly brokerName: string;
  readonly consumerGroup: string;
  readonly filter: FilterExpression | undefined;
  readonly invisibleMs: number;
  readonly isOrdered: boolean;
  /** Whether the group receives lite topics. */
  readonly isLite: boolean;
}

/**
 * The messages of an answer, each with its delivery. @see MQClientAPIImpl.processPopResponse of the Java client
 * @param ageMs how long the answer had waited when it was read: the deliveries end so much earlier
 * @param onUnusable called with a message whose delivery is not known, so that it cannot be settled: it is left out
 */
export function poppedIn(
  answer: RemotingFrame,
  poll: Poll,
  ageMs: number,
  onUnusable: (stored: StoredMessageFields) => void,
): PoppedMessage[] {
  const { fields } = answer;
  const { popTime = '0', invisibleTime = String(poll.invisibleMs), reviveQid = '0' } = fields;
  for (const number of [popTime, invisibleTime, reviveQid]) assertNumber(number);
  const batch: Batch = {
    stored: decodeStoredMessages(answer.body),
    fields,
    common: { popTimeMs: popTime, invisibleMs: invisibleTime, reviveQueue: reviveQid, brokerName: poll.brokerName },
  };
  const expiresAtMs = processTimeMs() - ageMs + Number(invisibleTime);
  return (poll.isLite ? ofLiteTopics(batch, poll.topic, onUnusable) : ofQueues(batch, poll)).map(
    ({ stored, delivery, attempt }) => {
      return { stored, attempt, handle: encodeHandle(delivery, String(stored.commitLogOffset), expiresAtMs) };
    },
  );
}

/** What the name of the queue of a lite topic begins with; the names of its topic and itself follow, separated by `$`. */
const LITE_QUEUE_PREFIX = '%LMQ%$';

/** What one answer holds. */
interface Batch {
  readonly stored: readonly StoredMessageFields[];
  readonly fields: Readonly<Record<string, string>>;
  /** The same for all messages. */
  readonly common: Pick<Delivery, 'popTimeMs' | 'invisibleMs' | 'reviveQueue' | 'brokerName'>;
}

interface Delivered {
  readonly stored: StoredMessageFields;
  readonly delivery: Delivery;
  readonly attempt: number;
}

function ofQueues({ stored: messages, fields, common }: Batch, poll: Poll): Delivered[] {
  // Read when needed: what is delivered again has a mark of its own, and only ordered groups count by queue.
  let starts: ReadonlyMap<string, string> | undefined;
  const counts = poll.isOrdered ? orderCountsIn(fields.orderCountInfo ?? '') : undefined;
  return messages.map((stored) => {
    const mark = deliveryOfCheckPoint(stored.properties.get('POP_CK'));
    const again = mark !== undefined && isOfAnswer(mark, stored, common.popTimeMs) ? mark : undefined;
    const from =
      again?.from ?? (mark === undefined ? poppedFrom(stored.topic, poll) : listedFrom(stored, fields.msgOffsetInfo));
    const inOrder =
      counts?.get(`${from} qo${stored.queueId}%${stored.queueOffset}`) ?? counts?.get(`${from} ${stored.queueId}`);
    const attempt = (poll.isOrdered ? (inOrder ?? 0) : stored.reconsumeTimes) + 1;
    if (again !== undefined) return { stored, delivery: again, attempt };
    const [queueId, offset] = [String(stored.queueId), String(stored.queueOffset)];
    starts ??= startOffsetsIn(fields.startOffsetInfo ?? '');
    const startOffset = starts.get(`${from} ${queueId}`) ?? offset;
    // Written out: this runs for every message, and a spread costs many times as much.
    const { popTimeMs, invisibleMs, reviveQueue, brokerName } = common;
    const delivery = { startOffset, popTimeMs, invisibleMs, reviveQueue, from, brokerName, queueId, offset };
    return { stored, delivery, attempt };
  });
}

/**
 * The queue of a lite topic is not the one that the message is stored in: it has number 0, and offsets of its own.
 * @see MQClientAPIImpl.processPopLiteResponse of the Java client
 */
function ofLiteTopics(
  { stored: messages, fields, common }: Batch,
  topic: string,
  onUnusable: (stored: StoredMessageFields) => void,
): Delivered[] {
  const { orderCountInfo = '' } = fields;
  const counts = orderCountInfo.split(';');
  return messages.flatMap((stored, index) => {
    const place = litePlaceOf(stored, topic);
    if (place === undefined) {
      onUnusable(stored);
      return [];
    }
    const delivery: Delivery = { ...common, startOffset: '0', from: '0', queueId: '0', ...place };
    // Either one count for each message, or none that can be assigned.
    const count = counts.length === messages.length ? liteCountIn(counts[index] ?? '') : 0;
    return [{ stored: { ...stored, queueOffset: offsetOf(place.offset) ?? 0 }, delivery, attempt: count + 1 }];
  });
}

/**
 * Where a message is in a lite topic. Clients that name the queues themselves can store one message in several: then it counts for the
 * lite topic that it names, or for the only one of the topic.
 */
function litePlaceOf(
  { properties }: StoredMessageFields,
  topic: string,
): { readonly liteTopic: string | undefined; readonly offset: string } | undefined {
  const liteTopic = properties.get(LITE_TOPIC_PROPERTY);
  const offsets = properties.get(LITE_QUEUE_OFFSET_PROPERTY) ?? '';
  if (isNumber(offsets) && liteTopic !== undefined) return { liteTopic, offset: offsets };
  const prefix = `${LITE_QUEUE_PREFIX}${topic}$`;
  const offsetAt = offsets.split(',');
  const places = (properties.get(LITE_QUEUE_PROPERTY) ?? '').split(',').flatMap((queue, index) => {
    const offset = offsetAt[index] ?? '';
    return queue.startsWith(prefix) && isNumber(offset) ? [{ liteTopic: queue.slice(prefix.length), offset }] : [];
  });
  const [first, ...others] = places;
  return places.find((place) => place.liteTopic === liteTopic) ?? (others.length === 0 ? first : undefined);
}

/** `count`, or `0 qo0%offset count`. */
function liteCountIn(text: string): number {
  return Number(text.split(' ').at(-1)) || 0;
}

function isNumber(text: string): boolean {
  return /^\d{1,19}$/.test(text);
}

function assertNumber(text: string): void {
  if (isNumber(text)) return;
  throw new MalformedMessage(`the answer to a poll has ${JSON.stringify(text.slice(0, 20))} as a number`);
}

/**
 * Whether a broker has marked this delivery. A message can be stored with the mark of another one: brokers remove it from a single send
 * from 5.3 on, and never from a batch. Such a delivery could not be settled, and its message would be redelivered for ever.
 */
function isOfAnswer(mark: Delivery, { queueId, queueOffset }: StoredMessageFields, popTimeMs: string): boolean {
  return mark.popTimeMs === popTimeMs && mark.queueId === String(queueId) && mark.offset === String(queueOffset);
}

/** By the offsets that the answer lists, `from queue offset,offset,…;…`. A message that was delivered before comes from the retries. */
function listedFrom({ queueId, queueOffset, reconsumeTimes }: StoredMessageFields, listed = ''): PoppedFrom {
  const offset = String(queueOffset);
  const found = [...startOffsetsIn(listed)].flatMap(([key, offsets]) => {
    const [from = '', queue] = key.split(' ');
    return queue === String(queueId) && isPoppedFrom(from) && offsets.split(',').includes(offset) ? [from] : [];
  });
  return (reconsumeTimes > 0 ? found.find((from) => from !== '0') : undefined) ?? found[0] ?? '0';
}

/** By the topic's name, for brokers of 5.0, which do not say it. */
function poppedFrom(storedTopic: string, { topic, consumerGroup }: Poll): PoppedFrom {
  if (storedTopic === `${RETRY_PREFIX}${consumerGroup}+${topic}`) return '2';
  return storedTopic.startsWith(RETRY_PREFIX) ? '1' : '0';
}

/** `from queue offset;…`, by `from queue`. */
function startOffsetsIn(text: string): ReadonlyMap<string, string> {
  const offsets = new Map<string, string>();
  for (const entry of text.split(';')) {
    const middle = entry.indexOf(' ', entry.indexOf(' ') + 1);
    if (middle < 0) continue;
    const more = entry.indexOf(' ', middle + 1);
    offsets.set(entry.slice(0, middle), entry.slice(middle + 1, more < 0 ? undefined : more));
  }
  return offsets;
}

/** `from queue count;…`, where queue is `3` or `qo3%17`. */
function orderCountsIn(text: string): ReadonlyMap<string, number> {
  return new Map([...startOffsetsIn(text)].map(([key, count]) => [key, Number(count) || 0]));
}
