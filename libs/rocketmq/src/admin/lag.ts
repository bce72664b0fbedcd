// How far a consumer group is behind, queue by queue.

import { consumerGroupNameProblem, topicNameProblem } from '../protocol/model/names.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import type { CallOptions, Deadline } from '../support/deadline.js';
import { jsonOf, offsetIn, offsetOf, RESPONSE_CODES, timeIn, undefinedWhen } from './answers.js';
import { checkName } from './checks.js';
import type { MasterBroker } from './cluster.js';
import type { ClusterAccess } from './cluster-access.js';
import { type BrokerFailure, fromEach } from './each-broker.js';
import { connectionsOn, subscriptionsIn } from './group-clients.js';
import { groupConfigsIn } from './groups.js';
import { ObjectKeyedMap } from './java-json.js';
import { compareQueues, compareText } from './order.js';
import { originOfRetryTopic, RETRY_PREFIX } from './system-names.js';
import { queuesOn } from './topic-offsets.js';

export interface LagOptions extends CallOptions {
  /**
   * Only this topic and what the group is to get again of it, also when the group has not consumed it yet. Default: every topic that
   * the group has consumed, or to which connected consumers of it subscribe.
   */
  readonly topic?: string;
}

/** A queue as the group sees it. */
export interface QueueLag {
  /** The broker's name. */
  readonly broker: string;
  readonly queueId: number;
  /** The offset that the next message of the queue gets. */
  readonly brokerOffset: bigint;
  /**
   * Where the group stands. Of a group without order that consumes by pop, as all gRPC clients do: the first message that was
   * never handed out, so what is in the consumers' hands is before it. Of a `fifo` group: the first that is not settled. Of a queue from
   * which the group has never received: where its first receive will begin (see {@link hasStarted}).
   */
  readonly consumerOffset: bigint;
  /**
   * Whether the group has received from the queue before. A group that has not begins at the first message of the queue while the broker
   * has that one in memory, else at the last one; the embedded broker begins at the first that it keeps.
   */
  readonly hasStarted: boolean;
  /** `brokerOffset - consumerOffset`, at least 0. */
  readonly lag: bigint;
  /** How far consumers of the remoting protocol have pulled. With pop the server tells `consumerOffset` here. */
  readonly pullOffset: bigint;
  /** When the message before `consumerOffset` was stored; undefined when there is none. */
  readonly lastTimestampMs: number | undefined;
}

/** A topic as the group sees it. */
export interface TopicLag {
  readonly topic: string;
  /** By broker and queue. */
  readonly queues: readonly QueueLag[];
  /** Messages of this topic that the group got before, and that wait in its retry topic to be handed out again. */
  readonly retries: bigint;
  /** Of all queues and the retries. */
  readonly lag: bigint;
}

export interface GroupLag {
  readonly consumerGroup: string;
  /**
   * By name. A topic from which the group has consumed nothing yet is there only when it was asked for by name or a connected consumer
   * subscribes to it. While consumers are connected, topics that they do not subscribe to are left out.
   */
  readonly topics: readonly TopicLag[];
  /** Of all topics. */
  readonly lag: bigint;
  /** Brokers that did not answer: their queues are missing. Empty when all is well. */
  readonly failures: readonly BrokerFailure[];
}

interface Row extends QueueLag {
  readonly topic: string;
}

/** The broker's own answer, and what it leaves out: topics that the group has not started on. @see ConsumeStats, request code 208 */
export async function lagOfGroup(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: LagOptions = {},
): Promise<GroupLag> {
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  if (options.topic !== undefined) checkName('topic', options.topic, topicNameProblem(options.topic));
  return cluster.run(`lag of consumer group ${consumerGroup}`, options, async (deadline) => {
    const { answers, failures } = await fromEach(await cluster.masters(deadline), async (broker) => {
      // Asked for one topic, the server would leave its retries out; asked for all, it knows only those that were consumed.
      const rows = rowsIn(await cluster.call(broker, { code: 208, fields: { consumerGroup } }, deadline));
      const wanted =
        options.topic === undefined ? await subscribedOn(cluster, broker, consumerGroup, deadline) : [options.topic];
      const missing = wanted.filter((topic) => !rows.some((row) => row.topic === topic));
      return [...rows, ...(await rowsToStartOn(cluster, broker, { consumerGroup, topics: missing }, deadline))];
    });
    const rows = answers.flatMap(({ value }) => value);
    const topics = topicsOf(consumerGroup, rows).filter(
      ({ topic }) => options.topic === undefined || topic === options.topic,
    );
    return { consumerGroup, topics, lag: sum(topics.map(({ lag }) => lag)), failures };
  });
}

function rowsIn(answer: RemotingFrame): Row[] {
  const table = jsonOf(answer).offsetTable;
  if (!(table instanceof ObjectKeyedMap)) return [];
  return table.pairs.map(([key, value]) => {
    const { brokerName, queueId, topic } = key as Record<string, unknown>;
    const offsets = value as Record<string, unknown>;
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

async function subscribedOn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  consumerGroup: string,
  deadline: Deadline,
): Promise<string[]> {
  const { subscriptionTable = {} } = await connectionsOn(cluster, broker, consumerGroup, deadline);
  return subscriptionsIn(Object.values(subscriptionTable as object)).map(({ topic }) => topic);
}

/** The queues of topics that a group has not started on; none for a group that the broker does not know. */
async function rowsToStartOn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  { consumerGroup, topics }: { readonly consumerGroup: string; readonly topics: readonly string[] },
  deadline: Deadline,
): Promise<Row[]> {
  if (topics.length === 0) return [];
  // By all groups, since code 352, which asks for one, would create a missing one.
  const groups = groupConfigsIn(await cluster.call(broker, { code: 201 }, deadline));
  if (!groups.has(consumerGroup)) return [];
  const rows = topics.map(async (topic) => {
    const queues = await queuesOn(cluster, broker, topic, deadline);
    return Promise.all(
      queues.map(async ({ queueId, maxOffset: brokerOffset }): Promise<Row> => {
        const start = await startIn(cluster, broker, { consumerGroup, topic, queueId }, deadline);
        // By the server's rule a group that does not begin at the first message begins at the last one.
        const consumerOffset = start ?? (brokerOffset > 0n ? brokerOffset - 1n : 0n);
        const lag = behind(brokerOffset, consumerOffset);
        const row = { topic, broker: broker.name, queueId, brokerOffset, consumerOffset, lag };
        return { ...row, pullOffset: consumerOffset, lastTimestampMs: undefined, hasStarted: false };
      }),
    );
  });
  return (await Promise.all(rows)).flat();
}

/**
 * Where a group would begin, by the broker's own rule; undefined when not at the first message.
 * @see ConsumerManageProcessor.queryConsumerOffset of the server, request code 14: it looks as a first pop does
 */
async function startIn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  { queueId, ...names }: { readonly consumerGroup: string; readonly topic: string; readonly queueId: number },
  deadline: Deadline,
): Promise<bigint | undefined> {
  const request = { code: 14, fields: { ...names, queueId: String(queueId) } };
  const answer = await undefinedWhen(RESPONSE_CODES.queryNotFound, cluster.call(broker, request, deadline));
  const offset = offsetOf(answer?.fields.offset ?? '');
  return offset !== undefined && offset >= 0n ? offset : undefined;
}

/** Puts the retries to the topics that they come from. The retries of remoting consumers name none: they stand alone. */
function topicsOf(group: string, rows: readonly Row[]): TopicLag[] {
  const found = new Map<string, { queues: QueueLag[]; retries: bigint }>();
  for (const { topic, ...queue } of rows) {
    const origin = topic.startsWith(RETRY_PREFIX) ? originOfRetryTopic(group, topic) : undefined;
    const entry = found.get(origin ?? topic) ?? { queues: [], retries: 0n };
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

/** How many messages are between two offsets; a group may be ahead of the broker's answer. */
function behind(brokerOffset: bigint, consumerOffset: bigint): bigint {
  return brokerOffset > consumerOffset ? brokerOffset - consumerOffset : 0n;
}

function sum(numbers: readonly bigint[]): bigint {
  return numbers.reduce((total, number) => total + number, 0n);
}
