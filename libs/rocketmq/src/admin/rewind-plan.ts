// Computes what a rewind would do in each queue, without executing it.

import { consumerGroupNameProblem, topicNameProblem } from '../protocol/model/names.js';
import { REQUEST_CODES } from '../protocol/remoting/codes.js';
import type { CallOptions, Deadline } from '../support/deadline.js';
import { UsageError } from '../support/errors.js';
import { offsetField } from './answers.js';
import { checkName } from './checks.js';
import type { ClusterAccess } from './cluster-access.js';
import { lagOfGroup } from './lag.js';
import { checkTarget, type RewindRequest } from './rewind.js';
import { type OwnedQueue, queuesOf } from './topic-offsets.js';

/** The move of one queue. */
export interface PlannedMove {
  /** The broker's name. */
  readonly broker: string;
  readonly queueId: number;
  /** The current position of the group; undefined when it has not consumed the queue yet. */
  readonly from: bigint | undefined;
  readonly to: bigint;
}

/**
 * @see SearchOffsetRequestHeader of the server, request code 29: by the same index as the rewind itself
 * @throws UsageError `UNKNOWN_TOPIC`, `UNKNOWN_QUEUE`; or the error of a broker that does not answer: a plan is complete or fails
 */
export async function planRewind(
  cluster: ClusterAccess,
  request: RewindRequest,
  options?: CallOptions,
): Promise<readonly PlannedMove[]> {
  const { consumerGroup, topic, to } = request;
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  checkName('topic', topic, topicNameProblem(topic));
  checkTarget(to);
  return cluster.run(`plan to rewind ${consumerGroup} in ${topic}`, options, async (deadline) => {
    const [{ queues, failures }, lag] = await Promise.all([
      queuesOf(cluster, topic, deadline),
      lagOfGroup(cluster, consumerGroup, { topic, timeoutMs: deadline.remainingMs(), signal: deadline.signal }),
    ]);
    const [failure] = [...failures, ...lag.failures];
    if (failure !== undefined) throw failure.error;
    if (queues.length === 0) throw unknown('UNKNOWN_TOPIC', `topic "${topic}" does not exist on this cluster`);
    const moved = queues.filter(({ offsets }) => isMoved(offsets, request));
    if (moved.length === 0) throw unknown('UNKNOWN_QUEUE', `topic "${topic}" has no such queue`);
    const stands = lag.topics[0]?.queues ?? [];
    return Promise.all(
      moved.map(async (queue) => {
        const { broker, queueId } = queue.offsets;
        const at = stands.find((one) => one.broker === broker && one.queueId === queueId);
        return { broker, queueId, from: at?.consumerOffset, to: await targetIn(cluster, queue, request, deadline) };
      }),
    );
  });
}

function isMoved({ broker, queueId }: OwnedQueue['offsets'], { to }: RewindRequest): boolean {
  return to.kind !== 'offset' || (to.broker === broker && to.queueId === queueId);
}

async function targetIn(
  cluster: ClusterAccess,
  { owner, offsets }: OwnedQueue,
  { topic, to }: RewindRequest,
  deadline: Deadline,
): Promise<bigint> {
  if (to.kind === 'beginning') return offsets.minOffset;
  if (to.kind === 'end') return offsets.maxOffset;
  if (to.kind === 'offset') return inRange(to.offset, offsets);
  const fields = { topic, queueId: String(offsets.queueId), timestamp: String(to.time.getTime()) };
  const answer = await cluster.call(owner, { code: REQUEST_CODES.searchOffsetByTimestamp, fields }, deadline);
  return offsetField(answer, 'offset', offsets.minOffset);
}

function inRange(offset: bigint, { queueId, minOffset, maxOffset }: OwnedQueue['offsets']): bigint {
  if (offset >= minOffset && offset <= maxOffset) return offset;
  throw unknown('ILLEGAL_OFFSET', `queue ${queueId} has the offsets from ${minOffset} to ${maxOffset}, not ${offset}`);
}

function unknown(code: string, problem: string): UsageError {
  return new UsageError(code, `${problem}; nothing was changed`, 'to');
}
