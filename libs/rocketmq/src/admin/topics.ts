// A topic as this library speaks of it, and as a broker keeps it. Nothing is sent here.

import { topicNameProblem } from '../protocol/model/names.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import type { CallOptions } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { jsonOf } from './answers.js';
import type { MasterBroker } from './cluster.js';
import type { RemotingRequest } from './remoting-request.js';

/** What messages a topic takes. `priority` needs server 5.4.0. */
export type TopicType = 'normal' | 'fifo' | 'delay' | 'transaction' | 'priority';

/** A topic to create or alter. */
export interface TopicDefinition {
  readonly topic: string;
  readonly type: TopicType;
  /** Queues on each broker, 1 to 1024. Default: 8 for a new topic; an existing one keeps its number. */
  readonly queues?: number;
}

/** How a topic or a consumer group is created. */
export interface CreateOptions extends CallOptions {
  /** Leaves it as it is on brokers that have it, whatever it is there. Default: false, it is altered there. */
  readonly keepExisting?: boolean;
}

/** A topic on one of its brokers. */
export interface TopicOnBroker extends MasterBroker {
  /** In lower case; also `mixed`, `lite`, `priority` or what newer servers know. A topic without type is `normal`. */
  readonly type: string;
  readonly queues: number;
}

/** A topic as the servers have it. */
export interface TopicDescription {
  readonly topic: string;
  /** The type on the first broker; a difference between brokers shows in `brokers`. */
  readonly type: string;
  /** Queues on each broker; the largest number when brokers differ. */
  readonly queues: number;
  /** At least one, by name. */
  readonly brokers: readonly TopicOnBroker[];
}

/** A topic in the words of the broker. @see TopicConfig of the server */
export interface TopicConfig {
  readonly readQueueNums?: number;
  readonly writeQueueNums?: number;
  readonly perm?: number;
  readonly topicSysFlag?: number;
  readonly order?: boolean;
  readonly attributes?: Readonly<Record<string, string>>;
}

const DEFAULT_QUEUES = 8;
const MOST_QUEUES = 1024;
const READ_WRITE = 6;
const TYPE_ATTRIBUTE = 'message.type';
const TYPES: ReadonlySet<string> = new Set<TopicType>(['normal', 'fifo', 'delay', 'transaction', 'priority']);

/** @throws UsageError that names the field and what it may be */
export function checkTopicDefinition({ topic, type, queues }: TopicDefinition): void {
  const problem = topicNameProblem(topic);
  if (problem !== undefined) throw new UsageError('ILLEGAL_TOPIC', `topic "${topic}" ${problem}`, 'topic');
  if (!TYPES.has(type)) {
    const message = `topic "${topic}": type is "${type}"; it must be one of ${[...TYPES].join(', ')}`;
    throw new UsageError('ILLEGAL_TOPIC_TYPE', message, 'type');
  }
  if (queues !== undefined && !(Number.isInteger(queues) && queues >= 1 && queues <= MOST_QUEUES)) {
    const message = `topic "${topic}": queues is ${queues}; it must be a whole number from 1 to ${MOST_QUEUES}`;
    throw new UsageError('ILLEGAL_QUEUES', message, 'queues');
  }
}

/** Request code 17. What the definition leaves open stays as it is in `existing`. */
export function updateTopicRequest(definition: TopicDefinition, existing: TopicConfig | undefined): RemotingRequest {
  const queues = (kept: number | undefined): string => String(definition.queues ?? kept ?? DEFAULT_QUEUES);
  return {
    code: 17,
    fields: {
      topic: definition.topic,
      defaultTopic: 'TBW102',
      readQueueNums: queues(existing?.readQueueNums),
      writeQueueNums: queues(existing?.writeQueueNums),
      perm: String(existing?.perm ?? READ_WRITE),
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: String(existing?.topicSysFlag ?? 0),
      order: String(existing?.order ?? false),
      attributes: `+${TYPE_ATTRIBUTE}=${definition.type.toUpperCase()}`,
    },
  };
}

/** The answer to request code 351. */
export function parseTopicConfig(answer: RemotingFrame): TopicConfig {
  return jsonOf(answer) as TopicConfig;
}

/** All topics in the answer to request code 21, by name. */
export function topicConfigsIn(answer: RemotingFrame): [string, TopicConfig][] {
  const table = jsonOf(answer).topicConfigTable;
  return typeof table === 'object' && table !== null ? Object.entries(table as Record<string, TopicConfig>) : [];
}

/** @param configs at least one */
export function describeTopic(
  topic: string,
  configs: readonly { readonly broker: MasterBroker; readonly config: TopicConfig }[],
): TopicDescription {
  const brokers = configs.map(({ broker, config }) => ({
    ...broker,
    type: (config.attributes?.[TYPE_ATTRIBUTE] ?? 'NORMAL').toLowerCase(),
    queues: config.writeQueueNums ?? 0,
  }));
  return { topic, type: brokers[0]?.type ?? 'normal', queues: Math.max(...brokers.map((b) => b.queues)), brokers };
}
