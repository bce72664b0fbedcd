// Schedules handlers: passes held messages to their listeners, up to the concurrency of each, and the messages of a message group
// of an ordered consumer group one after another; drains at the end. delivery.ts acts on the handler's result.
// Over 300 lines: every way of a message from its dispatch to its end must be seen beside the drain, which waits for all of them.

import { endpointKey } from '../../client/endpoint.js';
import { type Abortable, AbortSource } from '../../support/abort-source.js';
import { type Clock, SECOND_MS } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { MessageLease } from '../lease/message-lease.js';
import { ABORT_GRACE_MS } from '../listeners/handler-run.js';
import type { ListenerSet } from '../listeners/message-listener.js';
import type { ConsumerContext } from '../model/consumer-context.js';
import type { Pauses } from '../receive/pauses.js';
import { Delivery, type DeliveryShared, type UnpackedMessage } from './delivery.js';
import { FinishedAttempts } from './finished-attempts.js';
import type { ListenerTurns, Turn } from './listener-turns.js';
import { Turns } from './turns.js';

/** What a dispatcher needs besides the context. */
interface DispatcherParts {
  readonly listeners: ListenerSet;
  readonly pauses: Pauses;
  readonly listenerTurns: ListenerTurns;
  /** Decompresses the body of a held message, once there is room for it. @throws the signal's reason */
  unpack(lease: MessageLease, signal: Abortable): Promise<UnpackedMessage>;
  /** Called when `needsTurn` of a message of a limited listener has changed. */
  onNeedsTurn(lease: MessageLease): void;
  /** Called once for each message when it has ended, with any outcome. */
  onEnded(lease: MessageLease): void;
}

/** How many running handlers a report lists. */
const MAX_REPORTED = 50;

/** The delay until a message that matches no listener is redelivered. */
const UNMATCHED_MS = 10 * SECOND_MS;

/** How long settlements may continue after the last handler, when the grace period is over. */
const SETTLE_GRACE_MS = 3_000;

/** Owns every held message from its dispatch to its end. */
export class Dispatcher {
  /** The messages of each message group, or of each queue, one after another. */
  private readonly sequences = new Map<string, Promise<void>>();
  /** A new set whenever it is empty: V8 keeps what outgrown tables of an old one held until it collects the old generation. */
  private inFlight = new Set<MessageLease>();
  private idleWaiters: (() => void)[] = [];
  private readonly forcing = new AbortSource();
  private readonly abandoning = new AbortSource();
  private readonly settleEnding = new AbortSource();
  private readonly turns: Turns;
  private readonly shared: DeliveryShared;
  private mayRelease: Promise<number> = Promise.resolve(0);

  constructor(
    private readonly context: ConsumerContext,
    private readonly parts: DispatcherParts,
  ) {
    this.turns = new Turns(context.clock, parts.pauses, parts.listenerTurns);
    this.shared = {
      checkpoint: context.client.connection.checkpoint,
      forceSignal: this.forcing,
      abandonSignal: this.abandoning,
      settleSignal: this.settleEnding,
      finished: new FinishedAttempts(),
    };
  }

  /** The held messages, in no order. */
  leases(): Iterable<MessageLease> {
    return this.inFlight;
  }

  /** How many messages are held, and when the first of them was handed out, by monotonic business time. */
  get held(): { readonly count: number; readonly oldestAtMs: number | undefined } {
    const [oldest] = this.inFlight;
    return { count: this.inFlight.size, oldestAtMs: oldest?.leasedAtMs };
  }

  /** What is held, and the handlers that run, the longest first. Batches wait in theirs until they are complete. */
  report(): string[] {
    const nowMs = this.context.clock.monotonicMs();
    const running = [...this.inFlight]
      .flatMap((lease) => (lease.handlerSinceMs === undefined ? [] : [{ lease, forMs: nowMs - lease.handlerSinceMs }]))
      .sort((one, other) => other.forMs - one.forMs);
    const lines = running.slice(0, MAX_REPORTED).map(({ lease: { message }, forMs }) => {
      const { name } = this.parts.listeners.of(message);
      const { messageId, topic, deliveryAttempt } = message;
      return `  ${name}: message ${messageId} from "${topic}", attempt ${deliveryAttempt}, for ${Math.round(forMs)} ms`;
    });
    const left = running.length - lines.length;
    const limited = this.parts.listeners.all.flatMap(({ name, limiter }) => limiter?.waiting(name, nowMs) ?? []);
    return [
      `held messages: ${this.inFlight.size}`,
      `running handlers: ${running.length}`,
      ...lines,
      ...(left === 0 ? [] : [`  and ${left} more`]),
      ...limited,
    ];
  }

  /** How many messages a listener is handling. */
  running(name: string): number {
    let count = 0;
    for (const { handlerSinceMs, message } of this.inFlight)
      if (handlerSinceMs !== undefined && this.parts.listeners.of(message).name === name) count++;
    return count;
  }

  /** When the longest running handler began, by monotonic business time; undefined when none runs. */
  get handlerSinceMs(): number | undefined {
    let since: number | undefined;
    for (const { handlerSinceMs } of this.inFlight) {
      if (handlerSinceMs !== undefined && (since === undefined || handlerSinceMs < since)) since = handlerSinceMs;
    }
    return since;
  }

  /** Takes over the messages of one poll, in the order in which they arrived. */
  dispatch(leases: readonly MessageLease[], isFifo: boolean): void {
    if (!isFifo) {
      for (const lease of leases) {
        this.inFlight.add(lease);
        this.begin(lease);
      }
      return;
    }
    const groups = new Map<string, MessageLease[]>();
    for (const lease of leases) {
      const key = sequenceKey(lease);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [lease]);
      else group.push(lease);
    }
    for (const [key, group] of groups) this.dispatchInOrder(key, group);
  }

  private begin(lease: MessageLease): void {
    try {
      const delivery = this.deliveryOf(lease, false);
      const { listener } = delivery;
      const onEnd = (brokeOff?: unknown): void => this.ended(lease, brokeOff);
      if (listener.isForUnmatched || lease.isPacked) return void this.deliver(delivery).then(() => onEnd(), onEnd);
      const begin = (turn: Turn): void => {
        if (turn.kind === 'granted') {
          this.setNeedsTurn(delivery, false);
          delivery.begin(turn, onEnd);
        } else this.releaseUnsettled(delivery, turn.visibleInMs).then(() => onEnd(), onEnd);
      };
      // Most messages need not wait, and every wait has a cost.
      const turn = this.turns.takeNow(lease, listener);
      if (turn !== undefined) begin(turn);
      else this.turns.take(lease, listener).then(begin).catch(onEnd);
    } catch (error) {
      this.ended(lease, error);
    }
  }

  /**
   * Brings one message to its end: waits for its turn and passes it to its delivery, in an ordered group repeatedly until it is settled.
   * @param followers those that wait for it
   * @returns whether it is certainly settled on the server, so that the next of its message group may follow
   */
  private async deliver(delivery: Delivery, followers: readonly Delivery[] = []): Promise<boolean> {
    const { lease, listener } = delivery;
    if (listener.isForUnmatched) {
      this.context.report.unmatched(lease.message, UNMATCHED_MS);
      return this.releaseUnsettled(delivery, UNMATCHED_MS);
    }
    const unpack = (): Promise<UnpackedMessage | undefined> =>
      this.turns.unpacked(lease, (signal) => this.parts.unpack(lease, signal));
    const { clock } = this.context;
    for (let attempt = lease.message.deliveryAttempt; ; ) {
      const turn = this.turns.takeNow(lease, listener) ?? (await this.turns.take(lease, listener));
      if (turn.kind === 'rejected') return this.releaseUnsettled(delivery, turn.visibleInMs);
      this.setNeedsTurn(delivery, false);
      const end = await delivery.attempt(attempt, turn, unpack);
      if (end === 'unhandled') return this.releaseUnsettled(delivery, 0);
      if (typeof end === 'boolean') return end;
      if (end.isCounted) attempt++;
      const retryAtMs = clock.monotonicMs() + end.retryInMs;
      for (const waiting of followers) this.setNeedsTurn(waiting, false);
      const isDue = await this.turns.sleepToRetry(lease, end.retryInMs);
      for (const waiting of [delivery, ...followers]) this.setNeedsTurn(waiting, true);
      if (!isDue) return this.releaseUnsettled(delivery, retryAtMs - clock.monotonicMs());
    }
  }

  /** Releases a message. @returns false: it is not settled */
  private async releaseUnsettled(delivery: Delivery, visibleInMs: number): Promise<false> {
    const visibleAtMs = this.context.clock.monotonicMs() + visibleInMs;
    await this.turns.releaseAllowed(delivery.lease);
    const takenUntilMs = await this.mayRelease;
    await delivery.release(visibleAtMs, takenUntilMs - this.context.ioClock.monotonicMs());
    return false;
  }

  /**
   * Waits until every message has ended. When `shutdownGraceMs` are over, it fires the signals of running handlers, and
   * waits for a short, limited time; then it drops the remaining messages.
   * @param pollsEnded until then nothing is released: an open poll of this consumer would only fetch it again. Resolves to when the
   *   last of its canceled polls may have done that on the server, by monotonic real time
   */
  async drain(shutdownGraceMs: number, pollsEnded: Promise<number>): Promise<void> {
    this.mayRelease = pollsEnded;
    this.turns.stop();
    if (await this.endsWithin(shutdownGraceMs)) return;
    const running = [...this.inFlight].filter(({ handlerSinceMs }) => handlerSinceMs !== undefined);
    if (running.length > 0) this.context.report.graceOver(running.map(({ message }) => message));
    await this.force();
  }

  /** Releases what arrived after the drain: no handler has started it. */
  async drainRest(): Promise<void> {
    if (!(await this.endsWithin(0))) await this.force();
  }

  private async force(): Promise<void> {
    this.forcing.abort(new StateError('CLOSED', 'the consumer is closing and its grace period is over'));
    if (await this.endsWithin(ABORT_GRACE_MS)) return;
    this.abandoning.abort(new StateError('CLOSED', 'the consumer is closing; the hook is no longer waited for'));
    if (await this.endsWithin(SETTLE_GRACE_MS)) return;
    this.settleEnding.abort(new StateError('CLOSED', 'the consumer is closed'));
    for (const lease of [...this.inFlight]) {
      lease.drop();
      this.ended(lease);
    }
  }

  private dispatchInOrder(key: string, group: readonly MessageLease[]): void {
    // Messages of an earlier batch may still be in work in this message group: after a lost lease the same messages are redelivered.
    const before = this.sequences.get(key) ?? Promise.resolve();
    let latest: Promise<unknown> = before;
    let mayFollow = before.then(() => true);
    const deliveries = group.map((lease) => this.deliveryOf(lease, true));
    for (const [index, lease] of group.entries()) {
      const delivery = deliveries[index] as Delivery;
      // After a message that is redelivered, none of its group may be handled before it.
      mayFollow = mayFollow.then((isInOrder) =>
        isInOrder ? this.deliver(delivery, deliveries.slice(index + 1)) : this.releaseUnsettled(delivery, 0),
      );
      latest = this.watch(lease, mayFollow);
    }
    const last = latest.then(() => {
      if (this.sequences.get(key) === last) this.sequences.delete(key);
    });
    this.sequences.set(key, last);
  }

  /** Polls leave room within the rate limit for those that need a turn: not for one that waits for its next attempt, and those behind it. */
  private setNeedsTurn({ lease, listener }: Delivery, needsTurn: boolean): void {
    if (listener.limiter === undefined || lease.needsTurn === needsTurn) return;
    lease.needsTurn = needsTurn;
    this.parts.onNeedsTurn(lease);
  }

  private deliveryOf(lease: MessageLease, isFifo: boolean): Delivery {
    return new Delivery(lease, this.parts.listeners.of(lease.message), isFifo, this.context, this.shared);
  }

  /** Resolves when the message has ended, with any outcome. */
  private watch(lease: MessageLease, work: Promise<unknown>): Promise<void> {
    this.inFlight.add(lease);
    return work.then(
      () => this.ended(lease),
      (error: unknown) => this.ended(lease, error),
    );
  }

  private ended(lease: MessageLease, brokeOff?: unknown): void {
    if (brokeOff !== undefined) {
      this.context.logger.error('the delivery of a message failed unexpectedly', { error: describeError(brokeOff) });
      lease.drop();
    }
    // A message that was dropped at the end of the consumer has ended before.
    if (!this.inFlight.delete(lease)) return;
    this.parts.onEnded(lease);
    if (this.inFlight.size > 0) return;
    this.inFlight = new Set();
    for (const notify of this.idleWaiters.splice(0)) notify();
  }

  private async endsWithin(durationMs: number): Promise<boolean> {
    if (this.inFlight.size === 0) return true;
    const ended = new Promise<boolean>((resolve) => {
      this.idleWaiters.push(() => resolve(true));
    });
    let wait: ReturnType<Clock['schedule']> | undefined;
    const over = new Promise<boolean>((resolve) => {
      wait = this.context.ioClock.schedule(durationMs, () => resolve(false));
    });
    try {
      return await Promise.race([ended, over]);
    } finally {
      wait?.cancel();
    }
  }
}

/** Ordered messages without a message group keep the order of their queue; a lite topic is a queue. */
function sequenceKey({ message, endpoint }: MessageLease): string {
  const { topic, messageGroup, liteTopic, queueId } = message;
  if (liteTopic !== undefined) return `${topic} lite ${endpointKey(endpoint)} ${liteTopic}`;
  if (messageGroup !== undefined) return `${topic} group ${messageGroup}`;
  return `${topic} queue ${endpointKey(endpoint)} ${queueId}`;
}
