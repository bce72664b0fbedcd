// Moves a consumer group in a topic: back to redeliver messages, or forward to skip some.

import { REQUEST_CODES, RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { isOf4 } from '../../protocol/remoting/releases.js';
import { offsetTableIn } from '../../remoting/answers.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { RemotingError } from '../../remoting/remoting-error.js';
import type { RemotingRequest } from '../../remoting/remoting-request.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import { onEach } from '../each-broker.js';
import { compareQueues } from '../sort-order.js';
import { queuesOn } from '../topics/topic-offsets.js';
import { connectionsOn } from './group-clients.js';
import { groupConfigsIn } from './groups.js';
import { checkRewind, isMoved, type RewindRequest, type RewindTarget, targetIn } from './rewind-target.js';

/** The release from which on brokers move groups themselves: 5.2.0. @see MQVersion of the server */
const FIRST_TO_MOVE_GROUPS = 453;

/** What brokers call consumers that keep their own positions. */
const PULLING = 'CONSUME_PASSIVELY';

/** The new position of a group in a queue. */
export interface QueueOffset {
  /** The broker's name. */
  readonly broker: string;
  readonly queueId: number;
  readonly offset: number;
}

/** @see ResetOffsetRequestHeader of the server, request code 222 */
export async function rewindGroup(
  cluster: ClusterAccess,
  request: RewindRequest,
  options?: CallOptions,
): Promise<readonly QueueOffset[]> {
  checkRewind(request);
  const { consumerGroup, topic, to } = request;
  return cluster.run(`rewind consumer group ${consumerGroup} in ${topic}`, options, async (deadline) => {
    const route = await cluster.route(topic, deadline);
    const brokers = cluster.ofCluster(route?.brokers ?? []);
    if (brokers.length === 0) throw unknownTopic(topic);
    const asked = to.kind === 'offset' ? [ofName(brokers, to.broker)] : brokers;
    const queues = to.kind === 'offset' ? (route?.queues.get(to.broker) ?? 0) : 0;
    // The server silently accepts a queue that the topic does not have.
    if (to.kind === 'offset' && to.queueId >= queues) throw unknownQueue(topic, to.queueId, queues);
    // Brokers word this in their own ways, and those before 5.2.0 do not check it.
    if (to.kind === 'offset') await checkOffset(cluster, asked[0] as MasterBroker, request, deadline);
    const set: QueueOffset[] = [];
    await onEach(deadline.what, asked, async (broker) => {
      set.push(...(await rewindOn(cluster, broker, request, deadline)));
    });
    return set.sort(compareQueues);
  });
}

/** @throws UsageError for an offset that the queue does not have */
async function checkOffset(
  cluster: ClusterAccess,
  broker: MasterBroker,
  request: RewindRequest,
  deadline: Deadline,
): Promise<void> {
  const queue = (await queuesOn(cluster, broker, request.topic, deadline)).find((one) => isMoved(one, request));
  if (queue !== undefined) await targetIn(cluster, broker, queue, request, deadline);
}

async function rewindOn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  request: RewindRequest,
  deadline: Deadline,
): Promise<QueueOffset[]> {
  const release = await cluster.releaseOf(broker, deadline);
  if (release > 0 && release < FIRST_TO_MOVE_GROUPS) return commitOn(cluster, broker, release, request, deadline);
  const answer = await cluster.ask(broker, resetRequest(request), deadline);
  if (answer.code !== RESPONSE_CODES.success) throw new RemotingError(deadline.what, broker.address, answer);
  return offsetTableIn(answer).map(({ brokerName, queueId, offset }) => ({ broker: brokerName, queueId, offset }));
}

/**
 * Before 5.2.0 a broker only asks the connected consumers to move, and those that pop cannot: the new position is committed in their place.
 * Those that pull must be asked, or they go on where they are. @see `useServerSideResetOffset` of the server
 */
async function commitOn(
  cluster: ClusterAccess,
  broker: MasterBroker,
  release: number,
  request: RewindRequest,
  deadline: Deadline,
): Promise<QueueOffset[]> {
  const { consumerGroup, topic } = request;
  const asked = cluster.call(broker, { code: REQUEST_CODES.getAllSubscriptionGroupConfig }, deadline);
  if (!groupConfigsIn(await asked).has(consumerGroup)) throw unknownGroup(deadline.what, broker);
  const queues = (await queuesOn(cluster, broker, topic, deadline)).filter((queue) => isMoved(queue, request));
  const targets = await Promise.all(
    queues.map(async (queue) => {
      const offset = await targetIn(cluster, broker, queue, request, deadline);
      return { broker: broker.name, queueId: queue.queueId, offset };
    }),
  );
  // Of one queue these brokers do not know: it would move all, to their ends. It fails when there is nobody to move.
  if (request.to.kind !== 'offset') await cluster.ask(broker, resetRequest(request), deadline);
  else if (isOf4(release) && (await connectionsOn(cluster, broker, consumerGroup, deadline)).consumeType === PULLING) {
    throw isPulled(request, broker);
  }
  for (const { queueId, offset } of targets) {
    const fields = { consumerGroup, topic, queueId: String(queueId), commitOffset: String(offset) };
    await cluster.call(broker, { code: REQUEST_CODES.updateConsumerOffset, fields }, deadline);
  }
  return targets;
}

function isPulled({ consumerGroup }: RewindRequest, { name }: MasterBroker): UsageError {
  const text = `consumers of group "${consumerGroup}" pull from ${name}, and keep their own positions: one queue cannot be moved while they run; stop them first, or move the group to the beginning, the end or a time; nothing was changed`;
  return new UsageError('VERSION_UNSUPPORTED', text, 'to');
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

/** As newer brokers answer. */
function unknownGroup(what: string, { address }: MasterBroker): RemotingError {
  const code = RESPONSE_CODES.subscriptionGroupNotExist;
  return new RemotingError(what, address, { code, remark: 'the consumer group does not exist' });
}

function unknownQueue(topic: string, queueId: number, queues: number): UsageError {
  const message = `topic "${topic}" has no queue ${queueId} on that broker, only ${queues}; nothing was changed`;
  return new UsageError('UNKNOWN_QUEUE', message, 'to');
}
