// Hands out what was pulled: to polls as they come, to those that wait, and again when a lease has ended.

import {
  FilterType,
  type Message as WireMessage,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { tagMatcher } from '../../protocol/model/filter.js';
import { type Abortable, onAbort, reasonOf } from '../../support/abort-source.js';
import { monotonicMs } from '../../support/deadline.js';
import { IoTimer } from '../../support/io-timer.js';
import { wireMessageOf } from '../message-properties.js';
import type { Poll } from '../popped-messages.js';
import type { HandedOut } from './owned-queue.js';
import type { QueuePuller } from './queue-puller.js';

/** A poll that waits for messages. */
interface Waiter {
  readonly poll: Poll;
  readonly count: number;
  resolve: (messages: readonly WireMessage[]) => void;
}

interface HandoutPort {
  /** Those whose queues are this client's. */
  pullers(): Iterable<QueuePuller>;
  handleOf(puller: QueuePuller, delivery: HandedOut): string;
  maxAttempts(puller: QueuePuller): number;
  /** Called with a message that had all its attempts; nobody else gets it before its lease ends. */
  onExhausted(puller: QueuePuller, offset: number): void;
}

function nothing(): void {}

export class Handout {
  private readonly waiters = new Set<Waiter>();
  private turns = 0;
  private timer: { readonly atMs: number; readonly io: IoTimer<Handout> } | undefined;
  private isClosed = false;

  constructor(private readonly port: HandoutPort) {}

  /** Messages of a topic from the queues at one broker, as soon as there are any, or none when the time is over. */
  async receive(poll: Poll, count: number, waitMs: number, end: Abortable): Promise<readonly WireMessage[]> {
    if (end.aborted) throw reasonOf(end);
    const found = this.take(poll, count);
    if (found.length > 0 || this.isPausedAt(poll.brokerName)) return found;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        timer.stop();
        unlisten();
        this.waiters.delete(waiter);
        // An outgrown table of the set may keep the waiter for seconds, and with it the messages.
        waiter.resolve = nothing;
      };
      const waiter: Waiter = {
        poll,
        count,
        resolve: (messages) => {
          leave();
          resolve(messages);
        },
      };
      const timer = new IoTimer<Waiter>(waitMs, (one) => one.resolve([]), waiter);
      const unlisten = onAbort(end, () => {
        leave();
        reject(reasonOf(end));
      });
      this.waiters.add(waiter);
    });
  }

  /** Gives what is ready to the polls that wait, the oldest first. */
  serve(): void {
    for (const waiter of this.waiters) {
      const messages = this.take(waiter.poll, waiter.count);
      if (messages.length > 0 || this.isPausedAt(waiter.poll.brokerName)) waiter.resolve(messages);
    }
  }

  /** Whether the group is paused there: what was pulled before waits until it is resumed. */
  private isPausedAt(brokerName: string): boolean {
    for (const { name, isGroupPaused } of this.port.pullers())
      if (isGroupPaused && name.brokerName === brokerName) return true;
    return false;
  }

  /** Messages become ready again at this time, by the monotonic clock, unless they are settled. */
  passAt(atMs: number): void {
    if (this.timer !== undefined && this.timer.atMs <= atMs) return;
    this.timer?.io.stop();
    this.timer = undefined;
    if (atMs === Number.POSITIVE_INFINITY || this.isClosed) return;
    const io = new IoTimer<Handout>(Math.max(0, atMs - monotonicMs()), (one) => one.pass(), this);
    this.timer = { atMs, io };
  }

  close(): void {
    this.isClosed = true;
    this.timer?.io.stop();
  }

  private pass(): void {
    this.timer = undefined;
    const nowMs = monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { queue } of this.port.pullers()) {
      if (queue !== undefined) nextMs = Math.min(nextMs, queue.pass(nowMs));
    }
    this.passAt(nextMs);
    this.serve();
  }

  private take(poll: Poll, count: number): WireMessage[] {
    const { topic, brokerName, invisibleMs, filter } = poll;
    if (this.isPausedAt(brokerName)) return [];
    const matches = filter === undefined || filter.type === FilterType.SQL ? () => true : tagMatcher(filter.expression);
    const pullers = [...this.port.pullers()].filter(({ name, isMine }) => name.brokerName === brokerName && isMine);
    const messages: WireMessage[] = [];
    const untilMs = monotonicMs() + invisibleMs;
    const first = this.turns++;
    for (let step = 0; step < pullers.length && messages.length < count; step++) {
      const puller = pullers[(first + step) % pullers.length];
      const taken = puller?.queue?.take(topic, count - messages.length, untilMs) ?? [];
      if (puller === undefined || taken.length === 0) continue;
      this.passAt(untilMs);
      for (const one of taken) {
        // A broker compares hashes of tags only.
        if (!matches(one.stored.properties.get('TAGS'))) puller.queue?.settle(one.offset, false);
        else if (one.attempt > this.port.maxAttempts(puller)) this.port.onExhausted(puller, one.offset);
        else messages.push(this.wireOf(puller, one));
      }
      puller.changed();
    }
    return messages;
  }

  private wireOf(puller: QueuePuller, one: HandedOut): WireMessage {
    const { stored, topic, attempt } = one;
    const receiptHandle = this.port.handleOf(puller, one);
    return wireMessageOf(stored, { topic, receiptHandle, deliveryAttempt: attempt });
  }
}
