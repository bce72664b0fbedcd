// The lanes of one producer: which one a message takes.

import { endpointKey } from '../../client/endpoint.js';
import type { Queue, Route } from '../../client/route.js';
import { type LanePort, SendLane } from './send-lane.js';

/** One lane for each topic and endpoint. */
export class SendLanes {
  private readonly byTopic = new Map<string, Map<string, SendLane>>();
  /** So that the key need not be made for each message. Queues are new objects with each answer about a route. */
  private readonly byQueue = new WeakMap<Queue, SendLane>();

  constructor(private readonly port: LanePort) {}

  /** @param queue of the route */
  lane(queue: Queue, route: Route): SendLane {
    const known = this.byQueue.get(queue);
    if (known !== undefined) return known;
    const lanes = this.lanesOf(route);
    const key = endpointKey(queue.endpoint);
    const lane = lanes.get(key) ?? new SendLane(queue.endpoint, this.port);
    lanes.set(key, lane);
    this.byQueue.set(queue, lane);
    return lane;
  }

  /** Of a topic whose route is new: endpoints that it names no more are forgotten. */
  private lanesOf({ topic, queues }: Route): Map<string, SendLane> {
    const lanes = this.byTopic.get(topic) ?? new Map<string, SendLane>();
    this.byTopic.set(topic, lanes);
    const named = new Set(queues.map(({ endpoint }) => endpointKey(endpoint)));
    for (const key of lanes.keys()) if (!named.has(key)) lanes.delete(key);
    return lanes;
  }
}
