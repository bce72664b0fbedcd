// The range of offsets in the queues of a topic.

import { topicNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { ObjectKeyedMap } from '../../protocol/remoting/java-json.js';
import { jsonOf, objectIn, offsetIn, timeIn, undefinedWhen } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import { checkName } from '../checks.js';
import { type BrokerFailure, fromEach } from '../each-broker.js';
import { compareText } from '../sort-order.js';

/** The offsets of a queue. */
export interface QueueOffsets {
  /** The broker's name. */
  readonly broker: string;
  readonly queueId: number;
  /** The offset of the oldest stored message. */
  readonly minOffset: number;
  /** The offset of the next message. */
  readonly maxOffset: number;
  /** When the newest message was stored, in milliseconds since 1970; undefined when there is none. */
  readonly lastTimestampMs: number | undefined;
}

export interface TopicOffsets {
  readonly topic: string;
  /** By broker and queue; empty when no broker has the topic. */
  readonly queues: readonly QueueOffsets[];
  /** The sum of `maxOffset - minOffset` of all queues. */
  readonly total: number;
  /** Brokers that did not answer; the result lacks their queues. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** A queue, and its broker for further requests. */
export interface OwnedQueue {
  readonly owner: MasterBroker;
  readonly offsets: QueueOffsets;
}

export async function topicOffsets(
  cluster: ClusterAccess,
  topic: string,
  options?: CallOptions,
): Promise<TopicOffsets> {
  checkName('topic', topic, topicNameProblem(topic));
  return cluster.run(`offsets of topic ${topic}`, options, async (deadline) => {
    const { queues: read, unread, failures } = await queuesOf(cluster, topic, deadline);
    const queues = sorted([...read, ...unread]);
    return { topic, queues: queues.map(({ offsets }) => offsets), total: totalOf(queues), failures };
  });
}

/** The queues of a topic. */
export interface TopicQueues {
  /** By broker and queue, those that can be read. */
  readonly queues: readonly OwnedQueue[];
  /** Those that hold messages and cannot be read, see {@link readLimits}. */
  readonly unread: readonly OwnedQueue[];
  /** The brokers that answered, also those that do not have the topic. */
  readonly answered: readonly MasterBroker[];
  readonly failures: readonly BrokerFailure[];
}

/** @throws UsageError `UNKNOWN_TOPIC` when all brokers answered, and none has the topic */
export function assertKnown(topic: string, { queues, failures }: TopicQueues): void {
  if (queues.length > 0 || failures.length > 0) return;
  throw new UsageError('UNKNOWN_TOPIC', `topic "${topic}" does not exist on this cluster`, 'topic');
}

/** By broker and queue. @see GetTopicStatsInfoRequestHeader of the server, request code 202 */
export async function queuesOf(cluster: ClusterAccess, topic: string, deadline: Deadline): Promise<TopicQueues> {
  const { answers, failures } = await fromEach(cluster, deadline, (broker, own) =>
    queuesOn(cluster, broker, topic, own),
  );
  const all = sorted(answers.flatMap(({ broker: owner, value }) => value.map((offsets) => ({ owner, offsets }))));
  const limits = await readLimits(cluster, topic, deadline);
  const isUnread = ({ offsets: { broker, queueId, minOffset, maxOffset } }: OwnedQueue): boolean =>
    queueId >= (limits.get(broker) ?? Number.POSITIVE_INFINITY) && maxOffset > minOffset;
  const [unread, queues] = [all.filter(isUnread), all.filter((queue) => !isUnread(queue))];
  return { queues, unread, answered: answers.map(({ broker }) => broker), failures };
}

function sorted(queues: readonly OwnedQueue[]): OwnedQueue[] {
  return [...queues].sort(
    ({ offsets: left }, { offsets: right }) => compareText(left.broker, right.broker) || left.queueId - right.queueId,
  );
}

/** The queues of a topic on one broker; none when the broker does not have the topic. */
export async function queuesOn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  topic: string,
  deadline: Deadline,
): Promise<QueueOffsets[]> {
  const asked = cluster.call(broker, { code: REQUEST_CODES.getTopicStatsInfo, fields: { topic } }, deadline);
  const answer = await undefinedWhen(RESPONSE_CODES.topicNotExist, asked);
  const table = answer === undefined ? undefined : jsonOf(answer).offsetTable;
  if (!(table instanceof ObjectKeyedMap)) return [];
  return table.pairs.map(([key, reported]) => {
    const { minOffset, maxOffset, lastUpdateTimestamp } = objectIn(reported);
    return {
      broker: broker.name,
      queueId: Number(objectIn(key).queueId),
      minOffset: offsetIn(minOffset),
      maxOffset: offsetIn(maxOffset),
      lastTimestampMs: timeIn(lastUpdateTimestamp),
    };
  });
}

/**
 * On which brokers a topic has more queues to write than to read, and how many are read there. Brokers do not read the rest, and leave it out
 * of the lag of groups.
 */
export async function readLimits(
  cluster: ClusterAccess,
  topic: string,
  deadline: Deadline,
): Promise<ReadonlyMap<string, number>> {
  const route = await cluster.route(topic, deadline);
  const uneven = [...(route?.access ?? [])].filter(([, { readable, writable }]) => readable > 0 && writable > readable);
  return new Map(uneven.map(([broker, { readable }]) => [broker, readable]));
}

/** A failure for each broker that keeps messages in queues that cannot be read. */
export function unreadFailures(topic: string, unread: readonly OwnedQueue[]): BrokerFailure[] {
  const brokers = new Map(unread.map(({ owner }) => [owner.name, owner]));
  return [...brokers.values()].map((owner) => {
    const own = unread.filter((one) => one.owner.name === owner.name);
    const ids = own.map(({ offsets }) => offsets.queueId).join(', ');
    const what = `topic "${topic}" has ${totalOf(own)} messages on ${owner.name} in queues that cannot be read (${ids})`;
    const why = 'it has more queues to write than to read there, and consumers do not receive these messages either';
    return { ...owner, error: new UsageError('QUEUE_UNREADABLE', `${what}: ${why}; set its number of queues`) };
  });
}

export function totalOf(queues: readonly OwnedQueue[]): number {
  return queues.reduce((sum, { offsets }) => sum + offsets.maxOffset - offsets.minOffset, 0);
}
