// Computes what a rewind would do in each queue, without executing it.

import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { CallOptions } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import { queuesOf } from '../topics/topic-offsets.js';
import { lagOfGroup } from './lag.js';
import { checkRewind, isMoved, type RewindRequest, targetIn } from './rewind-target.js';

/** The move of one queue. */
export interface PlannedMove {
  /** The broker's name. */
  readonly broker: string;
  readonly queueId: number;
  /** The current position of the group; undefined when it has not consumed the queue yet. */
  readonly from: number | undefined;
  readonly to: number;
}

/** @throws UsageError `UNKNOWN_TOPIC`, `UNKNOWN_QUEUE`; or the error of a broker that does not answer: a plan is complete or fails */
export async function planRewind(
  cluster: ClusterAccess,
  request: RewindRequest,
  options?: CallOptions,
): Promise<readonly PlannedMove[]> {
  checkRewind(request);
  const { consumerGroup, topic } = request;
  return cluster.run(`plan to rewind ${consumerGroup} in ${topic}`, options, async (deadline) => {
    const [{ queues, failures }, lag] = await Promise.all([
      queuesOf(cluster, topic, deadline),
      lagOfGroup(cluster, consumerGroup, { topic, ...deadline.callOptions() }),
    ]);
    const [failure] = [...failures, ...lag.failures];
    if (failure !== undefined) throw failure.error;
    if (queues.length === 0) throw unknown('UNKNOWN_TOPIC', `topic "${topic}" does not exist on this cluster`);
    const moved = queues.filter(({ offsets }) => isMoved(offsets, request));
    if (moved.length === 0) throw unknown('UNKNOWN_QUEUE', `topic "${topic}" has no such queue`);
    const stands = lag.topics[0]?.queues ?? [];
    return Promise.all(
      moved.map(async ({ owner, offsets }) => {
        const { broker, queueId } = offsets;
        const at = stands.find((one) => one.broker === broker && one.queueId === queueId);
        const to = await targetIn(cluster, owner, offsets, request, deadline);
        return { broker, queueId, from: at?.consumerOffset, to };
      }),
    );
  });
}

function unknown(code: string, problem: string): UsageError {
  return new UsageError(code, `${problem}; nothing was changed`, 'to');
}
