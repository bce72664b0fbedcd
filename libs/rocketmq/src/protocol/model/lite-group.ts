// What binds a consumer group to the lite topics of a topic, for administration and for the embedded broker.

import { isIntegerFrom } from '../../support/options.js';
import { topicNameProblem } from './names.js';

/** The binding of a consumer group to lite topics. Its consumers receive the lite topics that they subscribe to, and nothing else. */
export interface LiteGroup {
  /** The topic of type `lite` whose lite topics the consumers of the group subscribe to. */
  readonly topic: string;
  /** How many lite topics one consumer may subscribe to, at least 1. Default 2000. */
  readonly subscriptionQuota?: number;
  /**
   * Whether a lite topic has one consumer of the group at a time: a consumer that subscribes to it takes it over from the one before.
   * Default false: the consumers of the group that subscribe to a lite topic share its messages.
   */
  readonly exclusive?: boolean;
}

/** The server's default (`lite.sub.client.quota`). */
export const DEFAULT_LITE_QUOTA = 2_000;

/** A description of the problem of a binding, which begins with the name of the field; undefined if it is valid. */
export function liteGroupProblem({ topic, subscriptionQuota, exclusive }: LiteGroup): string | undefined {
  const problem = typeof topic === 'string' ? topicNameProblem(topic) : 'must be the name of a topic';
  if (problem !== undefined) return `lite.topic ${JSON.stringify(topic)} ${problem}`;
  if (subscriptionQuota !== undefined && !isIntegerFrom(subscriptionQuota, 1, 2 ** 31 - 1)) {
    return `lite.subscriptionQuota must be an integer from 1 on, not ${String(subscriptionQuota)}`;
  }
  if (exclusive === undefined || typeof exclusive === 'boolean') return undefined;
  return `lite.exclusive must be true or false, not ${String(exclusive)}`;
}

/** A binding with its defaults filled in. */
export function resolvedLiteGroup(lite: LiteGroup): Required<LiteGroup> {
  const { topic, subscriptionQuota = DEFAULT_LITE_QUOTA, exclusive = false } = lite;
  return { topic, subscriptionQuota, exclusive };
}
