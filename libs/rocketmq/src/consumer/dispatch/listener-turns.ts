// Whose turn it is among the messages of each listener: so many at once as it takes, none while it is paused. A listener that
// is behind must not take the room of another on the same topic: what is over its share goes back to the server for a while.

import type { Abortable } from '../../support/abort-source.js';
import { SECOND_MS } from '../../support/clock.js';
import { Semaphore } from '../../support/semaphore.js';
import type { Listener } from '../listeners/message-listener.js';
import { Intake } from '../receive/intake.js';
import type { Turn } from './delivery.js';

/** What the turns need of their consumer. */
export interface TurnsPort {
  /** Whether a message can be handed back without the loss of an attempt. */
  handsBackFree(): boolean;
  /** Whether other listeners take messages of the same topic, so that its polls cannot stop for this one. */
  sharesTopic(listener: Listener): boolean;
  /** How many messages of this listener may be held. */
  shareOf(listener: Listener): number;
}

/** When a message comes again that was handed back because its listener is behind or paused. */
const COME_AGAIN_MS = 10 * SECOND_MS;

const COME_AGAIN: Turn = { kind: 'refused', visibleInMs: COME_AGAIN_MS };

interface Queue {
  readonly permits: Semaphore;
  /** Messages that wait or run. */
  held: number;
}

/** The turns of all listeners of a consumer. */
export class ListenerTurns {
  private readonly queues = new Map<Listener, Queue>();
  /** Listeners by name; a pause of a whole topic is the consumer's. */
  private readonly pauses: Intake;

  constructor(private readonly port: TurnsPort) {
    this.pauses = new Intake(() => port.handsBackFree());
  }

  isPaused(name: string): boolean {
    return this.pauses.isPaused(name);
  }

  pause(name: string): void {
    this.pauses.pause(name);
  }

  resume(name: string): void {
    this.pauses.resume(name, []);
  }

  /** A turn that needs no wait; undefined when there is none. */
  takeNow(listener: Listener): Turn | undefined {
    const queue = this.queueOf(listener);
    if (this.isOverShare(listener, queue)) return COME_AGAIN;
    const giveBack = this.pauses.isOpen(listener.name) ? queue.permits.tryAcquire() : undefined;
    if (giveBack === undefined) return undefined;
    queue.held++;
    return { kind: 'granted', end: () => this.end(queue, giveBack) };
  }

  /** Waits for a turn. @throws the signal's reason */
  async take(listener: Listener, signal: Abortable): Promise<Turn> {
    const { name } = listener;
    const queue = this.queueOf(listener);
    if (this.isOverShare(listener, queue)) return COME_AGAIN;
    let isGranted = false;
    queue.held++;
    try {
      for (;;) {
        if (!this.pauses.isOpen(name) && (await this.pauses.verdict(name, signal)) === 'handBack') return COME_AGAIN;
        const giveBack = await queue.permits.acquire(signal);
        isGranted = this.pauses.isOpen(name);
        if (isGranted) return { kind: 'granted', end: () => this.end(queue, giveBack) };
        giveBack();
      }
    } finally {
      if (!isGranted) queue.held--;
    }
  }

  private end(queue: Queue, giveBack: () => void): void {
    queue.held--;
    giveBack();
  }

  private isOverShare(listener: Listener, queue: Queue): boolean {
    const { port } = this;
    return queue.held >= port.shareOf(listener) && port.sharesTopic(listener) && port.handsBackFree();
  }

  private queueOf(listener: Listener): Queue {
    let queue = this.queues.get(listener);
    if (queue === undefined) {
      queue = { permits: new Semaphore(listener.permits), held: 0 };
      this.queues.set(listener, queue);
    }
    return queue;
  }
}
