// What a held message waits for: a turn of its listener, room for its body, its next attempt. Every wait ends early when its lease
// cannot be renewed or the consumer stops.

import { type Abortable, AbortSource, onAbort, reasonOf } from '../../support/abort-source.js';
import { type Clock, SECOND_MS, sleep } from '../../support/clock.js';
import { monotonicMs } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import type { MessageLease } from '../lease/message-lease.js';
import type { Listener, ListenerSet } from '../listeners/message-listener.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { BufferRooms } from '../receive/buffer-room.js';
import { Pauses } from '../receive/pauses.js';

/** A turn to run the handler: call `end` when it has ended. */
export interface GrantedTurn {
  readonly kind: 'granted';
  end(): void;
}

/** Or none, and when the message may be redelivered. */
export type Turn = GrantedTurn | { readonly kind: 'refused'; readonly visibleInMs: number };

/** The longest delay until a message that was released because its listener is behind or paused is redelivered. */
const REDELIVER_MS = 10 * SECOND_MS;
/** The shortest one. What comes back at once costs requests only. */
const REDELIVER_SOON_MS = SECOND_MS;

const RELEASE_FOR_A_WHILE: Turn = { kind: 'refused', visibleInMs: REDELIVER_MS };

/** The weight of one run of a handler against those before it. */
const LEARNING = 1 / 8;

/** The messages of one listener that wait or run, and how long they take. */
class Queue {
  held = 0;
  /** Ends the wait of each message that has no turn yet. */
  private readonly waiting = new Set<AbortSource>();
  private handlerMs = 0;
  private progressMs = monotonicMs();

  constructor(readonly listener: Listener) {}

  /** Begins a wait, which `held` counts, and which `over` ends. */
  wait(over: AbortSource): void {
    this.waiting.add(over);
    this.held++;
  }

  /** Whether the message has not been given back. */
  isWaiting(over: AbortSource): boolean {
    return this.waiting.has(over);
  }

  /** Ends the wait, without a turn or with one. */
  waited(over: AbortSource, isGranted: boolean): void {
    if (this.waiting.delete(over) && !isGranted) this.held--;
  }

  /** Those that came last and have no turn yet are released, down to so many. */
  giveBack(share: number): void {
    if (this.held <= share) return;
    for (const over of [...this.waiting].reverse().slice(0, this.held - share)) {
      this.waited(over, false);
      over.abort(new StateError('CLOSED', 'the room is for another listener'));
    }
  }

  /** The turn of a message that `held` counts. */
  granted(release: () => void): GrantedTurn {
    const beganMs = this.progressed();
    const end = (): void => {
      this.handlerMs += (this.progressed() - beganMs - this.handlerMs) * LEARNING;
      this.held--;
      release();
    };
    return { kind: 'granted', end };
  }

  /** Released for about as long as the listener needs for what it holds. A handler that does not end counts by how long nothing has ended. */
  refused(): Turn {
    const { concurrency, messagesEach } = this.listener.slots;
    const eachMs = Math.max(this.handlerMs, monotonicMs() - this.progressMs);
    const waitMs = Math.ceil((this.held * eachMs) / (concurrency * messagesEach));
    return { kind: 'refused', visibleInMs: Math.min(Math.max(waitMs, REDELIVER_SOON_MS), REDELIVER_MS) };
  }

  private progressed(): number {
    this.progressMs = monotonicMs();
    return this.progressMs;
  }
}

/** The turns of all listeners of a consumer. */
export class ListenerTurns {
  private readonly queues = new Map<Listener, Queue>();
  /** Listeners by name; the consumer handles the pause of a whole topic. */
  private readonly pauses: Pauses;

  constructor(
    private readonly context: Pick<ConsumerContext, 'releasesFree'>,
    private readonly listeners: Pick<ListenerSet, 'sharesTopic'>,
    private readonly rooms: Pick<BufferRooms, 'of' | 'shareOf'>,
  ) {
    this.pauses = new Pauses(() => context.releasesFree());
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
    if (!this.admits(listener, queue)) return queue.refused();
    const release = this.pauses.isOpen(listener.name) ? listener.slots.messages.tryAcquire() : undefined;
    if (release === undefined) return undefined;
    queue.held++;
    return queue.granted(release);
  }

  /**
   * Waits for a turn.
   * @param over ends the wait; aborted here, too, when the message is given back
   * @throws why it was aborted from outside
   */
  async take(listener: Listener, over: AbortSource): Promise<Turn> {
    const { name } = listener;
    const queue = this.queueOf(listener);
    if (!this.admits(listener, queue)) return queue.refused();
    let isGranted = false;
    queue.wait(over);
    try {
      for (;;) {
        if (!this.pauses.isOpen(name) && (await this.pauses.verdict(name, over)) === 'release')
          return RELEASE_FOR_A_WHILE;
        const release = await listener.slots.messages.acquire(over);
        isGranted = this.pauses.isOpen(name) && queue.isWaiting(over);
        if (isGranted) return queue.granted(release);
        release();
        if (!queue.isWaiting(over)) return queue.refused();
      }
    } catch (error) {
      if (!queue.isWaiting(over)) return queue.refused();
      throw error;
    } finally {
      queue.waited(over, isGranted);
    }
  }

  /**
   * Whether a listener may hold one more message. While the room of its topic is scarce, it may not hold more than its share, and what others hold
   * above theirs and have not begun is released.
   */
  private admits(listener: Listener, queue: Queue): boolean {
    const { topic } = listener;
    if (topic === undefined || !this.rooms.of(topic).isCrowded) return true;
    if (!this.listeners.sharesTopic(listener) || !this.context.releasesFree()) return true;
    if (queue.held >= this.rooms.shareOf(listener)) return false;
    for (const other of this.queues.values()) {
      if (other.listener.topic === topic) other.giveBack(this.rooms.shareOf(other.listener));
    }
    return true;
  }

  private queueOf(listener: Listener): Queue {
    let queue = this.queues.get(listener);
    if (queue === undefined) {
      queue = new Queue(listener);
      this.queues.set(listener, queue);
    }
    return queue;
  }
}

const RELEASE_NOW: Turn = { kind: 'refused', visibleInMs: 0 };

/** The waits of all messages that a consumer holds. */
export class Turns {
  private readonly waiting = new Set<AbortSource>();
  private isStopped = false;

  /** @param clock business time, which retries use */
  constructor(
    private readonly clock: Clock,
    private readonly pauses: Pauses,
    private readonly listenerTurns: ListenerTurns,
  ) {}

  /** Grants no further turn, and ends every wait. */
  stop(): void {
    this.isStopped = true;
    for (const waiting of [...this.waiting]) waiting.abort(new StateError('CLOSED', 'the consumer is closing'));
  }

  /** A turn that needs no wait; undefined when there is none. */
  takeNow(lease: MessageLease, listener: Listener): Turn | undefined {
    if (this.isOver(lease) || !this.pauses.isOpen(lease.message.topic)) return undefined;
    return this.listenerTurns.takeNow(listener);
  }

  async take(lease: MessageLease, listener: Listener): Promise<Turn> {
    const turn = await this.whileUsable(lease, (over) => this.admitted(lease, listener, over));
    if (turn === undefined) return RELEASE_NOW;
    if (turn.kind === 'refused' || !this.isOver(lease)) return turn;
    turn.end();
    return RELEASE_NOW;
  }

  /** The message with its body decompressed; undefined when the wait for room was ended early. */
  async unpacked<T extends { end(): void }>(
    lease: MessageLease,
    unpack: (signal: Abortable) => Promise<T>,
  ): Promise<T | undefined> {
    const unpacked = await this.whileUsable(lease, unpack);
    if (unpacked === undefined || !this.isOver(lease)) return unpacked;
    unpacked.end();
    return undefined;
  }

  /** Waits on the business clock; false when the wait was ended early. */
  async sleepToRetry(lease: MessageLease, durationMs: number): Promise<boolean> {
    const slept = await this.whileUsable(lease, async (signal) => {
      await sleep(this.clock, durationMs, signal);
      return true;
    });
    return slept === true && !this.isOver(lease);
  }

  /** Resolves when the message may be released: before, a last open poll of this consumer would fetch it again. */
  async releaseAllowed(lease: MessageLease): Promise<void> {
    const { topic } = lease.message;
    await this.whileUsable(lease, (signal) => this.pauses.releaseAllowed(topic, signal));
  }

  /** A turn while the topic is not paused. */
  private async admitted({ message }: MessageLease, listener: Listener, over: AbortSource): Promise<Turn> {
    const { pauses, listenerTurns } = this;
    for (;;) {
      if (!pauses.isOpen(message.topic) && (await pauses.verdict(message.topic, over)) === 'release')
        return RELEASE_NOW;
      const turn = await listenerTurns.take(listener, over);
      if (turn.kind === 'refused' || pauses.isOpen(message.topic)) return turn;
      turn.end();
    }
  }

  private isOver(lease: MessageLease): boolean {
    return this.isStopped || lease.isInDoubt;
  }

  private async whileUsable<T>(lease: MessageLease, wait: (over: AbortSource) => Promise<T>): Promise<T | undefined> {
    if (this.isOver(lease)) return undefined;
    const over = new AbortSource();
    this.waiting.add(over);
    const unlisten = onAbort(lease.doubtSignal, () => over.abort(reasonOf(lease.doubtSignal)));
    try {
      return await wait(over);
    } catch {
      return undefined;
    } finally {
      this.waiting.delete(over);
      unlisten();
    }
  }
}
