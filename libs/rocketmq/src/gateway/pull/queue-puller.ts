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
import { linkedController, raceAbort } from '../../support/abort.js';
import { SystemClock, sleep } from '../../support/clock.js';
import { monotonicMs, realTimeIn } from '../../support/deadline.js';
import { StateError } from '../../support/errors.js';
import { describeError, type Logger } from '../../support/logger.js';
import { rejection } from '../statuses.js';
import type { PulledQueue } from './allocation.js';
import type { PulledSubscription } from './membership.js';
import { OwnedQueue, type QueueLimits } from './owned-queue.js';
import { QueueLock } from './queue-lock.js';
import { QueuePosition } from './queue-position.js';
import { heldUpIn, type PulledQueueReport, reportOf } from './queue-report.js';
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
const LIMITS: QueueLimits = { ready: 32, readyBytes: 4 * 1024 * 1024, span: 2_000 };
const HELD_UP =
  'a message that is not settled holds up its queue: what follows has been handled, but would be repeated by another consumer, so no more is received from this queue until it is settled';
const RETRY_MS = 1_000;
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
  /** When the last message that was received had been stored. */
  private storedUntilMs: number | undefined;
  private wake = (): void => {};
  private isHeldUp = false;
  private pulledAtMs = 0;
  /** The pull in flight, and what it asks for. */
  private pulling: { readonly subscription: PulledSubscription; readonly ending: AbortController } | undefined;
  private readonly ioClock = new SystemClock();
  private readonly requests: QueueRequests;
  private readonly lock: QueueLock | undefined;
  private readonly position: QueuePosition;

  /** @param ownership differs from that of all other pullers of the client */
  constructor(
    private readonly port: PullerPort,
    readonly name: PulledQueue,
    readonly ownership: number,
  ) {
    this.requests = new QueueRequests(port, name);
    this.position = new QueuePosition(this.requests, port.logger, {
      offset: () => this.queue?.commitOffset,
      isMine: () => this.isMine,
    });
    const events = { onTaken: () => port.onReady(), onLost: () => this.beginAgain() };
    this.lock = port.isOrdered ? new QueueLock(this.requests, port.logger, events) : undefined;
  }

  /** Undefined before the first pull, and after the end. */
  get queue(): OwnedQueue | undefined {
    return this.state.kind === 'pulling' ? this.state.queue : undefined;
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
    return queue && heldUpIn(name, queue, LIMITS.span);
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

  /** The connection to the broker was lost. */
  doubtLock(): void {
    this.lock?.doubt();
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
    this.stopping.abort(new StateError('CLOSED', 'the queue is given up'));
    await this.running;
    const { queue } = this;
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
        await this.pull(queue, signal);
        this.failure = undefined;
      } catch (error) {
        if (signal.aborted) return;
        if (this.failure === undefined)
          this.port.logger.debug(`${this.requests.what} failed`, { error: describeError(error) });
        this.failure = error;
        this.doubtLock();
        await sleep(this.ioClock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  private async begin(signal: AbortSignal): Promise<OwnedQueue> {
    if (this.port.hasOthers && !this.port.isOrdered) await sleep(this.ioClock, HANDOVER_MS, signal);
    // A new group starts where the proxy starts it: at the end, but at the first message of a queue that is young. Its retries are all its own.
    const isRetry = this.name.topic.startsWith(RETRY_PREFIX);
    const offset = (await this.requests.committedOffset()) ?? (isRetry ? 0 : await this.requests.maxOffset());
    const queue = new OwnedQueue(this.port.isOrdered, offset);
    if (!this.stopping.signal.aborted) this.state = { kind: 'pulling', queue };
    return queue;
  }

  private async room(queue: OwnedQueue, signal: AbortSignal): Promise<void> {
    while (this.queue === queue && !queue.hasRoom(LIMITS)) {
      const { heldUp } = this;
      if (heldUp !== undefined && !this.isHeldUp)
        this.port.logger.warn(HELD_UP, { consumerGroup: this.port.consumerGroup, ...heldUp });
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
    const commitOffset = this.position.now;
    const asked = queue.pullOffset;
    const { controller: ending, unlink } = linkedController([signal]);
    this.pulling = { subscription, ending };
    this.pulledAtMs = realTimeIn(0).getTime();
    const answer = await this.requests
      .pull(asked, commitOffset, subscription, ending.signal)
      .catch((error: unknown) => {
        if (ending.signal.aborted) return undefined;
        throw error;
      })
      .finally(unlink);
    this.pulling = undefined;
    const isOver = ending.signal.aborted || this.queue !== queue || queue.pullOffset !== asked;
    if (answer === undefined || isOver) return;
    const next = offsetField(answer, 'nextBeginOffset', asked);
    const messages = answer.code === RESPONSE_CODES.success ? decodeStoredMessages(answer.body) : [];
    switch (answer.code) {
      case RESPONSE_CODES.success:
      case RESPONSE_CODES.pullNotFound:
      case RESPONSE_CODES.pullRetryImmediately:
        if (commitOffset !== undefined) this.position.isStored(commitOffset);
        queue.add(messages, next);
        this.storedUntilMs = messages.at(-1)?.storeTimestampMs ?? this.storedUntilMs;
        this.port.onReady();
        return;
      case RESPONSE_CODES.pullOffsetMoved:
        if (answer.remark === OFFSET_RESET) this.moveTo(next);
        else await this.move(queue, next, offsetField(answer, 'minOffset', 0));
        return;
      default:
        this.requests.assertOk(answer);
    }
  }

  /**
   * The offset is not in the queue. When it is beyond the end, brokers up to 4.7 name the first message, and newer ones the end. The end is
   * right when the broker has lost messages in a crash: all that is left was handled. A queue that was made anew is read from its beginning.
   */
  private async move(queue: OwnedQueue, named: number, first: number): Promise<void> {
    const from = queue.pullOffset;
    const isAnew = named <= from && (await this.isAnew(first));
    const to = isAnew ? first : named > from ? named : await this.requests.maxOffset();
    const what =
      named > from
        ? 'messages were removed from a queue before they were received'
        : 'a queue ends before the position of the group';
    const then = isAnew ? 'it was made anew, and is received from its beginning' : 'it is received from another offset';
    this.port.logger.warn(`${what}: ${then}`, { consumerGroup: this.port.consumerGroup, ...this.name, from, to });
    this.loseHeld(queue);
    queue.moveTo(to);
  }

  /** Whether the first message of the queue is younger than the last one that this process has received of it. */
  private async isAnew(first: number): Promise<boolean> {
    if (this.storedUntilMs === undefined) return false;
    const [message] = decodeStoredMessages((await this.requests.peek(first)).body);
    return message !== undefined && message.storeTimestampMs > this.storedUntilMs;
  }

  /** Goes on at an offset that an operator chose. */
  moveTo(offset: number): void {
    const { queue } = this;
    if (queue === undefined) return;
    this.loseHeld(queue);
    queue.moveTo(offset);
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
