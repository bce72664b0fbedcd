// What runs while the application does: broker when embedded, connection, producer, consumers; in which order they start and
// stop. Who calls it when is in rocketmq.module.ts.

import { Connection } from '../client/connection.js';
import { PushConsumer } from '../consumer/push-consumer.js';
import { Producer } from '../producer/producer.js';
import type { TransactionChecker } from '../producer/transaction-check.js';
import { SECOND_MS } from '../support/clock.js';
import { StateError, UsageError } from '../support/errors.js';
import { systemRandom } from '../support/random.js';
import type { AdminAccess } from './admin-access.js';
import { planCheckers } from './checker-plan.js';
import { type EmbeddedEndpoint, startEmbeddedBroker } from './embedded.js';
import { type HandlerMethod, methodLabel } from './handler-host.js';
import type { HandlerInvoker } from './handler-invoker.js';
import { consumerOptionsOf } from './listener-consumer.js';
import { type PlannedConsumer, type PlannedListener, planConsumers } from './listener-plan.js';
import { ListenerTrial } from './listener-trial.js';
import type { MessageHooks } from './message-hooks.js';
import type { CheckedOptions } from './module-options.js';
import type { MessageWire } from './resource-names.js';
import { type Discovered, giveRunner } from './rocketmq.explorer.js';
import type { ListenersPort } from './rocketmq-listeners.js';
import { isDetached } from './rocketmq-producer.js';
import { loadSchemas, planTopics, type TopicPlan } from './topic-plan.js';
import type { TransactionRunner } from './transactional-send.decorator.js';
import { InstanceGroups, whoNeedsGroups } from './transport/instance-groups.js';
import { assertConnectedInTime } from './transport/pattern-handlers.js';
import { type ReplyChannel, replyChannelOf } from './transport/reply-channel.js';
import type { RequestPort } from './transport/requester.js';
import { RunningConsumers } from './transport/running-consumers.js';
import type { PatternRuntime, ServerRocketMQ } from './transport/server-rocketmq.js';
import { warnOfOtherSubscriptions } from './transport/subscription-warning.js';

/** How long an answer may take unless told otherwise. */
const DEFAULT_REPLY_MS = 10 * SECOND_MS;

/** What the application declares, decided and checked. */
interface Plan extends TopicPlan {
  readonly consumers: readonly PlannedConsumer[];
  readonly checkers: Readonly<Record<string, TransactionChecker>>;
}

/** What runs. Parts are added as they start, so that a failed start can stop those before it. */
interface Parts {
  broker?: EmbeddedEndpoint;
  connection?: Connection;
  producer?: Producer;
  replies?: ReplyChannel;
  consumers?: RunningConsumers;
  /** Undefined unless something needs a group of this instance. */
  groups?: InstanceGroups;
}

type State =
  | { readonly kind: 'idle' }
  /** A test's producer stands in for the real one: nothing is connected. */
  | { readonly kind: 'detached' }
  | { readonly kind: 'sending'; readonly parts: Parts; readonly plan: Plan }
  | { readonly kind: 'listening'; readonly parts: Parts }
  | { readonly kind: 'draining'; readonly parts: Parts; readonly drained: Promise<void> }
  | { readonly kind: 'closed'; readonly closed: Promise<void> };

/** What a runtime is made of. */
export interface RuntimeParts {
  readonly options: CheckedOptions;
  readonly hooks: Pick<MessageHooks, 'outgoing' | 'incoming' | 'hooks'>;
  readonly admin: AdminAccess;
  readonly invoker: HandlerInvoker;
  /** What bodies of answers are made with. */
  readonly wire: MessageWire;
  /** The transport strategy of this connection; undefined where there is none. */
  readonly server: ServerRocketMQ | undefined;
  discover(): Discovered;
}

/** Starts and stops everything, each step once. */
export class RocketMQRuntime implements ListenersPort, PatternRuntime, RequestPort {
  private state: State = { kind: 'idle' };
  /** Tells this instance of the application from others; nobody can guess it. */
  private readonly instanceId = systemRandom.bytes(10).toString('hex');
  /** Whether the transport strategy was told to listen. */
  private arePatternsWanted = false;
  private planned: readonly PlannedConsumer[] | undefined;

  constructor(private readonly given: RuntimeParts) {}

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

  /** The listeners, to be tried without a broker. */
  get trial(): ListenerTrial {
    return new ListenerTrial(this.given);
  }

  consumerOf(plan: PlannedConsumer): PushConsumer | undefined {
    return 'parts' in this.state ? this.state.parts.consumers?.of(plan) : undefined;
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
      await this.startProducer(parts, plan);
      await this.openReplies(parts);
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
    const { connection } = parts;
    if (connection === undefined) throw new StateError('NOT_STARTED', 'the producer has not started');
    const { startTimeoutMs, shutdownGraceMs } = this.options;
    await this.orClose(async () => {
      const admin = await this.given.admin.ofCluster();
      parts.consumers = new RunningConsumers({
        ...{ startTimeoutMs, shutdownGraceMs, groups: parts.groups },
        make: (consumer) => namingListeners(consumer, () => this.consumer(connection, consumer, parts)),
        beforeStart: async (consumer) => {
          const { namespace, logger } = this.options;
          if (admin !== undefined) await warnOfOtherSubscriptions(consumer, { admin, namespace, logger });
        },
      });
      const waiting = plan.consumers.filter((consumer) => hasPatterns(consumer) && !this.arePatternsWanted);
      for (const consumer of waiting) this.announceWaiting(consumer);
      await parts.consumers.start(plan.consumers.filter((consumer) => !waiting.includes(consumer)));
      if (this.arePatternsWanted) this.given.server?.tell('listening');
    });
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
    await this.orClose(async () => state.parts.consumers?.start((this.planned ?? []).filter(hasPatterns)));
    server?.tell('listening');
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
    const closed = 'parts' in state ? this.closeParts(state.parts, this.drain()) : this.given.admin.close();
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
    return { consumers, checkers, ...planTopics(discovered, consumers, this.options) };
  }

  private async startProducer(parts: Parts, { consumers, checkers, topics, verified }: Plan): Promise<void> {
    const { options } = this;
    const { admin } = this.given;
    const { target, startTimeoutMs, transactionOwner = this.ownGroup(), events, checkpoint } = options;
    const admins = await admin.forGroups(whoNeedsGroups(consumers, options));
    if (target.kind === 'embedded') {
      parts.broker = await startEmbeddedBroker(options, topics, consumers, admin.needsInside);
      if (admin.needsInside) await admin.attach(parts.broker.adminEndpoint);
    }
    parts.groups = admins && new InstanceGroups(admins, options);
    const endpoints = target.kind === 'embedded' ? (parts.broker?.endpoints ?? '') : target.endpoints;
    // The broker inside asks for nothing; what the cluster asks for may not even be there on this machine.
    const access = target.kind === 'embedded' ? { tls: undefined, credentials: undefined } : {};
    parts.connection = new Connection({ ...options, endpoints, ...access });
    const versions = await admin.ofCluster();
    parts.producer = new Producer(parts.connection, {
      ...options.producer,
      brokerVersions: options.producer?.brokerVersions ?? (versions && (() => versions.brokerVersions())),
      topics: verified,
      transactionCheckers: checkers,
      transactionOwner,
      events,
      checkpoint,
    });
    await parts.producer.start({ timeoutMs: startTimeoutMs });
  }

  private async openReplies(parts: Parts): Promise<void> {
    const { connection, groups } = parts;
    if (this.options.requests === undefined || connection === undefined || groups === undefined) return;
    parts.replies = replyChannelOf(this.options, this.instanceId, { connection, groups, wire: this.given.wire });
    await parts.replies.open(this.options.startTimeoutMs);
  }

  private consumer(connection: Connection, plan: PlannedConsumer, parts: Parts): PushConsumer {
    const { events, checkpoint, inbox } = this.options;
    for (const listener of plan.listeners) this.announce(listener);
    return new PushConsumer(connection, {
      ...consumerOptionsOf(plan, {
        invoker: this.given.invoker,
        producer: () => parts.producer,
        answers: { wire: this.given.wire, logger: this.options.logger },
      }),
      events,
      acceptPolicy: inbox && ((listener, policy) => inbox.assertOutlives(policy, `listener ${listener}`)),
      checkpoint: checkpoint && (async (point, message) => checkpoint(point, message)),
    });
  }

  private warnOfOverride(method: HandlerMethod): void {
    const text =
      `${methodLabel(method)} overrides a listener and has no @RocketMQListener itself, so nothing is received there; ` +
      'decorate it, or take the decorator from its parent class';
    this.options.logger.warn(text);
  }

  private ownGroup(): string | undefined {
    const { consumerGroup, names } = this.options;
    return consumerGroup === undefined ? undefined : names.group(consumerGroup);
  }

  private announceWaiting({ consumerGroup, listeners }: PlannedConsumer): void {
    const text = `the consumer of group "${consumerGroup}" waits until the transport strategy is told to listen (startAllMicroservices())`;
    this.options.logger.info(text, { listeners: listeners.map(({ name }) => name) });
  }

  private announce({ name, topic, consumerGroup, filter }: PlannedListener): void {
    this.options.logger.info(`${name} listens`, { topic: topic.name, consumerGroup, filter: filter.expression });
  }

  private async orClose(start: () => Promise<void>): Promise<void> {
    try {
      await start();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  private async closeConsumers({ consumers }: Parts): Promise<void> {
    const { server } = this.given;
    if (this.arePatternsWanted) server?.tell('draining');
    await consumers?.close();
    if (this.arePatternsWanted) server?.tell('closed');
  }

  private async closeParts(parts: Parts, drained: Promise<void>): Promise<void> {
    const { producer, connection, broker, replies, groups } = parts;
    // Handlers send, and ask, until they have ended.
    await drained;
    await replies?.close();
    await groups?.removeAll();
    await producer?.close({ graceMs: this.options.shutdownGraceMs });
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

/** Tells whose option it is that the consumer refuses. */
function namingListeners<T>({ consumerGroup, listeners }: PlannedConsumer, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    const names = listeners.map(({ name }) => name).join(', ');
    const problem = cause.message.replace(`[${cause.code}] `, '');
    const text = `consumer of group "${consumerGroup}" (listeners: ${names}): ${problem}`;
    throw new UsageError(cause.code, text, cause.field, { cause });
  }
}
