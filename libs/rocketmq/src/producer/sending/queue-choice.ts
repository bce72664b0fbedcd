// Which queue a message without a message group is sent to. A server may choose again, so this effectively chooses the broker.

import type { Endpoint } from '../../client/endpoint.js';
import type { Queue, Route } from '../../client/route.js';
import type { QueueInLayout } from '../../protocol/model/layout.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { noWritableQueue } from './group-queue.js';

/**
 * Chooses the queue of a message: one of `queues`, or undefined to leave the choice to the producer. It must not wait, and cannot
 * change the list.
 * @param queues all queues of the topic that can be written, by the name of the broker and then by number, as Java's selectors are given them; also
 *   those of brokers that are missing at present
 */
export type QueueSelector = (message: OutgoingMessage, queues: readonly QueueInLayout[]) => QueueInLayout | undefined;

/** Chooses queues, and caches which ones of a route accept messages. */
export class QueueChooser {
  private readonly writable = new WeakMap<Route, readonly Queue[]>();

  /**
   * @param maxAttempts how many brokers are tried in turn
   * @param isIsolated whether an endpoint should be avoided for now
   */
  constructor(
    private readonly maxAttempts: number,
    private readonly isIsolated: (endpoint: Endpoint) => boolean,
  ) {}

  /** The queue to try after `failures`, see {@link candidateQueues}. @throws StatusError `FORBIDDEN` */
  choose(route: Route, turn: number, failures: number): Queue {
    if (failures === 0) {
      const writable = this.writableOf(route);
      const usual = writable[turn % writable.length];
      if (usual !== undefined && !this.isIsolated(usual.endpoint)) return usual;
    }
    const queues = candidateQueues(route, turn, this.maxAttempts, this.isIsolated);
    // `candidateQueues` returns at least one.
    return queues[failures % queues.length] as Queue;
  }

  /** How many brokers accept messages. */
  brokersOf(route: Route | undefined): number {
    return route === undefined ? 0 : new Set(this.writableOf(route).map(({ brokerName }) => brokerName)).size;
  }

  private writableOf(route: Route): readonly Queue[] {
    let queues = this.writable.get(route);
    if (queues === undefined) {
      queues = writableQueues(route);
      this.writable.set(route, queues);
    }
    return queues;
  }
}

/** The queues that accept messages: writable ones of master brokers (id 0). */
function writableQueues(route: Route): readonly Queue[] {
  return route.queues.filter((queue) => queue.writable && queue.brokerId === 0);
}

/**
 * The queues to try, best first: round robin, each further one on another broker; brokers behind isolated endpoints only if there are no
 * others. In a cluster whose brokers all have the same endpoints, a failure would isolate all of them.
 * @throws StatusError `FORBIDDEN` when the topic has no writable queue; TransportError `UNAVAILABLE` while all its brokers are missing
 */
export function candidateQueues(
  route: Route,
  turn: number,
  count: number,
  isIsolated: (endpoint: Endpoint) => boolean,
): Queue[] {
  const queues = writableQueues(route);
  if (queues.length === 0) throw noWritableQueue(route);
  const well = queues.filter(({ endpoint }) => !isIsolated(endpoint));
  return onePerBroker(well.length > 0 ? well : queues, turn, count);
}

function onePerBroker(queues: readonly Queue[], turn: number, count: number): Queue[] {
  const chosen = new Map<string, Queue>();
  for (let step = 0; step < queues.length && chosen.size < count; step++) {
    const queue = queues[(turn + step) % queues.length] as Queue;
    if (!chosen.has(queue.brokerName)) chosen.set(queue.brokerName, queue);
  }
  return [...chosen.values()];
}
