// What a replay of dead letters would do, without doing it.

import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { mapConcurrently } from '../../support/concurrently.js';
import { RocketMQError } from '../../support/errors.js';
import { CONCURRENT_LOOKUPS } from '../messages/message-lookup.js';
import { groupsOn, type TopicGroups } from '../topics/topic-groups.js';
import { type Outcome, outcomesOf, ReplayPass } from './dead-letter-destination.js';
import { REPLAY_CHECKS, type ReplayOptions, type ReplayResult } from './dead-letter-replay.js';
import { checkPage, type DeadLetterView, readPage } from './dead-letters.js';

/** A dead letter that a replay would send. */
export interface PlannedReplay {
  readonly deadLetter: DeadLetterView;
  readonly topic: string;
  /** The groups that would receive it, by name: those of the topic, so often others than the one that failed, too. */
  readonly consumerGroups: readonly string[];
}

/**
 * What a replay of the same page with the same options would return; `next` is that of the page. `failed` also has those whose message group
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
      checkPage(consumerGroup, options);
      const { letters, next, failures } = await readPage(cluster, consumerGroup, options, deadline);
      const pass = new ReplayPass(cluster, deadline, options.again);
      const groups = new Map<string, Promise<TopicGroups>>();
      const chosen = letters.filter(({ deadLetter }) => options.select === undefined || options.select(deadLetter));
      const outcomes = await mapConcurrently(chosen, CONCURRENT_LOOKUPS, async ({ deadLetter }) => {
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
      return { planned, ...rest, next, failures };
    },
    REPLAY_CHECKS,
  );
}
