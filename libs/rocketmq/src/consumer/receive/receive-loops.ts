// The receive loops of a consumer: one for each topic on each broker with assigned queues of it. receive-loop.ts has the loop
// itself.

import { endpointKey } from '../../client/endpoint.js';
import type { Queue } from '../../client/route.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import { type LoopHealth, ReceiveLoop, type ReceivePort } from './receive-loop.js';

/** Starts and ends loops as queues are assigned and removed. */
export class ReceiveLoops {
  /** By topic, then by broker. */
  private readonly loops = new Map<string, Map<string, ReceiveLoop>>();
  /** How many loops there are, without those that are ending. */
  count = 0;
  /** Loops that start no further polls, until their last one has ended. */
  private readonly ending = new Set<ReceiveLoop>();
  private isStopped = false;

  constructor(
    private readonly context: ConsumerContext,
    private readonly port: ReceivePort,
  ) {}

  /** How many there are of a topic: one for each broker. */
  countOf(topic: string): number {
    return this.loops.get(topic)?.size ?? 0;
  }

  /** The names of the brokers that are polled at an address. @param key see `endpointKey` */
  brokersAt(key: string): string[] {
    const brokers = [...this.loops.values()].flatMap((ofTopic) => [...ofTopic.keys()]);
    return brokers.flatMap((broker) => (broker.endsWith(` ${key}`) ? [broker.slice(0, -key.length - 1)] : []));
  }

  /** The health of the loops of a topic, one for each broker. */
  healthOf(topic: string): LoopHealth[] {
    return [...(this.loops.get(topic)?.values() ?? [])].map(({ health }) => health);
  }

  /** Sets all queues of a topic. A broker without queues is no longer polled; the open poll ends by itself. */
  assign(topic: string, queues: readonly Queue[]): void {
    if (this.isStopped) return;
    const wanted = byBroker(queues);
    const loops = this.loops.get(topic) ?? new Map<string, ReceiveLoop>();
    this.loops.set(topic, loops);
    for (const [broker, loop] of loops) {
      if (wanted.has(broker)) continue;
      loops.delete(broker);
      this.count--;
      this.ending.add(loop);
      loop.stop();
      void loop.ended().then(() => this.ending.delete(loop));
    }
    for (const [broker, assigned] of wanted) {
      const loop = loops.get(broker);
      if (loop !== undefined) loop.assign(assigned);
      else {
        const started = new ReceiveLoop(this.context, this.port, assigned);
        loops.set(broker, started);
        this.count++;
        started.start();
      }
    }
    if (loops.size === 0) this.loops.delete(topic);
  }

  /**
   * Ends all loops for good. Resolves when the last poll of each has ended and its messages are handed over.
   * @returns as {@link ReceiveLoop.end}, of all loops
   */
  async end(graceMs: number): Promise<number> {
    this.isStopped = true;
    const loops = [...[...this.loops.values()].flatMap((ofTopic) => [...ofTopic.values()]), ...this.ending];
    return Math.max(0, ...(await Promise.all(loops.map((loop) => loop.end(graceMs)))));
  }
}

function byBroker(queues: readonly Queue[]): Map<string, [Queue, ...Queue[]]> {
  const brokers = new Map<string, [Queue, ...Queue[]]>();
  for (const queue of queues) {
    const key = `${queue.brokerName} ${endpointKey(queue.endpoint)}`;
    const known = brokers.get(key);
    if (known === undefined) brokers.set(key, [queue]);
    else known.push(queue);
  }
  return brokers;
}
