// The life of a push consumer: its start and end, its subscriptions, its pauses. message-flow.ts processes the
// messages.
// Over 300 lines for the documentation of its public methods.

import type { Client } from '../client/client.js';
import type { Connection } from '../client/connection.js';
import { type Endpoint, endpointKey } from '../client/endpoint.js';
import { type CloseOptions, closeRejection, type StartOptions, startRejection } from '../client/lifecycle-options.js';
import { observedClient } from '../client/observed-client.js';
import { didNotStart } from '../client/resource-errors.js';
import type { Queue } from '../client/route.js';
import type { ServerCommand } from '../client/server-commands.js';
import { ClientType } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { HeldUpQueue } from '../protocol/grpc/session-message.js';
import { onAbort } from '../support/abort-source.js';
import { SECOND_MS, SystemClock } from '../support/clock.js';
import { type CallOptions, type Deadline, withNotedEffects } from '../support/deadline.js';
import { StateError, UsageError } from '../support/errors.js';
import { assertCall, checkedPositiveInteger, describe, rejected } from '../support/options.js';
import { type ConsumerHealth, heldUpText } from './consumer-health.js';
import { Verification } from './dispatch/verify-message.js';
import { misfit, policyInForce } from './listeners/listener-fit.js';
import { MessageFlow } from './message-flow.js';
import type { ConsumerContext } from './model/consumer-context.js';
import { ConsumerReporter } from './model/consumer-events.js';
import type { ObservedConsumer, PushConsumerTelemetry } from './model/consumer-telemetry.js';
import { GroupSettings } from './model/group-settings.js';
import { liteConsumerSettings } from './model/settings.js';
import { assertSubscription, assertTopic, type Subscription } from './model/subscription.js';
import {
  assertPushConsumerOptions,
  type PushConsumerOptions,
  type ResolvedOptions,
  resolveOptions,
} from './push-consumer-options.js';
import { AssignmentWatcher } from './receive/assignment-watcher.js';
import { consumerClient, DEFAULT_START_MS, startConsumerClient } from './receive/consumer-client.js';
import { assertLiteTopic, LiteSubscriptions } from './receive/lite-subscriptions.js';
import { SubscriptionSet } from './receive/subscription-set.js';

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'started'; readonly ready: Promise<void> }
  /** Everything that was opened is closed, or is being closed. */
  | { readonly kind: 'failed'; readonly error: StateError; readonly closed: Promise<void> }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

const DEFAULT_GRACE_MS = 20 * SECOND_MS;

/**
 * Receives the messages of a consumer group and passes each to a handler. A message is acknowledged after its handler has
 * succeeded, and redelivered in every other case until it is dead-lettered. It may be delivered twice; handlers must tolerate that.
 */
export class PushConsumer {
  private state: State = { kind: 'idle' };
  private readonly options: ResolvedOptions;
  private readonly subscriptions: SubscriptionSet;
  private readonly client: Client;
  private readonly ioClock = new SystemClock();
  private readonly telemetry: PushConsumerTelemetry | undefined;
  private readonly flow: MessageFlow;
  private readonly watcher: AssignmentWatcher;
  /** Undefined for a consumer of ordinary topics. */
  private readonly lite: LiteSubscriptions | undefined;
  private heldUp: readonly HeldUpQueue[] = [];
  private readonly closing = new AbortController();
  private readonly verification: Verification;
  private readonly settings: GroupSettings;

  /** @throws UsageError that names the invalid option; nothing is sent yet */
  constructor(connection: Connection, options: PushConsumerOptions) {
    assertPushConsumerOptions(options);
    const { clock, random, logger } = connection;
    this.telemetry = options.telemetry?.pushConsumer(this.observed(connection, options.consumerGroup));
    this.options = resolveOptions(options, {
      telemetry: this.telemetry,
      ioClock: this.ioClock,
      limits: { random, clock, logger, closing: this.closing.signal },
    });
    assertConsumption(this.options, connection);
    this.subscriptions = new SubscriptionSet(this.options);
    const { consumerGroup, events, listeners, liteTopics, maxUnpackedBytes, requireFifo } = this.options;
    this.settings = new GroupSettings({
      consumerGroup,
      logger,
      command: connection.command,
      requireFifo,
      read: liteTopics && liteConsumerSettings,
      misfit: (server, settings) => misfit(consumerGroup, listeners.all, server, settings),
      // A broker that joins is polled before a route names it.
      nameOf: (server) => this.client.nameOf(server, this.flow.brokersAt(endpointKey(server))),
      refresh: () => this.client.refreshSettings(),
    });
    this.client = consumerClient(connection, {
      type: liteTopics === undefined ? ClientType.PUSH_CONSUMER : ClientType.LITE_PUSH_CONSUMER,
      group: this.subscriptions,
      settings: this.settings,
      consumption: this.options.mode === 'broadcast' ? 'broadcast' : this.options.consume,
      onSettings: () => this.lite?.settingsAnswered(),
      onCommand: (command, endpoint) => this.onCommand(command, endpoint),
      report: () => [...this.flow.report(), ...this.heldUp.map(heldUpText)],
      events,
    });
    const context: ConsumerContext = {
      client: this.client,
      consumerGroup,
      clock,
      ioClock: this.ioClock,
      random,
      logger,
      report: new ConsumerReporter(events, connection, consumerGroup, this.telemetry),
      settings: (server) => this.settings.at(server),
      releasesFree: (server) => !this.settings.isOrdered(server) && this.client.announces('suspends', server),
    };
    this.verification = new Verification(context, { listeners, maxUnpackedBytes, forceSignal: this.closing.signal });
    this.flow = new MessageFlow(context, this.options, this.telemetry, (topic) => this.subscriptions.of(topic)?.filter);
    this.watcher = new AssignmentWatcher(context, {
      topics: () => this.subscriptions.topics,
      onAssigned: (topic, queues) => this.assign(topic, queues),
    });
    this.lite = liteTopics && this.makeLite(context, liteTopics);
  }

  /** The id by which the server knows this consumer. */
  get clientId(): string {
    return this.client.id;
  }

  /** Whether the group is ordered on the servers, or on one of them where they differ; known once started. */
  get isFifo(): boolean {
    return this.settings.isOrdered();
  }

  /** Its health: its sessions, what it receives from, and what it holds. */
  get health(): ConsumerHealth {
    const { clientId, client, flow, subscriptions, options } = this;
    const { count, oldestAtMs } = flow.held;
    const nowMs = client.connection.clock.monotonicMs();
    const ageMs = (atMs: number | undefined): number => (atMs === undefined ? 0 : Math.round(nowMs - atMs));
    return {
      clientId,
      consumerGroup: options.consumerGroup,
      sessions: client.sessionHealth(),
      topics: subscriptions.topics.map((topic) => flow.topicHealth(topic)),
      unsettled: count,
      settleLagMs: ageMs(oldestAtMs),
      longestHandlerMs: ageMs(flow.handlerSinceMs),
      heldUp: this.heldUp,
      groupPause: flow.groupPause.pause,
      limited: options.listeners.all.flatMap(({ name, limiter }) => (limiter?.isUsedUp(nowMs) ? [name] : [])),
      limitError: options.listeners.all.flatMap(({ limiter }) => limiter?.problem ?? [])[0],
    };
  }

  /** Whether this topic is paused, or, without a topic, every topic. */
  isPaused(topic?: string): boolean {
    const topics = topic === undefined ? this.subscriptions.topics : [topic];
    return topics.every((one) => this.flow.pauses.isPaused(one));
  }

  /**
   * Starts no further poll and no further handler, of one topic or of all. Running handlers continue and are settled; the open
   * poll ends by itself. Held messages that no handler has started are released when the last poll has ended, where that
   * costs no attempt: ordinary groups of servers that know `suspend` (5.5.0). Otherwise, and always in ordered groups, they are
   * kept and their leases renewed, until {@link resume} or the end. Repeated calls do nothing; it can be called before the start.
   * @throws UsageError when the topic is not subscribed to
   */
  pause(topic?: string): void {
    this.assertSubscribed(topic);
    this.flow.pauses.pause(topic);
  }

  /**
   * Continues after {@link pause}, with one topic or with all. Repeated calls do nothing.
   * @throws UsageError when the topic is not subscribed to
   */
  resume(topic?: string): void {
    this.assertSubscribed(topic);
    const others = this.subscriptions.topics.filter((other) => other !== topic);
    this.flow.pauses.resume(topic, others);
  }

  /** Whether this listener is paused, by name or because its topic is. @throws UsageError when no listener has this name */
  isListenerPaused(name: string): boolean {
    const { topic } = this.options.listeners.named(name);
    return this.flow.listenerTurns.isPaused(name) || (topic !== undefined && this.isPaused(topic));
  }

  /**
   * Starts no further handler of this listener; the others continue. Alone on its topic it acts as {@link pause} of the topic. On a
   * shared topic the polls continue for the others: its messages are released for 10 s at a time where that costs no attempt,
   * otherwise they are kept and use the room for messages of that topic. Repeated calls do nothing.
   * @throws UsageError when no listener has this name
   */
  pauseListener(name: string): void {
    const topic = this.topicOfItsOwn(name);
    if (topic === undefined) this.flow.listenerTurns.pause(name);
    else this.pause(topic);
  }

  /** Continues after {@link pauseListener}. @throws UsageError when no listener has this name */
  resumeListener(name: string): void {
    const topic = this.topicOfItsOwn(name);
    if (topic === undefined) this.flow.listenerTurns.resume(name);
    else this.resume(topic);
  }

  /** How many handlers of this listener may run at once, and how many messages they have, which for batches includes those that wait for their batch; and whether `rateLimit` or `groupConcurrency` lets none begin now. @throws UsageError when no listener has this name */
  listenerLoad(name: string): { readonly concurrency: number; readonly running: number; readonly isLimited: boolean } {
    const { slots, limiter } = this.options.listeners.named(name);
    const isLimited = limiter?.isUsedUp(this.client.connection.clock.monotonicMs()) ?? false;
    return { concurrency: slots.concurrency, running: this.flow.running(name), isLimited };
  }

  /**
   * Changes how many handlers of this listener may run at once, until the end of this consumer. Running handlers continue, also when they
   * are more.
   * @throws UsageError when no listener has this name; `ILLEGAL_OPTION` when it is no positive integer, or more than the listener's part of
   *   `maxBufferedMessages`
   */
  setConcurrency(name: string, concurrency: number): void {
    checkedPositiveInteger('concurrency', concurrency);
    const listener = this.options.listeners.named(name);
    const { messagesEach } = listener.slots;
    // What it was started with is never rejected, though the buffer may be too small for it.
    const most = Math.floor(Math.max(this.flow.roomOf(listener), listener.permits) / messagesEach);
    if (concurrency > most) {
      const text = `concurrency is ${concurrency}; listener ${name} has room for ${most}, so more would have no effect; start it with a larger maxBufferedMessages`;
      throw new UsageError('ILLEGAL_OPTION', text, 'concurrency');
    }
    listener.slots.resize(concurrency);
  }

  /**
   * Adds a topic, or changes the filter of one. Resolves when every server knows it; polls use it only after that. An open poll
   * still uses the previous filter, for the long-polling time at most. On failure nothing has changed, except
   * that a server that accepted the change forgets it at the next refresh of the settings.
   * With `maxBufferedMessages` of 32 or less, the first poll of a new topic may wait for an open one as well: it holds the room.
   * All consumers of the group must have the same subscriptions.
   * @param options `timeoutMs` in milliseconds, default 10 s
   * @throws ResourceError when the topic does not exist; StatusError or TransportError when a server rejects it or is unreachable
   */
  async subscribe(subscription: Subscription, options: CallOptions = {}): Promise<void> {
    assertSubscription(subscription);
    const { topic } = subscription;
    await this.change(`subscription to "${topic}"`, options, async (deadline) => {
      const isNew = this.subscriptions.of(topic) === undefined;
      const undo = await this.subscriptions.add(this.client, { ...subscription }, deadline);
      if (!isNew) return;
      await this.watcher.add(topic, deadline).catch((error: unknown) => {
        undo();
        throw error;
      });
      // Last: otherwise messages held from an earlier subscription would be handled although this one failed.
      this.flow.pauses.join(topic);
    });
  }

  /**
   * Unsubscribes from a topic: from now on no handler starts for it. Running handlers continue and are settled; the open poll ends
   * by itself, and held messages are released then, at the cost of an attempt as described at {@link pause}. Resolves when every
   * server knows it. Does nothing for a topic that is not subscribed to.
   * @param options `timeoutMs` in milliseconds, default 10 s
   * @throws UsageError for the last topic; StatusError or TransportError when a server rejects it or is unreachable: the topic is
   *   unsubscribed nevertheless, and the server learns it at the next refresh of the settings
   */
  async unsubscribe(topic: string, options: CallOptions = {}): Promise<void> {
    assertTopic(topic);
    await this.change(`end of the subscription to "${topic}"`, options, async (deadline) => {
      if (!this.subscriptions.remove(topic)) return;
      this.flow.pauses.leave(topic);
      this.flow.assign(topic, []);
      await this.client.syncSettings(deadline);
    });
  }

  /** The lite topics that it subscribes to; empty for a consumer of ordinary topics. */
  get liteTopics(): readonly string[] {
    return this.lite?.names ?? [];
  }

  /**
   * Subscribes to a lite topic, which need not exist yet. A group that has not received from it before starts with its first message.
   * Does nothing when it is subscribed to.
   * @param options `timeoutMs` in milliseconds, default 10 s
   * @throws UsageError `ILLEGAL_LITE_TOPIC`, `LITE_SUBSCRIPTION_QUOTA_EXCEEDED`, or `NO_LITE_CONSUMER` without the option `liteTopics`;
   *   StatusError or TransportError when a server rejects it or is unreachable: it is not subscribed to, and a server that accepted it
   *   forgets it within 30 s
   */
  async subscribeLite(liteTopic: string, options: CallOptions = {}): Promise<void> {
    assertCall(options);
    assertLiteTopic(liteTopic, 'liteTopic');
    await this.requireLite().add(liteTopic, options);
  }

  /**
   * Unsubscribes from a lite topic. Messages that were received before are still handled. Does nothing for one that is not subscribed to.
   * @param options `timeoutMs` in milliseconds, default 10 s
   * @throws UsageError `NO_LITE_CONSUMER` without the option `liteTopics`; StatusError or TransportError when a server rejects it or is
   *   unreachable: it is unsubscribed nevertheless, and the server learns it within 30 s
   */
  async unsubscribeLite(liteTopic: string, options: CallOptions = {}): Promise<void> {
    assertCall(options);
    assertLiteTopic(liteTopic, 'liteTopic');
    await this.requireLite().remove(liteTopic, options);
  }

  /**
   * Looks up topics and group and starts to receive. A repeated call returns the promise of the first one, and after a failed start a StateError
   * `CLOSED`: create a new consumer to try again.
   * @param options `timeoutMs` in milliseconds, default 10 s
   * @throws ResourceError when topics or the group do not exist, all in one error, or the group has no attempts, or is not ordered on one of the servers
   *   although `requireFifo` is set
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

  /** @internal Looks up topics and group like {@link start}, receives nothing, and closes. @throws as start */
  async check(options: StartOptions): Promise<void> {
    try {
      await this.within(options, (deadline) => this.find(deadline, options));
    } finally {
      await this.close({ shutdownGraceMs: 0 });
    }
  }

  /**
   * Stops receiving, releases messages that no handler has started, waits for running handlers, and settles their messages.
   * Repeated calls wait for the same end.
   * A consumer of an ordered group also waits for its polls, 5 s at most unless `longPollingTimeoutMs` is set: on a real server
   * a canceled poll costs the next messages an attempt. On an embedded broker it does not, so there is no wait.
   * @param options `shutdownGraceMs`: after this time the signals of running handlers fire, and polls are canceled. Default 20 s,
   *   in real time. What is released behind canceled polls of an ordered group is redelivered when their time is over, after 6 s at most by
   *   default: until then they would take it
   */
  close(options: CloseOptions = {}): Promise<void> {
    const rejection = closeRejection(options);
    if (rejection !== undefined) return Promise.reject(rejection);
    const { shutdownGraceMs = DEFAULT_GRACE_MS } = options;
    const { state } = this;
    if (state.kind === 'closed') return state.closed;
    const ready = state.kind === 'started' ? state.ready : Promise.resolve();
    this.closing.abort(closedError());
    const closed = state.kind === 'failed' ? state.closed : ready.catch(() => {}).then(() => this.end(shutdownGraceMs));
    this.state = { kind: 'closed', closed };
    return closed;
  }

  private async begin(options: StartOptions): Promise<void> {
    try {
      await this.within(options, (deadline) => this.connect(deadline, options));
    } catch (error) {
      // A start that has failed has cleaned up; close() then has nothing to wait for.
      const failure = didNotStart(`consumer of "${this.options.consumerGroup}"`, error);
      this.closing.abort(failure);
      const closed = this.end(0);
      if (this.state.kind === 'started') this.state = { kind: 'failed', error: failure, closed };
      await closed;
      throw error;
    }
  }

  private async within(options: StartOptions, work: (deadline: Deadline) => Promise<void>): Promise<void> {
    const { timeoutMs = DEFAULT_START_MS, signal } = options;
    const unlisten = onAbort(signal, () => this.closing.abort(signal?.reason));
    try {
      const what = `start of the consumer of "${this.options.consumerGroup}"`;
      await withNotedEffects(what, timeoutMs, this.closing.signal, work);
    } finally {
      unlisten();
    }
  }

  private find(deadline: Deadline, options: StartOptions): Promise<void> {
    const { requireFifo } = this.options;
    return startConsumerClient(this.client, this.subscriptions, { ...options, isFifo: requireFifo }, deadline);
  }

  private async connect(deadline: Deadline, options: StartOptions): Promise<void> {
    const { listeners, invisibleDurationMs, acceptPolicy } = this.options;
    await this.find(deadline, options);
    this.settings.started();
    for (const settings of this.settings.all()) {
      for (const one of listeners.all) acceptPolicy?.(one.name, policyInForce(one, settings, invisibleDurationMs));
    }
    await this.lite?.start(deadline);
    await this.watcher.start(deadline);
    // A consumer that is retried under a new id each time would leave a set of measurements behind each time.
    if (!this.closing.signal.aborted) this.telemetry?.start();
  }

  private async change(what: string, options: CallOptions, work: (deadline: Deadline) => Promise<void>): Promise<void> {
    assertCall(options);
    if (
      this.state.kind !== 'closed' &&
      this.state.kind !== 'failed' &&
      (this.options.areListenersGiven || this.lite !== undefined)
    ) {
      const [who, field] =
        this.lite === undefined ? ['its listeners decide', 'listeners'] : ['liteTopics decides', 'liteTopics'];
      const text = `${who} what this consumer subscribes to; nothing was changed`;
      throw new UsageError('LISTENERS_DECIDE', text, field);
    }
    await this.inTurn(what, options, work);
  }

  private async inTurn(what: string, options: CallOptions, work: (deadline: Deadline) => Promise<void>): Promise<void> {
    const started = this.started();
    await this.subscriptions.inTurn(what, { ...options, closing: this.closing.signal, started }, work);
  }

  /** @throws StateError when it was not started, or is closed */
  private started(): Promise<void> {
    if (this.state.kind === 'closed') throw closedError();
    if (this.state.kind === 'failed') throw this.state.error;
    if (this.state.kind === 'idle') {
      throw new StateError(
        'NOT_STARTED',
        'the consumer is not started; nothing was changed; call start() and await it first',
      );
    }
    return this.state.ready;
  }

  private requireLite(): LiteSubscriptions {
    if (this.lite === undefined) {
      const text = 'this consumer is not one of lite topics; nothing was changed; set the option liteTopics';
      throw new UsageError('NO_LITE_CONSUMER', text, 'liteTopics');
    }
    return this.lite;
  }

  private makeLite(context: ConsumerContext, initial: readonly string[]): LiteSubscriptions {
    const [topic = ''] = this.subscriptions.topics;
    return new LiteSubscriptions(context, {
      topic,
      initial: [...new Set(initial)],
      limits: () => this.settings.liteLimits(),
      inTurn: (what, options, work) => this.inTurn(what, options, work),
    });
  }

  private topicOfItsOwn(name: string): string | undefined {
    const { listeners } = this.options;
    const listener = listeners.named(name);
    return listeners.sharesTopic(listener) ? undefined : listener.topic;
  }

  private assertSubscribed(topic: string | undefined): void {
    if (topic === undefined || this.subscriptions.of(topic) !== undefined) return;
    throw new UsageError('NOT_SUBSCRIBED', `this consumer does not subscribe to topic ${describe(topic)}`, 'topic');
  }

  private async end(shutdownGraceMs: number): Promise<void> {
    const ended = this.flow.end(shutdownGraceMs);
    await this.lite?.stop();
    await this.watcher.stop();
    await ended;
    await Promise.all(this.options.listeners.all.map(({ limiter }) => limiter?.close()));
    this.telemetry?.close();
    await this.client.close();
  }

  private observed(connection: Connection, consumerGroup: string): ObservedConsumer {
    return Object.assign(
      observedClient(connection, () => this.clientId),
      {
        consumerGroup,
        held: () => this.flow.heldOf(this.subscriptions.topics),
        heldUpQueues: () => this.heldUp.length,
      },
    );
  }

  private assign(topic: string, queues: readonly Queue[]): void {
    if (this.closing.signal.aborted || this.subscriptions.of(topic) === undefined) return;
    this.flow.assign(topic, queues);
  }

  private onCommand(command: ServerCommand, endpoint: Endpoint): boolean {
    if (command.$case === 'notifyUnsubscribeLiteCommand' && this.lite !== undefined) {
      this.lite.lose(command.value.liteTopic, endpoint);
      return true;
    }
    if (command.$case === 'leasesLost') {
      this.flow.lose(new Set(command.value.receiptHandles));
      return true;
    }
    if (command.$case === 'queuesHeldUp') {
      this.heldUp = command.value.queues;
      return true;
    }
    if (command.$case !== 'verifyMessageCommand') return false;
    void this.verification.verify(command.value).then((answer) => {
      // A closed client has no session any more, and the server sends it nothing.
      if (!this.closing.signal.aborted) this.client.session(endpoint).write(answer);
    });
    return true;
  }
}

/** @throws UsageError */
function assertConsumption({ mode, consume, liteTopics }: ResolvedOptions, { hasProxy }: Connection): void {
  if (consume === 'pull') {
    if (liteTopics !== undefined) throw rejected('consume', 'cannot be pull for a consumer of lite topics');
    if (hasProxy)
      throw rejected('consume', 'cannot be pull with a proxy; connect to name servers (endpoints: name-server:...)');
  }
  if (mode !== 'broadcast') return;
  if (consume === 'pop') throw rejected('consume', 'cannot be pop for a broadcast consumer, which pulls');
  if (liteTopics !== undefined) throw rejected('mode', 'cannot be broadcast for a consumer of lite topics');
  if (!hasProxy) return;
  const text =
    'cannot be broadcast with a proxy, which has no broadcasts; connect to name servers (endpoints: name-server:...), or give each process a consumer group of its own';
  throw rejected('mode', text);
}

function closedError(): StateError {
  return new StateError('CLOSED', 'the consumer is closed');
}
