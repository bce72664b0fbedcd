// A topic in the API of this library, and in the format of the broker. This file sends nothing.

import { LIMITS } from '../../protocol/model/limits.js';
import { TOPIC_TYPES, type TopicType } from '../../protocol/model/message.js';
import { topicNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { isOf4 } from '../../protocol/remoting/releases.js';
import { jsonOf, namedObjectsIn } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { RemotingRequest } from '../../remoting/remoting-request.js';
import type { CallOptions } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import {
  assertFields,
  checkedElsewhere,
  describe,
  isIntegerFrom,
  type OptionChecks,
  type OwnChecks,
  oneOf,
} from '../../support/options.js';
import { checkLayout } from './topic-layouts.js';

/** A topic to create or update. */
export interface NewTopic {
  readonly topic: string;
  /** The type of its messages. Default: that of each broker; required if a broker does not have the topic. */
  readonly type?: TopicType;
  /** Queues on each broker, 1 to 1024. Default: those of the brokers that have the topic; 8 for a new one. */
  readonly queues?: number;
  /**
   * Sets its order configuration, see `setTopicLayout`: `broker-a:8;broker-b:8`, or `present` for the brokers that can be written when it is
   * created. Default: it stays as it is.
   */
  readonly layout?: string;
}

/** How a topic or a consumer group is created. */
export interface CreateOptions extends CallOptions {
  /**
   * What happens on brokers that have it. `reject` throws `ALREADY_EXISTS` when it has other settings than those that you give, and
   * changes nothing; `keep` leaves it unchanged, whatever its settings; `update` changes the settings that you give and keeps the others.
   * Brokers that lack it get it in any case. Default: reject.
   */
  readonly ifExists?: 'reject' | 'keep' | 'update';
}

export const CREATE_CHECKS: OwnChecks<CreateOptions> = { ifExists: oneOf('reject', 'keep', 'update') };

const TOPIC_CHECKS: OptionChecks<NewTopic> = {
  topic: checkedElsewhere,
  type: checkedElsewhere,
  queues: checkedElsewhere,
  layout: checkedElsewhere,
};

/** A topic on one of its brokers. */
export interface TopicOnBroker extends MasterBroker {
  /**
   * In lower case; also `mixed` or types of newer servers. A topic without a type is `normal`. On brokers of 4.x it is `any`: they have no
   * types, and take messages of every type.
   */
  readonly type: string;
  /** Queues that are written. */
  readonly queues: number;
  /** Queues that are read. Consumers do not receive what is in the others. */
  readonly readQueues: number;
}

/** A topic on the servers. */
export interface TopicDescription {
  readonly topic: string;
  /** The type on the first broker; `brokers` shows differences. */
  readonly type: string;
  /** Queues on each broker; the largest number if brokers differ. */
  readonly queues: number;
  /** At least one, by name. */
  readonly brokers: readonly TopicOnBroker[];
}

/** A topic in the format of the broker. @see TopicConfig of the server */
export interface TopicConfig {
  readonly readQueueNums?: number;
  readonly writeQueueNums?: number;
  readonly perm?: number;
  readonly topicSysFlag?: number;
  readonly order?: boolean;
  readonly attributes?: Readonly<Record<string, string>>;
}

const DEFAULT_QUEUES = 8;
/** The permission to read and write a topic. */
export const READ_WRITE = 6;
const TYPE_ATTRIBUTE = 'message.type';
/** The type of a topic on brokers that have none. */
const ANY = 'any';

/** @throws UsageError that names the field and its valid values */
export function checkNewTopic(definition: NewTopic): void {
  assertFields(definition, TOPIC_CHECKS);
  const { topic, type, queues, layout } = Object(definition) as NewTopic;
  if (layout !== undefined) checkLayout(topic, layout);
  const problem = topicNameProblem(topic);
  if (problem !== undefined) throw new UsageError('ILLEGAL_TOPIC', `topic ${describe(topic)} ${problem}`, 'topic');
  if (type !== undefined && !TOPIC_TYPES.includes(type)) {
    const message = `topic "${topic}": type is ${describe(type)}; it must be one of ${TOPIC_TYPES.join(', ')}`;
    throw new UsageError('ILLEGAL_TOPIC_TYPE', message, 'type');
  }
  if (queues !== undefined && !isIntegerFrom(queues, 1, LIMITS.topicQueues)) {
    const message = `topic "${topic}": queues is ${describe(queues)}; it must be an integer from 1 to ${LIMITS.topicQueues}`;
    throw new UsageError('ILLEGAL_QUEUES', message, 'queues');
  }
}

/** In which settings the brokers that have the topic differ from the given ones; a sentence for each. */
export function topicDifferences({ brokers }: TopicDescription, { type, queues }: NewTopic): string[] {
  return brokers.flatMap((found) => [
    ...(type === undefined || type === found.type || found.type === ANY
      ? []
      : [`its type is ${found.type} on ${found.name}, not ${type}`]),
    ...(queues === undefined || queues === found.queues
      ? []
      : [`it has ${found.queues} queues on ${found.name}, not ${queues}`]),
  ]);
}

/** @throws UsageError when the topic must be created on a broker and its type is not given */
export function checkTypeGiven(
  { topic, type }: NewTopic,
  brokers: readonly MasterBroker[],
  existing: TopicDescription | undefined,
): void {
  const having = existing?.brokers ?? [];
  const lacking = brokers.filter(({ name }) => !having.some((one) => one.name === name));
  if (type !== undefined || lacking.length === 0) return;
  const found = having.map((one) => `; it is ${one.type} on ${one.name}`).join('');
  const where = lacking.map(({ name }) => name).join(', ');
  const message = `topic "${topic}" does not exist on ${where}${found}; nothing was changed; give the type with which to create it there`;
  throw new UsageError('ILLEGAL_TOPIC_TYPE', message, 'type');
}

/** Request code 17. Settings that the definition omits are taken from `existing`. */
export function updateTopicRequest(definition: NewTopic, existing: TopicConfig | undefined): RemotingRequest {
  const queues = (kept: number | undefined): string => String(definition.queues ?? kept ?? DEFAULT_QUEUES);
  return {
    code: REQUEST_CODES.updateAndCreateTopic,
    fields: {
      topic: definition.topic,
      defaultTopic: 'TBW102',
      readQueueNums: queues(existing?.readQueueNums),
      writeQueueNums: queues(existing?.writeQueueNums),
      perm: String(existing?.perm ?? READ_WRITE),
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: String(existing?.topicSysFlag ?? 0),
      order: String(existing?.order ?? false),
      // The broker keeps the attributes that a request does not name.
      attributes: definition.type === undefined ? '' : `+${TYPE_ATTRIBUTE}=${definition.type.toUpperCase()}`,
    },
  };
}

/** A topic of a broker of 4.x, in its answer to request code 21: it has no other question. */
export function topicConfigIn(answer: RemotingFrame, topic: string): TopicConfig | undefined {
  return topicConfigsIn(answer).find(([name]) => name === topic)?.[1];
}

/** From the answer to request code 351. */
export function parseTopicConfig(answer: RemotingFrame): TopicConfig {
  return jsonOf(answer) as TopicConfig;
}

/** All topics by name, from the answer to request code 21. */
export function topicConfigsIn(answer: RemotingFrame): [string, TopicConfig][] {
  const configs = namedObjectsIn<TopicConfig>(jsonOf(answer).topicConfigTable);
  if (!isOf4(answer.version)) return configs;
  return configs.map(([name, config]) => [name, { ...config, attributes: { [TYPE_ATTRIBUTE]: ANY } }]);
}

/** @param configs at least one */
export function describeTopic(
  topic: string,
  configs: readonly { readonly broker: MasterBroker; readonly config: TopicConfig }[],
): TopicDescription {
  const brokers = configs.map(({ broker, config }) => ({
    ...broker,
    type: String(config.attributes?.[TYPE_ATTRIBUTE] ?? 'NORMAL').toLowerCase(),
    queues: config.writeQueueNums ?? 0,
    readQueues: config.readQueueNums ?? config.writeQueueNums ?? 0,
  }));
  return { topic, type: brokers[0]?.type ?? 'normal', queues: Math.max(...brokers.map((b) => b.queues)), brokers };
}
