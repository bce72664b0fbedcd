// The server's own topics and groups, and the topics that it keeps for a group.

import { DEAD_LETTER_PREFIX, isSystemTopic, RETRY_PREFIX } from '../protocol/model/names.js';

/** `retry`: messages that a group will receive again. `dead-letter`: its dead letters. `system`: the server's own. */
export type TopicKind = 'user' | 'retry' | 'dead-letter' | 'system';

/** @see MixAll.PREDEFINE_GROUP_SET of the server, and its isSysConsumerGroup */
const SYSTEM_GROUPS: ReadonlySet<string> = new Set([
  'DEFAULT_CONSUMER',
  'DEFAULT_PRODUCER',
  'TOOLS_CONSUMER',
  'SCHEDULE_CONSUMER',
  'FILTERSRV_CONSUMER',
  '__MONITOR_CONSUMER',
  'CLIENT_INNER_PRODUCER',
  'SELF_TEST_P_GROUP',
  'SELF_TEST_C_GROUP',
  'CID_ONS-HTTP-PROXY',
  'CID_ONSAPI_PERMISSION',
  'CID_ONSAPI_OWNER',
  'CID_ONSAPI_PULL',
]);

/** @param listed the topics that the brokers list as their own (request code 305), with the names of the cluster and the broker */
export function kindOfTopic(topic: string, listed: ReadonlySet<string>): TopicKind {
  if (topic.startsWith(RETRY_PREFIX)) return 'retry';
  if (topic.startsWith(DEAD_LETTER_PREFIX)) return 'dead-letter';
  const isSystem = listed.has(topic) || isSystemTopic(topic) || topic.startsWith('%');
  return isSystem ? 'system' : 'user';
}

/** Whether a group is the server's own. */
export function isSystemGroup(group: string): boolean {
  return SYSTEM_GROUPS.has(group) || group.startsWith('CID_RMQ_SYS_');
}

/** Whether the topic has pending retries of the group. A topic name may follow: the one from which the messages were popped. */
export function isRetryTopicOf(group: string, topic: string): boolean {
  return topic === RETRY_PREFIX + group || originOfRetryTopic(group, topic) !== undefined;
}

/**
 * The original topic of a retry topic, or undefined when the name has another format. The name alone does not separate group and
 * topic: use it only for a topic that is known to belong to this group.
 * @see KeyBuilder.buildPopRetryTopic of the server: `_` before the topic, or `+` (enableRetryTopicV2)
 */
export function originOfRetryTopic(group: string, retryTopic: string): string | undefined {
  const start = RETRY_PREFIX + group;
  const origin = retryTopic.slice(start.length + 1);
  const hasForm = retryTopic.startsWith(start) && /[_+]/.test(retryTopic.charAt(start.length));
  return hasForm && origin !== '' ? origin : undefined;
}
