// What a replay of dead letters would do, without doing it.

import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { mapConcurrently } from '../../support/concurrently.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';
import { listWhere } from '../../support/options.js';
import { checkFields } from '../checks.js';
import { CONCURRENT_LOOKUPS } from '../messages/message-lookup.js';
import { groupsOn, type TopicGroups } from '../topics/topic-groups.js';
import { type Outcome, outcomesOf, ReplayPass } from './dead-letter-destination.js';
import { lettersOf, REPLAY_CHECKS, type ReplayOptions, type ReplayResult } from './dead-letter-replay.js';
import { chosenOf, type DeadLetterView } from './dead-letters.js';

/** A dead letter that a replay would send. */
export interface PlannedReplay {
  readonly deadLetter: DeadLetterView;
  readonly topic: string;
  /** The groups that would receive it, by name: those of the topic, so often others than the one that failed, too. */
  readonly consumerGroups: readonly string[];
}

/**
 * What a replay of the same page with the same options would return; `next` is its `next`. `failed` also has those whose message group
 * has no broker now: a replay ends at the first of them, and continues when the broker is back.
 */
export interface ReplayPlan extends Omit<ReplayResult, 'replayed'> {
  readonly planned: readonly PlannedReplay[];
}

/** @throws the error of a server that does not answer for a topic: a plan is complete or fails */
export async function planReplay(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: ReplayOptions = {},
): Promise<ReplayPlan> {
  return cluster.run(
    `plan the replay of dead letters of ${consumerGroup}`,
    options,
    async (deadline) => {
      const { letters, next, failures } = await lettersOf(cluster, consumerGroup, options, deadline);
      const chosen = await chosenOf(letters, options);
      const deadLetters = chosen.map(({ deadLetter }) => deadLetter);
      return { ...(await planOf(cluster, deadLetters, deadline, options.again)), next, failures };
    },
    REPLAY_CHECKS,
  );
}

/** @throws UsageError `ILLEGAL_OPTION`; otherwise as {@link planReplay} */
export async function planReplayOf(
  cluster: ClusterAccess,
  deadLetters: readonly DeadLetterView[],
  options: CallOptions = {},
): Promise<ReplayPlan> {
  return cluster.run('plan the replay of dead letters', options, async (deadline) => {
    checkFields({ deadLetters }, { deadLetters: listWhere('dead letters as listDeadLetters() returns them', isView) });
    return { ...(await planOf(cluster, deadLetters, deadline)), next: undefined, failures: [] };
  });
}

function isView(one: unknown): boolean {
  const { consumerGroup, messageId, broker, queueId, queueOffset, storeTimestampMs } = Object(one) as DeadLetterView;
  return (
    [consumerGroup, messageId, broker].every((text) => typeof text === 'string') &&
    [queueId, queueOffset, storeTimestampMs].every((number) => Number.isSafeInteger(number))
  );
}

async function planOf(
  cluster: ClusterAccess,
  deadLetters: readonly DeadLetterView[],
  deadline: Deadline,
  again?: boolean,
): Promise<Pick<ReplayPlan, 'planned' | 'replayedBefore' | 'failed'>> {
  const pass = new ReplayPass(cluster, deadline, again);
  const groups = new Map<string, Promise<TopicGroups>>();
  const outcomes = await mapConcurrently(deadLetters, CONCURRENT_LOOKUPS, async (deadLetter) => {
    const planning = pass.one(deadLetter, async ({ topic }): Promise<PlannedReplay> => {
      const asked = groups.get(topic) ?? groupsOn(cluster, topic, deadline);
      groups.set(topic, asked);
      const { consumerGroups, failures: away } = await asked;
      const [failure] = away;
      if (failure !== undefined) throw failure.error;
      return { deadLetter, topic, consumerGroups };
    });
    return planning.catch((error: unknown): Outcome<PlannedReplay> => {
      if (!RocketMQError.is(error) || error.code !== 'MESSAGE_GROUP_UNAVAILABLE') throw error;
      return { kind: 'failed', deadLetter, error };
    });
  });
  const { done: planned, ...rest } = outcomesOf(outcomes);
  return { planned, ...rest };
}
