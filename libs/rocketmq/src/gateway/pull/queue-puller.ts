// Pulls one queue that this process owns: where to begin, long polls that carry the offset, the lock of an ordered group, and the end.
// Over 300 lines: each step of a queue decides what the next one may do.

import { Code, type Status } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { HeldUpQueue } from '../../protocol/grpc/session-message.js';
import { StatusError } from '../../protocol/grpc/status.js';
import { RETRY_PREFIX } from '../../protocol/model/names.js';
import { RESPONSE_CODES } from '../../protocol/remoting/codes.js';
import { decodeStoredMessages } from '../../protocol/remoting/stored-message.js';
import { offsetField } from '../../remoting/answers.js';
import type { RemotingClient } from '../../remoting/remoting-client.js';
import type { RemotingConnection } from '../../remoting/remoting-connection.js';
import { raceAbort } from '../../support/abort.js';
import { AbortSource } from '../../support/abort-source.js';
import { SystemClock, sleep } from '../../support/clock.js';
import { monotonicMs, realTimeIn } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import { rejection } from '../statuses.js';
import type { PulledQueue } from './allocation.js';
import type { BroadcastPositions } from './broadcast-positions.js';
import type { PulledSubscription } from './membership.js';
import { OwnedQueue, type QueueLimits } from './owned-queue.js';
import type { QueueHistory } from './queue-history.js';
import { QueueLock } from './queue-lock.js';
import { type PositionStore, QueuePosition } from './queue-position.js';
import { HELD_UP, HELD_UP_BROADCAST, heldUpIn, type PulledQueueReport, reportOf } from './queue-report.js';
import { OFFSET_RESET, QueueRequests } from './queue-requests.js';

/** What the pulls of one client share. */
export interface PullerPort {
  readonly clientId: string;
  readonly consumerGroup: string;
  readonly isOrdered: boolean;
  /** Whether another member may have had the queue until now. */
  readonly hasOthers: boolean;
  readonly client: RemotingClient;
  readonly logger: Logger;
  /** Where the position of a broadcast is kept; undefined for a group, whose brokers keep it. */
  readonly broadcast: Pick<BroadcastPositions, 'of'> | undefined;
  addressOf(brokerName: string): string | undefined;
  subscriptionOf(topic: string): PulledSubscription;
  /** Called when there may be messages to hand out. */
  onReady(): void;
  /** Whether the queue was this client's a moment ago. */
  isCurrent(puller: QueuePuller): boolean;
  /** Called with deliveries that another owner may handle. */
  onLost(puller: QueuePuller, deliveries: readonly { readonly offset: number; readonly delivery: number }[]): void;
}

/** Messages that wait here are handed to another owner again when this process ends, so few do; at least as many as one pull brings. */
const LIMITS: QueueLimits = {
  ready: 32,
  readyBytes: 4 * 1024 * 1024,
  postponedBytes: 64 * 1024 * 1024,
  span: 2_000,
};
const REMOVED = 'messages were removed from a queue before they were received';
const ENDS_BEFORE = 'a queue ends before the position of the group';
const LOST = 'a broker has lost messages that were received from a queue, or the topic was made anew';
const RETRY_MS = 1_000;
/** How often a queue of a paused group is pulled. */
const PAUSED_RETRY_MS = 2_000;
/** How long the former owner of a queue has to store its position: it learns of the new one at the same time. An ordered one holds the lock until then. */
const HANDOVER_MS = 300;
/** How long the messages in hand of an ordered queue may take until another client gets it. */
const DRAIN_MS = 20_000;

type PullerState =
  | { readonly kind: 'beginning' }
  | { readonly kind: 'pulling'; readonly queue: OwnedQueue }
  | { readonly kind: 'ended' };

/** One ownership of one queue. */
export class QueuePuller {
  private state: PullerState = { kind: 'beginning' };
  private readonly stopping = new AbortController();
  private running: Promise<unknown> = Promise.resolve();
  private failure: unknown;
  /** The connection on which the broker was found to have what was received. */
  private compared: RemotingConnection | undefined;
  private wake = (): void => {};
  private isHeldUp = false;
  private pulledAtMs = 0;
  /** The pull in flight, and what it asks for. */
  private pulling: { readonly subscription: PulledSubscription; readonly ending: AbortSource } | undefined;
  private readonly ioClock = new SystemClock();
  private readonly requests: QueueRequests;
  private readonly lock: QueueLock | undefined;
  private readonly positions: PositionStore;
  private readonly position: QueuePosition;

  /** @param ownership differs from that of all other pullers of the client @param history of an earlier one, or a new one */
  constructor(
    private readonly port: PullerPort,
    readonly name: PulledQueue,
    readonly ownership: number,
    readonly history: QueueHistory,
  ) {
    this.requests = new QueueRequests(port, name);
    this.positions = port.broadcast?.of(name, this.requests) ?? this.requests;
    this.position = new QueuePosition(this.positions, port.logger, {
      offset: () => this.queue?.commitOffset,
      isMine: () => this.isMine && this.isIntact,
    });
    const events = { onTaken: () => port.onReady(), onLost: () => this.beginAgain() };
    this.lock =
      port.isOrdered && port.broadcast === undefined ? new QueueLock(this.requests, port.logger, events) : undefined;
  }

  /** Undefined before the first pull, and after the end. */
  get queue(): OwnedQueue | undefined {
    return this.state.kind === 'pulling' ? this.state.queue : undefined;
  }

  /** Whether the broker rejected the last pull because the group is paused. */
  get isGroupPaused(): boolean {
    return this.failure instanceof StatusError && this.failure.code === 'GROUP_PAUSED';
  }

  /** Why it brings nothing at present; undefined when it could. */
  get problem(): Status | undefined {
    const { failure } = this;
    if (failure === undefined) return undefined;
    const code = failure instanceof StatusError ? failure.statusCode : undefined;
    return rejection(code ?? Code.INTERNAL_SERVER_ERROR, describeError(failure));
  }

  /** The message that keeps it from pulling, and what is behind; undefined while it pulls. */
  get heldUp(): HeldUpQueue | undefined {
    const { queue, name } = this;
    return queue && heldUpIn(name, queue, LIMITS);
  }

  /** Undefined before the first pull, and after the end. */
  get report(): PulledQueueReport | undefined {
    const { queue, name, lock, pulledAtMs } = this;
    return queue && reportOf(name, queue, lock?.isValid ?? false, pulledAtMs);
  }

  start(): void {
    const { signal } = this.stopping;
    this.running = Promise.all([this.run(signal), this.lock?.keep(signal)]);
  }

  /** Whether what it holds may be handed out, and its position stored: nobody else has the queue. */
  get isMine(): boolean {
    return (this.lock?.isValid ?? true) && this.port.isCurrent(this);
  }

  /** Whether the broker has what was received: on another connection, it may have lost the last messages. */
  get isIntact(): boolean {
    return this.compared !== undefined && this.compared === this.requests.connection;
  }

  /** The connection to the broker was lost. */
  doubtLock(): void {
    this.lock?.doubt();
    this.wake();
  }

  /** Messages were taken or settled, so there may be room for more. */
  changed(): void {
    this.wake();
  }

  /** A pull that waits with another subscription is given up: what it would pass over is asked for again. */
  resubscribe(): void {
    const { pulling } = this;
    if (pulling === undefined) return;
    const { expression, type } = this.port.subscriptionOf(this.name.topic);
    if (pulling.subscription.expression === expression && pulling.subscription.type === type) return;
    pulling.ending.abort(new StateError('CLOSED', 'the subscription has changed'));
  }

  /** Stores where the next owner begins. Never throws, and waits for nothing. */
  commit(): void {
    this.position.store();
  }

  /**
   * Gives the queue to the next owner, and pulls nothing more. Idempotent.
   * @param mayWork whether handlers may still run: in an ordered group they may end
   */
  async end(mayWork: boolean): Promise<void> {
    const why = new StateError('CLOSED', 'the queue is given up');
    this.stopping.abort(why);
    this.pulling?.ending.abort(why);
    await this.running;
    const { queue } = this;
    // The next owner knows nothing of what the broker has lost.
    const mayHaveLost = !this.isIntact && this.requests.connection !== undefined;
    if (queue !== undefined && mayHaveLost) await this.goBack(queue).catch(() => {});
    if (queue !== undefined && this.port.isOrdered && mayWork) await this.drain(queue);
    await this.position.storeLast();
    this.drop();
    await this.lock?.release();
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.lock !== undefined && !(await this.lock.take())) {
          await sleep(this.ioClock, RETRY_MS, signal);
          continue;
        }
        const queue = this.queue ?? (await this.begin(signal));
        await this.room(queue, signal);
        if (this.isIntact) await this.pull(queue, signal);
        else await this.goBack(queue);
        this.failure = undefined;
      } catch (error) {
        if (signal.aborted) return;
        if (this.failure === undefined)
          this.port.logger.debug(`${this.requests.what} failed`, { error: describeError(error) });
        this.failure = error;
        if (this.isGroupPaused) this.port.onReady();
        else {
          this.compared = undefined;
          this.doubtLock();
        }
        await sleep(this.ioClock, this.isGroupPaused ? PAUSED_RETRY_MS : RETRY_MS, signal).catch(() => {});
      }
    }
  }

  private async begin(signal: AbortSignal): Promise<OwnedQueue> {
    if (this.port.hasOthers && !this.port.isOrdered) await sleep(this.ioClock, HANDOVER_MS, signal);
    const isRetry = this.name.topic.startsWith(RETRY_PREFIX); // Retries are all the group's own.
    const stored = () => this.positions.committedOffset();
    const offset = (await stored()) ?? (isRetry ? 0 : await this.requests.firstOffset(stored));
    const queue = new OwnedQueue(this.port.isOrdered, offset, this.port.broadcast !== undefined);
    this.history.begin(offset);
    this.compared = undefined;
    if (!this.stopping.signal.aborted) this.state = { kind: 'pulling', queue };
    return queue;
  }

  private async room(queue: OwnedQueue, signal: AbortSignal): Promise<void> {
    while (this.queue === queue && this.isIntact && !queue.hasRoom(LIMITS)) {
      const { heldUp } = this;
      if (heldUp !== undefined && !this.isHeldUp)
        this.port.logger.warn(this.port.broadcast === undefined ? HELD_UP : HELD_UP_BROADCAST, {
          consumerGroup: this.port.consumerGroup,
          ...heldUp,
        });
      this.isHeldUp = heldUp !== undefined;
      const changed = new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      await raceAbort(changed, signal);
    }
    this.isHeldUp = false;
  }

  private async pull(queue: OwnedQueue, signal: AbortSignal): Promise<void> {
    const subscription = this.port.subscriptionOf(this.name.topic);
    const commitOffset = this.port.broadcast === undefined ? this.position.news : undefined;
    const asked = queue.pullOffset;
    if (signal.aborted) return;
    const ending = new AbortSource();
    this.pulling = { subscription, ending };
    this.pulledAtMs = realTimeIn(0).getTime();
    // Of a paused group, to know at once when it is resumed.
    const how = { commitOffset, waits: !this.isGroupPaused };
    const answer = await this.requests.pull(asked, how, subscription, ending).catch((error: unknown) => {
      if (ending.aborted) return undefined;
      throw error;
    });
    this.pulling = undefined;
    const isOver = ending.aborted || this.queue !== queue || queue.pullOffset !== asked;
    // It may have been sent on a new connection, on which nothing is compared yet.
    if (answer === undefined || isOver || !this.isIntact) return;
    const next = offsetField(answer, 'nextBeginOffset', asked);
    const messages = answer.code === RESPONSE_CODES.success ? decodeStoredMessages(answer.body) : [];
    switch (answer.code) {
      case RESPONSE_CODES.success:
      case RESPONSE_CODES.pullNotFound:
      case RESPONSE_CODES.pullRetryImmediately:
        if (commitOffset !== undefined) this.position.isStored(commitOffset);
        queue.add(messages, next);
        this.history.add(messages, next, subscription);
        this.port.onReady();
        return;
      case RESPONSE_CODES.pullOffsetMoved:
        if (answer.remark !== OFFSET_RESET && next <= asked) return this.goBack(queue, await this.requests.maxOffset());
        if (answer.remark !== OFFSET_RESET) this.warn(REMOVED, asked, next);
        this.moveTo(next);
        return;
      default:
        this.requests.assertOk(answer);
    }
  }

  /**
   * Goes back to where the broker has messages that this process has not received, because it has lost others, or the topic was made anew.
   * @param end of a queue that ends before the next offset to pull; brokers up to 4.7 do not name it then
   */
  private async goBack(queue: OwnedQueue, end = Number.POSITIVE_INFINITY): Promise<void> {
    const connection = await this.requests.connected();
    const from = queue.pullOffset;
    const { isLost, offset } = await this.history.compare(this.requests);
    if (this.queue !== queue || queue.pullOffset !== from) return;
    const to = Math.min(from, offset, end);
    if (isLost || end < from) this.warn(isLost ? LOST : ENDS_BEFORE, from, to);
    if (isLost) this.history.moveTo(to);
    queue.goBack(to);
    this.compared = connection;
  }

  private warn(what: string, from: number, to: number): void {
    const text = `${what}: the queue is received from another offset`;
    this.port.logger.warn(text, { consumerGroup: this.port.consumerGroup, ...this.name, from, to });
  }

  /** Goes on at an offset that an operator chose, or behind what the broker has removed. */
  moveTo(offset: number): void {
    const { queue } = this;
    if (queue === undefined) return;
    this.loseHeld(queue);
    queue.moveTo(offset);
    this.history.moveTo(offset);
    this.changed();
    this.pulling?.ending.abort(new StateError('CLOSED', 'the queue goes on at another offset'));
    this.commit();
  }

  private async drain(queue: OwnedQueue): Promise<void> {
    const endsAtMs = monotonicMs() + DRAIN_MS;
    while (!queue.isIdle && monotonicMs() < endsAtMs) await sleep(this.ioClock, 10);
  }

  private beginAgain(): void {
    const { queue } = this;
    if (queue === undefined) return;
    this.loseHeld(queue);
    this.state = { kind: 'beginning' };
    this.changed();
  }

  private drop(): void {
    const { queue } = this;
    this.state = { kind: 'ended' };
    if (queue !== undefined) this.loseHeld(queue);
  }

  private loseHeld({ holding }: OwnedQueue): void {
    if (holding.length > 0) this.port.onLost(this, holding);
  }
}
