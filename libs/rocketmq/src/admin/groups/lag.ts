// How far a consumer group is behind, by queue.

import { consumerGroupNameProblem, RETRY_PREFIX, topicNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { objectIn, offsetOf, undefinedWhen } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { checkedElsewhere, type OwnChecks } from '../../support/options.js';
import { checkName } from '../checks.js';
import { type BrokerFailure, fromEach } from '../each-broker.js';
import { compareQueues, compareText } from '../sort-order.js';
import { originOfRetryTopic } from '../system-names.js';
import { behind, type QueueLag, type QueueRow, rowsIn } from '../topics/group-positions.js';
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

/** Queues that brokers leave out, since nobody may read them: what they hold waits all the same. */
async function unreadRows(cluster: ClusterAccess, known: readonly QueueRow[], deadline: Deadline): Promise<QueueRow[]> {
  const topics = new Set(known.map(({ topic }) => topic).filter((topic) => !topic.startsWith(RETRY_PREFIX)));
  const rows = [...topics].map(async (topic) => {
    if ((await readLimits(cluster, topic, deadline)).size === 0) return [];
    const { unread } = await queuesOf(cluster, topic, deadline);
    return unread.map(({ offsets: { broker, queueId, minOffset, maxOffset } }): QueueRow => {
      const row = { topic, broker, queueId, brokerOffset: maxOffset, consumerOffset: minOffset, pullOffset: minOffset };
      return { ...row, lag: behind(maxOffset, minOffset), lastTimestampMs: undefined, hasStarted: false };
    });
  });
  const isNew = ({ topic, broker, queueId }: QueueRow): boolean =>
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
): Promise<QueueRow[]> {
  if (topics.length === 0) return [];
  // Uses the request for all groups, since code 352 (one group) would create a missing one.
  const groups = groupConfigsIn(
    await cluster.call(broker, { code: REQUEST_CODES.getAllSubscriptionGroupConfig }, deadline),
  );
  if (!groups.has(consumerGroup)) return [];
  const rows = topics.map(async (topic) => {
    const queues = await queuesOn(cluster, broker, topic, deadline);
    return Promise.all(
      queues.map(async ({ queueId, maxOffset: brokerOffset }): Promise<QueueRow> => {
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
function topicsOf(group: string, rows: readonly QueueRow[]): TopicLag[] {
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

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
