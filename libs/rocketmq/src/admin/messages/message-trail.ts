// The way of one message through the servers: its half message, its delay, its copies in its topic, and for each group how far it came,
// its redeliveries and its dead letters. Servers keep no such record; it is put together from the topics in which they keep messages.

import {
  consumerGroupNameProblem,
  DELAYED_TOPIC,
  deadLetterTopicOf,
  GIVEN_UP_TOPIC,
  HALF_TOPIC,
  RETRY_PREFIX,
  topicNameProblem,
} from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import type { MasterBroker } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { mapConcurrently } from '../../support/concurrently.js';
import type { CallOptions, Deadline } from '../../support/deadline.js';
import { assertFields, checkedElsewhere, listWhere, type OptionChecks } from '../../support/options.js';
import { checkName, checkSought } from '../checks.js';
import { type BrokerFailure, fromEach } from '../each-broker.js';
import { compareText } from '../sort-order.js';
import { type QueueRow, rowsIn } from '../topics/group-positions.js';
import { groupsOnBroker } from '../topics/topic-groups.js';
import { queuesOn } from '../topics/topic-offsets.js';
import { type DelayedMessage, delayedUnreadable, delayedView } from './delayed-messages.js';
import { MAX_BY_ID, storedWithId } from './message-lookup.js';
import { messageView, PROPERTIES, type StoredMessageView } from './message-view.js';
import { originOfDeadLetter } from './origin-topic.js';

export interface TrailQuery {
  readonly topic: string;
  readonly messageId: string;
  /** Only these groups. Default: all groups of the topic. */
  readonly consumerGroups?: readonly string[];
}

const QUERY_CHECKS: OptionChecks<TrailQuery> = {
  topic: checkedElsewhere,
  messageId: checkedElsewhere,
  consumerGroups: listWhere('names', (one) => typeof one === 'string'),
};

/** A copy of a message, and whether a group has read past it. */
export interface TrailCopy extends StoredMessageView {
  /**
   * Whether the group's position is after it. In an ordered group it is then settled. In any other it was delivered, or its filter did not
   * match; whether it is settled the server does not say.
   */
  readonly isPassed: boolean;
}

/** A redelivery. */
export interface TrailRetry extends TrailCopy {
  /** The number of the delivery that it is for: 2 is the first redelivery. */
  readonly attempt: number;
  /** When the group first received the message, in milliseconds since 1970; undefined when the server did not keep it. */
  readonly firstReceivedMs: number | undefined;
}

/** What is known of a message in one group. */
export interface GroupTrail {
  readonly consumerGroup: string;
  /** False if brokers say that it has never received from the topic and no connected consumer of it subscribes. The name may be wrong. */
  readonly isOfTopic: boolean;
  /** The copies in the topic, as in {@link MessageTrail.stored}. */
  readonly copies: readonly TrailCopy[];
  /** By attempt. Each was stored when the delivery before it had failed and its backoff was over. */
  readonly retries: readonly TrailRetry[];
  /** Its copies in the dead letter queue of the group. */
  readonly deadLetters: readonly StoredMessageView[];
  /** A broker returned as many retries, or dead letters, as it returns of one id, so older ones may be missing. */
  readonly mayBeMore: boolean;
}

/** What was not read: a group on a broker, or the delays that a broker keeps. */
export interface TrailGap extends BrokerFailure {
  /** Undefined: the delays and cancellations. */
  readonly consumerGroup: string | undefined;
}

/**
 * The way of a message. Everything in it is a stored message, and evidence of a step: its `topic`, `broker`, `queueId` and `queueOffset` say
 * where. Lists are in the order in which their messages were stored.
 */
export interface MessageTrail {
  readonly topic: string;
  readonly messageId: string;
  /** Of a transaction: stored before it was committed or rolled back. */
  readonly halfMessages: readonly StoredMessageView[];
  /** Of a transaction whose checks nobody answered. */
  readonly givenUp: readonly StoredMessageView[];
  /** Of a delay: stored until it is due. */
  readonly delayed: readonly DelayedMessage[];
  /** Its cancellations. */
  readonly recalls: readonly StoredMessageView[];
  /** In its topic, where consumers receive it: one, or several when it was replayed or its id was sent more than once. */
  readonly stored: readonly StoredMessageView[];
  /** By name, those that were read. */
  readonly groups: readonly GroupTrail[];
  /** A broker returned as many messages of a list, other than those of groups, as it returns of one id, so older ones may be missing. */
  readonly mayBeMore: boolean;
  /** What was not read because the time was over, or because a broker rejected it; ask again for such a group with `consumerGroups`. */
  readonly gaps: readonly TrailGap[];
  /** Brokers that did not answer; the result lacks what they have. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/** The share of the time that is left in which groups are read; those that are not done by then are gaps. */
const GROUPS_SHARE = 0.9;
/** The groups that are read at a time on each broker, with five requests each. */
const GROUPS_AT_ONCE = 8;

export async function messageTrail(
  cluster: ClusterAccess,
  query: TrailQuery,
  options?: CallOptions,
): Promise<MessageTrail> {
  assertFields(query, QUERY_CHECKS);
  const { topic, messageId } = Object(query) as TrailQuery;
  checkName('topic', topic, topicNameProblem(topic));
  checkSought('messageId', messageId);
  for (const group of query.consumerGroups ?? []) checkName('consumer group', group, consumerGroupNameProblem(group));
  return cluster.run(`follow message ${messageId} of topic ${topic}`, options, async (deadline) => {
    const { answers, failures } = await fromEach(cluster, deadline, (broker, own) =>
      new BrokerTrail(cluster, broker, query, own).read(),
    );
    const known = new Set(answers.flatMap(({ value }) => value.known));
    const consumerGroups = [...new Set(query.consumerGroups ?? [...known].sort(compareText))];
    const read = await cluster.runShare(GROUPS_SHARE, deadline, (own) =>
      Promise.all(
        answers.map(({ broker, value: { stored } }) =>
          mapConcurrently(consumerGroups, GROUPS_AT_ONCE, (group) =>
            new BrokerTrail(cluster, broker, query, own).groupOrGap(group, stored),
          ),
        ),
      ),
    );
    if (options?.signal?.aborted === true) throw deadline.signal.reason;
    const parts = answers.map(({ value }) => value);
    return {
      topic,
      messageId,
      halfMessages: inOrder(parts.flatMap(({ halfMessages }) => halfMessages)),
      givenUp: inOrder(parts.flatMap(({ givenUp }) => givenUp)),
      delayed: inOrder(parts.flatMap(({ delayed }) => delayed)),
      recalls: inOrder(parts.flatMap(({ recalls }) => recalls)),
      stored: inOrder(parts.flatMap(({ stored }) => stored)),
      groups: merged(
        read.flat().filter((one): one is GroupPart => !('error' in one)),
        known,
      ),
      mayBeMore: parts.some(({ mayBeMore }) => mayBeMore),
      gaps: [...parts.flatMap(({ gaps }) => gaps), ...read.flat().filter((one): one is TrailGap => 'error' in one)],
      failures,
    };
  });
}

/** Those of one name as one, from the brokers on which they were read. */
function merged(groups: readonly GroupPart[], known: ReadonlySet<string>): GroupTrail[] {
  return [...new Set(groups.map(({ consumerGroup }) => consumerGroup))].sort(compareText).map((consumerGroup) => {
    const own = groups.filter((one) => one.consumerGroup === consumerGroup);
    return {
      consumerGroup,
      isOfTopic: known.has(consumerGroup),
      copies: inOrder(own.flatMap(({ copies }) => copies)),
      retries: inOrder(own.flatMap(({ retries }) => retries)),
      deadLetters: inOrder(own.flatMap(({ deadLetters }) => deadLetters)),
      mayBeMore: own.some(({ mayBeMore }) => mayBeMore),
    };
  });
}

function inOrder<T extends StoredMessageView>(messages: readonly T[]): T[] {
  return [...messages].sort((left, right) => left.storeTimestampMs - right.storeTimestampMs);
}

function isCut(...lists: readonly (readonly unknown[])[]): boolean {
  return lists.some(({ length }) => length >= MAX_BY_ID);
}

/** What one broker knows of the message, without the groups. */
interface BrokerPart extends Omit<MessageTrail, 'topic' | 'messageId' | 'groups' | 'failures'> {
  /** The groups of the topic. */
  readonly known: readonly string[];
}

type GroupPart = Omit<GroupTrail, 'isOfTopic'>;

/** Reads what one broker knows of the message. */
class BrokerTrail {
  constructor(
    private readonly cluster: ClusterAccess,
    private readonly broker: MasterBroker,
    private readonly query: TrailQuery,
    private readonly deadline: Deadline,
  ) {}

  async read(): Promise<BrokerPart> {
    const { topic } = this.query;
    const [known, stored, allHalves, allGivenUp, allDelayed, gaps] = await Promise.all([
      this.knownGroups(),
      this.copiesIn(topic),
      this.copiesIn(HALF_TOPIC),
      this.copiesIn(GIVEN_UP_TOPIC),
      this.copiesIn(DELAYED_TOPIC),
      this.delayedGaps(),
    ]);
    const isOurs = ({ properties }: StoredMessageFields): boolean => properties.get(PROPERTIES.realTopic) === topic;
    const isRecall = ({ properties }: StoredMessageFields): boolean => properties.has(PROPERTIES.canceled);
    const delayed = allDelayed.filter(isOurs);
    return {
      known,
      stored: await this.views(stored),
      halfMessages: await this.views(allHalves.filter(isOurs)),
      givenUp: await this.views(allGivenUp.filter(isOurs)),
      delayed: (await this.views(delayed.filter((one) => !isRecall(one)))).map(delayedView),
      recalls: await this.views(delayed.filter(isRecall)),
      mayBeMore: isCut(stored, allHalves, allGivenUp, allDelayed),
      gaps,
    };
  }

  /** A group that cannot be read must not hide the others. */
  async groupOrGap(consumerGroup: string, stored: readonly StoredMessageView[]): Promise<GroupPart | TrailGap> {
    try {
      return await this.group(consumerGroup, stored);
    } catch (error) {
      return { ...this.broker, consumerGroup, error: this.deadline.failure(error) as Error };
    }
  }

  private async group(consumerGroup: string, stored: readonly StoredMessageView[]): Promise<GroupPart> {
    const { topic } = this.query;
    // After `_` or `+` the topic from which they were popped; without it, those of a consumer of the remoting protocol.
    const retryTopics = [`_${topic}`, `+${topic}`, ''].map((end) => `${RETRY_PREFIX}${consumerGroup}${end}`);
    const [rows, deadLetters, ...retries] = await Promise.all([
      this.positions(consumerGroup),
      this.copiesIn(deadLetterTopicOf(consumerGroup)),
      ...retryTopics.map((name) => this.copiesIn(name)),
    ]);
    // The name of a retry topic does not separate group and topic.
    const isOfGroup = ({ properties }: StoredMessageFields): boolean =>
      (properties.get(PROPERTIES.originGroup) ?? consumerGroup) === consumerGroup;
    const isOfTopic = ({ properties }: StoredMessageFields): boolean =>
      (originOfDeadLetter(consumerGroup, (name) => properties.get(name)) ?? topic) === topic;
    const copy = (one: StoredMessageView): TrailCopy => {
      const row = rows.find(({ topic: of, queueId }) => of === one.topic && queueId === one.queueId);
      return { ...one, isPassed: (row?.consumerOffset ?? 0) > one.queueOffset };
    };
    const retry = (one: StoredMessageView): TrailRetry => {
      const firstReceivedMs = Number(one.systemProperties[PROPERTIES.firstPop] ?? Number.NaN);
      const attempt = one.reconsumeTimes + 1;
      return { ...copy(one), attempt, firstReceivedMs: Number.isNaN(firstReceivedMs) ? undefined : firstReceivedMs };
    };
    const ownRetries = retries.flat().filter((one) => isOfGroup(one) && isOfTopic(one));
    return {
      consumerGroup,
      copies: stored.map(copy),
      retries: (await this.views(ownRetries)).map(retry),
      deadLetters: await this.views(deadLetters.filter(isOfTopic)),
      mayBeMore: isCut(deadLetters, ...retries),
    };
  }

  /** Older brokers do not let tools read delays, and answer a look-up as if there were none. */
  private async delayedGaps(): Promise<TrailGap[]> {
    const gap = (error: Error): TrailGap[] => [{ ...this.broker, consumerGroup: undefined, error }];
    try {
      const queues = await queuesOn(this.cluster, this.broker, DELAYED_TOPIC, this.deadline);
      return queues.length > 0 ? [] : gap(delayedUnreadable(this.broker));
    } catch (error) {
      return gap(this.deadline.failure(error) as Error);
    }
  }

  /** Where they are asked for by name, a broker that does not list them is taken to know them. */
  private async knownGroups(): Promise<readonly string[]> {
    const { topic, consumerGroups } = this.query;
    const asked = groupsOnBroker(this.cluster, this.broker, topic, this.deadline);
    return consumerGroups === undefined ? asked : asked.catch(() => consumerGroups);
  }

  private async positions(consumerGroup: string): Promise<readonly QueueRow[]> {
    const request = { code: REQUEST_CODES.getConsumeStats, fields: { consumerGroup } };
    return rowsIn(await this.cluster.call(this.broker, request, this.deadline));
  }

  private copiesIn(topic: string): Promise<StoredMessageFields[]> {
    const { messageId } = this.query;
    return storedWithId(this.cluster, this.broker, { topic, messageId }, this.deadline);
  }

  private views(stored: readonly StoredMessageFields[]): Promise<StoredMessageView[]> {
    return Promise.all(stored.map((one) => messageView(one, this.broker.name)));
  }
}
