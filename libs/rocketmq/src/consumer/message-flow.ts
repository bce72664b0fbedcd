// The path of a message through a push consumer: polled, decompressed, leased, dispatched; and the end of all that in the right
// order. push-consumer.ts starts and ends the consumer, and manages subscriptions.

import type { Queue } from '../client/route.js';
import type { Message as WireMessage } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { Filter } from '../protocol/model/filter.js';
import type { Abortable } from '../support/abort-source.js';
import { LoopWatch } from '../support/answer-age.js';
import { describeError } from '../support/logger.js';
import { callWatcher } from '../support/watchers.js';
import { type TopicHealth, topicHealth } from './consumer-health.js';
import type { UnpackedMessage } from './dispatch/delivery.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import { ListenerTurns } from './dispatch/listener-turns.js';
import { withAckBatches } from './lease/ack-batcher.js';
import { type LeaseContext, MessageLease } from './lease/message-lease.js';
import { ReceiptCalls } from './lease/receipt-calls.js';
import { SharedTimers } from './lease/shared-timers.js';
import type { Listener } from './listeners/message-listener.js';
import type { ConsumerContext } from './model/consumer-context.js';
import type { HeldOfTopic, PushConsumerTelemetry } from './model/consumer-telemetry.js';
import type { ResolvedOptions } from './push-consumer-options.js';
import { BufferRooms } from './receive/buffer-room.js';
import { GroupPauseWatch } from './receive/group-pause-watch.js';
import { incomingMessage, unpackedMessage } from './receive/incoming-message.js';
import { Pauses } from './receive/pauses.js';
import { isStale } from './receive/poll-answers.js';
import { ReceiveLoops } from './receive/receive-loops.js';
import type { ReceivedBatch } from './receive/receive-polls.js';

/** Runs from the first {@link MessageFlow.assign} to {@link MessageFlow.end}. */
export class MessageFlow {
  /** Pauses of topics. */
  readonly pauses: Pauses;
  /** Pauses of the group by the servers. */
  readonly groupPause: GroupPauseWatch;
  readonly listenerTurns: ListenerTurns;
  private readonly rooms: BufferRooms;
  private readonly leases: LeaseContext;
  private readonly dispatcher: Dispatcher;
  private readonly loops: ReceiveLoops;

  /** @param filterOf the subscription of a topic; undefined for everything */
  constructor(
    private readonly context: ConsumerContext,
    private readonly options: ResolvedOptions,
    private readonly telemetry: PushConsumerTelemetry | undefined,
    filterOf: (topic: string) => Filter | undefined,
  ) {
    const { ackBatchSize, invisibleDurationMs, listeners, longPollingTimeoutMs } = options;
    const { client, consumerGroup, clock } = context;
    this.pauses = new Pauses(() => context.releasesFree());
    this.groupPause = new GroupPauseWatch(context, this.pauses, options.describeGroup);
    this.rooms = new BufferRooms(options, clock);
    this.listenerTurns = new ListenerTurns(context, listeners, this.rooms, this.pauses);
    const calls = withAckBatches(
      new ReceiptCalls(client, consumerGroup, options.liteTopics !== undefined),
      ackBatchSize,
    );
    this.leases = { ...context, timers: new SharedTimers(clock), calls, invisibleDurationMs };
    this.dispatcher = new Dispatcher(context, {
      listeners,
      pauses: this.pauses,
      listenerTurns: this.listenerTurns,
      unpack: (lease, signal) => this.unpack(lease, signal),
      onEnded: (lease) => this.release(lease),
      onNeedsTurn: ({ message, needsTurn }) => this.rooms.of(message.topic).needTurn(needsTurn),
    });
    this.loops = new ReceiveLoops(context, {
      invisibleDurationMs,
      longPollingTimeoutMs,
      pauses: this.pauses,
      groupPause: this.groupPause,
      loopWatch: new LoopWatch(context.ioClock),
      roomOf: (topic) => this.rooms.of(topic),
      filterOf,
      loopShareOf: (topic) => this.loopShareOf(topic),
      deliver: (batch) => this.take(batch),
    });
  }

  /** Idle polls hold their room for as long as they wait: a loop that took all of it would starve the others. */
  private loopShareOf(topic: string): number {
    const { loops, rooms } = this;
    const sharers = rooms.isAlone(topic) ? loops.countOf(topic) : loops.count;
    return Math.floor(rooms.of(topic).maxMessages / Math.max(1, sharers));
  }

  /** Receives a topic from these queues, the complete list, from the next poll on. */
  assign(topic: string, queues: readonly Queue[]): void {
    this.loops.assign(topic, queues);
  }

  /** The names of the brokers that are polled at an address. @param key see `endpointKey` */
  brokersAt(key: string): string[] {
    return this.loops.brokersAt(key);
  }

  /** How a topic is received, and what is held. */
  topicHealth(topic: string): TopicHealth {
    return topicHealth(topic, this.pauses.isPaused(topic), this.loops.healthOf(topic));
  }

  get handlerSinceMs(): number | undefined {
    return this.dispatcher.handlerSinceMs;
  }

  get held(): Dispatcher['held'] {
    return this.dispatcher.held;
  }

  /** How many messages a listener is handling. */
  running(name: string): number {
    return this.dispatcher.running(name);
  }

  /** The room of a listener for messages that were received and not settled yet. */
  roomOf(listener: Listener): number {
    return this.rooms.shareOf(listener);
  }

  /** Other consumers may handle these messages now. */
  lose(receiptHandles: ReadonlySet<string>): void {
    for (const lease of this.dispatcher.leases()) lease.loseBy(receiptHandles);
  }

  /** What is held and which handlers run, for an operator. */
  report(): string[] {
    return this.dispatcher.report();
  }

  /** What is held of each of these topics, and of other topics with held messages. */
  heldOf(topics: readonly string[]): HeldOfTopic[] {
    const byTopic = new Map(topics.map((topic) => [topic, { topic, messages: 0, bytes: 0 }]));
    for (const { message, heldBytes, grownBytes } of this.dispatcher.leases()) {
      const held = byTopic.get(message.topic) ?? { topic: message.topic, messages: 0, bytes: 0 };
      held.messages += 1;
      held.bytes += heldBytes + grownBytes;
      byTopic.set(message.topic, held);
    }
    return [...byTopic.values()];
  }

  /** Stops receiving, releases messages that no handler has started, waits for running handlers and settles their messages. */
  async end(shutdownGraceMs: number): Promise<void> {
    this.groupPause.close();
    const pollsEnded = this.loops.end(shutdownGraceMs);
    await this.dispatcher.drain(shutdownGraceMs, pollsEnded);
    await pollsEnded;
    // Messages of the last polls are released at once.
    await this.dispatcher.drainRest();
  }

  private take({ queue, messages, receivedAtMs, ageMs, deliveredAtMs }: ReceivedBatch): void {
    const { clock, logger, settings } = this.context;
    const leases = messages.flatMap((wire) => this.leaseOf(wire, queue, receivedAtMs - ageMs) ?? []);
    if (isStale(ageMs, this.options.invisibleDurationMs)) {
      this.dropStale(leases, ageMs);
      return;
    }
    // These leases are renewed until their messages end: nothing may keep them from being dispatched.
    callWatcher(logger, 'received messages', () =>
      this.telemetry?.received({
        messages: leases.map(({ message }) => message),
        deliveredAtMs,
        receivedAtMs: Math.round(clock.nowMs() - (clock.monotonicMs() - receivedAtMs)),
      }),
    );
    const { isFifo, isLite, maxAttempts } = settings(queue.endpoint);
    if (isFifo && !isLite) this.reportLast(leases, maxAttempts);
    this.dispatcher.dispatch(leases, isFifo);
  }

  /** The server redelivers all messages of an ordered poll behind the first unsettled one, and counts them alike. */
  private reportLast(leases: readonly MessageLease[], maxAttempts: number): void {
    const last = leases.flatMap(({ message }) =>
      message.deliveryAttempt > 1 && message.deliveryAttempt >= maxAttempts ? [message] : [],
    );
    if (last.length > 1) this.context.report.lastDelivery(last);
  }

  private release({ message, heldBytes, needsTurn }: MessageLease): void {
    this.rooms.of(message.topic).release(heldBytes, needsTurn);
  }

  /** Others may have handled these messages, and are free to: nothing about them may be sent any more. */
  private dropStale(leases: readonly MessageLease[], ageMs: number): void {
    for (const lease of leases) {
      lease.drop();
      this.release(lease);
    }
    const messages = leases.map(({ message }) => message);
    if (messages.length > 0) this.context.report.stale(messages, ageMs);
  }

  /** Undefined for a message that cannot be decoded; it is redelivered when its lease ends, until the server's limit of attempts. */
  private leaseOf(
    wire: WireMessage,
    { topic, endpoint, brokerName }: Queue,
    leasedAtMs: number,
  ): MessageLease | undefined {
    const heldBytes = wire.body.length;
    try {
      const { message, bodyProblem, isPacked } = incomingMessage(wire, brokerName);
      // Field by field: a spread costs more than the rest of what is done for a message here.
      const received = { message, bodyProblem, isPacked, endpoint, leasedAtMs, heldBytes };
      return new MessageLease(this.leases, received);
    } catch (error) {
      this.rooms.of(topic).release(heldBytes, true);
      const fields = { topic, messageId: wire.systemProperties?.messageId, error: describeError(error) };
      this.context.logger.error('a received message cannot be decoded; no handler is called', fields);
      return undefined;
    }
  }

  private async unpack(lease: MessageLease, signal: Abortable): Promise<UnpackedMessage> {
    const { message } = lease;
    const growth = await this.rooms.of(message.topic).grow(signal);
    const opened = await unpackedMessage(message, this.options.maxUnpackedBytes);
    lease.grownBytes = Math.max(0, opened.message.body.length - message.body.length);
    growth.by(lease.grownBytes);
    return {
      ...opened,
      end: () => {
        lease.grownBytes = 0;
        growth.end();
      },
    };
  }
}
