// One look at a consumer group: how far behind it is, and who consumes.

import type { GroupLag, ListedTopic, RocketMQAdmin, SubscriptionDifference, TopicOffsets } from 'nestjs-rocketmq/admin';
import type { Rates } from './lag-trend.js';

/** How a group stood when it was last looked at. */
export interface GroupSample {
  readonly consumerGroup: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly lag: number;
  /** Of the lag: messages that wait for redelivery. */
  readonly retries: number;
  readonly deadLetters: number;
  /** Those of the brokers that answered; undefined when these have none and others could not be asked. */
  readonly consumers: number | undefined;
  /** The topics for which its consumers have different subscriptions; empty when they agree, or cannot be compared. */
  readonly differing: readonly DifferingTopic[];
  /** Whether its lag has only risen since some samples ago. */
  readonly isGrowing: boolean;
  /** Whether its positions have moved ahead since some samples ago. */
  readonly isMoving: boolean;
  /** Over the last samples, at most six. Undefined until there are two. */
  readonly rates: Rates | undefined;
  /** Why the sample is not complete; undefined when it is. Then what is not known now is what was known before. */
  readonly problem: string | undefined;
}

/** Consumers of one group must have the same subscriptions. */
interface DifferingTopic {
  readonly consumerGroup: string;
  readonly topic: string;
  readonly text: string;
}

const DEAD_LETTERS = '%DLQ%';

interface SamplerOptions {
  readonly admin: Pick<RocketMQAdmin, 'groupLag' | 'groupClients' | 'topicOffsets'>;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Whether each sample asks the consumers for their subscriptions: a broker of a cluster may wait 10 s for one that cannot answer. */
  readonly comparesMembers: boolean;
  /** The topics of the cluster, as they were last read. */
  readonly topics: () => Promise<readonly ListedTopic[]>;
  readonly signal: AbortSignal;
}

/** Without what takes several looks. */
type Look = Omit<GroupSample, 'isGrowing' | 'isMoving' | 'rates'> & {
  /** The sums over all queues of the group's positions, and of their ends; undefined when they could not be asked. */
  readonly offsets: { readonly position: number; readonly end: number } | undefined;
};

export class GroupSampler {
  constructor(private readonly options: SamplerOptions) {}

  /** Never throws. @param known how the group stood before */
  async read(consumerGroup: string, known: GroupSample | undefined): Promise<Look> {
    const { admin, comparesMembers, nowMs, signal } = this.options;
    const { lag: lastLag = 0, retries: lastRetries = 0, deadLetters: lastDead = 0 } = known ?? {};
    const before = { lag: lastLag, retries: lastRetries, deadLetters: lastDead };
    const sample = {
      consumerGroup,
      atMs: nowMs(),
      ...before,
      consumers: undefined,
      differing: [],
      offsets: undefined,
    };
    try {
      const [lag, clients, dead] = await Promise.all([
        admin.groupLag(consumerGroup, { signal }),
        admin.groupClients(consumerGroup, { signal, compareMembers: comparesMembers }),
        this.deadLettersOf(consumerGroup),
      ]);
      const away = [...lag.failures, ...clients.failures, ...dead.failures].map(({ name }) => name);
      const problem = away.length === 0 ? undefined : `${[...new Set(away)].join(', ')} did not answer`;
      const retries = lag.topics.reduce((sum, { retries: own }) => sum + own, 0);
      const now = { lag: lag.lag, retries, deadLetters: dead.total };
      return {
        ...sample,
        // A part would look like a fall.
        ...(problem === undefined ? now : atLeast(now, before)),
        consumers: clients.clients.length > 0 || clients.failures.length === 0 ? clients.clients.length : undefined,
        differing: (clients.differences ?? []).map((one) => ({ consumerGroup, topic: one.topic, text: textOf(one) })),
        offsets: offsetsOf(lag),
        problem,
      };
    } catch (error) {
      return { ...sample, problem: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Only of a dead letter queue that exists: most groups have none. */
  private async deadLettersOf(consumerGroup: string): Promise<Pick<TopicOffsets, 'total' | 'failures'>> {
    const { admin, topics, signal } = this.options;
    const name = DEAD_LETTERS + consumerGroup;
    if (!(await topics()).some(({ topic }) => topic === name)) return { total: 0, failures: [] };
    return admin.topicOffsets(name, { signal });
  }
}

/** @param topic of the kind `dead-letter` */
export function groupOfDeadLetters(topic: string): string {
  return topic.slice(DEAD_LETTERS.length);
}

function offsetsOf({ topics }: GroupLag): NonNullable<Look['offsets']> {
  const queues = topics.flatMap(({ queues: own }) => own);
  return {
    position: queues.reduce((sum, { consumerOffset }) => sum + consumerOffset, 0),
    end: queues.reduce((sum, { brokerOffset }) => sum + brokerOffset, 0),
  };
}

type Numbers = Pick<GroupSample, 'lag' | 'retries' | 'deadLetters'>;

function atLeast(now: Numbers, before: Numbers): Numbers {
  return {
    lag: Math.max(now.lag, before.lag),
    retries: Math.max(now.retries, before.retries),
    deadLetters: Math.max(now.deadLetters, before.deadLetters),
  };
}

function textOf({ members }: SubscriptionDifference): string {
  const each = members.map(
    ({ clientId, subscription }) => `${clientId}: ${subscription?.expression ?? 'not subscribed'}`,
  );
  return each.join('; ');
}
