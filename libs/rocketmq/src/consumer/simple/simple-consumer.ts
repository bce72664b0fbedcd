// The simple consumer: the application receives messages and settles each itself. No handler, no renewal, no failure policy.
// Over 300 lines for the documentation of its public methods.

import { type Client, type StartOptions, startRefusal } from '../../client/client.js';
import type { Connection } from '../../client/connection.js';
import { type Endpoint, endpointKey } from '../../client/endpoint.js';
import { observedClient } from '../../client/observed-client.js';
import { didNotStart } from '../../client/resource-errors.js';
import { type Queue, resource } from '../../client/route.js';
import { toDuration } from '../../protocol/grpc/duration.js';
import {
  ClientType,
  type Message as WireMessage,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { DEFAULT_BUFFERED_BYTES, DEFAULT_MAX_UNPACKED_BYTES, LIMITS } from '../../protocol/model/limits.js';
import type { MessageView } from '../../protocol/model/message.js';
import { withAnySignal } from '../../support/abort.js';
import { AnswerAges, LoopWatch } from '../../support/answer-age.js';
import { SECOND_MS, SystemClock } from '../../support/clock.js';
import { type CallOptions, type Deadline, waitWithin, withDeadline, withNotedEffects } from '../../support/deadline.js';
import { StateError, UsageError } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import {
  abortSignal,
  assertCall,
  assertOptions,
  checkedElsewhere,
  describe,
  numberFrom,
  type OptionChecks,
  positiveInteger,
  positiveNumber,
  refused,
  trueOrFalse,
  withMethods,
} from '../../support/options.js';
import { type Receipt, ReceiptCalls } from '../lease/receipt-calls.js';
import { RECEIVED_TOO_LATE } from '../model/consumer-events.js';
import type {
  ConsumerTelemetrySource,
  ObservedPoll,
  SettleOperation,
  SimpleConsumerTelemetry,
} from '../model/consumer-telemetry.js';
import { GroupSettings } from '../model/group-settings.js';
import type { RetryLaterOptions } from '../model/outcome-errors.js';
import {
  assertGroupSubscription,
  assertSubscription,
  assertTopic,
  GROUP_CHECKS,
  type GroupSubscription,
  type Subscription,
  toWireFilter,
} from '../model/subscription.js';
import { ExpectedSize } from '../receive/buffer-room.js';
import { consumerClient, DEFAULT_START_MS, startConsumerClient } from '../receive/consumer-client.js';
import { incomingMessage, unpackedMessage } from '../receive/incoming-message.js';
import { MissedMessages } from '../receive/missed-messages.js';
import { isStale, PollAnswers } from '../receive/poll-answers.js';
import { SubscriptionSet } from '../receive/subscription-set.js';
import { type AckOutcome, ackBatch } from './ack-batch.js';

export interface SimpleConsumerOptions extends GroupSubscription {
  /** How long a receive waits for messages by default, in milliseconds; the server limits it to 5 to 20 s. Default 20 s. */
  readonly longPollingTimeoutMs?: number;
  /** A compressed body that decompresses to more bytes has a `bodyProblem`. Default 32 MiB. */
  readonly maxUnpackedBytes?: number;
  /**
   * Bytes of the bodies that one receive returns, decompressed; one message may exceed it. Messages that do not fit are not returned:
   * they are redelivered, at the latest when `invisibleDurationMs` is over. Default 64 MiB.
   */
  readonly maxBufferedBytes?: number;
  /** Traces and measures it: `openTelemetry()` of `nestjs-rocketmq/opentelemetry`. Default: none. */
  readonly telemetry?: ConsumerTelemetrySource;
}

const CHECKS: OptionChecks<SimpleConsumerOptions> = {
  ...GROUP_CHECKS,
  longPollingTimeoutMs: numberFrom(1, LIMITS.longPollingMaxMs),
  maxUnpackedBytes: positiveInteger,
  maxBufferedBytes: positiveNumber,
  telemetry: withMethods('the result of openTelemetry() of nestjs-rocketmq/opentelemetry', 'simpleConsumer'),
};

/** The options of one receive. */
export interface ReceiveOptions {
  /** 1 to 32. Default 16. */
  readonly maxMessages?: number;
  /** How long the messages are invisible to other consumers, in milliseconds: settle them within that time. 10 s to 12 h. Default 30 s. */
  readonly invisibleDurationMs?: number;
  /** Default: `longPollingTimeoutMs` of the consumer. */
  readonly longPollingTimeoutMs?: number;
  /** One of the subscribed topics. Default: each in turn. */
  readonly topic?: string;
  /**
   * Ends the wait. Messages that were on their way are returned all the same, if all have arrived within 300 ms; otherwise those that have arrived are released. The
   * rest, and with `transport: 'grpc-js'` all that was on its way, is redelivered when its invisible duration is over; by name server after a second. Default: none.
   */
  readonly signal?: AbortSignal;
}

/** Values are checked with the limits of the server. */
const RECEIVE_CHECKS: OptionChecks<ReceiveOptions> = {
  maxMessages: checkedElsewhere,
  invisibleDurationMs: checkedElsewhere,
  longPollingTimeoutMs: checkedElsewhere,
  topic: checkedElsewhere,
  signal: abortSignal,
};
const SETTLE_CHECKS = { options: { signal: abortSignal } };
const CHANGE_CHECKS = { options: { ...SETTLE_CHECKS.options, countsAsAttempt: trueOrFalse } };

/** A received message, to be settled by the consumer that received it. */
export interface ReceivedMessage extends MessageView {
  /** Why the body is not what was sent (digest, compression); undefined when it is. Dead-letter such a message. */
  readonly bodyProblem: string | undefined;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'started'; readonly ready: Promise<void> }
  /** Everything that was opened is closed, or is being closed. */
  | { readonly kind: 'failed'; readonly error: StateError; readonly closed: Promise<void> }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

const DEFAULT_MAX_MESSAGES = 16;
const DEFAULT_INVISIBLE_MS = 30 * SECOND_MS;
/** What a receive has got from a server. */
interface Arrived {
  readonly endpoint: Endpoint;
  readonly wires: readonly WireMessage[];
}

/** How long a close waits for the end of its receives, and then for releases of what they brought. */
const LAST_RELEASES_MS = 3_000;
/** A delivered batch must still be received when the event loop was blocked. */
const POLL_MARGIN_MS = 10 * SECOND_MS;

/** Receives messages of a consumer group on demand. Messages that are not settled in time are redelivered. */
export class SimpleConsumer {
  private state: State = { kind: 'idle' };
  private readonly client: Client;
  private readonly calls: ReceiptCalls;
  private readonly telemetry: SimpleConsumerTelemetry | undefined;
  private readonly subscriptions: SubscriptionSet;
  private readonly endpoints = new WeakMap<ReceivedMessage, Endpoint>();
  private readonly closing = new AbortController();
  private readonly longPollingTimeoutMs: number;
  private readonly maxBufferedBytes: number;
  private readonly expected = new ExpectedSize();
  private readonly loopWatch = new LoopWatch(new SystemClock());
  /** By broker. */
  private readonly ages = new Map<string, AnswerAges>();
  private readonly settings: GroupSettings;
  private readonly missed = new MissedMessages(new SystemClock(), () => this.client.refreshSettings());
  /** How often each topic was received from, and all together. */
  private readonly turns = new Map<string, number>();
  private receives = 0;
  /** Receives, and releases of messages that are not returned. */
  private readonly open = new Set<Promise<unknown>>();

  /** @throws UsageError that names the invalid option; nothing is sent yet */
  constructor(
    private readonly connection: Connection,
    private readonly options: SimpleConsumerOptions,
  ) {
    assertOptions(options, { options: CHECKS });
    assertGroupSubscription(options);
    this.longPollingTimeoutMs = options.longPollingTimeoutMs ?? LIMITS.longPollingMaxMs;
    this.maxBufferedBytes = options.maxBufferedBytes ?? DEFAULT_BUFFERED_BYTES;
    this.subscriptions = new SubscriptionSet(options);
    this.settings = new GroupSettings({
      consumerGroup: options.consumerGroup,
      logger: connection.logger,
      nameOf: (server) => this.client.nameOf(server),
      refresh: () => this.client.refreshSettings(),
    });
    this.client = consumerClient(connection, {
      type: ClientType.SIMPLE_CONSUMER,
      group: this.subscriptions,
      longPollingTimeoutMs: this.longPollingTimeoutMs,
      settings: this.settings,
      onCommand: () => false,
    });
    this.calls = new ReceiptCalls(this.client, options.consumerGroup);
    const { consumerGroup } = options;
    const observed = Object.assign(
      observedClient(connection, () => this.clientId),
      { consumerGroup, held: () => [] },
    );
    this.telemetry = options.telemetry?.simpleConsumer(observed);
  }

  /** The id by which the server knows this consumer. */
  get clientId(): string {
    return this.client.id;
  }

  /**
   * Looks up the topics and the group. A repeated call returns the promise of the first one, and after a failed start a StateError `CLOSED`:
   * create a new consumer to try again.
   * @param options `timeoutMs` in milliseconds, default 10 s
   * @throws ResourceError when a topic or the group does not exist
   * @throws StatusError or TransportError when the server rejects it or is unreachable; the consumer is then closed
   */
  start(options: StartOptions = {}): Promise<void> {
    const refusal = startRefusal(options);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (this.state.kind === 'closed') return Promise.reject(closedError());
    if (this.state.kind === 'failed') return Promise.reject(this.state.error);
    if (this.state.kind === 'idle') this.state = { kind: 'started', ready: this.begin(options) };
    return this.state.ready;
  }

  /**
   * Adds a topic, or changes the filter of one. Resolves when every server knows it; an open receive still uses the previous
   * filter. On failure nothing has changed. All consumers of the group must have the same subscriptions.
   * @param options `timeoutMs` in milliseconds, default 10 s
   * @throws ResourceError when the topic does not exist; StatusError or TransportError when a server rejects it or is unreachable
   */
  async subscribe(subscription: Subscription, options: CallOptions = {}): Promise<void> {
    assertSubscription(subscription);
    await this.change(`subscription to "${subscription.topic}"`, options, async (deadline) => {
      await this.subscriptions.add(this.client, { ...subscription }, deadline);
    });
  }

  /**
   * Unsubscribes from a topic; messages that were received from it can still be settled. Resolves when every server knows it. Does
   * nothing for a topic that is not subscribed to.
   * @param options `timeoutMs` in milliseconds, default 10 s
   * @throws UsageError for the last topic; StatusError or TransportError when a server rejects it or is unreachable: the topic is
   *   unsubscribed nevertheless, and the server learns it at the next refresh of the settings
   */
  async unsubscribe(topic: string, options: CallOptions = {}): Promise<void> {
    assertTopic(topic);
    await this.change(`end of the subscription to "${topic}"`, options, async (deadline) => {
      if (this.subscriptions.remove(topic)) await this.client.syncSettings(deadline);
    });
  }

  /**
   * Waits for messages: those of one topic on one broker, each in turn.
   * @returns the messages; empty when none arrived in time. Messages whose invisible duration was over when they arrived, because this process was
   *   suspended or blocked, are logged and not returned: they are redelivered
   * @throws StatusError or TransportError; messages that had arrived are released, those that were still on their way are redelivered when their invisible
   *   duration is over. StateError `CLOSED` when the consumer is closed meanwhile
   */
  async receive(options: ReceiveOptions = {}): Promise<ReceivedMessage[]> {
    assertOptions(options, { options: RECEIVE_CHECKS });
    const subscription = this.subscriptionOf(options.topic);
    const { invisibleDurationMinMs, invisibleDurationMaxMs, receiveBatchSize, longPollingMaxMs } = LIMITS;
    const maxMessages = within('maxMessages', options.maxMessages ?? DEFAULT_MAX_MESSAGES, 1, receiveBatchSize);
    const invisibleMs = options.invisibleDurationMs ?? DEFAULT_INVISIBLE_MS;
    within('invisibleDurationMs', invisibleMs, invisibleDurationMinMs, invisibleDurationMaxMs);
    const longPollingTimeoutMs = within(
      'longPollingTimeoutMs',
      options.longPollingTimeoutMs ?? this.longPollingTimeoutMs,
      1,
      longPollingMaxMs,
    );
    this.assertStarted();
    const what = `receive from ${subscription.topic} for "${this.options.consumerGroup}"`;
    const timeoutMs = Math.max(longPollingTimeoutMs, LIMITS.longPollingMinMs) + POLL_MARGIN_MS;
    const arrived: Arrived[] = [];
    const poll = async (deadline: Deadline, onPoll?: (poll: ObservedPoll) => void): Promise<ReceivedMessage[]> => {
      const queue = await this.nextQueue(subscription.topic, deadline);
      await this.client.session(queue.endpoint).synced(deadline.signal);
      const { expected, maxBufferedBytes } = this;
      const count = Math.min(maxMessages, expected.countIn(maxBufferedBytes));
      const request = {
        ...this.receiveRequest(queue, subscription, invisibleMs, longPollingTimeoutMs),
        batchSize: count,
      };
      const call = { what, timeoutMs, signal: deadline.signal };
      let [leftBytes, came] = [maxBufferedBytes, 0];
      const answers = new PollAnswers(what, (bodyBytes) => {
        leftBytes -= bodyBytes;
        came++;
        return leftBytes >= 0 || came === count;
      });
      const here: Arrived = { endpoint: queue.endpoint, wires: answers.messages };
      arrived.push(here);
      const { clock } = this.connection;
      const [askedAtMs, watchedFromMs] = [clock.monotonicMs(), this.loopWatch.now()];
      let read: { readonly readAtMs: number; readonly unreadForMs: number } | undefined;
      const endWatch = this.loopWatch.begin();
      try {
        await this.client.receive(queue.endpoint, request, call, (answer) => {
          read ??= { readAtMs: clock.monotonicMs(), unreadForMs: this.loopWatch.unreadForMs(watchedFromMs, clock) };
          answers.take(answer);
        });
      } catch (error) {
        if (!answers.wasFull(error)) throw error;
      } finally {
        endWatch();
      }
      answers.assertUsable();
      if (answers.wereFiltered) this.missed.noticed(subscription.filter);
      const receivedAtMs = this.connection.clock.nowMs();
      if (read === undefined || answers.messages.length === 0) return [];
      const { poppedAtMs: answeredAtMs } = answers;
      const leasedAtMs = read.readAtMs - this.agesOf(queue).ageMs({ ...read, askedAtMs, answeredAtMs });
      /** Others may have handled these messages: not even a release may be sent. */
      const areStale = (): boolean => {
        const ageMs = clock.monotonicMs() - leasedAtMs;
        if (!isStale(ageMs, invisibleMs)) return false;
        arrived.splice(arrived.indexOf(here), 1);
        this.reportStale(queue.topic, answers.messages, ageMs);
        return true;
      };
      if (areStale()) return [];
      const messages = await this.received(queue, answers.messages);
      // The rest of the answer, and the bodies, may have taken long.
      if (areStale()) return [];
      onPoll?.({ messages, deliveredAtMs: answers.deliveredAtMs, receivedAtMs });
      return messages;
    };
    const { telemetry } = this;
    const work = (deadline: Deadline): Promise<ReceivedMessage[]> =>
      telemetry === undefined
        ? poll(deadline)
        : telemetry.receive(subscription.topic, (onPoll) => poll(deadline, onPoll));
    const receiving = withAnySignal([this.closing.signal, options.signal], (signal) =>
      withDeadline(what, timeoutMs, signal, work),
    );
    return this.tracked(this.returned(receiving, arrived));
  }

  private agesOf({ brokerName, endpoint }: Queue): AnswerAges {
    const key = `${brokerName} ${endpointKey(endpoint)}`;
    const ages = this.ages.get(key) ?? new AnswerAges();
    this.ages.set(key, ages);
    return ages;
  }

  private reportStale(topic: string, wires: readonly WireMessage[], ageMs: number): void {
    const { consumerGroup } = this.options;
    const messageIds = wires.map(({ systemProperties }) => systemProperties?.messageId);
    const fields = { consumerGroup, topic, messages: wires.length, messageIds, ageMs: Math.round(ageMs) };
    this.connection.logger.warn(RECEIVED_TOO_LATE, fields);
    for (const _ of wires) this.telemetry?.leaseLost(topic);
  }

  /** What a receive returns: nothing once the consumer is closing, because nobody could settle it. What has arrived and is not returned is released. */
  private async returned(
    receiving: Promise<ReceivedMessage[]>,
    arrived: readonly Arrived[],
  ): Promise<ReceivedMessage[]> {
    let messages: ReceivedMessage[] = [];
    try {
      const received = await receiving;
      if (this.closing.signal.aborted) throw closedError();
      messages = received;
      return messages;
    } catch (error) {
      throw this.closing.signal.aborted ? closedError() : error;
    } finally {
      const handles = new Set(messages.map(({ receiptHandle }) => receiptHandle));
      for (const { endpoint, wires } of arrived) {
        for (const wire of wires) {
          if (!handles.has(wire.systemProperties?.receiptHandle ?? '')) this.release(wire, endpoint);
        }
      }
    }
  }

  /** Acknowledges the message. @throws StatusError `INVALID_RECEIPT_HANDLE` once its invisible duration is over */
  async ack(message: ReceivedMessage, options: Pick<CallOptions, 'signal'> = {}): Promise<void> {
    assertOptions(options, SETTLE_CHECKS);
    const receipt = this.receiptOf(message);
    await this.settle('ack', [message], () => this.calls.ack(receipt, options.signal));
  }

  /**
   * Acknowledges many messages, up to 32 of one topic and server in a request. Never fails as a whole once started: each message has an
   * outcome of its own, in the given order. A message that is passed twice is acknowledged once.
   * @throws StateError `NOT_STARTED` or `CLOSED`; nothing was sent
   */
  async ackBatch(
    messages: readonly ReceivedMessage[],
    options: Pick<CallOptions, 'signal'> = {},
  ): Promise<AckOutcome[]> {
    assertOptions(options, SETTLE_CHECKS);
    if (!Array.isArray(messages)) throw refused('messages', `must be a list of messages, not ${describe(messages)}`);
    this.assertStarted();
    return this.settle('ack', messages, () =>
      ackBatch(messages, {
        receiptOf: (message) => this.receiptOf(message),
        request: (receipts) => this.calls.ackTogether(receipts, options.signal),
      }),
    );
  }

  /**
   * Makes the message visible again after a delay from now, in milliseconds, 0 to 12 h.
   * @param options `countsAsAttempt`: false keeps the number of attempts at the next delivery; servers before 5.5.0, and ordered groups,
   *   count it nevertheless. Default true
   * @returns the same message; its `receiptHandle` is the new one, the old one is void
   * @throws StatusError `INVALID_RECEIPT_HANDLE` once its invisible duration is over
   */
  async changeInvisibleDuration(
    message: ReceivedMessage,
    durationMs: number,
    options: Pick<CallOptions, 'signal'> & Pick<RetryLaterOptions, 'countsAsAttempt'> = {},
  ): Promise<ReceivedMessage> {
    assertOptions(options, CHANGE_CHECKS);
    const { countsAsAttempt = true } = options;
    const invisibleDurationMs = within('durationMs', durationMs, 0, LIMITS.invisibleDurationMaxMs);
    const postponement = { invisibleDurationMs, suspend: !countsAsAttempt };
    const receipt = this.receiptOf(message);
    const handle = await this.settle('change_invisible_duration', [message], () =>
      this.calls.changeInvisibleDuration(receipt, postponement, options.signal),
    );
    // In place: an ack by the old handle is answered OK, but the message is redelivered.
    Object.assign(message, { receiptHandle: handle });
    return message;
  }

  /** Moves the message to the dead letter queue of the group. */
  async forwardToDeadLetterQueue(message: ReceivedMessage, options: Pick<CallOptions, 'signal'> = {}): Promise<void> {
    assertOptions(options, SETTLE_CHECKS);
    const receipt = this.receiptOf(message);
    const { maxAttempts } = this.settings.at(receipt.endpoint);
    const attempts = { attempt: message.deliveryAttempt, maxAttempts };
    await this.settle('forward_to_dead_letter_queue', [message], () =>
      this.calls.forwardToDeadLetterQueue(receipt, attempts, options.signal),
    );
  }

  /**
   * Ends open receives, releases what was on its way to them, for up to a few seconds, and disconnects. Messages that were returned must be settled before: later they are
   * redelivered when their invisible duration is over, as is what the server, or the transport `grpc-js`, drops of an answer to a receive that has just ended. Repeated calls
   * wait for the same end. In an ordered group, a real server serves receives that have ended in this way until their polling time is over: each of them that takes a message meanwhile
   * costs it an attempt, so let open receives end before you close the consumer.
   */
  close(): Promise<void> {
    const { state } = this;
    if (state.kind === 'closed') return state.closed;
    const ready = state.kind === 'started' ? state.ready : Promise.resolve();
    this.closing.abort(closedError());
    const closed = state.kind === 'failed' ? state.closed : ready.catch(() => {}).then(() => this.end());
    this.state = { kind: 'closed', closed };
    return closed;
  }

  private async end(): Promise<void> {
    await this.receivesEnded();
    await this.client.close();
  }

  private tracked<T>(work: Promise<T>): Promise<T> {
    const ended = work.then(
      () => void this.open.delete(ended),
      () => void this.open.delete(ended),
    );
    this.open.add(ended);
    return work;
  }

  private async receivesEnded(): Promise<void> {
    const ended = (): Promise<unknown> =>
      waitWithin('end of open receives', LAST_RELEASES_MS, undefined, Promise.all(this.open)).catch(() => {});
    await ended();
    // The receives may have begun releases.
    await ended();
  }

  private async begin(options: StartOptions): Promise<void> {
    const { timeoutMs = DEFAULT_START_MS, signal } = options;
    const what = `start of the consumer of "${this.options.consumerGroup}"`;
    const work = async (deadline: Deadline): Promise<void> => {
      await startConsumerClient(this.client, this.subscriptions, options, deadline);
      this.settings.started();
    };
    try {
      await withAnySignal([this.closing.signal, signal], (ended) => withNotedEffects(what, timeoutMs, ended, work));
    } catch (error) {
      // A start that has failed has cleaned up; close() then has nothing to wait for. A receive may have begun.
      this.closing.abort(closedError());
      const closed = this.end();
      const failure = didNotStart(`consumer of "${this.options.consumerGroup}"`, error);
      if (this.state.kind === 'started') this.state = { kind: 'failed', error: failure, closed };
      await closed;
      throw error;
    }
  }

  private async change(what: string, options: CallOptions, work: (deadline: Deadline) => Promise<void>): Promise<void> {
    assertCall(options);
    this.assertStarted();
    await this.start();
    await this.subscriptions.inTurn(what, { ...options, closing: this.closing.signal }, work);
  }

  private receiveRequest(queue: Queue, subscription: Subscription, invisibleMs: number, longPollingTimeoutMs: number) {
    return {
      group: resource(this.connection.namespace, this.options.consumerGroup),
      messageQueue: queue.wire,
      filterExpression: toWireFilter(subscription.filter),
      autoRenew: false,
      invisibleDuration: toDuration(invisibleMs),
      longPollingTimeout: toDuration(longPollingTimeoutMs),
    };
  }

  /** One after another: together they could decompress to many times the limit. */
  private async received({ endpoint }: Queue, wires: readonly WireMessage[]): Promise<ReceivedMessage[]> {
    const { maxUnpackedBytes = DEFAULT_MAX_UNPACKED_BYTES } = this.options;
    const messages: ReceivedMessage[] = [];
    let [heldBytes, largestBytes] = [0, 0];
    for (const wire of wires) {
      if (heldBytes > this.maxBufferedBytes || this.closing.signal.aborted) break;
      const incoming = incomingMessage(wire);
      const { message, bodyProblem } = incoming.isPacked
        ? await unpackedMessage(incoming.message, maxUnpackedBytes)
        : incoming;
      heldBytes += message.body.length;
      largestBytes = Math.max(largestBytes, message.body.length);
      const received = { ...message, bodyProblem };
      this.endpoints.set(received, endpoint);
      messages.push(received);
    }
    if (messages.length > 0) this.expected.learn(largestBytes);
    return messages;
  }

  /** Makes a message that is not returned visible at once. When that fails, it is visible when its invisible duration is over. */
  private release(wire: WireMessage, endpoint: Endpoint): void {
    const { messageId = '', receiptHandle: handle = '' } = wire.systemProperties ?? {};
    const topic = wire.topic?.name ?? '';
    const receipt = { topic, messageId, handle, endpoint };
    const suspend = !this.settings.isOrdered(endpoint) && this.client.announces('suspends', endpoint);
    const postponement = { invisibleDurationMs: 0, suspend };
    const released = this.calls.changeInvisibleDuration(receipt, postponement).catch((error) => {
      const fields = { topic, messageId, error: describeError(error) };
      this.connection.logger.debug('a message that was not returned could not be released', fields);
    });
    void this.tracked(released);
  }

  /** One queue of each broker: the server pops from all queues of a broker, whichever is named. */
  private async nextQueue(topic: string, deadline: Deadline): Promise<Queue> {
    const { queues } = await this.client.route(topic, deadline);
    const brokers = new Map<string, Queue>();
    for (const queue of queues) {
      const key = `${queue.brokerName} ${endpointKey(queue.endpoint)}`;
      if (queue.readable && queue.brokerId === 0 && !brokers.has(key)) brokers.set(key, queue);
    }
    const candidates = [...brokers.values()];
    const turn = this.turns.get(topic) ?? 0;
    this.turns.set(topic, turn + 1);
    const queue = candidates[turn % candidates.length];
    if (queue === undefined) {
      throw new StateError('NO_READABLE_QUEUE', `topic "${topic}" has no readable queue; nothing was received`);
    }
    return queue;
  }

  private subscriptionOf(topic: string | undefined): Subscription {
    const { topics } = this.subscriptions;
    const found = this.subscriptions.of(topic ?? topics[this.receives++ % topics.length] ?? '');
    if (found !== undefined) return found;
    throw new UsageError('NOT_SUBSCRIBED', `this consumer does not subscribe to topic "${topic}"`, 'topic');
  }

  private settle<T>(
    operation: SettleOperation,
    messages: readonly ReceivedMessage[],
    work: () => Promise<T>,
  ): Promise<T> {
    const { telemetry } = this;
    return telemetry === undefined || messages.length === 0 ? work() : telemetry.settle(operation, messages, work);
  }

  private receiptOf(message: ReceivedMessage): Receipt {
    this.assertStarted();
    const endpoint = this.endpoints.get(message);
    if (endpoint === undefined) {
      const problem = `message ${message?.messageId} was not received by this consumer; pass the object that receive() returned`;
      throw new UsageError('FOREIGN_MESSAGE', problem, 'message');
    }
    const { topic, messageId, receiptHandle } = message;
    return { topic, messageId, handle: receiptHandle, endpoint };
  }

  private assertStarted(): void {
    if (this.state.kind === 'closed') throw closedError();
    if (this.state.kind === 'failed') throw this.state.error;
    if (this.state.kind === 'idle') {
      throw new StateError(
        'NOT_STARTED',
        'the consumer is not started; nothing was sent; call start() and await it first',
      );
    }
  }
}

/** @throws UsageError unless the value is in the range, limits included */
function within(field: string, value: number, least: number, most: number): number {
  const problem = numberFrom(least, most)(value);
  if (problem === undefined) return value;
  throw new UsageError('ILLEGAL_OPTION', `${field} ${problem}; nothing was sent`, field);
}

function closedError(): StateError {
  return new StateError('CLOSED', 'the consumer is closed; nothing was sent');
}
