// The lanes of one producer: which one a message takes.

import { endpointKey } from '../client/endpoint.js';
import type { Queue } from '../client/route.js';
import { type LanePort, SendLane } from './send-lane.js';

/** One lane for each topic and endpoint. */
export class SendLanes {
  private readonly lanes = new Map<string, SendLane>();
  /** So that the key need not be made for each message. Queues are new objects with each answer about a route. */
  private readonly byQueue = new WeakMap<Queue, SendLane>();

  constructor(private readonly port: LanePort) {}

  lane(topic: string, queue: Queue): SendLane {
    const known = this.byQueue.get(queue);
    if (known !== undefined) return known;
    const key = `${topic} ${endpointKey(queue.endpoint)}`;
    const lane = this.lanes.get(key) ?? new SendLane(queue.endpoint, this.port);
    this.lanes.set(key, lane);
    this.byQueue.set(queue, lane);
    return lane;
  }
}
