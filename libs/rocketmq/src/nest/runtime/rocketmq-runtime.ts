// What runs while the application does: broker when embedded, connection, producer, consumers; in which order they start and
// stop. Who calls it when is in rocketmq.module.ts.

import type { Connection } from '../../client/connection.js';
import type { PushConsumer } from '../../consumer/push-consumer.js';
import type { Producer } from '../../producer/producer.js';
import { SECOND_MS } from '../../support/clock.js';
import { type RocketMQError, StateError, UsageError } from '../../support/errors.js';
import { systemRandom } from '../../support/random.js';
import { type HandlerMethod, methodLabel } from '../common/handler-host.js';
import { type PlannedConsumer, planConsumers } from '../listening/listener-plan.js';
import { type Discovered, giveRunner } from '../listening/rocketmq.explorer.js';
import type { MessageHooks } from '../messages/message-hooks.js';
import { declarationsOf } from '../operations/declarations.js';
import type { ConnectionPhase, HealthSource } from '../operations/rocketmq-health.js';
import type { ListenersPort } from '../operations/rocketmq-listeners.js';
import { type StartProblem, StartSteps } from '../operations/start-steps.js';
import type { ReplyChannel } from '../sending/reply-channel.js';
import type { RequestPort } from '../sending/requester.js';
import { isDetached } from '../sending/rocketmq-producer.js';
import type { TransactionRunner } from '../transactions/transactional-send.decorator.js';
import { planCheckers } from './checker-plan.js';
import { ListenerTrial } from './listener-trial.js';
import type { CheckedOptions } from './module-options.js';
import { notRunning } from './not-running.js';
import { PartStarter, type PartStarterPort, type Parts, type Plan } from './part-starter.js';
import { assertConnectedInTime, type PatternRuntime, type PatternServer } from './pattern-runtime.js';
import { loadSchemas, planTopics } from './topic-plan.js';

/** How long an answer may take unless told otherwise. */
const DEFAULT_REPLY_MS = 10 * SECOND_MS;

type State =
  | { readonly kind: 'idle' }
  /** A test's producer stands in for the real one: nothing is connected. */
  | { readonly kind: 'detached' }
  | { readonly kind: 'sending'; readonly parts: Parts; readonly plan: Plan }
  | { readonly kind: 'listening'; readonly parts: Parts }
  | { readonly kind: 'draining'; readonly parts: Parts; readonly drained: Promise<void> }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

/** What a runtime is made of. */
export interface RuntimeParts extends PartStarterPort {
  readonly hooks: Pick<MessageHooks, 'outgoing' | 'incoming' | 'hooks'>;
  /** The transport strategy of this connection; undefined where there is none. */
  readonly server: PatternServer | undefined;
  /** The events are of a connection that goes on when this one has ended. Default: they end with it. */
  readonly sharesEvents?: boolean;
  discover(): Discovered;
}

/** Starts and stops everything, each step once. */
export class RocketMQRuntime implements ListenersPort, PatternRuntime, RequestPort, HealthSource {
  private state: State = { kind: 'idle' };
  /** Tells this instance of the application from others; nobody can guess it. */
  private readonly instanceId = systemRandom.bytes(10).toString('hex');
  /** Whether the transport strategy was told to listen. */
  private arePatternsWanted = false;
  private planned: readonly PlannedConsumer[] | undefined;
  /** Consumers are being started for the first time. */
  private isStarting = false;
  private readonly steps: StartSteps;
  private readonly starter: PartStarter;

  constructor(private readonly given: RuntimeParts) {
    const { options, events } = given;
    this.starter = new PartStarter(given, this.instanceId, () => this.steps.problem === undefined);
    this.steps = new StartSteps({
      mayWait: options.whenUnavailable === 'degraded' && options.target.kind === 'cluster',
      logger: options.logger,
      onProblem: (problem) => {
        if (problem === undefined) events.tell({ type: 'start-completed' });
        else events.tell({ type: 'start-delayed', reason: problem.kind, error: problem.error });
      },
    });
  }

  /** Undefined before the start and after the end. */
  get producer(): Producer | undefined {
    return 'parts' in this.state ? this.state.parts.producer : undefined;
  }

  /** Undefined before the start and after the end. */
  get connection(): Connection | undefined {
    return 'parts' in this.state ? this.state.parts.connection : undefined;
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

  /** Why there is no producer, or nowhere for answers to arrive. */
  get whyNot(): RocketMQError {
    return notRunning('parts' in this.state ? this.steps.problem : undefined);
  }

  /** What messages are sent with. @throws StateError `NOT_RUNNING`; TransportError `UNAVAILABLE` while the start waits for a server */
  sending(): Producer {
    const { producer } = this;
    if (producer === undefined) throw this.whyNot;
    return producer;
  }

  /** The listeners, to be tried without a broker. */
  get trial(): ListenerTrial {
    return new ListenerTrial(this.given);
  }

  consumerOf(plan: PlannedConsumer): PushConsumer | undefined {
    return 'parts' in this.state ? this.state.parts.consumers?.of(plan) : undefined;
  }

  get givenUpTransactions(): HealthSource['givenUpTransactions'] {
    return 'parts' in this.state ? this.state.parts.givenUp?.transactions : undefined;
  }

  /** Undefined before the start, after the end, and when requests are not switched on. */
  get replies(): ReplyChannel | undefined {
    return 'parts' in this.state ? this.state.parts.replies : undefined;
  }

  get replyTimeoutMs(): number | undefined {
    return this.options.requests && (this.options.requests.timeoutMs ?? DEFAULT_REPLY_MS);
  }

  /**
   * Checks what the application declares, connects, and starts the producer.
   * @param producer what the application sends with
   * @param connections the names of all connections of the application
   * @throws UsageError or ResourceError that says what is wrong and how to mend it; nothing is left running then
   */
  async open(producer: TransactionRunner, connections: readonly (string | undefined)[]): Promise<void> {
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
    const parts: Parts = {};
    this.state = { kind: 'sending', parts, plan };
    await this.orClose(async () => {
      await this.steps.run((signal) => this.starter.producer(parts, plan, signal));
      await this.steps.run((signal) => this.starter.replies(parts, signal));
    });
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
    await this.orClose(async () => {
      const waiting = plan.consumers.filter((consumer) => hasPatterns(consumer) && !this.arePatternsWanted);
      for (const consumer of waiting) this.announceWaiting(consumer);
      const ready = plan.consumers.filter((consumer) => !waiting.includes(consumer));
      await this.steps.run((signal) => this.startConsumers(parts, ready, signal));
      await this.steps.run(() => this.starter.givenUpWatch(parts, plan));
    });
    this.isStarting = false;
  }

  /** @throws StateError when nothing can be received any more; else as {@link listen} */
  async startPatterns(): Promise<void> {
    const { server } = this.given;
    assertConnectedInTime(server, this.planned);
    this.arePatternsWanted = true;
    const { state } = this;
    if (state.kind === 'closed' || state.kind === 'draining') {
      throw new StateError('CLOSED', 'the application has ended; its handlers get nothing any more');
    }
    if (state.kind !== 'listening') return server?.tell('waiting');
    const { parts } = state;
    const wanted = (this.planned ?? []).filter(hasPatterns);
    await this.orClose(() => this.steps.run((signal) => this.startConsumers(parts, wanted, signal)));
  }

  async stopPatterns(): Promise<void> {
    const { server } = this.given;
    server?.tell('draining');
    if ('parts' in this.state) await this.state.parts.consumers?.close((this.planned ?? []).filter(hasPatterns));
    server?.tell('closed');
  }

  patternConsumers(): readonly PushConsumer[] {
    return (this.planned ?? []).filter(hasPatterns).flatMap((plan) => this.consumerOf(plan) ?? []);
  }

  /** Stops receiving and waits for the handlers that run. Repeating it waits for the same end. */
  drain(): Promise<void> {
    const { state } = this;
    if (state.kind === 'draining') return state.drained;
    if (!('parts' in state)) return Promise.resolve();
    const drained = this.closeConsumers(state.parts);
    this.state = { kind: 'draining', parts: state.parts, drained };
    return drained;
  }

  /** Ends everything else too. Repeating it waits for the same end. */
  close(): Promise<void> {
    const { state } = this;
    if (state.kind === 'closed') return state.closed;
    const ended = 'parts' in state ? this.closeParts(state.parts, this.drain()) : this.given.admin.close();
    const closed = ended.finally(() => {
      if (this.given.sharesEvents !== true) this.given.events.close();
    });
    this.state = { kind: 'closed', closed };
    return closed;
  }

  /** It will never open: whatever waits for its handlers gets an error. */
  refuse(): void {
    this.planned = [];
  }

  get options(): CheckedOptions {
    return this.given.options;
  }

  private plan(discovered: Discovered): Plan {
    for (const method of discovered.overrides) this.warnOfOverride(method);
    const consumers = planConsumers(discovered.listeners, { ...this.options, instanceId: this.instanceId });
    const checkers = planCheckers(discovered, { ...this.options, hooks: this.given.hooks });
    const topics = planTopics(discovered, consumers, this.options);
    const declarations = declarationsOf(topics.topics, consumers, this.options);
    return { consumers, checkers, ...topics, declarations };
  }

  private async startConsumers(parts: Parts, plans: readonly PlannedConsumer[], signal: AbortSignal): Promise<void> {
    await this.starter.consumers(parts, plans, signal);
    if (this.arePatternsWanted) this.given.server?.tell('listening');
  }

  private warnOfOverride(method: HandlerMethod): void {
    const text =
      `${methodLabel(method)} overrides a listener and has no @RocketMQListener itself, so nothing is received there; ` +
      'decorate it, or take the decorator from its parent class';
    this.options.logger.warn(text);
  }

  private announceWaiting({ consumerGroup, listeners }: PlannedConsumer): void {
    const text = `the consumer of group "${consumerGroup}" waits until the transport strategy is told to listen (startAllMicroservices())`;
    this.options.logger.info(text, { listeners: listeners.map(({ name }) => name) });
  }

  private async orClose(start: () => Promise<void>): Promise<void> {
    try {
      await start();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  private async closeConsumers(parts: Parts): Promise<void> {
    const { server } = this.given;
    if (this.arePatternsWanted) server?.tell('draining');
    // Before the consumers: what is starting in the background would be forgotten.
    await this.steps.stop();
    await parts.givenUp?.stop();
    await parts.consumers?.close();
    if (this.arePatternsWanted) server?.tell('closed');
  }

  private async closeParts(parts: Parts, drained: Promise<void>): Promise<void> {
    // Handlers send, and ask, until they have ended.
    await drained;
    const { producer, connection, broker, replies, groups } = parts;
    await replies?.close();
    await groups?.removeAll();
    await producer?.close({ shutdownGraceMs: this.options.shutdownGraceMs });
    connection?.close();
    await this.given.admin.close();
    await broker?.stop();
  }
}

function hasPatterns({ listeners }: PlannedConsumer): boolean {
  return listeners.some(({ pattern }) => pattern !== undefined);
}

/** @throws UsageError `UNKNOWN_CONNECTION` for a method that names a connection which the application has not */
function assertKnown({ elsewhere }: Discovered, connections: readonly (string | undefined)[]): void {
  const lost = elsewhere.find(({ connection }) => !connections.includes(connection));
  if (lost === undefined) return;
  const { connection } = lost;
  const missing = connection === undefined ? 'no connection, but all have names' : `connection "${connection}"`;
  const known = connections.map((name) => (name === undefined ? 'one without a name' : `"${name}"`)).join(', ');
  const text = `${methodLabel(lost)} names ${missing}; RocketMQModule has ${known}`;
  throw new UsageError('UNKNOWN_CONNECTION', text, 'connection');
}
