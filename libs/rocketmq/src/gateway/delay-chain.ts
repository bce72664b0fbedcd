// Delays of several levels: a message waits for each of them but the last in the topic of the relay, which producers run.
// producer/sending/delay-relay.ts sends it on.

import {
  Code,
  Permission,
  type Status,
  type Message as WireMessage,
} from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { DELAYED_TOPIC_PROPERTY, DELAYED_UNTIL_PROPERTY } from '../protocol/model/delay-chain.js';
import { MINUTE_MS, SECOND_MS } from '../support/clock.js';
import { type Deadline, monotonicMs } from '../support/deadline.js';
import type { QueuePlace } from './send-requests.js';
import { rejection } from './statuses.js';
import type { Topics } from './topics.js';

/** How much later than asked for the last level may end: the step from none to the first level of most brokers. */
const TOLERANCE_MS = SECOND_MS;
/** Brokers of the topic may have come or gone. */
const VALID_MS = MINUTE_MS;

/** A level of a broker, and whether the message is due when it ends. */
export interface Hop {
  /** The first is 1; 0 for a time that is over. */
  readonly level: number;
  readonly isLast: boolean;
}

/** The level that comes next for a delay. Never one that ends too early with the last. */
export function hopOf(delayMs: number, levelsMs: readonly number[]): Hop {
  if (delayMs <= 0) return { level: 0, isLast: true };
  const longer = Math.min(...levelsMs.filter((levelMs) => levelMs >= delayMs));
  const shorter = Math.max(...levelsMs.filter((levelMs) => levelMs < delayMs));
  const isLast = longer - delayMs < TOLERANCE_MS || shorter === Number.NEGATIVE_INFINITY;
  return { level: levelsMs.indexOf(isLast ? longer : shorter) + 1, isLast };
}

/** The message as it waits in the topic of the relay. */
export function chained(message: WireMessage, topic: string): WireMessage {
  const { systemProperties, userProperties } = message;
  const dueAtMs = systemProperties?.deliveryTimestamp?.getTime() ?? 0;
  return {
    ...message,
    topic: { resourceNamespace: message.topic?.resourceNamespace ?? '', name: topic },
    userProperties: {
      ...userProperties,
      [DELAYED_TOPIC_PROPERTY]: message.topic?.name ?? '',
      [DELAYED_UNTIL_PROPERTY]: String(dueAtMs),
    },
  };
}

/** Where messages wait. */
export class DelayChain {
  private readonly known = new Map<string, { readonly places: readonly QueuePlace[]; readonly atMs: number }>();
  private turn = 0;

  constructor(private readonly topics: Pick<Topics, 'queues' | 'addressOf'>) {}

  /**
   * A queue of the topic, on the broker at the address if it has one.
   * @returns the rejection when there is none
   * @throws like {@link Topics.queues}
   */
  async placeNear(address: string, topic: string, deadline: Deadline): Promise<QueuePlace | Status> {
    const known = this.known.get(topic);
    const isKnown = known !== undefined && monotonicMs() - known.atMs < VALID_MS;
    const places = isKnown ? known.places : await this.placesOf(topic, deadline);
    const near = places.filter((place) => place.address === address);
    const able = near.length > 0 ? near : places;
    const place = able[this.turn++ % able.length];
    if (place === undefined) {
      const text = `topic "${topic}", in which messages wait for the rest of their delay, does not exist or takes none; create it, with type normal; nothing was sent`;
      return rejection(Code.TOPIC_NOT_FOUND, text);
    }
    this.known.set(topic, { places, atMs: isKnown ? known.atMs : monotonicMs() });
    return place;
  }

  private async placesOf(topic: string, deadline: Deadline): Promise<readonly QueuePlace[]> {
    const { queues } = await this.topics.queues(topic, deadline);
    return queues.flatMap(({ id, permission, broker }) => {
      const address = this.topics.addressOf(broker?.name ?? '');
      const isWritable = permission === Permission.WRITE || permission === Permission.READ_WRITE;
      return address === undefined || !isWritable ? [] : [{ address, queueId: id }];
    });
  }
}
