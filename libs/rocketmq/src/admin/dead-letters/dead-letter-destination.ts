// Which dead letters a replay sends, and where: it leaves out those that went there before, and keeps the failures of those that cannot go.

import { byBrokerName, type Layout, parseLayout, placeOfMessageGroup } from '../../protocol/model/layout.js';
import { isIdOfCopy, messageIdFrom } from '../../protocol/model/message-id.js';
import type { StoredMessageFields } from '../../protocol/remoting/stored-message.js';
import { type MasterBroker, type TopicRoute, writableLayout } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { RemotingError } from '../../remoting/remoting-error.js';
import { HOUR_MS } from '../../support/clock.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError, TransportError } from '../../support/errors.js';
import { hasStored } from '../messages/message-lookup.js';
import { positionOf } from '../messages/positions.js';
import type { DeadLetterView } from './dead-letters.js';

/**
 * The property of a replayed message that identifies its dead letter, as `group/broker/queue/offset`. Consumers can see it.
 */
export const REPLAY_PROPERTY = 'DEAD_LETTER_REPLAY';

/** A copy is stored after its dead letter, by the clock of another broker. */
const MAX_CLOCK_DIFFERENCE_MS = HOUR_MS;

/** A dead letter that cannot be sent. */
export class NotReplayableError extends RocketMQError {
  constructor(code: 'ORIGIN_UNKNOWN' | 'ORIGIN_GONE' | 'ORIGIN_READ_ONLY' | 'REPLAY_UNKNOWN', message: string) {
    super(code, message, 'not-sent', false);
  }
}

/** Where a dead letter goes. */
export interface Destination {
  readonly topic: string;
  readonly broker: MasterBroker;
  /** -1: any. */
  readonly queueId: number;
  /** The value of {@link REPLAY_PROPERTY}. */
  readonly mark: string;
  /** That of the original; made from the mark where its client gave it none, so that a replay finds what an earlier one has sent. */
  readonly messageId: string;
}

/** The topic from which a dead letter comes. */
interface Origin {
  readonly topic: string;
  readonly route: TopicRoute;
  /** The brokers that take messages of the topic, at least one. */
  readonly writable: readonly MasterBroker[];
}

/** What became of a dead letter. */
export type Outcome<Done> =
  | { readonly kind: 'done'; readonly done: Done }
  | { readonly kind: 'replayed-before'; readonly deadLetter: DeadLetterView }
  | { readonly kind: 'failed'; readonly deadLetter: DeadLetterView; readonly error: RocketMQError };

/** The same for a page of dead letters, in its order. */
export function outcomesOf<Done>(outcomes: readonly Outcome<Done>[]) {
  return {
    done: outcomes.flatMap((one) => (one.kind === 'done' ? [one.done] : [])),
    replayedBefore: outcomes.flatMap((one) => (one.kind === 'replayed-before' ? [one.deadLetter] : [])),
    failed: outcomes.flatMap((one) =>
      one.kind === 'failed' ? [{ deadLetter: one.deadLetter, error: one.error }] : [],
    ),
  };
}

/** What a replay and its plan have in common. */
export class ReplayPass {
  /** By topic. */
  private readonly routes = new Map<string, Promise<TopicRoute | undefined>>();
  /** By topic. */
  private readonly layouts = new Map<string, Promise<Layout>>();

  constructor(
    private readonly cluster: ClusterAccess,
    private readonly deadline: Deadline,
    /** Whether those go again that went before. */
    private readonly again = false,
  ) {}

  /**
   * @param act called with the destination of a dead letter that is to go there
   * @throws for a failure that would affect the following dead letters as well; TransportError `MESSAGE_GROUP_UNAVAILABLE` while the broker
   *   of its message group is missing
   */
  async one<Done>(
    deadLetter: DeadLetterView,
    act: (destination: Destination) => Promise<Done>,
  ): Promise<Outcome<Done>> {
    try {
      const origin = await this.originOf(deadLetter);
      const mark = `${deadLetter.consumerGroup}/${positionOf(deadLetter)}`;
      const messageId = isIdOfCopy(deadLetter.messageId) ? messageIdFrom(mark) : deadLetter.messageId;
      if (!this.again && (await this.has(deadLetter, origin, messageId, mark)))
        return { kind: 'replayed-before', deadLetter };
      const { topic } = origin;
      const place = await this.queueFor(deadLetter, origin);
      return { kind: 'done', done: await act({ topic, ...place, mark, messageId }) };
    } catch (error) {
      if (!isOfOneLetter(error)) throw error;
      return { kind: 'failed', deadLetter, error };
    }
  }

  /** Whether the topic already has a message that was replayed from it. @throws NotReplayableError when it has too many that may be it */
  private async has(
    { storeTimestampMs }: DeadLetterView,
    { topic, route }: Origin,
    messageId: string,
    mark: string,
  ): Promise<boolean> {
    const from = new Date(Math.max(0, storeTimestampMs - MAX_CLOCK_DIFFERENCE_MS));
    let isKnown = true;
    for (const broker of this.cluster.ofCluster(route.brokers)) {
      const isMeant = ({ properties }: StoredMessageFields) => properties.get(REPLAY_PROPERTY) === mark;
      const has = await hasStored(this.cluster, broker, { topic, messageId, from }, isMeant, this.deadline);
      if (has === true) return true;
      if (has === undefined) isKnown = false;
    }
    if (isKnown) return false;
    const text = `dead letter ${messageId}: topic "${topic}" has so many copies of it that whether this one was replayed is unknown; it was not sent; fix what makes its listener fail, then replay it with the option again`;
    throw new NotReplayableError('REPLAY_UNKNOWN', text);
  }

  /**
   * A message of a message group goes to the queue that producers choose, to stay in order; others stay on their broker.
   * @throws TransportError `MESSAGE_GROUP_UNAVAILABLE` while its broker is missing
   */
  private async queueFor({ messageGroup, broker: name }: DeadLetterView, origin: Origin) {
    const { topic, writable } = origin;
    const own = writable.find((broker) => broker.name === name) ?? (writable[0] as MasterBroker);
    if (messageGroup === undefined) return { broker: own, queueId: -1 };
    const asked = this.layouts.get(topic) ?? this.layoutOf(origin);
    this.layouts.set(topic, asked);
    const { brokerName, queueId } = placeOfMessageGroup(await asked, messageGroup);
    const broker = writable.find((one) => one.name === brokerName);
    if (broker !== undefined) return { broker, queueId };
    const text = `replay to "${topic}": broker "${brokerName}" stores the message group, and is missing or cannot be written; it was not sent, so that the group keeps its order; replay again when the broker is back`;
    throw new TransportError('MESSAGE_GROUP_UNAVAILABLE', text, 'not-sent', true);
  }

  /** The order configuration, or what can be written at present: a missing broker that it does not name is not known here. */
  private async layoutOf({ topic, route, writable }: Origin): Promise<Layout> {
    const text = route.order === undefined ? await this.cluster.orderConfiguration(topic, this.deadline) : undefined;
    const order = route.order ?? (text === undefined ? undefined : parseLayout(text));
    return order === undefined ? writableLayout({ ...route, brokers: writable }) : byBrokerName(order);
  }

  /** @throws NotReplayableError */
  private async originOf({ originTopic, messageId }: DeadLetterView): Promise<Origin> {
    if (originTopic === undefined) {
      const message = `the original topic of dead letter ${messageId} is unknown; it was not sent; send its body yourself`;
      throw new NotReplayableError('ORIGIN_UNKNOWN', message);
    }
    const asked = this.routes.get(originTopic) ?? this.cluster.route(originTopic, this.deadline);
    this.routes.set(originTopic, asked);
    const route = await asked;
    const brokers = route === undefined ? [] : this.cluster.ofCluster(route.brokers);
    const writable = brokers.filter(({ name }) => (route?.access.get(name)?.writable ?? 0) > 0);
    // The broker would create a missing topic, with the wrong type.
    if (route !== undefined && writable.length > 0) return { topic: originTopic, route, writable };
    if (brokers.length > 0) {
      const message = `dead letter ${messageId}: its topic "${originTopic}" may not be written to; it was not sent; give the topic its write permission, and replay again`;
      throw new NotReplayableError('ORIGIN_READ_ONLY', message);
    }
    const message = `dead letter ${messageId}: its topic "${originTopic}" no longer exists; it was not sent; create the topic, or send the body to another one`;
    throw new NotReplayableError('ORIGIN_GONE', message);
  }
}

/** Whether a failure is that of one dead letter, and would not affect the following ones as well. */
function isOfOneLetter(error: unknown): error is RocketMQError {
  if (error instanceof NotReplayableError) return true;
  return error instanceof RemotingError && error.outcome === 'rejected' && !error.retryable;
}
