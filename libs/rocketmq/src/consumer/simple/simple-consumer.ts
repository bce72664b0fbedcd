// The simple consumer: the application receives messages and settles each itself. No handler, no renewal, no failure policy.
// Over 300 lines for the documentation of its public methods.

import type { Client } from '../../client/client.js';
import type { Connection } from '../../client/connection.js';
import { type StartOptions, startRejection } from '../../client/lifecycle-options.js';
import { observedClient } from '../../client/observed-client.js';
import { didNotStart } from '../../client/resource-errors.js';
import { ClientType } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { LIMITS } from '../../protocol/model/limits.js';
import { withAnySignal } from '../../support/abort.js';
import { type CallOptions, type Deadline, withNotedEffects } from '../../support/deadline.js';
import { StateError, UsageError } from '../../support/errors.js';
import { assertCall, assertOptions, describe, rejected } from '../../support/options.js';
import { type Receipt, ReceiptCalls } from '../lease/receipt-calls.js';
import type { SettleOperation, SimpleConsumerTelemetry } from '../model/consumer-telemetry.js';
import { GroupSettings } from '../model/group-settings.js';
import type { RetryLaterOptions } from '../model/outcome-errors.js';
import { assertGroupSubscription, assertSubscription, assertTopic, type Subscription } from '../model/subscription.js';
import { consumerClient, DEFAULT_START_MS, startConsumerClient } from '../receive/consumer-client.js';
import { SubscriptionSet } from '../receive/subscription-set.js';
import { type AckOutcome, ackBatch } from './ack-batch.js';
import {
  CHANGE_CHECKS,
  RECEIVE_CHECKS,
  type ReceiveOptions,
  receiveLimitsOf,
  SETTLE_CHECKS,
  SIMPLE_CONSUMER_CHECKS,
  type SimpleConsumerOptions,
  within,
} from './simple-consumer-options.js';
import { closedError, type ReceivedMessage, SimpleReceives } from './simple-receives.js';

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'started'; readonly ready: Promise<void> }
  /** Everything that was opened is closed, or is being closed. */
  | { readonly kind: 'failed'; readonly error: StateError; readonly closed: Promise<void> }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

/** Receives messages of a consumer group on demand. Messages that are not settled in time are redelivered. */
export class SimpleConsumer {
  private state: State = { kind: 'idle' };
  private readonly client: Client;
  private readonly calls: ReceiptCalls;
  private readonly telemetry: SimpleConsumerTelemetry | undefined;
  private readonly subscriptions: SubscriptionSet;
  private readonly closing = new AbortController();
  private readonly longPollingTimeoutMs: number;
  private readonly settings: GroupSettings;
  private readonly receives: SimpleReceives;
  /** Receives that named no topic. */
  private turns = 0;

  /** @throws UsageError that names the invalid option; nothing is sent yet */
  constructor(
    connection: Connection,
    private readonly options: SimpleConsumerOptions,
  ) {
    assertOptions(options, { options: SIMPLE_CONSUMER_CHECKS });
    assertGroupSubscription(options);
    this.longPollingTimeoutMs = options.longPollingTimeoutMs ?? LIMITS.longPollingMaxMs;
    this.subscriptions = new SubscriptionSet(options);
    this.settings = new GroupSettings({
      consumerGroup: options.consumerGroup,
      logger: connection.logger,
      command: connection.command,
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
      { consumerGroup, held: () => [], heldUpQueues: () => 0 },
    );
    this.telemetry = options.telemetry?.simpleConsumer(observed);
    const { client, calls, settings, telemetry } = this;
    this.receives = new SimpleReceives({ client, calls, settings, options, telemetry, closing: this.closing.signal });
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
    const rejection = startRejection(options);
    if (rejection !== undefined) return Promise.reject(rejection);
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
    const limits = receiveLimitsOf(options, this.longPollingTimeoutMs);
    this.assertStarted();
    return this.receives.receive(subscription, limits, options.signal);
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
    if (!Array.isArray(messages)) throw rejected('messages', `must be a list of messages, not ${describe(messages)}`);
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
    await this.receives.ended();
    await this.client.close();
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
      const failure = didNotStart(`consumer of "${this.options.consumerGroup}"`, error);
      this.closing.abort(failure);
      const closed = this.end();
      if (this.state.kind === 'started') this.state = { kind: 'failed', error: failure, closed };
      await closed;
      throw error;
    }
  }

  private async change(what: string, options: CallOptions, work: (deadline: Deadline) => Promise<void>): Promise<void> {
    assertCall(options);
    this.assertStarted();
    const started = this.start();
    await this.subscriptions.inTurn(what, { ...options, closing: this.closing.signal, started }, work);
  }

  private subscriptionOf(topic: string | undefined): Subscription {
    const { topics } = this.subscriptions;
    const found = this.subscriptions.of(topic ?? topics[this.turns++ % topics.length] ?? '');
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
    const endpoint = this.receives.endpointOf(message);
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
