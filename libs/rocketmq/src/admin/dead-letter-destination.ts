// Where a dead letter goes when it is replayed, and whether it went there before.

import type { TopicRoute } from '../remoting/cluster.js';
import type { ClusterAccess } from '../remoting/cluster-access.js';
import { RemotingError } from '../remoting/remoting-error.js';
import type { Deadline } from '../support/deadline.js';
import { RocketMQError } from '../support/errors.js';
import type { DeadLetterView } from './dead-letters.js';
import { storedMessages } from './message-lookup.js';
import { positionOf } from './positions.js';

/**
 * The property of a replayed message that identifies its dead letter, as `group/broker/queue/offset`. Consumers can see it.
 */
export const REPLAY_PROPERTY = 'DEAD_LETTER_REPLAY';

/** A dead letter that cannot be sent. */
export class NotReplayableError extends RocketMQError {
  constructor(code: 'ORIGIN_UNKNOWN' | 'ORIGIN_GONE', message: string) {
    super(code, message, 'not-sent', false);
  }
}

/** Where a dead letter goes. */
export interface Destination {
  readonly topic: string;
  readonly route: TopicRoute;
  /** The value of {@link REPLAY_PROPERTY}. */
  readonly mark: string;
}

/** The most messages of one id that the server returns. */
const MOST_OF_AN_ID = 32;

/** The destinations of the dead letters of one call. */
export class Destinations {
  private readonly routes = new Map<string, Promise<TopicRoute | undefined>>();

  constructor(
    private readonly cluster: ClusterAccess,
    private readonly deadline: Deadline,
  ) {}

  /** @throws NotReplayableError */
  async of(deadLetter: DeadLetterView): Promise<Destination> {
    const origin = await this.origin(deadLetter);
    return { ...origin, mark: `${deadLetter.consumerGroup}/${positionOf(deadLetter)}` };
  }

  /** Whether the topic already has a message that was replayed from it. */
  async has({ topic, route, mark }: Destination, messageId: string): Promise<boolean> {
    for (const broker of this.cluster.ofCluster(route.brokers)) {
      const query = { topic, messageId };
      const found = await storedMessages(this.cluster, broker, query, MOST_OF_AN_ID, this.deadline);
      if (found.some(({ properties }) => properties.get(REPLAY_PROPERTY) === mark)) return true;
    }
    return false;
  }

  private async origin({ originTopic, messageId }: DeadLetterView): Promise<{ topic: string; route: TopicRoute }> {
    if (originTopic === undefined) {
      const message = `the original topic of dead letter ${messageId} is unknown; it was not sent; send its body yourself`;
      throw new NotReplayableError('ORIGIN_UNKNOWN', message);
    }
    const asked = this.routes.get(originTopic) ?? this.cluster.route(originTopic, this.deadline);
    this.routes.set(originTopic, asked);
    const route = await asked;
    // The broker would create a missing topic, with the wrong type.
    if (route !== undefined && this.cluster.ofCluster(route.brokers).length > 0) return { topic: originTopic, route };
    const message = `dead letter ${messageId}: its topic "${originTopic}" no longer exists; it was not sent; create the topic, or send the body to another one`;
    throw new NotReplayableError('ORIGIN_GONE', message);
  }
}

/** Whether a failure is that of one dead letter, and would not affect the following ones as well. */
export function isOfOneLetter(error: unknown): error is RocketMQError {
  if (error instanceof NotReplayableError) return true;
  return error instanceof RemotingError && error.outcome === 'rejected' && !error.retryable;
}
