// The producer: its lifecycle, sends, recalls and transactions.
// Over 300 lines for the documentation of its public methods.

import { Client } from '../client/client.js';
import type { ClientRole } from '../client/client-role.js';
import type { Connection } from '../client/connection.js';
import { type CloseOptions, closeRejection, type StartOptions, startRejection } from '../client/lifecycle-options.js';
import { observedClient } from '../client/observed-client.js';
import { didNotStart } from '../client/resource-errors.js';
import type { SessionHealth } from '../client/session-events.js';
import { ClientType } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { DELAY_RELAY } from '../protocol/model/delay-chain.js';
import { LIMITS } from '../protocol/model/limits.js';
import type { MessageType, OutgoingMessage } from '../protocol/model/message.js';
import { assertMessageTypes } from '../protocol/model/message-checks.js';
import { withAnySignal } from '../support/abort.js';
import { SECOND_MS } from '../support/clock.js';
import { type CallOptions, Deadline, waitWithin, withDeadline, withNotedEffects } from '../support/deadline.js';
import { StateError, UsageError } from '../support/errors.js';
import {
  anyFunction,
  assertCall,
  assertOptions,
  CALL_CHECKS,
  checkedElsewhere,
  describe,
  rejected,
} from '../support/options.js';
import { ActiveCalls } from './active-calls.js';
import { onewaySend } from './oneway.js';
import { PRODUCER_CHECKS, type ProducerOptions } from './producer-options.js';
import type { ProducerTelemetry } from './producer-telemetry.js';
import { Backpressure } from './sending/backpressure.js';
import { BatchSafety } from './sending/batching.js';
import { BodyPacker, type CompressionOptions } from './sending/compression.js';
import { DelayRelay } from './sending/delay-relay.js';
import { DurabilityWatch, orStored } from './sending/durability.js';
import { assertTypes, EncodingMessage } from './sending/encoding-message.js';
import { Interceptors } from './sending/interceptors.js';
import { adoptSettings, publishingSettings } from './sending/publishing-settings.js';
import { type RecallTarget, recallMessage } from './sending/recall.js';
import { SendAttempts, type SendPolicy } from './sending/send-attempts.js';
import { type BatchOptions, type BatchOutcome, sendBatch } from './sending/send-batch.js';
import { SendPipeline } from './sending/send-pipeline.js';
import { receiptOf, type SendReceipt } from './sending/send-request.js';
import type { Transaction } from './transactions/transaction.js';
import { TransactionCoordinator } from './transactions/transaction-coordinator.js';

/** How long a close waits for local transactions and transaction checkers by default. */
const DEFAULT_GRACE_MS = 20 * SECOND_MS;

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'started'; readonly ready: Promise<void> }
  /** Everything that was opened is closed, or is being closed. */
  | { readonly kind: 'failed'; readonly error: StateError; readonly closed: Promise<void> }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

const TRANSACT_CHECKS = { options: { ...CALL_CHECKS, message: checkedElsewhere } };

/** Sends messages. One producer serves a whole application; it can share its connection with other clients. */
export class Producer {
  private state: State = { kind: 'idle' };
  private readonly client: Client;
  private readonly pipeline: SendPipeline;
  private readonly policy: SendPolicy;
  private readonly transactions: TransactionCoordinator;
  private readonly telemetry: ProducerTelemetry | undefined;
  private readonly relay: DelayRelay | undefined;
  private readonly starting = new AbortController();
  /** Sends, half messages and recalls in flight; each has its own deadline. */
  private readonly calls = new ActiveCalls();
  /** Local transactions in progress, which have no deadline. */
  private readonly transacting = new ActiveCalls();

  /** @throws UsageError that names the option */
  constructor(
    private readonly connection: Connection,
    private readonly options: ProducerOptions = {},
  ) {
    assertOptions(options, PRODUCER_CHECKS);
    const { maxAttempts = 3, maxDelayMs = LIMITS.delayMs, queueSelector } = options;
    const delayLevels = options.delayLevels === 'chain' ? DELAY_RELAY : (options.delayLevels ?? 'exact');
    if (queueSelector !== undefined && connection.hasProxy) {
      const text =
        'cannot be used with a proxy, which chooses the queue itself; connect to name servers (endpoints: name-server:...), or leave it out';
      throw rejected('queueSelector', text);
    }
    const backoff = { kind: 'exponential', initialMs: 10, maxMs: 1_000, multiplier: 2 } as const;
    const maxBodyBytes = LIMITS.bodyBytes;
    this.policy = { maxAttempts, backoff, maxBodyBytes, maxDelayMs, delayLevels, queueSelector };
    this.client = new Client(connection, this.role());
    this.telemetry = options.telemetry?.producer(observedClient(connection, () => this.clientId));
    this.transactions = new TransactionCoordinator(this.client, options, this.telemetry);
    const backpressure = new Backpressure(options);
    const packer = new BodyPacker(options.compression, connection.hasProxy ? 'gzip' : 'zlib');
    const safety = new BatchSafety(options, connection.logger);
    const { requireDurable = false, events } = options;
    const watchers = { logger: connection.logger, events, telemetry: this.telemetry };
    const durability = new DurabilityWatch(requireDurable, watchers);
    const interceptors = new Interceptors(options.interceptors ?? [], connection.logger, this.telemetry);
    const attempts = new SendAttempts(this.client, this.policy, safety, durability);
    this.pipeline = new SendPipeline(this.client, this.policy, interceptors, backpressure, packer, attempts);
    if (typeof delayLevels === 'object' && !connection.hasProxy) {
      // The producer that accepted the message may have other limits, compress its body, and its interceptors have seen it.
      const policy = { ...this.policy, maxDelayMs: Number.POSITIVE_INFINITY, maxBodyBytes: Number.POSITIVE_INFINITY };
      const pipeline = new SendPipeline(
        this.client,
        policy,
        new Interceptors([], connection.logger),
        backpressure,
        new BodyPacker(compressionOfOthers(options), 'zlib'),
        attempts,
      );
      this.relay = new DelayRelay(connection, delayLevels, (message, signal) => this.sendOn(pipeline, message, signal));
    }
  }

  /** The client id of this producer. */
  get clientId(): string {
    return this.client.id;
  }

  /** The status of its sessions with servers: those that it has needed so far. */
  get sessions(): SessionHealth[] {
    return this.client.sessionHealth();
  }

  /** The health of its relay of delayed messages; undefined without one (`delayLevels`), and before it starts. */
  get relayHealth(): DelayRelay['health'] {
    return this.relay?.health;
  }

  /**
   * Connects, and checks the topics of the option `topics`. Later calls return the first result, and after a failed start a StateError `CLOSED`: create a
   * new producer to try again. Sending works without a start, but
   * then finds a wrong topic only at its first send. Only a started producer receives transaction checks.
   * @param options `timeoutMs` default: `requestTimeoutMs` × `maxAttempts`
   * @throws ResourceError when a topic is missing or of another type; the server's rejection of the settings; the last failure
   *   when the server stays unavailable
   */
  start(options: StartOptions = {}): Promise<void> {
    const rejection = startRejection(options);
    if (rejection !== undefined) return Promise.reject(rejection);
    if (this.state.kind === 'closed' || this.state.kind === 'failed') return Promise.reject(this.closedError());
    if (this.state.kind === 'idle') {
      // Deferred by a turn, so that a start that fails immediately finds the state that it changes.
      this.state = { kind: 'started', ready: Promise.resolve().then(() => this.begin(options)) };
    }
    return this.state.ready;
  }

  /**
   * Sends a message and waits until the server has stored it. Ordinary messages can share a request, see
   * `ProducerOptions.batching`; they then fail together, with one error.
   *
   * Messages of one message group or lite topic are stored in the order in which the calls of this producer were made, those of batches and
   * one-way sends included: each is sent when the one before it has ended. Behind one that failed, the next one is sent. Behind one whose
   * outcome is unknown, those that already wait are not sent (`EARLIER_MESSAGE_FAILED`).
   * @param options `timeoutMs` bounds the wait for earlier messages and all attempts together; default: `requestTimeoutMs` × `maxAttempts`
   * @throws UsageError before anything was sent; NotSentError `TOO_MANY_IN_FLIGHT` if `whenFull` is `reject`, `EARLIER_MESSAGE_FAILED`; StatusError or
   *   TransportError whose `outcome` says whether it may be stored
   */
  send(message: OutgoingMessage, options: CallOptions = {}): Promise<SendReceipt> {
    return this.sendEncoding(message, options);
  }

  /** @internal a message whose body may still be encoded */
  async sendEncoding(message: OutgoingMessage | EncodingMessage, options: CallOptions = {}): Promise<SendReceipt> {
    this.assertOpen();
    assertTypes(message);
    const deadline = new Deadline(`send to "${message.topic}"`, this.timeoutMs(options), options.signal);
    this.calls.begin();
    try {
      return receiptOf(await this.pipeline.send(message, 'send', deadline));
    } finally {
      deadline.dispose();
      this.calls.end();
    }
  }

  /**
   * Sends messages of any topics and sizes, each like {@link send}, and returns the outcome of each, in the given order. All are
   * validated before the first one is sent, or in their turn if there are interceptors; an invalid one fails alone. Messages of one
   * message group are sent one after another: when one fails or is invalid, the later ones of its group are not sent
   * (`EARLIER_MESSAGE_FAILED`). Messages whose turn has not come when the caller aborts or the producer closes are not sent.
   * @throws UsageError for a wrong option, StateError once closed; nothing was sent
   */
  sendBatch(messages: readonly OutgoingMessage[], options: BatchOptions = {}): Promise<BatchOutcome[]> {
    return this.sendEncoded(messages, options);
  }

  /** @internal a batch that can contain messages whose bodies are still encoded */
  async sendEncoded(
    messages: readonly (OutgoingMessage | EncodingMessage)[],
    options: BatchOptions = {},
  ): Promise<BatchOutcome[]> {
    this.assertOpen();
    const sending = sendBatch(messages, options, {
      sendTimeoutMs: this.timeoutMs({}),
      assertOpen: () => this.assertOpen(),
      prepare: (message) => this.pipeline.ofBatch(message),
    });
    return this.calls.track(sending);
  }

  /**
   * Queues a message as soon as there is room for it, and does not wait for the server. It is then sent like any other, with the same
   * attempts and timeout; a failure is logged and reported to `events.onOnewayFailed`. `close` waits for it.
   * @param options bound the whole send, as in {@link send}
   * @throws UsageError, StateError, NotSentError `TOO_MANY_IN_FLIGHT`; while it waits for room, TransportError
   *   `DEADLINE_EXCEEDED` or the caller's reason. Nothing was sent
   */
  sendOneway(message: OutgoingMessage, options: CallOptions = {}): Promise<void> {
    return this.sendOnewayEncoding(message, options);
  }

  /** @internal a message whose body may still be encoded */
  async sendOnewayEncoding(message: OutgoingMessage | EncodingMessage, options: CallOptions = {}): Promise<void> {
    this.assertOpen();
    assertTypes(message);
    const deadline = new Deadline(`one-way send to "${message.topic}"`, this.timeoutMs(options), options.signal);
    const messageId = message.messageId ?? this.pipeline.newMessageId();
    const watchers = { logger: this.connection.logger, events: this.options.events };
    const named = message instanceof EncodingMessage ? message.withId(messageId) : { ...message, messageId };
    const { accepted, ended } = onewaySend({ topic: message.topic, messageId }, watchers, async (onAdmitted) =>
      this.pipeline.send(named, 'oneway', deadline, { onAdmitted }),
    );
    void this.calls.track(ended.finally(() => deadline.dispose()));
    await accepted;
  }

  /**
   * Recalls a delayed message before it is due. The server also answers OK if the message was already recalled; once it was due, the
   * server rejects.
   * @throws StatusError when the server rejects; recall is disabled there by default (`recallMessageEnable` of the broker)
   */
  recall(target: RecallTarget, options: CallOptions = {}): Promise<{ readonly messageId: string }> {
    const wrong = (['topic', 'recallHandle'] as const).find((field) => typeof target?.[field] !== 'string');
    if (wrong !== undefined) {
      const text = `${wrong} of the message to recall must be a string, not ${describe(target?.[wrong])}; nothing was sent`;
      return Promise.reject(new UsageError('ILLEGAL_OPTION', text, wrong));
    }
    const what = `recall of a message on "${target.topic}"`;
    return this.run(what, options, (deadline) => recallMessage(this.client, target, deadline));
  }

  /**
   * Sends a half message, which is not delivered until the transaction commits. Prefer {@link transact}.
   * @throws UsageError `NO_TRANSACTION_CHECKER` when the topic has none; otherwise like `send`
   */
  async beginTransaction(message: OutgoingMessage, options: CallOptions = {}): Promise<Transaction> {
    this.assertOpen();
    return this.sendHalf(message, options);
  }

  /**
   * Runs `work` as the local transaction of a message. With `message`, the half message is sent first; without it, `work` must call
   * `currentLocalTransaction().prepare()`, or nothing is sent. Returning commits, unless `currentLocalTransaction().rollback()` was called.
   * Throwing calls the checker immediately: its answer ends the transaction, `unknown` leaves it to the server's check, and the error
   * is rethrown. After its checks (15 by default, about 7.5 minutes) the server gives up a half message without an answer, and does not
   * deliver it: `RocketMQAdmin.givenUpHalfMessages()`.
   */
  async transact<T>(options: CallOptions & { readonly message?: OutgoingMessage }, work: () => Promise<T>): Promise<T> {
    this.assertOpen();
    assertOptions(options, TRANSACT_CHECKS);
    if (typeof work !== 'function') throw rejected('work', anyFunction(work) ?? '');
    const { message, ...call } = options;
    // A running local transaction may still prepare while the producer closes: its half message is part of it.
    const half = (given: OutgoingMessage): Promise<Transaction> => this.sendHalf(given, call);
    const transact = (): Promise<T> => this.transactions.transact(message, half, work, options.signal);
    return this.transacting.track(this.telemetry?.transact(message?.topic, transact) ?? transact());
  }

  /**
   * Rejects new work, waits for calls in flight (each has its own deadline), and disconnects. The connection stays open.
   * Later calls wait for the same end.
   * Transaction checks that arrive meanwhile, and those that wait for their turn, are left to the server's next check.
   * @param options `shutdownGraceMs`: local transactions and transaction checkers that run longer are left to the server's check; the signals of
   *   the checkers fire. Default 20 s, in real time
   */
  close(options: CloseOptions = {}): Promise<void> {
    const rejection = closeRejection(options);
    if (rejection !== undefined) return Promise.reject(rejection);
    const { shutdownGraceMs = DEFAULT_GRACE_MS } = options;
    if (this.state.kind === 'closed') return this.state.closed;
    const { state } = this;
    const ready = state.kind === 'started' ? state.ready : Promise.resolve();
    this.starting.abort(this.closedError());
    const closed = state.kind === 'failed' ? state.closed : ready.catch(() => {}).then(() => this.end(shutdownGraceMs));
    this.state = { kind: 'closed', closed };
    return closed;
  }

  private async begin(options: StartOptions): Promise<void> {
    try {
      const topics = new Map<string, MessageType | undefined>(Object.entries(this.options.topics ?? {}));
      for (const topic of this.transactions.topics) topics.set(topic, 'transaction');
      const timeoutMs = this.timeoutMs({ timeoutMs: options.timeoutMs });
      await withAnySignal([options.signal, this.starting.signal], (signal) =>
        withNotedEffects('start of the producer', timeoutMs, signal, (deadline) =>
          this.client.start(topics, deadline, options),
        ),
      );
      await withAnySignal([options.signal, this.starting.signal], async (signal) =>
        this.relay?.start({ ...options, timeoutMs, signal }),
      );
    } catch (error) {
      // A failed start leaves no stream and no timer open.
      const closed = this.end(0);
      if (this.state.kind === 'started') this.state = { kind: 'failed', error: didNotStart('producer', error), closed };
      await closed;
      throw error;
    }
  }

  private async end(shutdownGraceMs: number): Promise<void> {
    const { logger } = this.connection;
    const transacted = this.transacting.whenIdle();
    const relayed = this.relay?.close({ shutdownGraceMs });
    // In the same grace period: two in a row would take twice the time that the caller allowed.
    const answered = this.transactions.closeAnswers(shutdownGraceMs);
    await waitWithin('local transactions', Math.max(0, shutdownGraceMs), undefined, transacted).catch(() => {
      logger.warn('the producer is closing while local transactions are running; the server will check how they ended');
      this.transactions.giveUp();
    });
    await relayed;
    await this.calls.whenIdle();
    await this.transactions.drain();
    await answered;
    await this.client.close();
  }

  private sendOn(pipeline: SendPipeline, message: OutgoingMessage, signal: AbortSignal): Promise<unknown> {
    const what = `send of delayed message ${message.messageId} to "${message.topic}"`;
    const sending = this.call(what, { signal }, (deadline) =>
      pipeline.send(message, 'send', deadline, { whenFull: 'wait' }),
    );
    return sending.catch(orStored);
  }

  private async sendHalf(message: OutgoingMessage, options: CallOptions): Promise<Transaction> {
    assertMessageTypes(message);
    return this.call(`half message to "${message.topic}"`, options, (deadline) =>
      this.transactions.begin(message, (mark) => this.pipeline.half(message, deadline, mark, this.transactions)),
    );
  }

  private async run<T>(what: string, options: CallOptions, work: (deadline: Deadline) => Promise<T>): Promise<T> {
    this.assertOpen();
    return this.call(what, options, work);
  }

  private async call<T>(what: string, options: CallOptions, work: (deadline: Deadline) => Promise<T>): Promise<T> {
    return this.calls.track(withDeadline(what, this.timeoutMs(options), options.signal, work));
  }

  private assertOpen(): void {
    if (this.state.kind === 'closed' || this.state.kind === 'failed') throw this.closedError();
  }

  private closedError(): StateError {
    if (this.state.kind === 'failed') return this.state.error;
    return new StateError('CLOSED', 'the producer is closed; nothing was sent');
  }

  /** @throws UsageError for an illegal option */
  private timeoutMs(options: CallOptions): number {
    assertCall(options);
    return options.timeoutMs ?? this.connection.requestTimeoutMs * this.policy.maxAttempts;
  }

  private role(): ClientRole {
    return {
      type: ClientType.PRODUCER,
      settings: () => publishingSettings(this.connection.namespace, this.policy.maxAttempts, this.transactions.topics),
      onSettings: (settings) => {
        adoptSettings(this.policy, settings);
        return false;
      },
      onCommand: (command, endpoint) => this.transactions.take(command, endpoint),
      events: this.options.events,
    };
  }
}

/** How the relay compresses: as this producer does, and what would not fit otherwise. */
function compressionOfOthers({ compression }: ProducerOptions): CompressionOptions {
  const tooLarge = LIMITS.bodyBytes + 1;
  const { thresholdBytes, ...rest } = compression ?? { thresholdBytes: tooLarge, level: 9 };
  return thresholdBytes === undefined ? rest : { ...rest, thresholdBytes: Math.min(thresholdBytes, tooLarge) };
}
