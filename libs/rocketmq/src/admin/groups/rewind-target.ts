// Where a rewind moves a group: the request, and the offset that it means in each queue.

import { consumerGroupNameProblem, topicNameProblem } from '../../protocol/model/names.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import type { Deadline } from '../../support/deadline.js';
import { UsageError } from '../../support/errors.js';
import {
  assertFields,
  checkedElsewhere,
  describe,
  isIntegerFrom,
  type ObjectChecks,
  type OptionChecks,
  objectOf,
} from '../../support/options.js';
import { checkName, checkTime } from '../checks.js';
import { offsetAtTime } from '../messages/queue-reader.js';
import type { QueueOffsets } from '../topics/topic-offsets.js';

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
  | { readonly kind: 'offset'; readonly broker: string; readonly queueId: number; readonly offset: number };

const KINDS: readonly RewindTarget['kind'][] = ['beginning', 'end', 'time', 'offset'];

/** The fields of a target beside its kind. With one of another kind it is no rewind of one queue, but of all. */
const TARGET_FIELDS: Readonly<Record<RewindTarget['kind'], ObjectChecks['options']>> = {
  beginning: {},
  end: {},
  time: { time: checkedElsewhere },
  offset: { broker: checkedElsewhere, queueId: checkedElsewhere, offset: checkedElsewhere },
};

export interface RewindRequest {
  readonly consumerGroup: string;
  readonly topic: string;
  readonly to: RewindTarget;
}

const REQUEST_CHECKS: OptionChecks<RewindRequest> = {
  consumerGroup: checkedElsewhere,
  topic: checkedElsewhere,
  to: checkedElsewhere,
};

/** @throws UsageError */
export function checkRewind(request: RewindRequest): void {
  assertFields(request, REQUEST_CHECKS);
  const { consumerGroup, topic, to } = Object(request) as RewindRequest;
  checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
  checkName('topic', topic, topicNameProblem(topic));
  // Of a caller without types: a kind that does not exist would move the group to the end, over all that it has not consumed.
  const { kind } = Object(to) as RewindTarget;
  if (!KINDS.includes(kind)) {
    const text = `to.kind must be one of ${KINDS.join(', ')}, not ${describe(kind)}; nothing was changed`;
    throw new UsageError('ILLEGAL_OPTION', text, 'to');
  }
  assertFields({ to }, { to: objectOf({ options: { kind: checkedElsewhere, ...TARGET_FIELDS[kind] } }) });
  if (to.kind === 'time') checkTime('to.time', to.time ?? new Date(Number.NaN), 'to');
  if (to.kind === 'offset' && !(isIntegerFrom(to.queueId, 0) && isIntegerFrom(to.offset, 0))) {
    const message = `to is queue ${describe(to.queueId)}, offset ${describe(to.offset)}; both must be integers from 0 to ${Number.MAX_SAFE_INTEGER}`;
    throw new UsageError('ILLEGAL_OFFSET', message, 'to');
  }
}

/** Whether the rewind moves the group in this queue. */
export function isMoved({ broker, queueId }: QueueOffsets, { to }: RewindRequest): boolean {
  return to.kind !== 'offset' || (to.broker === broker && to.queueId === queueId);
}

/**
 * The offset in one queue.
 * A time is looked up by the same index as a rewind by the broker uses.
 * @throws UsageError `ILLEGAL_OFFSET`
 */
export async function targetIn(
  cluster: ClusterAccess,
  owner: MasterBroker,
  offsets: QueueOffsets,
  { topic, to }: RewindRequest,
  deadline: Deadline,
): Promise<number> {
  if (to.kind === 'beginning') return offsets.minOffset;
  if (to.kind === 'end') return offsets.maxOffset;
  if (to.kind === 'offset') return inRange(to.offset, offsets);
  return offsetAtTime(cluster, topic, { owner, offsets }, to.time.getTime(), deadline);
}

function inRange(offset: number, { queueId, minOffset, maxOffset }: QueueOffsets): number {
  if (offset >= minOffset && offset <= maxOffset) return offset;
  const problem = `queue ${queueId} has the offsets from ${minOffset} to ${maxOffset}, not ${offset}`;
  throw new UsageError('ILLEGAL_OFFSET', `${problem}; nothing was changed`, 'to');
}
