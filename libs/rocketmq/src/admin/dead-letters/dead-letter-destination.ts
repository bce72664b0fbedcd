// Which dead letters a replay sends, and where: it leaves out those that went there before, and keeps the failures of those that cannot go.

import { isIdOfCopy, messageIdFrom } from '../../protocol/model/message-id.js';
import type { MasterBroker, TopicRoute } from '../../remoting/cluster.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { RemotingError } from '../../remoting/remoting-error.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';
import { storedWithId } from '../messages/message-lookup.js';
import { positionOf } from '../messages/positions.js';
import type { DeadLetterView } from './dead-letters.js';

/**
 * The property of a replayed message that identifies its dead letter, as `group/broker/queue/offset`. Consumers can see it.
 */
export const REPLAY_PROPERTY = 'DEAD_LETTER_REPLAY';

/** A dead letter that cannot be sent. */
export class NotReplayableError extends RocketMQError {
  constructor(code: 'ORIGIN_UNKNOWN' | 'ORIGIN_GONE' | 'ORIGIN_READ_ONLY', message: string) {
    super(code, message, 'not-sent', false);
  }
}

/** Where a dead letter goes. */
export interface Destination {
  readonly topic: string;
  readonly route: TopicRoute;
  /** The brokers that take messages of the topic, at least one. */
  readonly writable: readonly MasterBroker[];
  /** The value of {@link REPLAY_PROPERTY}. */
  readonly mark: string;
  /** That of the original; made from the mark where its client gave it none, so that a replay finds what an earlier one has sent. */
  readonly messageId: string;
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
  private readonly routes = new Map<string, Promise<TopicRoute | undefined>>();

  constructor(
    private readonly cluster: ClusterAccess,
    private readonly deadline: Deadline,
    /** Whether those go again that went before. */
    private readonly again = false,
  ) {}

  /**
   * @param act called with the destination of a dead letter that is to go there
   * @throws for a failure that would affect the following dead letters as well
   */
  async one<Done>(
    deadLetter: DeadLetterView,
    act: (destination: Destination) => Promise<Done>,
  ): Promise<Outcome<Done>> {
    try {
      const destination = await this.destinationOf(deadLetter);
      if (!this.again && (await this.has(destination))) return { kind: 'replayed-before', deadLetter };
      return { kind: 'done', done: await act(destination) };
    } catch (error) {
      if (!isOfOneLetter(error)) throw error;
      return { kind: 'failed', deadLetter, error };
    }
  }

  /** @throws NotReplayableError */
  private async destinationOf(deadLetter: DeadLetterView): Promise<Destination> {
    const origin = await this.origin(deadLetter);
    const mark = `${deadLetter.consumerGroup}/${positionOf(deadLetter)}`;
    const { messageId } = deadLetter;
    return { ...origin, mark, messageId: isIdOfCopy(messageId) ? messageIdFrom(mark) : messageId };
  }

  /** Whether the topic already has a message that was replayed from it. */
  private async has({ topic, route, mark, messageId }: Destination): Promise<boolean> {
    for (const broker of this.cluster.ofCluster(route.brokers)) {
      const found = await storedWithId(this.cluster, broker, { topic, messageId }, this.deadline);
      if (found.some(({ properties }) => properties.get(REPLAY_PROPERTY) === mark)) return true;
    }
    return false;
  }

  private async origin({ originTopic, messageId }: DeadLetterView): Promise<Omit<Destination, 'mark' | 'messageId'>> {
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
