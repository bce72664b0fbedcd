// Who runs when: hands held messages to their listeners, each as many side by side as it takes, the messages of a message group
// of an ordered consumer group one after another; and drains at the end. What follows from a handler's end is in delivery.ts.

import { setMaxListeners } from 'node:events';
import { type Abortable, AbortSource, onAbort, reasonOf } from '../../support/abort-source.js';
import { type Clock, sleep } from '../../support/clock.js';
import { StateError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { MessageLease } from '../lease/message-lease.js';
import { ABORT_GRACE_MS } from '../listeners/handler-run.js';
import type { Listener, ListenerSet } from '../listeners/message-listener.js';
import type { Intake } from '../receive/intake.js';
import { Delivery, type DeliveryPort, type Turn, type Turns, type UnpackedMessage } from './delivery.js';
import { FinishedAttempts } from './finished-attempts.js';
import type { ListenerTurns } from './listener-turns.js';

/** What a dispatcher needs of its consumer. */
export interface DispatchPort
  extends Omit<DeliveryPort, 'forceSignal' | 'abandonSignal' | 'settleSignal' | 'finished'> {
  readonly intake: Intake;
  readonly listeners: ListenerSet;
  readonly listenerTurns: ListenerTurns;
  /** Unpacks the body of a held message, once there is room for it. @throws the signal's reason */
  unpack(lease: MessageLease, signal: Abortable): Promise<UnpackedMessage>;
  /** Called once for each message when it has ended, however. */
  onEnded(lease: MessageLease): void;
}

const HAND_BACK: Turn = { kind: 'refused', visibleInMs: 0 };

/** How long settlements may go on after the last handler, when the grace period is over. */
const SETTLE_GRACE_MS = 3_000;

/** Owns every held message from its dispatch to its end. */
export class Dispatcher implements Turns {
  private readonly waiting = new Set<AbortSource>();
  private readonly lanes = new Map<string, Promise<void>>();
  private readonly underWay = new Set<MessageLease>();
  private idleWaiters: (() => void)[] = [];
  private readonly forcing = new AbortSource();
  private readonly abandoning = new AbortSource();
  private readonly settleEnding = new AbortController();
  private readonly delivery: DeliveryPort;
  private stopped = false;
  private mayHandBack: Promise<void> = Promise.resolve();

  constructor(private readonly port: DispatchPort) {
    // Each settlement that is repeated listens to it for as long as it lasts.
    setMaxListeners(0, this.settleEnding.signal);
    const finished = new FinishedAttempts();
    const [forceSignal, abandonSignal, settleSignal] = [this.forcing, this.abandoning, this.settleEnding.signal];
    this.delivery = { ...port, finished, forceSignal, abandonSignal, settleSignal };
  }

  /** What is held, in no order. */
  leases(): Iterable<MessageLease> {
    return this.underWay;
  }

  /** How many messages are held, and when the first of them was received, by monotonic business time. */
  get held(): { readonly count: number; readonly oldestAtMs: number | undefined } {
    const [oldest] = this.underWay;
    return { count: this.underWay.size, oldestAtMs: oldest?.receivedAtMs };
  }

  /** When the handler began that has been running for longest, by monotonic business time; undefined when none runs. */
  get handlerSinceMs(): number | undefined {
    let since: number | undefined;
    for (const { handlerSinceMs } of this.underWay) {
      if (handlerSinceMs !== undefined && (since === undefined || handlerSinceMs < since)) since = handlerSinceMs;
    }
    return since;
  }

  /** Takes over the messages of one poll, in the order in which they came. */
  dispatch(leases: readonly MessageLease[], isFifo: boolean): void {
    if (!isFifo) {
      for (const lease of leases) {
        this.underWay.add(lease);
        this.begin(lease);
      }
      return;
    }
    const groups = new Map<string, MessageLease[]>();
    for (const lease of leases) {
      const key = laneKey(lease);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [lease]);
      else group.push(lease);
    }
    for (const [key, group] of groups) this.dispatchInOrder(key, group);
  }

  private begin(lease: MessageLease): void {
    try {
      this.deliveryOf(lease, false).begin((brokeOff) => this.ended(lease, brokeOff));
    } catch (error) {
      this.ended(lease, error);
    }
  }

  /** Starts no further handler. */
  private stop(): void {
    this.stopped = true;
    for (const waiting of [...this.waiting]) waiting.abort(new StateError('CLOSED', 'the consumer is closing'));
  }

  /**
   * Waits until every message has ended. When `graceMs` are over, it fires the signals of the handlers that still run, and
   * waits for a short, bounded time; then it lets go of what is left.
   * @param pollsEnded until then nothing is handed back: a poll of our own would only take it again
   */
  async drain(graceMs: number, pollsEnded: Promise<void>): Promise<void> {
    this.mayHandBack = pollsEnded;
    this.stop();
    if (await this.endsWithin(graceMs)) return;
    this.port.report.graceOver([...this.underWay].map(({ message }) => message));
    await this.force();
  }

  /** Hands back what came after the drain: no handler has seen it. */
  async drainRest(): Promise<void> {
    if (!(await this.endsWithin(0))) await this.force();
  }

  private async force(): Promise<void> {
    this.forcing.abort(new StateError('CLOSED', 'the consumer is closing and its grace period is over'));
    if (await this.endsWithin(ABORT_GRACE_MS)) return;
    this.abandoning.abort(new StateError('CLOSED', 'the consumer closes; the hook is not waited for'));
    if (await this.endsWithin(SETTLE_GRACE_MS)) return;
    this.settleEnding.abort(new StateError('CLOSED', 'the consumer is closed'));
    for (const lease of [...this.underWay]) {
      lease.drop();
      this.ended(lease);
    }
  }

  turnNow(lease: MessageLease, listener: Listener): Turn | undefined {
    const { intake, listenerTurns } = this.port;
    if (this.isOver(lease) || !intake.isOpen(lease.message.topic)) return undefined;
    return listenerTurns.takeNow(listener);
  }

  async turn(lease: MessageLease, listener: Listener): Promise<Turn> {
    const turn = await this.whileUsable(lease, (signal) => this.admitted(lease, listener, signal));
    if (turn === undefined) return HAND_BACK;
    if (turn.kind === 'refused' || !this.isOver(lease)) return turn;
    turn.end();
    return HAND_BACK;
  }

  async unpacked(lease: MessageLease): Promise<UnpackedMessage | undefined> {
    const unpacked = await this.whileUsable(lease, (signal) => this.port.unpack(lease, signal));
    if (unpacked === undefined || !this.isOver(lease)) return unpacked;
    unpacked.end();
    return undefined;
  }

  /** Waits on the business clock; false when the wait was cut short. */
  async waitToRetry(lease: MessageLease, durationMs: number): Promise<boolean> {
    const slept = await this.whileUsable(lease, async (signal) => {
      await sleep(this.port.clock, durationMs, signal);
      return true;
    });
    return slept === true && !this.isOver(lease);
  }

  async handBackAllowed(lease: MessageLease): Promise<void> {
    const { topic } = lease.message;
    await this.whileUsable(lease, (signal) => this.port.intake.handBackAllowed(topic, signal));
    await this.mayHandBack;
  }

  /** A turn while the topic is open. */
  private async admitted({ message }: MessageLease, listener: Listener, signal: Abortable): Promise<Turn> {
    const { intake, listenerTurns } = this.port;
    for (;;) {
      if (!intake.isOpen(message.topic) && (await intake.verdict(message.topic, signal)) === 'handBack')
        return HAND_BACK;
      const turn = await listenerTurns.take(listener, signal);
      if (turn.kind === 'refused' || intake.isOpen(message.topic)) return turn;
      turn.end();
    }
  }

  private dispatchInOrder(key: string, group: readonly MessageLease[]): void {
    // An earlier batch may still be at work on this message group: after a lost lease the same messages come again.
    const before = this.lanes.get(key) ?? Promise.resolve();
    let lane: Promise<unknown> = before;
    let mayFollow = before.then(() => true);
    for (const lease of group) {
      const delivery = this.deliveryOf(lease, true);
      // After a message that comes again, none of its group may be handled before it has come.
      mayFollow = mayFollow.then((isInOrder) => (isInOrder ? delivery.run() : delivery.letGo(0)));
      lane = this.watch(lease, mayFollow);
    }
    const last = lane.then(() => {
      if (this.lanes.get(key) === last) this.lanes.delete(key);
    });
    this.lanes.set(key, last);
  }

  private deliveryOf(lease: MessageLease, isFifo: boolean): Delivery {
    return new Delivery(lease, this.port.listeners.of(lease.message), isFifo, this.delivery, this);
  }

  /** Resolves when the message has ended, however. */
  private watch(lease: MessageLease, work: Promise<unknown>): Promise<void> {
    this.underWay.add(lease);
    return work.then(
      () => this.ended(lease),
      (error: unknown) => this.ended(lease, error),
    );
  }

  private ended(lease: MessageLease, brokeOff?: unknown): void {
    if (brokeOff !== undefined) {
      this.port.logger.error('the delivery of a message broke off', { error: describeError(brokeOff) });
      lease.drop();
    }
    // A message that the end of the consumer let go of has ended before.
    if (!this.underWay.delete(lease)) return;
    this.port.onEnded(lease);
    if (this.underWay.size > 0) return;
    for (const tell of this.idleWaiters.splice(0)) tell();
  }

  private isOver(lease: MessageLease): boolean {
    return this.stopped || lease.isInDoubt;
  }

  private async whileUsable<T>(lease: MessageLease, wait: (signal: Abortable) => Promise<T>): Promise<T | undefined> {
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

  private async endsWithin(durationMs: number): Promise<boolean> {
    if (this.underWay.size === 0) return true;
    const ended = new Promise<boolean>((resolve) => {
      this.idleWaiters.push(() => resolve(true));
    });
    let wait: ReturnType<Clock['schedule']> | undefined;
    const over = new Promise<boolean>((resolve) => {
      wait = this.port.ioClock.schedule(durationMs, () => resolve(false));
    });
    try {
      return await Promise.race([ended, over]);
    } finally {
      wait?.cancel();
    }
  }
}

/** Ordered messages without a message group keep the order of their queue. */
function laneKey({ message, endpointKey }: MessageLease): string {
  const { topic, messageGroup, queueId } = message;
  return messageGroup === undefined ? `${topic} queue ${endpointKey} ${queueId}` : `${topic} group ${messageGroup}`;
}
