// Merges the declarations of topics and consumer groups from all places in the application. provisioning.ts applies them to the
// cluster.

import type { DelayRelayNames } from '../../protocol/model/delay-chain.js';
import { LIMITS } from '../../protocol/model/limits.js';
import type { LiteGroup } from '../../protocol/model/lite-group.js';
import type { TopicType } from '../../protocol/model/message.js';
import { consumerGroupNameProblem, deadLetterTopicOf } from '../../protocol/model/names.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import { UsageError } from '../../support/errors.js';
import {
  assertOptions,
  type Fault,
  integerFrom,
  isIntegerFrom,
  type OptionChecks,
  trueOrFalse,
} from '../../support/options.js';
import { backoffPolicyOf, backoffProblem } from '../listening/listener-options.js';
import type { PlannedConsumer } from '../listening/listener-plan.js';
import type { ListenerBackoff } from '../listening/listener-settings.js';
import type { ResourceNames } from '../messages/resource-names.js';
import type { TopicDefinition } from '../messages/topic-definition.js';

/** A consumer group as the module option `groups` declares it. */
export interface GroupSettings {
  /**
   * Whether the group is ordered. Default: true where a listener of the group has a topic of type `fifo`, which requires it, otherwise
   * false.
   */
  readonly fifo?: boolean;
  /** Deliveries until a message is dead-lettered, at least 1. Default: as on the server; 17 for a new group. */
  readonly maxDeliveryAttempts?: number;
  /** The delays between deliveries, in integer milliseconds. Default: as on the server; from 1 s to 2 h for a new group. */
  readonly backoff?: ListenerBackoff;
}

/** A topic, by its name on the cluster. */
export interface DeclaredTopic {
  readonly name: string;
  /** Undefined: any type. */
  readonly type: TopicType | undefined;
  readonly queues: number | undefined;
  /** The order configuration that it gets when it is created. */
  readonly layout: string | undefined;
  /** The handlers of patterns that receive from it. With any, it is created as `normal` when no type is declared. */
  readonly handlers: readonly string[];
}

/** A consumer group, by its name on the cluster. */
export interface DeclaredGroup {
  readonly name: string;
  readonly fifo: boolean;
  readonly maxDeliveryAttempts: number | undefined;
  readonly backoff: BackoffPolicy | undefined;
  /** The topic whose lite topics it receives; undefined: it is an ordinary group. */
  readonly lite: Pick<LiteGroup, 'topic'> | undefined;
}

/** The options of the module that declarations come from. */
interface DeclaringOptions {
  readonly groups?: Readonly<Record<string, GroupSettings>>;
  readonly topicLayouts?: Readonly<Record<string, string>>;
  readonly names: ResourceNames;
}

/** All topics and groups, each once. */
export interface Declarations {
  readonly topics: readonly DeclaredTopic[];
  readonly groups: readonly DeclaredGroup[];
}

const GROUP_CHECKS: OptionChecks<GroupSettings> = {
  fifo: trueOrFalse,
  maxDeliveryAttempts: integerFrom(1, LIMITS.attempts),
  backoff: storedBackoffProblem,
};

/** @throws UsageError that names the group and the field */
export function assertGroups(groups: Readonly<Record<string, GroupSettings>>): void {
  for (const [name, settings] of Object.entries(groups)) {
    const where = `RocketMQModule: option groups[${JSON.stringify(name)}]`;
    const problem = consumerGroupNameProblem(name);
    if (problem !== undefined) throw new UsageError('ILLEGAL_OPTION', `${where} ${problem}`, 'groups');
    assertOptions(settings, { options: GROUP_CHECKS }, `${where}: `);
  }
}

/** A broker stores integer milliseconds; a listener's backoff may have fractions. */
function storedBackoffProblem(value: unknown): string | Fault | undefined {
  const problem = backoffProblem(value);
  if (problem !== undefined) return problem;
  const policy = backoffPolicyOf(value as ListenerBackoff);
  const numbers = policy.kind === 'exponential' ? [policy.initialMs, policy.maxMs, policy.multiplier] : policy.nextMs;
  const wrong = numbers.find((number) => !isIntegerFrom(number, 1));
  return wrong === undefined ? undefined : `must have integers above 0 only, not ${wrong}`;
}

/**
 * @param topics all topics, possibly with duplicates
 * @throws UsageError when two places contradict each other
 */
export function declarationsOf(
  topics: readonly TopicDefinition[],
  consumers: readonly PlannedConsumer[],
  { groups = {}, topicLayouts = {}, names }: DeclaringOptions,
): Declarations {
  const layouts = new Map(Object.entries(topicLayouts).map(([name, one]) => [names.topic(name), one]));
  const settings = new Map(Object.entries(groups).map(([name, one]) => [names.group(name), one]));
  const shared = consumers.filter(({ ofInstance }) => !ofInstance);
  const used = new Map(shared.map((consumer) => [consumer.consumerGroup, consumer]));
  return {
    topics: declaredTopics(topics, consumers, layouts),
    groups: [...new Set([...used.keys(), ...settings.keys()])].map((name) =>
      declaredGroup(name, settings.get(name), used.get(name)),
    ),
  };
}

/** With the topic and group of the relay of delayed messages. */
export function withDelayRelay({ topics, groups }: Declarations, relay: DelayRelayNames): Declarations {
  const topic = { name: relay.topic, type: 'normal', queues: undefined, layout: undefined, handlers: [] } as const;
  return { topics: [...topics, topic], groups: [...groups, declaredGroup(relay.consumerGroup, {}, undefined)] };
}

function declaredTopics(
  topics: readonly TopicDefinition[],
  consumers: readonly PlannedConsumer[],
  layouts: ReadonlyMap<string, string>,
): DeclaredTopic[] {
  const listeners = consumers.flatMap((consumer) => consumer.listeners);
  const handling = listeners.filter(({ pattern }) => pattern !== undefined);
  const declared = new Map<string, DeclaredTopic>();
  for (const { name, type, queues } of topics) {
    const known = declared.get(name);
    if (known?.queues !== undefined && queues !== undefined && known.queues !== queues) {
      const text = `topic "${name}" is defined with ${known.queues} queues in one place and with ${queues} in another; use one definition`;
      throw new UsageError('TOPIC_QUEUES_DISAGREE', text, 'queues');
    }
    const handlers =
      known?.handlers ?? handling.filter(({ topic }) => topic.name === name).map((listener) => listener.name);
    const layout = layouts.get(name);
    const merged = { name, type: known?.type ?? type, queues: known?.queues ?? queues, layout, handlers };
    declared.set(name, ofDeadLetters(merged));
  }
  return [...declared.values()];
}

/** A cluster creates it at the first dead letter only, which is too late for listeners of it; with one queue, as here. */
function ofDeadLetters(topic: DeclaredTopic): DeclaredTopic {
  const { name, type = 'normal', queues = 1 } = topic;
  return name.startsWith(deadLetterTopicOf('')) ? { ...topic, type, queues } : topic;
}

function declaredGroup(
  name: string,
  settings: GroupSettings = {},
  consumer: PlannedConsumer | undefined,
): DeclaredGroup {
  const isFifoNeeded = consumer?.requireFifo ?? false;
  if (isFifoNeeded && settings.fifo === false) {
    const listeners = consumer?.listeners.map((listener) => listener.name).join(', ');
    const text = `option groups["${name}"]: fifo is false, but listeners ${listeners} have a topic of type fifo`;
    throw new UsageError('ILLEGAL_OPTION', text, 'groups');
  }
  const { fifo = isFifoNeeded, maxDeliveryAttempts, backoff } = settings;
  const [topic] = consumer?.liteTopics === undefined ? [] : consumer.subscriptions;
  return {
    name,
    fifo,
    maxDeliveryAttempts,
    backoff: backoff === undefined ? undefined : backoffPolicyOf(backoff),
    lite: topic && { topic: topic.topic },
  };
}
