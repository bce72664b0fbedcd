// Where a broadcast is in each queue. Nothing of it is stored: it begins at the end, and receives everything that is sent from then on.

import type { RemotingClient } from '../../remoting/remoting-client.js';
import { raceAbort } from '../../support/abort.js';
import { type Deadline, realTimeIn, withNotedEffects } from '../../support/deadline.js';
import { describeError, type Logger } from '../../support/logger.js';
import type { Topics } from '../topics.js';
import { keyOf, type PulledQueue } from './allocation.js';
import type { PositionStore } from './queue-position.js';
import { QueueRequests } from './queue-requests.js';

interface BroadcastPort {
  readonly clientId: string;
  readonly client: RemotingClient;
  readonly topics: Pick<Topics, 'route' | 'addressOf'>;
  readonly logger: Logger;
  /** How long a registration with a broker may take, of which this is a part. */
  readonly timeoutMs: number;
}

/** A topic that is subscribed to. */
interface JoinedTopic {
  /** Wall-clock time. */
  readonly atMs: number;
  /** By the key of the queue. */
  readonly offsets: Map<string, number>;
  /** Resolves when the ends of its queues are known. */
  readonly known: Promise<void>;
}

/** How long brokers may take to say where their queues end: one that is away must not keep the others from starting. */
const MAX_LEARNING_MS = 2_000;

/** The positions of one client. */
export class BroadcastPositions {
  private readonly joined = new Map<string, JoinedTopic>();

  constructor(private readonly port: BroadcastPort) {}

  /**
   * Begins the topics that are new, and forgets all that are not named. Resolves when it is known where they begin.
   * @throws TransportError when no name server has answered; the signal's reason
   */
  async join(consumerGroup: string, topics: readonly string[], { signal }: Deadline): Promise<void> {
    for (const topic of this.joined.keys()) if (!topics.includes(topic)) this.joined.delete(topic);
    const known = topics.map((topic) => (this.joined.get(topic) ?? this.begin(consumerGroup, topic)).known);
    await raceAbort(Promise.all(known), signal);
  }

  /** That of one queue. */
  of(name: PulledQueue, requests: QueueRequests): PositionStore {
    const key = keyOf(name);
    // A topic that was joined anew has nothing to do with the former positions.
    let joined: JoinedTopic | undefined;
    return {
      what: requests.what,
      committedOffset: async () => {
        joined ??= this.joined.get(name.topic);
        await joined?.known;
        // A queue that was not there, or whose broker was not, had no messages for this client before.
        return joined && (joined.offsets.get(key) ?? requests.offsetAt(joined.atMs));
      },
      commit: async (offset) => void joined?.offsets.set(key, offset),
    };
  }

  private begin(consumerGroup: string, topic: string): JoinedTopic {
    const offsets = new Map<string, number>();
    const atMs = realTimeIn(0).getTime();
    const limitMs = Math.min(MAX_LEARNING_MS, this.port.timeoutMs / 2);
    const known = withNotedEffects(`ends of the queues of ${topic}`, limitMs, undefined, (deadline) =>
      this.learnEnds(consumerGroup, topic, offsets, deadline),
    ).catch((error: unknown) => {
      if (this.joined.get(topic) === joined) this.joined.delete(topic);
      throw error;
    });
    const joined: JoinedTopic = { atMs, offsets, known };
    this.joined.set(topic, joined);
    return joined;
  }

  private async learnEnds(
    consumerGroup: string,
    topic: string,
    offsets: Map<string, number>,
    deadline: Deadline,
  ): Promise<void> {
    const { clientId, client, topics, logger } = this.port;
    const addressOf = (name: string): string | undefined => topics.addressOf(name);
    const { brokers = [], access } = (await topics.route(topic, deadline)) ?? {};
    const asked = brokers.flatMap(({ name: brokerName }) =>
      Array.from({ length: access?.get(brokerName)?.readable ?? 0 }, async (_, queueId) => {
        const name = { topic, brokerName, queueId };
        const offset = await new QueueRequests({ clientId, client, consumerGroup, addressOf }, name).maxOffset();
        // A broker that answers later may have messages that were sent since.
        if (!deadline.signal.aborted) offsets.set(keyOf(name), offset);
      }),
    );
    const results = await raceAbort(Promise.allSettled(asked), deadline.signal).catch(() => []);
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [describeError(result.reason)] : []));
    const isComplete = results.length === asked.length && errors.length === 0;
    const text = 'a broker has not said where its queues end: what it has stored since then is received from them';
    if (!isComplete) logger.debug(text, { topic, error: errors[0] });
  }
}
