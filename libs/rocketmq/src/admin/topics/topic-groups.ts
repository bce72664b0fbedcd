// The consumer groups of a topic.

import { topicNameProblem } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import { jsonOf, textsIn } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { checkName } from '../checks.js';
import { type BrokerFailure, fromEach } from '../each-broker.js';
import { compareText } from '../sort-order.js';
import { isSystemGroup } from '../system-names.js';

export interface TopicGroups {
  readonly topic: string;
  /** By name: those that have received messages of the topic, and those of connected consumers that subscribe to it. */
  readonly consumerGroups: readonly string[];
  /** Brokers that did not answer; the result lacks groups that only they know. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

export async function groupsOfTopic(
  cluster: ClusterAccess,
  topic: string,
  options?: CallOptions,
): Promise<TopicGroups> {
  checkName('topic', topic, topicNameProblem(topic));
  return cluster.run(`list the groups of topic ${topic}`, options, (deadline) => groupsOn(cluster, topic, deadline));
}

export async function groupsOn(cluster: ClusterAccess, topic: string, deadline: Deadline): Promise<TopicGroups> {
  const { answers, failures } = await fromEach(cluster, deadline, (broker, own) =>
    groupsOnBroker(cluster, broker, topic, own),
  );
  const names = new Set(answers.flatMap(({ value }) => value));
  return { topic, consumerGroups: [...names].sort(compareText), failures };
}

/** @see QueryTopicConsumeByWhoRequestHeader of the server, request code 300 */
export async function groupsOnBroker(
  cluster: ClusterAccess,
  broker: MasterBroker,
  topic: string,
  deadline: Deadline,
): Promise<string[]> {
  const request = { code: REQUEST_CODES.queryTopicConsumeByWho, fields: { topic } };
  const names = textsIn(jsonOf(await cluster.call(broker, request, deadline)).groupList);
  return names.filter((name) => !isSystemGroup(name));
}
