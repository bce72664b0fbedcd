// What a client has said of itself to the brokers that it pulls from, as a member of its consumer group.

import { FilterType, type Settings } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { GroupSettings } from '../group-settings.js';

/** What the client has said to one broker, and what that said of the group. */
export interface PullSession {
  readonly settings: Settings;
  readonly group: GroupSettings;
}

/** By the address of the broker. */
export type PullSessions = ReadonlyMap<string, PullSession>;

/** What pulls ask for of a topic. */
export interface PulledSubscription {
  readonly expression: string;
  readonly type: 'TAG' | 'SQL92';
}

/** The group of the client, and its topics: the same at all brokers, but for moments. */
export interface Membership {
  readonly consumerGroup: string;
  readonly topics: ReadonlyMap<string, PulledSubscription>;
}

export function membershipOf(sessions: PullSessions): Membership {
  const topics = new Map<string, PulledSubscription>();
  let consumerGroup = '';
  for (const { settings } of sessions.values()) {
    if (settings.pubSub?.$case !== 'subscription') continue;
    consumerGroup = settings.pubSub.value.group?.name ?? '';
    for (const { topic, expression } of settings.pubSub.value.subscriptions) {
      const type = expression?.type === FilterType.SQL ? 'SQL92' : 'TAG';
      topics.set(topic?.name ?? '', { expression: expression?.expression || '*', type });
    }
  }
  return { consumerGroup, topics };
}
