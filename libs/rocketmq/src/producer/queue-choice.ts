// Which queue a message is sent to. The server chooses again within a broker; what counts here is the broker.

import type { Endpoint } from '../client/endpoint.js';
import type { Queue, Route } from '../client/route.js';
import { Code } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import { StatusError } from '../protocol/status.js';
import { sipHash24 } from './siphash.js';

/** The queues that take messages: writable ones of master brokers (id 0). */
function writableQueues(route: Route): readonly Queue[] {
  return route.queues.filter((queue) => queue.writable && queue.brokerId === 0);
}

/**
 * The queues to try, best first.
 * - with a message group: the one queue that every client of the protocol chooses for it, isolated or not
 * - else: round robin, each further one on another broker; brokers behind isolated endpoints only when there are no others.
 *   In a cluster whose brokers all carry the same endpoints, a failure would isolate every one of them
 * @throws StatusError `FORBIDDEN` when the topic has no writable queue
 */
export function candidateQueues(
  route: Route,
  messageGroup: string | undefined,
  turn: number,
  count: number,
  isIsolated: (endpoint: Endpoint) => boolean,
): Queue[] {
  const queues = writableQueues(route);
  if (queues.length === 0) {
    const message = 'no writable queue on any master broker';
    throw new StatusError(
      `send to "${route.topic}"`,
      { code: Code.FORBIDDEN, message },
      'check the permission of the topic',
    );
  }
  if (messageGroup !== undefined) {
    const length = BigInt(queues.length);
    const index = ((sipHash24(messageGroup) % length) + length) % length;
    return queues.slice(Number(index), Number(index) + 1);
  }
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
