// How far a consumer group is behind, queue by queue.

import { consumerGroupNameProblem, topicNameProblem } from '../protocol/names.js';
import type { RemotingFrame } from '../protocol/remoting-frame.js';
import type { CallOptions } from '../support/deadline.js';
import { jsonOf, offsetIn, timeIn } from './answers.js';
import { checkName } from './checks.js';
import type { ClusterAccess } from './cluster-access.js';
import { type BrokerFailure, fromEach } from './each-broker.js';
import { ObjectKeyedMap } from './java-json.js';
import { compareQueues, compareText } from './order.js';
import { originOfRetryTopic, RETRY_PREFIX } from './system-names.js';

export interface LagOptions extends CallOptions {
  /** Only this topic and what the group is to get again of it. Default: every topic that the group has consumed. */
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
   * never handed out, so what is in the consumers' hands is before it. Of a `fifo` group: the first that is not settled.
   */
  readonly consumerOffset: bigint;
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
   * By name. A topic from which the group has consumed nothing yet is not there, nor, while consumers are connected, one that
   * they do not subscribe to.
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

/** @see ConsumeStats of the server, request code 208 */
export async function lagOfGroup(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: LagOptions = {},
): Promise<GroupLag> {
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  if (options.topic !== undefined) checkName('topic', options.topic, topicNameProblem(options.topic));
  return cluster.run(`lag of consumer group ${consumerGroup}`, options, async (deadline) => {
    // Asked for one topic, the server would leave its retries out; asked for all, it knows only those that were consumed.
    const { answers, failures } = await fromEach(await cluster.masters(deadline), async (broker) =>
      rowsIn(await cluster.call(broker, { code: 208, fields: { consumerGroup } }, deadline)),
    );
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
      lag: brokerOffset > consumerOffset ? brokerOffset - consumerOffset : 0n,
      pullOffset: offsetIn(offsets.pullOffset),
      lastTimestampMs: timeIn(offsets.lastTimestamp),
    };
  });
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

function sum(numbers: readonly bigint[]): bigint {
  return numbers.reduce((total, number) => total + number, 0n);
}
