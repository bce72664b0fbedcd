// The queue of a message group or lite topic, or why nothing may be sent to it now.

import { differs, hasSeveralProxies, writableByBroker } from '../../client/layouts.js';
import type { Queue, Route } from '../../client/route.js';
import { Code } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../../protocol/grpc/status.js';
import {
  allQueuesIn,
  byBrokerName,
  type Layout,
  layoutText,
  placeOfMessageGroup,
  type QueueInLayout,
  queueAt,
  queuesIn,
} from '../../protocol/model/layout.js';
import type { ClusterCommand } from '../../support/command-line.js';
import { TransportError } from '../../support/errors.js';
import { sipHash24 } from './siphash.js';

/** What a route says about the places of message groups. */
interface Places {
  /** The queues that can be written at present. */
  readonly writable: ReadonlyMap<string, readonly Queue[]>;
  /** Of those, by the name of the broker: what a proxy that sees this route chooses among. */
  readonly present: Layout;
  /** The layout of the topic, by the name of the broker. */
  readonly whole: Layout;
  /** The queues of the whole layout. */
  readonly queues: readonly QueueInLayout[];
  /** Whether a proxy may stand before all brokers, and choose one of them. */
  readonly mayShareProxy: boolean;
  /** Whether each broker may have a proxy of its own, so that the client chooses the broker. */
  readonly mayHaveProxies: boolean;
}

/** Finds the queues of message groups. */
export class GroupQueues {
  private readonly known = new WeakMap<Route, Places>();

  constructor(private readonly command: ClusterCommand) {}

  /** Whether a proxy chooses the broker by what it knows at that moment, so that only a fresh route says what it will choose. */
  dependsOnProxy(route: Route): boolean {
    return route.layout.length > 1 && this.placesIn(route).mayShareProxy;
  }

  /**
   * The queue that stores a message group as long as the layout of the topic does not change.
   * @param keepsChosenQueue whether the server stores a message in that queue; otherwise it chooses a queue itself
   * @param away the brokers that a proxy may treat as missing at any moment
   * @throws TransportError `MESSAGE_GROUP_UNAVAILABLE` while the message would be rejected, or be stored somewhere else; StatusError
   *   `FORBIDDEN` when the topic has no writable queue and had none
   */
  queueOf(route: Route, group: string, keepsChosenQueue: boolean, away: ReadonlySet<string>): Queue {
    const places = this.placesIn(route);
    if (route.layout.length === 0) throw noWritableQueue(route);
    const chosenByHash = placeOfMessageGroup(places.whole, group);
    if (keepsChosenQueue) return this.queueIn(route, places, chosenByHash);
    // The last check decides about the queue: a proxy before all brokers ignores it.
    let queue: Queue | undefined;
    if (places.mayShareProxy) {
      queue = this.queueIn(route, places, chosenByHash);
      // Where there is no other broker, there is no other choice.
      const isAlone = places.whole.length === 1;
      const left = places.present.filter(({ brokerName }) => isAlone || !away.has(brokerName));
      const isCertain = [places.present, left].every((seen) => isPlace(chosenByHash, seen, group));
      if (!isCertain) throw this.unavailable(route, places, chosenByHash);
    }
    if (places.mayHaveProxies) queue = this.queueIn(route, places, placeByClients(route.layout, group));
    return queue as Queue;
  }

  /** The queues that a selector chooses among, by broker and number; also those of brokers that are missing at present. */
  queuesOf(route: Route): readonly QueueInLayout[] {
    return this.placesIn(route).queues;
  }

  /** @throws TransportError `UNAVAILABLE` while it cannot be written */
  selected(route: Route, place: QueueInLayout): Queue {
    const { writable } = this.placesIn(route);
    const queue = writable.get(place.brokerName)?.[place.queueId];
    if (queue !== undefined) return queue;
    const text = `send to "${route.topic}": queueSelector chose queue ${place.queueId} of broker "${place.brokerName}", which is missing or cannot be written; nothing was sent; it can be sent when the broker is back`;
    throw new TransportError('UNAVAILABLE', text, 'not-sent', true);
  }

  /** @throws TransportError while it cannot be written */
  private queueIn(route: Route, places: Places, place: QueueInLayout): Queue {
    const queue = places.writable.get(place.brokerName)?.[place.queueId];
    if (queue === undefined) throw this.unavailable(route, places, place);
    return queue;
  }

  private unavailable(route: Route, places: Places, place: QueueInLayout): TransportError {
    return unavailable(route, places, place, this.command('topic', 'layout', route.topic, '--accept'));
  }

  private placesIn(route: Route): Places {
    let places = this.known.get(route);
    if (places === undefined) {
      places = placesOf(route);
      this.known.set(route, places);
    }
    return places;
  }
}

function placesOf({ queues, layout }: Route): Places {
  const writable = writableByBroker(queues);
  const present = [...writable].map(([brokerName, { length }]) => ({ brokerName, queues: length }));
  const hasSeveral = hasSeveralProxies(layout);
  // Of a missing broker that was never seen, nobody knows how it is reached.
  const isUnclear = !hasSeveral && layout.some(({ endpoint }) => endpoint === undefined) && present.length <= 1;
  return {
    writable,
    present: byBrokerName(present),
    whole: byBrokerName(layout),
    // A selector that sorted them in place would change the choice of all sends after it.
    queues: Object.freeze(allQueuesIn(byBrokerName(layout)).map((queue) => Object.freeze(queue))),
    mayShareProxy: !hasSeveral,
    mayHaveProxies: hasSeveral || isUnclear || layout.length === 1,
  };
}

/** Whether a proxy that sees these brokers chooses this place. */
function isPlace(place: QueueInLayout, seen: Layout, group: string): boolean {
  if (seen.length === 0) return false;
  const choice = placeOfMessageGroup(seen, group);
  return choice.brokerName === place.brokerName && choice.queueId === place.queueId;
}

/** The place that every client of the protocol chooses, if each broker has a proxy of its own. That proxy then chooses among its queues. */
function placeByClients(layout: Layout, group: string): QueueInLayout {
  const count = BigInt(queuesIn(layout));
  return queueAt(layout, Number(((sipHash24(group) % count) + count) % count));
}

export function noWritableQueue({ topic, queues, layout }: Route): StatusError | TransportError {
  if (queues.length === 0 && layout.length > 0) {
    const text = `send to "${topic}": its brokers ${layoutText(layout)} are missing; nothing was sent; it can be sent when one of them is back, unless the topic is missing`;
    return new TransportError('UNAVAILABLE', text, 'not-sent', true);
  }
  const status = { code: Code.FORBIDDEN, message: 'no writable queue on any master broker' };
  return new StatusError(`send to "${topic}"`, status, 'check the permission of the topic');
}

/** @param command changes the layout */
function unavailable(
  { topic }: Route,
  { writable, present, whole }: Places,
  place: QueueInLayout,
  command: string,
): TransportError {
  const { brokerName, queueId } = place;
  const missing = whole.filter((part) => !writable.has(part.brokerName)).map((part) => `"${part.brokerName}"`);
  const there = writable.get(brokerName)?.length;
  const isDeclaredOtherwise = differs(whole, present);
  const problem =
    there === undefined
      ? `broker "${brokerName}" stores its message group, and is missing or cannot be written`
      : there <= queueId
        ? `queue ${queueId} of broker "${brokerName}" stores its message group, and the topic has ${there} queues there`
        : `broker "${brokerName}" stores its message group, but a proxy would choose another queue` +
          (missing.length > 0
            ? ` while ${missing.join(', ')} is missing`
            : isDeclaredOtherwise
              ? ''
              : ', or may do so in a moment: it could not connect to a broker');
  const layouts = `message groups are spread over ${layoutText(whole)}, of which there is ${layoutText(present) || 'nothing'} now`;
  const cure = isDeclaredOtherwise
    ? 'the option topicLayouts, or the order configuration, is not the layout of the topic: correct it'
    : present.length === 0
      ? 'it can be sent when the broker is back, unless the topic is missing'
      : 'it can be sent when the broker is back';
  const text = `send to "${topic}": ${problem}; nothing was sent, so that the group keeps its order; ${layouts}; ${cure}; to spread all groups over the brokers that are there for good: ${command}, and restart the processes that connect to a proxy`;
  return new TransportError('MESSAGE_GROUP_UNAVAILABLE', text, 'not-sent', true);
}
