// What a consumer subscribes to, and its encoding in the protocol.

import { resource } from '../../client/route.js';
import { toDuration } from '../../protocol/grpc/duration.js';
import {
  FilterType,
  type FilterExpression as WireFilter,
  type Subscription as WireSubscription,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { EVERY_MESSAGE, type Filter, tagFilterProblem } from '../../protocol/model/filter.js';
import { consumerGroupNameProblem, topicNameProblem } from '../../protocol/model/names.js';
import { UsageError } from '../../support/errors.js';
import {
  anyObject,
  anyString,
  assertFields,
  checkedElsewhere,
  describe,
  listOf,
  nameText,
  type OptionChecks,
  objectOf,
} from '../../support/options.js';

/** One topic, and a filter of its messages. */
export interface Subscription {
  /** The topic, by its name on the server. */
  readonly topic: string;
  /** Default: every message. Messages that do not match are skipped for the whole consumer group. */
  readonly filter?: Filter;
}

/** A consumer group and its subscriptions; every consumer of the group must have the same ones. */
export interface GroupSubscription {
  /** The group whose messages it shares. */
  readonly consumerGroup: string;
  /** At least one topic. */
  readonly subscriptions: readonly Subscription[];
}

/** A misspelled filter would subscribe to every message. */
const SUBSCRIPTION_CHECKS: OptionChecks<Subscription> = { topic: checkedElsewhere, filter: checkedElsewhere };

/** @internal names and filters are checked by {@link assertGroupSubscription} */
export const GROUP_CHECKS: OptionChecks<GroupSubscription> = {
  consumerGroup: anyString,
  subscriptions: listOf('subscriptions', objectOf({ options: SUBSCRIPTION_CHECKS })),
};

/** @throws UsageError that names the option: an illegal name, no topic, a topic twice, a filter without a tag */
export function assertGroupSubscription({ consumerGroup, subscriptions = [] }: GroupSubscription): void {
  const groupProblem = consumerGroupNameProblem(consumerGroup);
  if (groupProblem !== undefined) {
    throw new UsageError(
      'ILLEGAL_CONSUMER_GROUP',
      `consumerGroup ${describe(consumerGroup)} ${groupProblem}`,
      'consumerGroup',
    );
  }
  if (subscriptions.length === 0) {
    throw new UsageError(
      'NO_SUBSCRIPTION',
      `consumer group "${consumerGroup}" subscribes to no topic; set at least one`,
      'subscriptions',
    );
  }
  const topics = new Set<string>();
  for (const { topic, filter } of subscriptions) {
    assertTopic(topic, topics.has(topic) ? 'is subscribed to twice' : undefined, 'subscriptions');
    assertFilter(topic, filter);
    topics.add(topic);
  }
}

/** @throws UsageError that names the argument: an illegal name, or the other problem of the topic */
export function assertTopic(topic: string, otherProblem?: string, field = 'topic'): void {
  const problem = topicNameProblem(topic) ?? otherProblem;
  if (problem !== undefined) throw new UsageError('ILLEGAL_TOPIC', `topic ${describe(topic)} ${problem}`, field);
}

/** @throws UsageError for what is no subscription, an unknown field, an illegal name, or a filter as in {@link assertFilter} */
export function assertSubscription(subscription: Subscription): void {
  const problem = anyObject(subscription);
  if (problem !== undefined) throw new UsageError('ILLEGAL_TOPIC', `subscription ${problem}`, 'subscription');
  assertFields(subscription, SUBSCRIPTION_CHECKS);
  assertTopic(subscription.topic);
  assertFilter(subscription.topic, subscription.filter);
}

/** @throws UsageError for what is no filter, and for an expression by tag that servers read differently than it looks */
export function assertFilter(topic: string, filter: Filter = EVERY_MESSAGE): void {
  const { kind, expression } = filter ?? {};
  if ((kind !== 'tag' && kind !== 'sql') || typeof expression !== 'string') {
    const text = `the filter of topic "${topic}" must be { kind: 'tag' | 'sql', expression }, with a string, not ${describe(filter)}`;
    throw new UsageError('ILLEGAL_FILTER', text, 'filter');
  }
  const unknown = Object.keys(filter).find((name) => name !== 'kind' && name !== 'expression');
  if (unknown !== undefined) {
    const text = `the filter of topic "${topic}" has the unknown field ${nameText(unknown)}; its fields are kind and expression`;
    throw new UsageError('ILLEGAL_FILTER', text, 'filter');
  }
  const problem = kind === 'tag' ? tagFilterProblem(expression) : undefined;
  if (problem === undefined) return;
  throw new UsageError(
    'ILLEGAL_FILTER',
    `the filter ${JSON.stringify(expression)} of topic "${topic}" ${problem}`,
    'filter',
  );
}

export function toWireFilter(filter: Filter = EVERY_MESSAGE): WireFilter {
  return { type: filter.kind === 'sql' ? FilterType.SQL : FilterType.TAG, expression: filter.expression };
}

/** The subscription part of a client's settings. */
export function toWireSubscription(
  namespace: string,
  { consumerGroup, subscriptions }: GroupSubscription,
  longPollingTimeoutMs?: number,
): WireSubscription {
  return {
    group: resource(namespace, consumerGroup),
    subscriptions: subscriptions.map(({ topic, filter }) => ({
      topic: resource(namespace, topic),
      expression: toWireFilter(filter),
    })),
    longPollingTimeout: longPollingTimeoutMs === undefined ? undefined : toDuration(longPollingTimeoutMs),
  };
}
