// What a replay of dead letters would do, without doing it.

import type { ClusterAccess } from '../remoting/cluster-access.js';
import type { CallOptions } from '../support/deadline.js';
import { ReplayPass } from './dead-letter-destination.js';
import type { ReplayOptions, ReplayResult } from './dead-letter-replay.js';
import { checkPage, type DeadLetterView, readPage } from './dead-letters.js';
import { groupsOn, type TopicGroups } from './topic-groups.js';

/** A dead letter that a replay would send. */
export interface PlannedReplay {
  readonly deadLetter: DeadLetterView;
  readonly topic: string;
  /** The groups that would receive it, by name: those of the topic, so often others than the one that failed, too. */
  readonly consumerGroups: readonly string[];
}

/** What a replay of the same page with the same options would return; `next` is that of the page. */
export interface ReplayPlan extends Omit<ReplayResult, 'replayed'> {
  readonly planned: readonly PlannedReplay[];
}

/** @throws the error of a server that does not answer for a topic: a plan is complete or fails */
export async function planReplay(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: ReplayOptions & CallOptions = {},
): Promise<ReplayPlan> {
  checkPage(consumerGroup, options);
  return cluster.run(`plan the replay of dead letters of ${consumerGroup}`, options, async (deadline) => {
    const { letters, next, failures } = await readPage(cluster, consumerGroup, options, deadline);
    const pass = new ReplayPass(cluster, deadline, options.again);
    const groups = new Map<string, Promise<TopicGroups>>();
    const planned: PlannedReplay[] = [];
    for (const { deadLetter } of letters) {
      if (options.select !== undefined && !options.select(deadLetter)) continue;
      await pass.one(deadLetter, async ({ topic }) => {
        const asked = groups.get(topic) ?? groupsOn(cluster, topic, deadline);
        groups.set(topic, asked);
        const { consumerGroups, failures: away } = await asked;
        const [failure] = away;
        if (failure !== undefined) throw failure.error;
        planned.push({ deadLetter, topic, consumerGroups });
      });
    }
    const { replayedBefore, failed } = pass;
    return { planned, replayedBefore, failed, next, failures };
  });
}
