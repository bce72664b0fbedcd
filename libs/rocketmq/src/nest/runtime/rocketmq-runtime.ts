// The parts that run while the application does (embedded broker, connection, producer, consumers), and the order in which they
// start and stop. rocketmq.module.ts calls it.
// Over 300 lines: the order of start and of shutdown is one piece of knowledge.

import type { Connection } from '../../client/connection.js';
import { areNameServers } from '../../client/endpoint.js';
import type { PushConsumer } from '../../consumer/push-consumer.js';
import type { Producer } from '../../producer/producer.js';
import { SECOND_MS } from '../../support/clock.js';
import { type RocketMQError, StateError } from '../../support/errors.js';
import { systemRandom } from '../../support/random.js';
import { declarationsOf } from '../cluster/declarations.js';
import { methodLabel } from '../common/handler-host.js';
import type { ListenersPort } from '../events/rocketmq-listeners.js';
import type { ConnectionPhase, HealthSource } from '../health/rocketmq-health.js';
import { type StartProblem, StartSteps } from '../health/start-steps.js';
import { type PlannedConsumer, planConsumers } from '../listening/listener-plan.js';
import { assertKnown, type Discovered, giveRunner } from '../listening/rocketmq.explorer.js';
import type { MessageHooks } from '../messages/message-hooks.js';
import type { ReplyChannel } from '../sending/reply-channel.js';
import type { RequestPort } from '../sending/requester.js';
import { isDetached } from '../sending/rocketmq-producer.js';
import type { TransactionRunner } from '../transactions/transactional-send.decorator.js';
import { planCheckers } from './checker-plan.js';
import type { EmbeddedControl } from './embedded.js';
import { IdleHandlers } from './idle-handlers.js';
import { ListenerTrial } from './listener-trial.js';
import type { CheckedOptions } from './module-options.js';
import { notRunning, startFailed } from './not-running.js';
import { type ConsumerPlans, PartStarter, type PartStarterPort, type Parts, type Plan } from './part-starter.js';
import { assertConnectedInTime, type PatternRuntime, type PatternServer } from './pattern-runtime.js';
import { SignalWatch } from './signal-watch.js';
import { loadSchemas, planTopics } from './topic-plan.js';

/** How long an answer may take by default. */
const DEFAULT_REPLY_MS = 10 * SECOND_MS;

type State =
  | { readonly kind: 'idle' }
  /** A test's producer replaces the real one: nothing is connected. */
  | { readonly kind: 'detached' }
  | { readonly kind: 'sending'; readonly parts: Parts; readonly plan: Plan }
  | { readonly kind: 'listening'; readonly parts: Parts }
  | { readonly kind: 'draining'; readonly parts: Parts; readonly drained: Promise<void> }
  /** `failure`: why the start failed. Undefined after a shutdown. */
  | { readonly kind: 'closed'; readonly closed: Promise<void>; readonly failure?: unknown };

/** The parts of a runtime. */
interface RuntimeParts extends PartStarterPort {
  readonly hooks: Pick<MessageHooks, 'outgoing' | 'incoming' | 'hooks'>;
  /** The transport strategy of this connection, if it has one. */
  readonly server: PatternServer | undefined;
  /** Set when the events belong to a connection that outlives this one. Default: they end with this one. */
  readonly sharesEvents?: boolean;
  discover(): Discovered;
}

/** Starts and stops everything, each step once. */
export class RocketMQRuntime implements ListenersPort, PatternRuntime, RequestPort, HealthSource {
  private state: State = { kind: 'idle' };
  /** Distinguishes this instance of the application from others; it cannot be guessed. */
  private readonly instanceId = systemRandom.bytes(10).toString('hex');
  /** Whether the transport strategy was asked to listen. */
  private arePatternsWanted = false;
  private planned: readonly PlannedConsumer[] | undefined;
  private readonly idle: IdleHandlers;
  private unconnected: Discovered['unconnected'] = [];
  /** Consumers are being started for the first time. */
  private isStarting = false;
  private readonly steps: StartSteps;
  private readonly starter: PartStarter;

  constructor(private readonly given: RuntimeParts) {
    const { options, events } = given;
    this.idle = new IdleHandlers(options.logger, options.clock);
    this.starter = new PartStarter(given, this.instanceId, () => this.steps.problem === undefined);
    this.steps = new StartSteps({
      mayWait: options.whenUnavailable === 'degraded' && options.target.kind === 'cluster',
      logger: options.logger,
      onProblem: (problem) => {
        if (problem === undefined) events.report({ type: 'start-completed' });
        else events.report({ type: 'start-delayed', reason: problem.kind, error: problem.error });
      },
    });
  }

  /** Undefined before startup and after shutdown. */
  get producer(): Producer | undefined {
    return 'parts' in this.state ? this.state.parts.producer : undefined;
  }

  /** Undefined before startup and after shutdown. */
  get connection(): Connection | undefined {
    return 'parts' in this.state ? this.state.parts.connection : undefined;
  }

  /** Undefined before startup, after shutdown, and without a broker inside the application. */
  get embeddedControl(): EmbeddedControl | undefined {
    return 'parts' in this.state ? this.state.parts.broker?.control : undefined;
  }

  get unconnectedHandlers(): readonly string[] {
    return this.unconnected.map(methodLabel);
  }

  get consumers(): readonly PlannedConsumer[] | undefined {
    return this.planned;
  }

  get phase(): ListenersPort['phase'] {
    const { kind } = this.state;
    if (kind === 'idle' || kind === 'detached' || kind === 'sending') return 'idle';
    return kind === 'listening' ? 'listening' : 'closed';
  }

  get connectionPhase(): ConnectionPhase {
    const { kind } = this.state;
    if (kind === 'idle' || kind === 'detached' || kind === 'draining' || kind === 'closed') return kind;
    const isComplete = this.steps.problem === undefined && kind === 'listening' && !this.isStarting;
    return isComplete ? 'running' : 'starting';
  }

  get startProblem(): StartProblem | undefined {
    return this.steps.problem;
  }

  /** Why there is no producer or reply channel. */
  get whyNot(): RocketMQError {
    const { state } = this;
    if (state.kind === 'closed' && state.failure !== undefined) return startFailed(state.failure);
    return notRunning('parts' in state ? this.steps.problem : undefined);
  }

  /** The producer that sends. @throws StateError `NOT_RUNNING`; TransportError `UNAVAILABLE` while the startup waits for a server */
  sending(): Producer {
    const { producer } = this;
    if (producer === undefined) throw this.whyNot;
    return producer;
  }

  /** The listeners, for trials without a broker. */
  get trial(): ListenerTrial {
    return new ListenerTrial(this.given);
  }

  consumerOf(plan: PlannedConsumer): PushConsumer | undefined {
    return 'parts' in this.state ? this.state.parts.consumers?.of(plan) : undefined;
  }

  get givenUpTransactions(): HealthSource['givenUpTransactions'] {
    return 'parts' in this.state ? this.state.parts.givenUp?.transactions : undefined;
  }

  /** Undefined before startup, after shutdown, and when requests are not enabled. */
  get replies(): ReplyChannel | undefined {
    return 'parts' in this.state ? this.state.parts.replies : undefined;
  }

  get replyTimeoutMs(): number | undefined {
    return this.options.requests && (this.options.requests.timeoutMs ?? DEFAULT_REPLY_MS);
  }

  /**
   * Checks what the application declares, connects, and starts the producer.
   * @param producer the producer that the application injects
   * @param connections the names of all connections of the application
   * @throws UsageError or ResourceError that says what is wrong and how to fix it; nothing is left running then. StateError `CLOSED` when it has
   *   failed before
   */
  async open(producer: TransactionRunner, connections: readonly (string | undefined)[]): Promise<void> {
    this.assertNotClosed();
    if (this.state.kind !== 'idle') return;
    const discovered = this.given.discover();
    assertKnown(discovered, connections);
    giveRunner(discovered, producer);
    const plan = this.plan(discovered);
    this.planned = plan.consumers;
    this.given.hooks.hooks();
    await loadSchemas(discovered, this.options);
    if (isDetached(producer)) {
      this.state = { kind: 'detached' };
      return;
    }
    this.unconnected = discovered.unconnected;
    const parts: Parts = {};
    this.state = { kind: 'sending', parts, plan };
    await this.orClose(async () => {
      await this.steps.run((signal) => this.starter.producer(parts, plan, signal));
      await this.steps.run((signal) => this.starter.replies(parts, signal));
    });
  }

  /** Whether the consumers that do not run would find what they need. @throws as {@link open} */
  async check(): Promise<void> {
    const { state, planned = [] } = this;
    if (state.kind !== 'sending' && state.kind !== 'listening') return;
    const { parts } = state;
    await this.steps.run((signal) => this.starter.check(parts, planned, signal));
  }

  /**
   * Starts the consumers.
   * @throws as {@link open}
   */
  async listen(): Promise<void> {
    if (this.state.kind !== 'sending') return;
    const { parts, plan } = this.state;
    this.state = { kind: 'listening', parts };
    this.isStarting = true;
    this.idle.unconnected(this.unconnected);
    await this.orClose(async () => {
      const waiting = plan.consumers.filter((consumer) => hasPatterns(consumer) && !this.arePatternsWanted);
      this.idle.waiting(waiting);
      const ready = plan.consumers.filter((consumer) => !waiting.includes(consumer));
      await this.steps.run((signal) => this.startConsumers(parts, { ready, waiting }, signal));
      await this.steps.run(() => this.starter.watches(parts, plan));
    });
    this.isStarting = false;
    if (this.phase === 'listening' && this.options.target.kind === 'cluster')
      parts.signals = new SignalWatch(this.options.logger);
  }

  /** @throws StateError when nothing can be received any more; otherwise as {@link listen} */
  async startPatterns(): Promise<void> {
    const { server } = this.given;
    assertConnectedInTime(server, this.planned);
    this.arePatternsWanted = true;
    this.idle.stop();
    this.assertNotClosed();
    const { state } = this;
    if (state.kind !== 'listening') return server?.report('waiting');
    const { parts } = state;
    const wanted = (this.planned ?? []).filter(hasPatterns);
    await this.orClose(() => this.steps.run((signal) => this.startConsumers(parts, { ready: wanted }, signal)));
  }

  async stopPatterns(): Promise<void> {
    const { server } = this.given;
    server?.report('draining');
    if ('parts' in this.state) await this.state.parts.consumers?.close((this.planned ?? []).filter(hasPatterns));
    server?.report('closed');
  }

  patternConsumers(): readonly PushConsumer[] {
    return (this.planned ?? []).filter(hasPatterns).flatMap((plan) => this.consumerOf(plan) ?? []);
  }

  /** Stops receiving and waits for running handlers. Repeated calls wait for the same end. */
  drain(): Promise<void> {
    const { state } = this;
    if (state.kind === 'draining') return state.drained;
    if (!('parts' in state)) return Promise.resolve();
    const drained = this.closeConsumers(state.parts);
    this.state = { kind: 'draining', parts: state.parts, drained };
    return drained;
  }

  /**
   * Ends everything else, too. Repeated calls wait for the same end.
   * @param failure why the start failed, if it did
   */
  close(failure?: unknown): Promise<void> {
    const { state } = this;
    if (state.kind === 'closed') {
      // What the application lacks on all clusters, in the place of what this connection does.
      if (state.failure !== undefined && failure !== undefined) this.state = { ...state, failure };
      return state.closed;
    }
    const ended = 'parts' in state ? this.closeParts(state.parts, this.drain()) : this.given.admin.close();
    const closed = ended.finally(() => {
      if (this.given.sharesEvents !== true) this.given.events.close();
    });
    this.state = { kind: 'closed', closed, failure };
    return closed;
  }

  /** It will never open: whatever waits for its handlers gets an error. */
  reject(): void {
    this.planned = [];
  }

  get options(): CheckedOptions {
    return this.given.options;
  }

  private plan(discovered: Discovered): Plan {
    this.idle.overriding(discovered.overrides);
    const options = { ...this.options, instanceId: this.instanceId, hasProxy: hasProxy(this.options) };
    const consumers = planConsumers(discovered.listeners, options, discovered.unconnected);
    const checkers = planCheckers(discovered, { ...this.options, hooks: this.given.hooks });
    const topics = planTopics(discovered, consumers, this.options);
    const declarations = declarationsOf(topics.topics, consumers, this.options);
    return { consumers, checkers, ...topics, declarations };
  }

  private async startConsumers(parts: Parts, plans: ConsumerPlans, signal: AbortSignal): Promise<void> {
    await this.starter.consumers(parts, plans, signal);
    if (this.arePatternsWanted) this.given.server?.report('listening');
  }

  private async orClose(start: () => Promise<void>): Promise<void> {
    try {
      await start();
    } catch (error) {
      await this.close(error);
      throw error;
    }
  }

  private assertNotClosed(): void {
    const { state } = this;
    if (state.kind === 'closed' && state.failure !== undefined) throw startFailed(state.failure);
    if (state.kind === 'closed' || state.kind === 'draining') {
      throw new StateError('CLOSED', 'the application has shut down; its handlers receive no more messages');
    }
  }

  private async closeConsumers(parts: Parts): Promise<void> {
    const { server } = this.given;
    parts.signals?.stop();
    this.idle.stop();
    if (this.arePatternsWanted) server?.report('draining');
    // Before the consumers: otherwise a start that still runs in the background would be missed.
    await this.steps.stop();
    await this.starter.stopWatches(parts);
    await parts.consumers?.close();
    if (this.arePatternsWanted) server?.report('closed');
  }

  private async closeParts(parts: Parts, drained: Promise<void>): Promise<void> {
    // Handlers send messages and requests until they have ended.
    await drained;
    const { producer, connection, broker, replies, groups, failures } = parts;
    await failures?.close(this.options.shutdownGraceMs);
    await replies?.close();
    await groups?.removeAll();
    await producer?.close({ shutdownGraceMs: this.options.shutdownGraceMs });
    connection?.close();
    await this.given.admin.close();
    await broker?.stop();
  }
}

function hasProxy({ target }: CheckedOptions): boolean {
  return target.kind === 'embedded' || !areNameServers(target.endpoints);
}

function hasPatterns({ listeners }: PlannedConsumer): boolean {
  return listeners.some(({ pattern }) => pattern !== undefined);
}
