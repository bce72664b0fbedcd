// Moves a consumer group in a topic: back to redeliver messages, or forward to skip some.

import { consumerGroupNameProblem, topicNameProblem } from '../protocol/model/names.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import type { CallOptions } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { isIntegerFrom } from '../support/options.js';
import { jsonOf, offsetIn } from './answers.js';
import { checkName } from './checks.js';
import type { MasterBroker } from './cluster.js';
import type { ClusterAccess } from './cluster-access.js';
import { onEach } from './each-broker.js';
import { ObjectKeyedMap } from './java-json.js';
import { compareQueues } from './order.js';
import type { RemotingRequest } from './remoting-request.js';

/**
 * The new position of a group.
 * - `beginning`, `end`: of every queue
 * - `time`: the first message of every queue that was stored at that time or later
 * - `offset`: in one queue of one broker, from its first offset to one after its last
 */
export type RewindTarget =
  | { readonly kind: 'beginning' }
  | { readonly kind: 'end' }
  | { readonly kind: 'time'; readonly time: Date }
  | { readonly kind: 'offset'; readonly broker: string; readonly queueId: number; readonly offset: bigint };

export interface RewindRequest {
  readonly consumerGroup: string;
  readonly topic: string;
  readonly to: RewindTarget;
}

/** The new position of a group in a queue. */
export interface QueueOffset {
  /** The broker's name. */
  readonly broker: string;
  readonly queueId: number;
  readonly offset: bigint;
}

/** @see ResetOffsetRequestHeader of the server, request code 222 */
export async function rewindGroup(
  cluster: ClusterAccess,
  request: RewindRequest,
  options?: CallOptions,
): Promise<readonly QueueOffset[]> {
  const { consumerGroup, topic, to } = request;
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  checkName('topic', topic, topicNameProblem(topic));
  checkTarget(to);
  return cluster.run(`rewind consumer group ${consumerGroup} in ${topic}`, options, async (deadline) => {
    const route = await cluster.route(topic, deadline);
    const brokers = cluster.ofCluster(route?.brokers ?? []);
    if (brokers.length === 0) throw unknownTopic(topic);
    const asked = to.kind === 'offset' ? [ofName(brokers, to.broker)] : brokers;
    const queues = to.kind === 'offset' ? (route?.queues.get(to.broker) ?? 0) : 0;
    // The server silently accepts a queue that the topic does not have.
    if (to.kind === 'offset' && to.queueId >= queues) throw unknownQueue(topic, to.queueId, queues);
    const set: QueueOffset[] = [];
    await onEach(deadline.what, asked, async (broker) => {
      set.push(...offsetsIn(await cluster.call(broker, resetRequest(request), deadline)));
    });
    return set.sort(compareQueues);
  });
}

function resetRequest({ consumerGroup, topic, to }: RewindRequest): RemotingRequest {
  const everywhere = { queueId: '-1', offset: '-1' };
  const where =
    to.kind === 'offset'
      ? { timestamp: '-1', queueId: String(to.queueId), offset: String(to.offset) }
      : { timestamp: timestampOf(to), ...everywhere };
  return {
    code: REQUEST_CODES.invokeBrokerToResetOffset,
    fields: { topic, group: consumerGroup, isForce: 'true', ...where },
  };
}

function timestampOf(to: Exclude<RewindTarget, { kind: 'offset' }>): string {
  if (to.kind === 'time') return String(to.time.getTime());
  return to.kind === 'beginning' ? '0' : '-1';
}

function offsetsIn(answer: RemotingFrame): QueueOffset[] {
  const table = jsonOf(answer).offsetTable;
  if (!(table instanceof ObjectKeyedMap)) return [];
  return table.pairs.map(([key, offset]) => {
    const { brokerName, queueId } = key as Record<string, unknown>;
    return { broker: String(brokerName), queueId: Number(queueId), offset: offsetIn(offset) };
  });
}

/** @throws UsageError */
export function checkTarget(to: RewindTarget): void {
  if (to.kind === 'time' && !(to.time.getTime() >= 0)) {
    throw new UsageError('ILLEGAL_TIME', 'to.time must be a date from 1970 on', 'to');
  }
  if (to.kind === 'offset' && !(isIntegerFrom(to.queueId, 0) && to.offset >= 0n)) {
    const message = `to is queue ${to.queueId}, offset ${to.offset}; both must be integers from 0 on`;
    throw new UsageError('ILLEGAL_OFFSET', message, 'to');
  }
}

function ofName(brokers: readonly MasterBroker[], name: string): MasterBroker {
  const broker = brokers.find((one) => one.name === name);
  if (broker !== undefined) return broker;
  const known = brokers.map((one) => one.name).join(', ');
  throw new UsageError(
    'UNKNOWN_BROKER',
    `the topic is not on broker "${name}"; its brokers are ${known}; nothing was changed`,
    'to',
  );
}

function unknownTopic(topic: string): UsageError {
  return new UsageError(
    'UNKNOWN_TOPIC',
    `topic "${topic}" does not exist on this cluster; nothing was changed`,
    'topic',
  );
}

function unknownQueue(topic: string, queueId: number, queues: number): UsageError {
  const message = `topic "${topic}" has no queue ${queueId} on that broker, only ${queues}; nothing was changed`;
  return new UsageError('UNKNOWN_QUEUE', message, 'to');
}
