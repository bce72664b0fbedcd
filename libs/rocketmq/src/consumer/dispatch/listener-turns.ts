// The turns of the messages of each listener: as many at once as its concurrency, none while it is paused. A listener that
// falls behind must not use the room of another on the same topic: messages beyond its share are released for a while.

import type { Abortable } from '../../support/abort-source.js';
import { SECOND_MS } from '../../support/clock.js';
import { Semaphore } from '../../support/semaphore.js';
import type { Listener, ListenerSet } from '../listeners/message-listener.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { BufferRooms } from '../receive/buffer-rooms.js';
import { Pauses } from '../receive/pauses.js';

/** A turn to run the handler: call `end` when it has ended. */
export interface GrantedTurn {
  readonly kind: 'granted';
  end(): void;
}

/** Or none, and when the message may be redelivered. */
export type Turn = GrantedTurn | { readonly kind: 'refused'; readonly visibleInMs: number };

/** The delay until a message that was released because its listener is behind or paused is redelivered. */
const REDELIVER_MS = 10 * SECOND_MS;

const HAND_BACK_FOR_A_WHILE: Turn = { kind: 'refused', visibleInMs: REDELIVER_MS };

interface Queue {
  readonly permits: Semaphore;
  /** Messages that wait or run. */
  held: number;
}

/** The turns of all listeners of a consumer. */
export class ListenerTurns {
  private readonly queues = new Map<Listener, Queue>();
  /** Listeners by name; the consumer handles the pause of a whole topic. */
  private readonly pauses: Pauses;

  constructor(
    private readonly context: Pick<ConsumerContext, 'settings'>,
    private readonly listeners: Pick<ListenerSet, 'sharesTopic'>,
    private readonly rooms: Pick<BufferRooms, 'shareOf'>,
  ) {
    this.pauses = new Pauses(() => context.settings().releasesFree);
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
    if (this.isOverShare(listener, queue)) return HAND_BACK_FOR_A_WHILE;
    const release = this.pauses.isOpen(listener.name) ? queue.permits.tryAcquire() : undefined;
    if (release === undefined) return undefined;
    queue.held++;
    return { kind: 'granted', end: () => this.end(queue, release) };
  }

  /** Waits for a turn. @throws the signal's reason */
  async take(listener: Listener, signal: Abortable): Promise<Turn> {
    const { name } = listener;
    const queue = this.queueOf(listener);
    if (this.isOverShare(listener, queue)) return HAND_BACK_FOR_A_WHILE;
    let isGranted = false;
    queue.held++;
    try {
      for (;;) {
        if (!this.pauses.isOpen(name) && (await this.pauses.verdict(name, signal)) === 'release')
          return HAND_BACK_FOR_A_WHILE;
        const release = await queue.permits.acquire(signal);
        isGranted = this.pauses.isOpen(name);
        if (isGranted) return { kind: 'granted', end: () => this.end(queue, release) };
        release();
      }
    } finally {
      if (!isGranted) queue.held--;
    }
  }

  private end(queue: Queue, release: () => void): void {
    queue.held--;
    release();
  }

  private isOverShare(listener: Listener, queue: Queue): boolean {
    return (
      queue.held >= this.rooms.shareOf(listener) &&
      this.listeners.sharesTopic(listener) &&
      this.context.settings().releasesFree
    );
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
