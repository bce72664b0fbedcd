// The receive loops of a consumer: one for each topic on each broker with assigned queues of it. receive-loop.ts has the loop
// itself.

import { endpointKey } from '../../client/endpoint.js';
import type { Queue } from '../../client/route.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import { type LoopHealth, ReceiveLoop, type Reception } from './receive-loop.js';

/** Starts and ends loops as queues are assigned and removed. */
export class ReceiveLoops {
  private readonly loops = new Map<string, ReceiveLoop>();
  /** Loops that start no further polls, until their last one has ended. */
  private readonly ending = new Set<ReceiveLoop>();
  private isStopped = false;

  constructor(
    private readonly context: ConsumerContext,
    private readonly reception: Reception,
  ) {}

  /** How many loops there are, without those that are ending. */
  get count(): number {
    return this.loops.size;
  }

  /** The health of the loops of a topic, one for each broker. */
  healthOf(topic: string): LoopHealth[] {
    return [...this.loops].flatMap(([key, { health }]) => (key.startsWith(`${topic} `) ? [health] : []));
  }

  /** Sets all queues of a topic. A broker without queues is no longer polled; the open poll ends by itself. */
  assign(topic: string, queues: readonly Queue[]): void {
    if (this.isStopped) return;
    const wanted = byBroker(queues);
    for (const [key, loop] of this.loops) {
      if (!key.startsWith(`${topic} `) || wanted.has(key)) continue;
      this.loops.delete(key);
      this.ending.add(loop);
      loop.stop();
      void loop.ended().then(() => this.ending.delete(loop));
    }
    for (const [key, assigned] of wanted) {
      const loop = this.loops.get(key);
      if (loop === undefined) this.start(key, assigned);
      else loop.assign(assigned);
    }
  }

  /** Starts no further poll of any topic. */
  stop(): void {
    this.isStopped = true;
    for (const loop of this.all()) loop.stop();
  }

  /** Cancels the open polls, at the end of the consumer only. */
  cancel(): void {
    for (const loop of this.all()) loop.cancel();
  }

  /** Cancels them where that costs no message an attempt. */
  cancelFree(): void {
    for (const loop of this.all()) loop.cancelIfFree();
  }

  /** Resolves when the last poll of each has ended and its messages are handed over. */
  async ended(): Promise<void> {
    await Promise.all(this.all().map((loop) => loop.ended()));
  }

  private start(key: string, queues: [Queue, ...Queue[]]): void {
    const loop = new ReceiveLoop(this.context, this.reception, queues);
    this.loops.set(key, loop);
    loop.start();
  }

  private all(): ReceiveLoop[] {
    return [...this.loops.values(), ...this.ending];
  }
}

function byBroker(queues: readonly Queue[]): Map<string, [Queue, ...Queue[]]> {
  const brokers = new Map<string, [Queue, ...Queue[]]>();
  for (const queue of queues) {
    const key = `${queue.topic} ${queue.brokerName} ${endpointKey(queue.endpoint)}`;
    const known = brokers.get(key);
    if (known === undefined) brokers.set(key, [queue]);
    else known.push(queue);
  }
  return brokers;
}
