// Starts the parts of a connection one by one: embedded broker, connection, producer, answers, consumers. rocketmq-runtime.ts
// decides in which order, and what ends when.

import { Connection } from '../../client/connection.js';
import type { ConnectionOptions } from '../../client/connection-options.js';
import type { StartOptions } from '../../client/lifecycle-options.js';
import { namingAll } from '../../client/resource-errors.js';
import { PushConsumer } from '../../consumer/push-consumer.js';
import { Producer } from '../../producer/producer.js';
import type { TransactionCheckHandler } from '../../producer/transactions/transaction-check.js';
import { DELAY_RELAY, type DelayRelayNames } from '../../protocol/model/delay-chain.js';
import { checkpointsOf, withCheckpoints } from '../../support/checkpoints.js';
import { StateError, UsageError } from '../../support/errors.js';
import type { Admin, AdminAccess } from '../cluster/admin-access.js';
import { type Declarations, withDelayRelay } from '../cluster/declarations.js';
import { placeNewGroup, whoChoosesStart } from '../cluster/group-starts.js';
import { InstanceGroups, whoNeedsGroups } from '../cluster/instance-groups.js';
import { checkDeclared, createDeclared } from '../cluster/provisioning.js';
import { RunningConsumers } from '../cluster/running-consumers.js';
import { warnOfOtherSubscriptions } from '../cluster/subscription-warning.js';
import { type Failure, FailureLog } from '../events/failure-log.js';
import { type ConsumerHooks, consumerHooks, producerHooks } from '../events/lifecycle-hooks.js';
import type { RocketMQEvents } from '../events/rocketmq-events.js';
import type { HandlerInvoker } from '../listening/handler-invoker.js';
import { consumerOptionsOf } from '../listening/listener-consumer.js';
import type { PlannedConsumer, PlannedListener } from '../listening/listener-plan.js';
import type { MessageWire } from '../messages/message-body.js';
import { type ReplyChannel, replyChannelOf } from '../sending/reply-channel.js';
import { type EmbeddedEndpoint, startEmbeddedBroker } from './embedded.js';
import type { CheckedOptions } from './module-options.js';
import type { SignalWatch } from './signal-watch.js';
import type { TopicPlan } from './topic-plan.js';
import { startWatches, stopWatches, type Watches } from './watches.js';

/** The validated plan of what the application declares. */
export interface Plan extends TopicPlan {
  readonly consumers: readonly PlannedConsumer[];
  readonly checkers: Readonly<Record<string, TransactionCheckHandler>>;
  readonly declarations: Declarations;
}

/** The running parts. They are added as they start, so that a failed start can stop the earlier ones. */
export interface Parts extends Watches {
  broker?: EmbeddedEndpoint;
  connection?: Connection;
  producer?: Producer;
  replies?: ReplyChannel;
  consumers?: RunningConsumers;
  /** Undefined unless something needs a consumer group of this instance. */
  groups?: InstanceGroups;
  /** Undefined unless failures are kept. */
  failures?: FailureLog;
  /** Undefined with a broker inside the application, where what ends with the process is lost anyway. */
  signals?: SignalWatch;
}

/** The consumers of a start. */
export interface ConsumerPlans {
  readonly ready: readonly PlannedConsumer[];
  /** Those that start later. */
  readonly waiting?: readonly PlannedConsumer[];
}

/** What the parts are created with. */
export interface PartStarterPort {
  readonly options: CheckedOptions;
  readonly admin: AdminAccess;
  readonly invoker: HandlerInvoker;
  readonly events: RocketMQEvents;
  /** What the bodies of answers are created with. */
  readonly wire: MessageWire;
}

/** Each start may be repeated after it has failed: it continues with the parts that have started. */
export class PartStarter {
  private readonly hooks = new WeakMap<PlannedConsumer, ConsumerHooks>();
  /** Undefined when no listener chooses where its group begins. */
  private starts: Admin | undefined;

  constructor(
    private readonly given: PartStarterPort,
    private readonly instanceId: string,
    /** Whether to wait for a missing topic. Otherwise it is an error at once, which suits a start that is retried anyway. */
    private readonly mayWaitForTopics: () => boolean,
  ) {}

  /** Starts everything that sending needs. @throws UsageError or ResourceError that says what is wrong; errors of the server */
  async producer(parts: Parts, plan: Plan, signal: AbortSignal): Promise<void> {
    const { options, given } = this;
    const { admin, events } = given;
    const { target } = options;
    // An embedded broker must know before it starts.
    await admin.forLag(options.operations);
    const admins = await admin.forGroups(whoNeedsGroups(plan.consumers, options));
    this.starts = await admin.forStarts(whoChoosesStart(plan.consumers));
    if (target.kind === 'embedded') {
      parts.broker = await startEmbeddedBroker(options, plan.declarations, admin.needsInside);
      if (admin.needsInside) await admin.attach(parts.broker.nameServerEndpoint);
    }
    parts.groups ??= admins && new InstanceGroups(admins, options);
    parts.connection ??= this.connection(parts);
    const relay = parts.connection.hasProxy ? undefined : delayRelayOf(options);
    await this.provision(relay === undefined ? plan.declarations : withDelayRelay(plan.declarations, relay), signal);
    const versions = await admin.ofCluster();
    const producer = new Producer(parts.connection, {
      ...options.producer,
      ...(relay && { delayLevels: relay }),
      brokerVersions: options.producer?.brokerVersions ?? (versions && (() => versions.brokerVersions())),
      topics: plan.verified,
      transactionCheckers: plan.checkers,
      transactionOwner: this.transactionOwner,
      events: producerHooks(options.events ?? {}, events),
      telemetry: options.telemetry,
    });
    // A producer whose start fails has closed itself. What the consumers miss is named as well, although they would start later.
    await namingAll(producer.start({ ...this.startOptions(), signal }), () => [
      this.check(parts, plan.consumers, signal),
    ]);
    parts.producer = producer;
    parts.failures = this.failureLog(parts.connection, producer);
  }

  private failureLog({ clock, logger }: Connection, producer: Producer): FailureLog | undefined {
    const { operations, names } = this.options;
    if (operations === undefined) return undefined;
    return new FailureLog({
      texts: operations.texts,
      topic: names.topic(operations.topic),
      clock,
      logger,
      instance: producer.clientId,
      send: (message, options) => producer.send(message, options),
    });
  }

  /** Starts the reply channel; does nothing unless requests are enabled. @throws as {@link producer} */
  async replies(parts: Parts, signal: AbortSignal): Promise<void> {
    const { connection, groups } = parts;
    if (this.options.requests === undefined || connection === undefined || groups === undefined) return;
    const replies = replyChannelOf(this.options, this.instanceId, { connection, groups, wire: this.given.wire });
    try {
      await replies.open({ ...this.startOptions(), signal });
      parts.replies = replies;
    } catch (error) {
      await replies.close();
      throw error;
    }
  }

  /** Starts what runs beside the consumers until {@link stopWatches}. */
  watches(parts: Parts, plan: Plan): Promise<void> {
    const { transactionOwner, given } = this;
    return startWatches(parts, plan, { ...given, transactionOwner });
  }

  stopWatches(parts: Parts): Promise<void> {
    return stopWatches(parts);
  }

  /** Starts the consumers of some groups. @throws as {@link producer}, when all others have started or failed */
  async consumers(parts: Parts, { ready, waiting = [] }: ConsumerPlans, signal: AbortSignal): Promise<void> {
    const consumers = await this.allConsumers(parts);
    await namingAll(consumers.start(ready, signal), () => [consumers.check(waiting, signal)]);
  }

  /** Whether consumers that do not run would find what they need. Nothing is received. @throws as {@link producer} */
  async check(parts: Parts, plans: readonly PlannedConsumer[], signal: AbortSignal): Promise<void> {
    const consumers = await this.allConsumers(parts);
    await consumers.check(plans, signal);
  }

  private async allConsumers(parts: Parts): Promise<RunningConsumers> {
    const { connection } = parts;
    if (connection === undefined) throw new StateError('NOT_STARTED', 'the producer has not started');
    parts.consumers ??= await this.running(connection, parts);
    return parts.consumers;
  }

  private startOptions(): StartOptions {
    return { timeoutMs: this.options.startTimeoutMs, waitForTopics: this.mayWaitForTopics() };
  }

  private connection({ broker }: Parts): Connection {
    const { options, given } = this;
    const { target, credentials, tls, nameServer } = options;
    const shared = connectionOptions(options);
    if (target.kind === 'cluster')
      return new Connection({ ...shared, credentials, tls, endpoints: target.endpoints }, { nameServer });
    // The embedded broker needs no credentials and no TLS, and files that the cluster's options name may not exist on this machine.
    const inside = given.admin.needsInside ? broker?.nameServerEndpoint : undefined;
    const place = target.data === undefined ? 'memory' : 'folder';
    return new Connection({ ...shared, endpoints: broker?.endpoints ?? '' }, { nameServer: inside, place });
  }

  private async provision(declarations: Declarations, signal: AbortSignal): Promise<void> {
    const { logger, startTimeoutMs: timeoutMs, provision = 'off', nameServer } = this.options;
    const admin = await this.given.admin.forProvisioning(provision);
    if (admin === undefined) return;
    const port = { admin, logger, timeoutMs, nameServer };
    if (provision === 'create') await createDeclared(declarations, port, signal);
    else await checkDeclared(declarations, port, signal);
  }

  private async running(connection: Connection, parts: Parts): Promise<RunningConsumers> {
    const { shutdownGraceMs, logger } = this.options;
    const admin = await this.given.admin.ofCluster();
    return new RunningConsumers({
      shutdownGraceMs,
      groups: parts.groups,
      startOptions: () => this.startOptions(),
      make: (plan) => namingListeners(plan, () => this.consumer(connection, plan, parts)),
      beforeStart: async (plan, signal) => {
        if (admin !== undefined) await warnOfOtherSubscriptions(plan, { admin, logger, signal });
        if (this.starts !== undefined) await placeNewGroup(plan, { admin: this.starts, signal });
      },
      onStarted: ({ listeners }) => {
        for (const listener of listeners) this.announce(listener);
      },
      onEnded: (plan) => {
        const unfinished = this.hooks.get(plan)?.unfinished ?? 0;
        logger.info('a consumer has shut down', { consumerGroup: plan.consumerGroup, unfinished });
        this.given.events.report({ type: 'drained', consumerGroup: plan.consumerGroup, unfinished });
      },
    });
  }

  private consumer(connection: Connection, plan: PlannedConsumer, parts: Parts): PushConsumer {
    const { inbox, logger, events = {}, limitStore, telemetry, operations } = this.options;
    const keep = operations && ((failure: Failure) => parts.failures?.record(failure));
    const hooks = consumerHooks(events, this.given.events, plan.consumerGroup, keep);
    this.hooks.set(plan, hooks);
    return new PushConsumer(connection, {
      ...consumerOptionsOf(plan, {
        invoker: this.given.invoker,
        producer: () => parts.producer,
        answers: { wire: this.given.wire, logger },
      }),
      describeGroup: async (consumerGroup, given) =>
        (await this.given.admin.ifAny())?.describeGroup(consumerGroup, given),
      limitStore,
      events: hooks,
      telemetry: this.given.events.telemetryOf(telemetry),
      acceptPolicy: inbox && ((listener, policy) => inbox.assertOutlives(policy, `listener ${listener}`)),
    });
  }

  private get transactionOwner(): string | undefined {
    const { consumerGroup, names, transactionOwner } = this.options;
    return transactionOwner ?? (consumerGroup === undefined ? undefined : names.group(consumerGroup));
  }

  private announce({ name, topic, consumerGroup, filter }: PlannedListener): void {
    this.options.logger.info(`${name} listens`, { topic: topic.name, consumerGroup, filter: filter.expression });
  }

  private get options(): CheckedOptions {
    return this.given.options;
  }
}

/** The topic and group of the relay by their names on the cluster; undefined without one. */
function delayRelayOf({ producer, names }: CheckedOptions): DelayRelayNames | undefined {
  const relay = producer?.delayLevels === 'chain' ? DELAY_RELAY : producer?.delayLevels;
  if (typeof relay !== 'object') return undefined;
  return { topic: names.topic(relay.topic), consumerGroup: names.group(relay.consumerGroup) };
}

/** Those that any server may have. */
function connectionOptions(options: CheckedOptions): Omit<ConnectionOptions, 'endpoints' | 'credentials' | 'tls'> {
  const { namespace, credentialsRefreshMs, requestTimeoutMs, useBootstrapEndpoints, addressMapping } = options;
  const { logger, clock, names, topicLayouts = {} } = options;
  const given = {
    namespace,
    credentialsRefreshMs,
    requestTimeoutMs,
    useBootstrapEndpoints,
    addressMapping,
    topicLayouts: Object.fromEntries(Object.entries(topicLayouts).map(([topic, one]) => [names.topic(topic), one])),
    logger,
    clock,
  };
  const checkpoint = checkpointsOf(options);
  return checkpoint === undefined ? given : withCheckpoints(given, checkpoint);
}

/** Names the listeners whose option the consumer rejects. */
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
