// The turn of a listener that a held message waits for: its concurrency, its limits, its pause, and its share of a shared topic's room.

import { type Abortable, AbortSource, onAbort, reasonOf } from '../../support/abort-source.js';
import { type Clock, SECOND_MS } from '../../support/clock.js';
import { monotonicMs } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { Semaphore } from '../../support/semaphore.js';
import { untilChanged } from '../listeners/limiter.js';
import type { Listener, ListenerSet } from '../listeners/message-listener.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { BufferRooms } from '../receive/buffer-room.js';
import { Pauses } from '../receive/pauses.js';

/** A turn to run the handler: call `begin` when the handler gets the message, if it does, and `end` when it has ended. */
export interface GrantedTurn {
  readonly kind: 'granted';
  /** Fires when the turn is lost: the handler may not run any longer. Undefined: never. */
  readonly lost: Abortable | undefined;
  /** Whether a limit lets no other message begin now. */
  readonly isLastForNow: boolean;
  begin(): void;
  end(): void;
}

/** Or none, and when the message may be redelivered. */
export type Turn = GrantedTurn | { readonly kind: 'rejected'; readonly visibleInMs: number };

/** The longest delay until a message that was released because its listener is behind or paused is redelivered. */
const REDELIVER_MS = 10 * SECOND_MS;
/** The shortest one. What comes back at once costs requests only. */
const REDELIVER_SOON_MS = SECOND_MS;

const RELEASE_FOR_A_WHILE: Turn = { kind: 'rejected', visibleInMs: REDELIVER_MS };

/** The weight of one run of a handler against those before it. */
const LEARNING = 1 / 8;

/** The messages of one listener that wait or run, and how long they take. */
class Queue {
  held = 0;
  /** With a limit, one waits for it, and the others for that one, in their order. */
  readonly line = new Semaphore(1);
  /** Ends the wait of each message that has no turn yet. */
  private readonly waiting = new Set<AbortSource>();
  private handlerMs = 0;
  private progressMs = monotonicMs();

  constructor(
    readonly listener: Listener,
    private readonly clock: Clock,
  ) {}

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
    const { limiter } = this.listener;
    const { clock } = this;
    const beganMs = this.progressed();
    let hasBegun = false;
    const begin = (): void => {
      if (!hasBegun) limiter?.begin(clock.monotonicMs());
      hasBegun = true;
    };
    const end = (): void => {
      if (hasBegun) limiter?.end();
      else limiter?.giveBack();
      this.handlerMs += (this.progressed() - beganMs - this.handlerMs) * LEARNING;
      this.held--;
      release();
    };
    return {
      kind: 'granted',
      lost: limiter?.lost,
      get isLastForNow() {
        return limiter?.isUsedUp(clock.monotonicMs()) ?? false;
      },
      begin,
      end,
    };
  }

  /** Released for about as long as the listener needs for what it holds. A handler that does not end counts by how long nothing has ended. */
  rejected(): Turn {
    const { concurrency, messagesEach } = this.listener.slots;
    const eachMs = Math.max(this.handlerMs, monotonicMs() - this.progressMs);
    const waitMs = Math.ceil((this.held * eachMs) / (concurrency * messagesEach));
    return { kind: 'rejected', visibleInMs: Math.min(Math.max(waitMs, REDELIVER_SOON_MS), REDELIVER_MS) };
  }

  private progressed(): number {
    this.progressMs = monotonicMs();
    return this.progressMs;
  }
}

/** Waits for what a limit can delay by a day, until it is over or a pause begins. What `closed` waits for must not be the case yet. */
async function unlessClosed(
  over: Abortable,
  closed: (signal: Abortable) => Promise<void>[],
  wait: (over: AbortSource) => Promise<void>,
): Promise<void> {
  const waiting = new AbortSource();
  const paused = new StateError('CLOSED', 'the listener or its topic is paused');
  const end = (): void => waiting.abort(paused);
  const unlisten = onAbort(over, () => waiting.abort(reasonOf(over)));
  for (const one of closed(waiting)) one.then(end, () => {});
  try {
    await wait(waiting);
  } catch (error) {
    if (error !== paused) throw error;
  } finally {
    unlisten();
    end();
  }
}

/** The turns of all listeners of a consumer. */
export class ListenerTurns {
  private readonly queues = new Map<Listener, Queue>();
  /** Listeners by name; the consumer handles the pause of a whole topic. */
  private readonly pauses: Pauses;

  constructor(
    private readonly context: Pick<ConsumerContext, 'clock' | 'releasesFree'>,
    private readonly listeners: Pick<ListenerSet, 'sharesTopic'>,
    private readonly rooms: Pick<BufferRooms, 'of' | 'shareOf'>,
    private readonly topics: Pauses,
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
    if (!this.admits(listener, queue)) return queue.rejected();
    if (queue.line.held > 0) return undefined;
    const release = this.pauses.isOpen(listener.name) ? listener.slots.messages.tryAcquire() : undefined;
    if (release === undefined) return undefined;
    if (this.limitedForMs(listener) > 0) {
      release();
      return undefined;
    }
    queue.held++;
    return queue.granted(release);
  }

  /**
   * Waits for a turn; undefined when it waited for a limit, and its topic was paused.
   * @param over ends the wait; aborted here, too, when the message is given back
   * @throws why it was aborted from outside
   */
  async take(listener: Listener, topic: string, over: AbortSource): Promise<Turn | undefined> {
    const { name, slots, limiter } = listener;
    const { clock } = this.context;
    const queue = this.queueOf(listener);
    if (!this.admits(listener, queue)) return queue.rejected();
    let isGranted = false;
    let leaveLine: (() => void) | undefined;
    queue.wait(over);
    try {
      for (;;) {
        if (!this.pauses.isOpen(name) && (await this.pauses.verdict(name, over)) === 'release')
          return RELEASE_FOR_A_WHILE;
        const release = await slots.messages.acquire(over);
        const isNext = leaveLine !== undefined || queue.line.held === 0;
        const mayBegin = this.pauses.isOpen(name) && queue.isWaiting(over);
        const limitedMs = mayBegin && isNext ? this.limitedForMs(listener) : 0;
        isGranted = mayBegin && isNext && limitedMs === 0;
        if (isGranted) return queue.granted(release);
        release();
        if (!queue.isWaiting(over)) return queue.rejected();
        if (limiter === undefined || !mayBegin) continue;
        if (limitedMs > REDELIVER_MS && this.mayLeave(listener)) return RELEASE_FOR_A_WHILE;
        if (!this.topics.isOpen(topic)) return undefined;
        const closed = (signal: Abortable) => [this.pauses.closed(name, signal), this.topics.closed(topic, signal)];
        await unlessClosed(over, closed, async (waiting) => {
          leaveLine ??= await queue.line.acquire(waiting);
          await untilChanged(limiter, clock, waiting);
        });
      }
    } catch (error) {
      if (!queue.isWaiting(over)) return queue.rejected();
      throw error;
    } finally {
      queue.waited(over, isGranted);
      leaveLine?.();
    }
  }

  /** Whether others should have what may not begin for long. On a shared topic the polls for the others would receive it again and again. */
  private mayLeave(listener: Listener): boolean {
    return this.context.releasesFree() && !this.listeners.sharesTopic(listener);
  }

  /** 0: one that may begin is set aside. */
  private limitedForMs({ limiter }: Listener): number {
    return limiter?.take(this.context.clock.monotonicMs()) ?? 0;
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
      queue = new Queue(listener, this.context.clock);
      this.queues.set(listener, queue);
    }
    return queue;
  }
}
