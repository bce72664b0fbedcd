// How far a consumer group is behind, by queue.

import { consumerGroupNameProblem, RETRY_PREFIX, topicNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { ObjectKeyedMap } from '../../protocol/remoting/java-json.js';
import { jsonOf, objectIn, offsetIn, offsetOf, timeIn, undefinedWhen } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { checkedElsewhere, type OwnChecks } from '../../support/options.js';
import { checkName } from '../checks.js';
import { type BrokerFailure, fromEach } from '../each-broker.js';
import { compareQueues, compareText } from '../sort-order.js';
import { originOfRetryTopic } from '../system-names.js';
import { queuesOf, queuesOn, readLimits } from '../topics/topic-offsets.js';
import { connectionsOn, subscriptionsIn } from './group-clients.js';
import { groupConfigsIn } from './groups.js';

export interface LagOptions extends CallOptions {
  /**
   * Only this topic and its pending retries, even if the group has not consumed it yet. Default: every topic that the group has
   * consumed, or to which its connected consumers subscribe.
   */
  readonly topic?: string;
}

const CHECKS: OwnChecks<LagOptions> = { topic: checkedElsewhere };

/** The position of the group in a queue. */
export interface QueueLag {
  /** The broker's name. */
  readonly broker: string;
  readonly queueId: number;
  /** The offset that the next message of the queue gets. */
  readonly brokerOffset: number;
  /**
   * The position of the group. For a group without order that consumes by pop, as all gRPC clients do: the first message that was
   * never delivered; messages in flight are before it. For a `fifo` group: the first message that is not settled. For a queue from
   * which the group has never received: where its first receive starts (see {@link hasStarted}).
   */
  readonly consumerOffset: number;
  /**
   * Whether the group has received from the queue before. If not, it starts at the first message of the queue while the broker has
   * that message in memory, otherwise at the last one; the embedded broker starts at the first stored message. Of a queue that cannot be read,
   * because its topic has more queues to write than to read, no consumer receives anything.
   */
  readonly hasStarted: boolean;
  /** `brokerOffset - consumerOffset`, at least 0. */
  readonly lag: number;
  /** How far consumers of the remoting protocol have pulled. With pop the server reports `consumerOffset` here. */
  readonly pullOffset: number;
  /** When the message before `consumerOffset` was stored, in milliseconds since 1970; undefined when there is none. */
  readonly lastTimestampMs: number | undefined;
}

/** The lag of a group in a topic. */
export interface TopicLag {
  readonly topic: string;
  /** By broker and queue. */
  readonly queues: readonly QueueLag[];
  /** Messages of this topic that were delivered to the group before and wait in its retry topic. */
  readonly retries: number;
  /** The sum of all queues and the retries. */
  readonly lag: number;
}

export interface GroupLag {
  readonly consumerGroup: string;
  /**
   * By name. A topic that the group has not consumed yet is included only when it was requested by name or a connected consumer
   * subscribes to it. While consumers are connected, topics without a subscription are left out.
   */
  readonly topics: readonly TopicLag[];
  /** The sum of all topics. */
  readonly lag: number;
  /** Brokers that did not answer; the result lacks their queues. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** A queue of a topic, or of a retry topic. */
export interface Row extends QueueLag {
  readonly topic: string;
}

/** The broker's answer, and the topics it omits because the group has not consumed them. @see ConsumeStats, request code 208 */
export async function lagOfGroup(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: LagOptions = {},
): Promise<GroupLag> {
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  return cluster.run(
    `lag of consumer group ${consumerGroup}`,
    options,
    async (deadline) => {
      if (options.topic !== undefined) checkName('topic', options.topic, topicNameProblem(options.topic));
      const { answers, failures } = await fromEach(cluster, deadline, async (broker, own) => {
        // Asked for one topic, the server omits its retries; asked for all, it reports only those that were consumed.
        const rows = rowsIn(
          await cluster.call(broker, { code: REQUEST_CODES.getConsumeStats, fields: { consumerGroup } }, own),
        );
        const wanted =
          options.topic === undefined ? await subscribedOn(cluster, broker, consumerGroup, own) : [options.topic];
        const missing = wanted.filter((topic) => !rows.some((row) => row.topic === topic));
        return [...rows, ...(await rowsToStartOn(cluster, broker, { consumerGroup, topics: missing }, own))];
      });
      const known = answers.flatMap(({ value }) => value);
      const rows = [...known, ...(await unreadRows(cluster, known, deadline))];
      const topics = topicsOf(consumerGroup, rows).filter(
        ({ topic }) => options.topic === undefined || topic === options.topic,
      );
      return { consumerGroup, topics, lag: sum(topics.map(({ lag }) => lag)), failures };
    },
    CHECKS,
  );
}

export function rowsIn(answer: RemotingFrame): Row[] {
  const table = jsonOf(answer).offsetTable;
  if (!(table instanceof ObjectKeyedMap)) return [];
  return table.pairs.map(([key, value]) => {
    const { brokerName, queueId, topic } = objectIn(key);
    const offsets = objectIn(value);
    const brokerOffset = offsetIn(offsets.brokerOffset);
    const consumerOffset = offsetIn(offsets.consumerOffset);
    return {
      topic: String(topic),
      broker: String(brokerName),
      queueId: Number(queueId),
      brokerOffset,
      consumerOffset,
      lag: behind(brokerOffset, consumerOffset),
      pullOffset: offsetIn(offsets.pullOffset),
      lastTimestampMs: timeIn(offsets.lastTimestamp),
      hasStarted: true,
    };
  });
}

/** Queues that brokers leave out, since nobody may read them: what they hold waits all the same. */
async function unreadRows(cluster: ClusterAccess, known: readonly Row[], deadline: Deadline): Promise<Row[]> {
  const topics = new Set(known.map(({ topic }) => topic).filter((topic) => !topic.startsWith(RETRY_PREFIX)));
  const rows = [...topics].map(async (topic) => {
    if ((await readLimits(cluster, topic, deadline)).size === 0) return [];
    const { unread } = await queuesOf(cluster, topic, deadline);
    return unread.map(({ offsets: { broker, queueId, minOffset, maxOffset } }): Row => {
      const row = { topic, broker, queueId, brokerOffset: maxOffset, consumerOffset: minOffset, pullOffset: minOffset };
      return { ...row, lag: behind(maxOffset, minOffset), lastTimestampMs: undefined, hasStarted: false };
    });
  });
  const isNew = ({ topic, broker, queueId }: Row): boolean =>
    !known.some((row) => row.topic === topic && row.broker === broker && row.queueId === queueId);
  return (await Promise.all(rows)).flat().filter(isNew);
}

async function subscribedOn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  consumerGroup: string,
  deadline: Deadline,
): Promise<string[]> {
  const { subscriptionTable = {} } = await connectionsOn(cluster, broker, consumerGroup, deadline);
  return subscriptionsIn(Object.values(objectIn(subscriptionTable))).map(({ topic }) => topic);
}

/** The queues of topics that a group has not consumed yet; none for a group that the broker does not know. */
async function rowsToStartOn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  { consumerGroup, topics }: { readonly consumerGroup: string; readonly topics: readonly string[] },
  deadline: Deadline,
): Promise<Row[]> {
  if (topics.length === 0) return [];
  // Uses the request for all groups, since code 352 (one group) would create a missing one.
  const groups = groupConfigsIn(
    await cluster.call(broker, { code: REQUEST_CODES.getAllSubscriptionGroupConfig }, deadline),
  );
  if (!groups.has(consumerGroup)) return [];
  const rows = topics.map(async (topic) => {
    const queues = await queuesOn(cluster, broker, topic, deadline);
    return Promise.all(
      queues.map(async ({ queueId, maxOffset: brokerOffset }): Promise<Row> => {
        const start = await startIn(cluster, broker, { consumerGroup, topic, queueId }, deadline);
        // The server's rule: a group that does not start at the first message starts at the last one.
        const consumerOffset = start ?? Math.max(0, brokerOffset - 1);
        const lag = behind(brokerOffset, consumerOffset);
        const row = { topic, broker: broker.name, queueId, brokerOffset, consumerOffset, lag };
        return { ...row, pullOffset: consumerOffset, lastTimestampMs: undefined, hasStarted: false };
      }),
    );
  });
  return (await Promise.all(rows)).flat();
}

/**
 * Where a group would start by the broker's rule; undefined when not at the first message.
 * @see ConsumerManageProcessor.queryConsumerOffset of the server, request code 14, which uses the rule of a first pop
 */
async function startIn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  { queueId, ...names }: { readonly consumerGroup: string; readonly topic: string; readonly queueId: number },
  deadline: Deadline,
): Promise<number | undefined> {
  const request = { code: REQUEST_CODES.queryConsumerOffset, fields: { ...names, queueId: String(queueId) } };
  const answer = await undefinedWhen(RESPONSE_CODES.queryNotFound, cluster.call(broker, request, deadline));
  const offset = offsetOf(answer?.fields.offset ?? '');
  return offset !== undefined && offset >= 0 ? offset : undefined;
}

/** Adds the retries to their original topics. Retries of remoting consumers do not name one and stay separate. */
function topicsOf(group: string, rows: readonly Row[]): TopicLag[] {
  const found = new Map<string, { queues: QueueLag[]; retries: number }>();
  for (const { topic, ...queue } of rows) {
    const origin = topic.startsWith(RETRY_PREFIX) ? originOfRetryTopic(group, topic) : undefined;
    const entry = found.get(origin ?? topic) ?? { queues: [], retries: 0 };
    found.set(origin ?? topic, entry);
    if (origin === undefined) entry.queues.push(queue);
    else entry.retries += queue.lag;
  }
  return [...found]
    .map(([topic, { queues, retries }]) => {
      queues.sort(compareQueues);
      return { topic, queues, retries, lag: sum(queues.map(({ lag }) => lag)) + retries };
    })
    .sort((left, right) => compareText(left.topic, right.topic));
}

/** The number of messages between two offsets; a group may be ahead of the broker's answer. */
function behind(brokerOffset: number, consumerOffset: number): number {
  return Math.max(0, brokerOffset - consumerOffset);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
