// The options of a push consumer: their meaning, defaults and validation.
// Over 300 lines: most of them are the texts of its options.

import { EVERY_MESSAGE } from '../protocol/model/filter.js';
import { DEFAULT_BUFFERED_BYTES, DEFAULT_MAX_UNPACKED_BYTES, LIMITS } from '../protocol/model/limits.js';
import { type Clock, SECOND_MS } from '../support/clock.js';
import { UsageError } from '../support/errors.js';
import {
  anyFunction,
  anyObject,
  assertOptions,
  callbacks,
  functions,
  integerFrom,
  listWhere,
  numberFrom,
  type OptionChecks,
  oneOf,
  positiveInteger,
  positiveNumber,
  trueOrFalse,
  withMethods,
} from '../support/options.js';
import { DEFAULT_ACK_BATCH_SIZE } from './lease/ack-batcher.js';
import { type GroupLimitParts, GroupLimits } from './listeners/group-limits.js';
import type { LimitPort } from './listeners/limit-state.js';
import type { PolicyInForce } from './listeners/listener-fit.js';
import {
  type ListenerDefaults,
  ListenerSet,
  type MessageListener,
  mergedSubscriptions,
  onlyListener,
  resolveListener,
} from './listeners/message-listener.js';
import { type RateLimit, rateLimitCheck } from './listeners/rate-limiter.js';
import type { ConsumeInterceptor } from './model/consume-interceptor.js';
import type { ConsumerEvents } from './model/consumer-events.js';
import type { ConsumerTelemetrySource, PushConsumerTelemetry } from './model/consumer-telemetry.js';
import { FAILURE_CHECKS, type FailurePolicy } from './model/failure-policy.js';
import type { MessageHandler } from './model/handler.js';
import { assertGroupSubscription, GROUP_CHECKS, type Subscription } from './model/subscription.js';
import type { DescribeGroup } from './receive/group-pause-watch.js';
import { assertLiteTopic } from './receive/lite-subscriptions.js';

/** Set `subscriptions` and `handler`, or `listeners`. The failure policy applies to listeners that set none themselves. */
export interface PushConsumerOptions extends FailurePolicy {
  /** The group whose messages it shares. */
  readonly consumerGroup: string;
  /** What the handler receives. Default: what the `listeners` need. */
  readonly subscriptions?: readonly Subscription[];
  /** Called and awaited for each message; its result settles the message. Default: none. */
  readonly handler?: MessageHandler;
  /**
   * Several handlers, each for messages of its own: by topic, or by tags of one topic. The consumer subscribes to what they
   * need. Default: one, `handler`.
   */
  readonly listeners?: readonly MessageListener[];
  /**
   * Makes it a consumer of lite topics: it receives those listed here and those that `subscribeLite()` adds, from the
   * one topic that it subscribes to, without a filter. The topic is of type `lite`, and the group is bound to it (`lite` of `createGroup`).
   * An empty list: none at first. Set `deadLetterTo`, too: dead letters of lite topics do not go to the broker's queue. The messages of a lite topic are handled one after another, those of several lite topics concurrently.
   * Requires server 5.5.0, and proxies in processes of their own. Default: a consumer of ordinary topics.
   */
  readonly liteTopics?: readonly string[];
  /**
   * `broadcast`: it receives every message that is sent while it runs, whoever else receives it, and no earlier ones. It keeps its positions in memory,
   * retries in memory, and logs and drops dead letters, unless `deadLetterTo` keeps them. Its group must have no consumers that share messages.
   * Only without a proxy (`name-server:`). Default `shared`: the consumers of the group share the messages.
   */
  readonly mode?: 'shared' | 'broadcast';
  /**
   * `pull`: from brokers of 5.x as well, the consumers of the group divide the queues and pull, as on 4.x. All of the group must do so. Only without a proxy
   * (`name-server:`). Default `pop`; brokers of 4.x are always pulled from.
   */
  readonly consume?: 'pop' | 'pull';
  /** Concurrent handlers of each listener. Default 16. */
  readonly concurrency?: number;
  /**
   * How many handlers of each listener run at once in all instances of the group together; for batches, how many batches. Each instance keeps to its
   * `concurrency`, too. What may not begin yet is not received. Instances hold their part by leases of 30 s in the `limitStore`. Default: no limit.
   */
  readonly groupConcurrency?: number;
  /**
   * Messages received and not yet settled, including those being handled; listeners of several topics have a part each. Default 256, or twice the concurrency of all listeners
   * if that is more.
   */
  readonly maxBufferedMessages?: number;
  /**
   * Bytes of the bodies of these messages, compressed or decompressed, whichever is more. Each open poll may exceed it by one message;
   * further messages of the poll are redelivered when their leases end. Default 64 MiB.
   */
  readonly maxBufferedBytes?: number;
  /** How long a lease lasts unless it is renewed, in milliseconds; it is renewed at half of this. 10 s to 12 h. Default 30 s. */
  readonly invisibleDurationMs?: number;
  /** How long a handler may run, in milliseconds of real time; then it counts as failed. Default: no limit. */
  readonly handlerTimeoutMs?: number;
  /**
   * How many messages the handler of each listener may be given: at most `max` within any `perMs` milliseconds, each attempt counted, in this process or,
   * with `scope: 'group'`, in all instances together. What may not begin yet is not received, so that other consumers of the group can have it; where
   * listeners share a topic, it waits in the buffer. Default: no limit.
   */
  readonly rateLimit?: RateLimit;
  /** Where the instances of a group count together, for `groupConcurrency` and the scope `group` of `rateLimit`: a `LimitStore` of `nestjs-rocketmq/sql`. Default: none. */
  readonly limitStore?: LimitPort;
  /**
   * Fail at startup when the group is not ordered on one of the servers, and receive nothing from a server on which it is not ordered later.
   * Default false.
   */
  readonly requireFifo?: boolean;
  /** How long a poll waits for messages, in milliseconds; the server limits it to 5 to 20 s. Default: as the server decides. */
  readonly longPollingTimeoutMs?: number;
  /** A message whose compressed body decompresses to more bytes is dead-lettered. Default 32 MiB. */
  readonly maxUnpackedBytes?: number;
  /**
   * The most acks in one request. An ack is sent at once when no other is being sent; those that become due meanwhile are sent
   * together after it, or as soon as they fill a request. 1: each has a request of its own. Default 32, at most 256.
   */
  readonly ackBatchSize?: number;
  /** Called around the handler at each attempt, the first one outermost. Default: none. */
  readonly interceptors?: readonly ConsumeInterceptor[];
  /**
   * Called at startup with the retry policy of each listener; when it throws, startup fails. For stores that must
   * outlive the attempts: `inbox.assertOutlives` of `nestjs-rocketmq/sql`. Default: none.
   */
  readonly acceptPolicy?: (listener: string, policy: PolicyInForce) => void;
  /**
   * Called while the servers have paused the group, for the reason that log, health and events report:
   * `(group, options) => admin.describeGroup(group, options)`. Default: they report none.
   */
  readonly describeGroup?: DescribeGroup;
  /** Callbacks for what happens to messages. Default: none. */
  readonly events?: Partial<ConsumerEvents>;
  /** Traces and measures it: `openTelemetry()` of `nestjs-rocketmq/opentelemetry`. Default: none. */
  readonly telemetry?: ConsumerTelemetrySource;
}

type Defaulted =
  | 'concurrency'
  | 'maxBufferedMessages'
  | 'maxBufferedBytes'
  | 'invisibleDurationMs'
  | 'requireFifo'
  | 'maxUnpackedBytes'
  | 'ackBatchSize'
  | 'events';

/** Options with their defaults filled in. */
export interface ResolvedOptions
  extends Omit<PushConsumerOptions, Defaulted | 'listeners' | 'handler' | 'subscriptions'>,
    Required<Pick<PushConsumerOptions, Defaulted>> {
  readonly subscriptions: readonly Subscription[];
  readonly listeners: ListenerSet;
  /** Whether listeners decide about the subscriptions, so that these cannot change. */
  readonly areListenersGiven: boolean;
}

const DEFAULT_CONCURRENCY = 16;
const DEFAULT_BUFFERED_MESSAGES = 256;
const DEFAULT_LEASE_MS = 30 * SECOND_MS;

/** The server answers each entry; with more entries than this, the answer is late for all. */
const MAX_ACK_BATCH_SIZE = 256;

/** The names of the event handlers. */
export const CONSUMER_EVENTS: Readonly<Record<keyof ConsumerEvents, true>> = {
  onConnected: true,
  onLost: true,
  onRecovered: true,
  onFailed: true,
  onDeadLetter: true,
  onLeaseLost: true,
  onSettleFailed: true,
  onGraceOver: true,
  onLiteTopicLost: true,
  onGroupPaused: true,
  onGroupResumed: true,
};

/** @internal */
export const PUSH_CONSUMER_CHECKS: OptionChecks<PushConsumerOptions> = {
  ...FAILURE_CHECKS,
  ...GROUP_CHECKS,
  handler: anyFunction,
  listeners: listWhere('listeners', (one) => anyObject(one) === undefined),
  liteTopics: listWhere('names', (one) => typeof one === 'string'),
  mode: oneOf('shared', 'broadcast'),
  consume: oneOf('pop', 'pull'),
  concurrency: positiveInteger,
  groupConcurrency: positiveInteger,
  maxBufferedMessages: positiveInteger,
  maxBufferedBytes: positiveNumber,
  invisibleDurationMs: numberFrom(LIMITS.invisibleDurationMinMs, LIMITS.invisibleDurationMaxMs),
  handlerTimeoutMs: positiveNumber,
  rateLimit: rateLimitCheck,
  limitStore: withMethods('a LimitStore of nestjs-rocketmq/sql, or another object', 'read', 'write'),
  requireFifo: trueOrFalse,
  longPollingTimeoutMs: positiveNumber,
  maxUnpackedBytes: positiveInteger,
  ackBatchSize: integerFrom(1, MAX_ACK_BATCH_SIZE),
  interceptors: functions,
  acceptPolicy: anyFunction,
  describeGroup: anyFunction,
  events: callbacks(CONSUMER_EVENTS),
  telemetry: withMethods('the result of openTelemetry() of nestjs-rocketmq/opentelemetry', 'pushConsumer'),
};

/** @throws UsageError that names the option and its allowed values */
export function assertPushConsumerOptions(options: PushConsumerOptions): void {
  assertOptions(options, { options: PUSH_CONSUMER_CHECKS });
}

/** @throws UsageError that names the option: values that contradict each other, invalid names and listeners */
export function resolveOptions(options: PushConsumerOptions, parts: ListenersOwn): ResolvedOptions {
  const { consumerGroup } = options;
  const subscriptions = subscriptionsOf(options);
  assertGroupSubscription({ consumerGroup, subscriptions });
  assertLiteTopics(options.liteTopics, subscriptions);
  const { concurrency = DEFAULT_CONCURRENCY } = options;
  const listeners = listenersOf({ ...options, concurrency }, parts);
  if (options.liteTopics !== undefined) assertDeadLettersKept(listeners);
  const atOnce = listeners.all.reduce((sum, { permits }) => sum + permits, 0);
  const { handler: _handler, listeners: given, ...others } = options;
  return {
    ...others,
    subscriptions,
    listeners,
    areListenersGiven: given !== undefined,
    concurrency,
    maxBufferedMessages: options.maxBufferedMessages ?? Math.max(DEFAULT_BUFFERED_MESSAGES, 2 * atOnce),
    maxBufferedBytes: options.maxBufferedBytes ?? DEFAULT_BUFFERED_BYTES,
    invisibleDurationMs: options.invisibleDurationMs ?? DEFAULT_LEASE_MS,
    requireFifo: options.requireFifo ?? false,
    ackBatchSize: options.ackBatchSize ?? DEFAULT_ACK_BATCH_SIZE,
    maxUnpackedBytes: options.maxUnpackedBytes ?? DEFAULT_MAX_UNPACKED_BYTES,
    events: { ...options.events },
  };
}

function assertLiteTopics(liteTopics: readonly string[] | undefined, subscriptions: readonly Subscription[]): void {
  if (liteTopics === undefined) return;
  for (const liteTopic of liteTopics) assertLiteTopic(liteTopic, 'liteTopics');
  const [first, ...others] = subscriptions;
  if (others.length === 0 && (first?.filter ?? EVERY_MESSAGE).expression === EVERY_MESSAGE.expression) return;
  const text =
    'a consumer of lite topics subscribes to one topic without a filter; use a consumer group of its own for it';
  throw new UsageError('ILLEGAL_OPTION', text, 'liteTopics');
}

/** Apache RocketMQ 5.5.0 damages a lite topic when it moves one of its messages to the dead letter queue (docs/protocol-notes.md). */
function assertDeadLettersKept({ all }: ListenerSet): void {
  const lacking = all.find(({ policy }) => policy.deadLetterTo === undefined);
  if (lacking === undefined) return;
  const text =
    `listener ${lacking.name}: a consumer of lite topics must set deadLetterTo, because the dead letter queue of Apache RocketMQ 5.5.0 ` +
    'damages lite topics';
  throw new UsageError('ILLEGAL_OPTION', text, 'deadLetterTo');
}

function subscriptionsOf({ consumerGroup, subscriptions, listeners }: PushConsumerOptions): Subscription[] {
  if (listeners === undefined) return [...(subscriptions ?? [])];
  const names = listeners.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new UsageError('LISTENER_NAME_TAKEN', `two listeners are named "${twice}"; give each a name`, 'listeners');
  }
  return mergedSubscriptions(consumerGroup, listeners);
}

/** What listeners have of their consumer. */
interface ListenersOwn {
  readonly telemetry: PushConsumerTelemetry | undefined;
  readonly ioClock: Clock;
  /** What their limits over all instances have. */
  readonly limits: GroupLimitParts;
}

function listenersOf(
  options: PushConsumerOptions & { readonly concurrency: number },
  { ioClock, telemetry, limits }: ListenersOwn,
): ListenerSet {
  const { consumerGroup, handler, handlerTimeoutMs, interceptors = [], listeners, subscriptions } = options;
  const overGroup = new GroupLimits(options, limits);
  const defaults: ListenerDefaults = { ...options, telemetry, handlerTimeoutMs, interceptors, overGroup };
  if (listeners === undefined) {
    if (typeof handler === 'function') return new ListenerSet([onlyListener(consumerGroup, handler, defaults)]);
    throw new UsageError('ILLEGAL_OPTION', 'option handler must be a function', 'handler');
  }
  if (handler !== undefined || subscriptions !== undefined) {
    const text = 'set listeners, or subscriptions and a handler, not both';
    throw new UsageError('ILLEGAL_OPTION', text, 'listeners');
  }
  return new ListenerSet(listeners.map((listener) => resolveListener(listener, defaults, ioClock)));
}
