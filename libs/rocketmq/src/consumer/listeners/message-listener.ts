// The listeners of a push consumer: which messages each receives, its handler, its concurrency, and its failure policy. Listeners that
// share a topic share the one filter that a consumer group can have for it.
// Over 300 lines: how filters merge must be seen beside what each listener matches.

import { EVERY_MESSAGE, type Filter, matchesTag, tagsOf } from '../../protocol/model/filter.js';
import type { MessageView } from '../../protocol/model/message.js';
import type { Clock } from '../../support/clock.js';
import { StateError, UsageError } from '../../support/errors.js';
import {
  anyFunction,
  anyObject,
  assertOptions,
  nonEmptyString,
  notNegative,
  type OptionChecks,
  objectOf,
  positiveInteger,
  positiveNumber,
} from '../../support/options.js';
import { Semaphore } from '../../support/semaphore.js';
import { type ConsumeInterceptor, intercepted } from '../model/consume-interceptor.js';
import type { PushConsumerTelemetry } from '../model/consumer-telemetry.js';
import { FAILURE_CHECKS, type FailurePolicy } from '../model/failure-policy.js';
import type { BatchListening, MessageHandler } from '../model/handler.js';
import { assertFilter, type Subscription } from '../model/subscription.js';
import { BatchGatherer, type BatchRunOptions } from './batch-gatherer.js';
import type { GroupLimits } from './group-limits.js';
import type { GroupSlots } from './group-slots.js';
import { BothLimits, type Limiter } from './limiter.js';
import { type RateLimit, RateLimiter, rateLimitCheck } from './rate-limiter.js';

/** One listener of a consumer that has several. It receives the messages of its topic that match its filter, and no others. */
export interface MessageListener extends FailurePolicy {
  /** Identifies it in errors and for pauses; unique in its consumer. */
  readonly name: string;
  /** The topic whose messages it receives. */
  readonly topic: string;
  /** Default: every message. Listeners of one topic must have different tags; one that filters by SQL is alone on its topic. */
  readonly filter?: Filter;
  /** Called and awaited for each message. Set this or `batch`. Default: none. */
  readonly handler?: MessageHandler;
  /** Handles several messages at once. Not for ordered groups. Default: none. */
  readonly batch?: BatchListening;
  /** Concurrent handlers; with `batch`: concurrent batches. Default: the consumer's `concurrency`. */
  readonly concurrency?: number;
  /** Concurrent handlers, or batches, over all instances of the group. Default: the consumer's `groupConcurrency`. */
  readonly groupConcurrency?: number;
  /** How long its handler may run, in milliseconds. Default: the consumer's `handlerTimeoutMs`. */
  readonly handlerTimeoutMs?: number;
  /** How many messages its handler may be given in a time. Default: the consumer's `rateLimit`. */
  readonly rateLimit?: RateLimit;
}

/** The checks of what decides about the size of a batch. */
export const BATCH_CHECKS: OptionChecks<Omit<BatchListening, 'handler'>> = {
  maxSize: positiveInteger,
  maxBytes: positiveInteger,
  maxWaitMs: notNegative,
};

const CHECKS: OptionChecks<MessageListener> = {
  ...FAILURE_CHECKS,
  name: nonEmptyString,
  topic: nonEmptyString,
  filter: anyObject,
  handler: anyFunction,
  batch: objectOf({
    options: { ...BATCH_CHECKS, handler: anyFunction },
    required: ['handler', 'maxSize', 'maxWaitMs'],
  }),
  concurrency: positiveInteger,
  groupConcurrency: positiveInteger,
  handlerTimeoutMs: positiveNumber,
  rateLimit: rateLimitCheck,
};

/** The defaults of listeners. */
export interface ListenerDefaults extends FailurePolicy {
  readonly concurrency: number;
  readonly groupConcurrency?: number | undefined;
  readonly handlerTimeoutMs: number | undefined;
  readonly rateLimit?: RateLimit | undefined;
  /** Limits over all instances. Default: there are none, for a listener that no consumer has. */
  readonly overGroup?: GroupLimits | undefined;
  readonly interceptors: readonly ConsumeInterceptor[];
  readonly telemetry?: PushConsumerTelemetry | undefined;
}

/** A listener with its resolved options. */
export interface Listener {
  readonly name: string;
  /** Undefined: all topics of the consumer. */
  readonly topic: string | undefined;
  readonly filter: Filter | undefined;
  readonly handler: MessageHandler;
  /** Undefined for batches: their timeout is that of the batch. */
  readonly handlerTimeoutMs: number | undefined;
  readonly policy: FailurePolicy;
  /** How many messages it may have at once from the start, which decides its share of the buffer. */
  readonly permits: number;
  readonly slots: HandlerSlots;
  /** Undefined without a limit. */
  readonly limiter: Limiter | undefined;
  readonly isBatch: boolean;
  /** It represents the listener of a message that no listener matches. */
  readonly isForUnmatched: boolean;
}

/** How many handlers of a listener run at once. */
export class HandlerSlots {
  /** One for each message that is being handled. */
  readonly messages: Semaphore;

  /**
   * @param messagesEach how many messages a handler has: those of a batch, otherwise one
   * @param batches one for each batch that is being handled
   */
  constructor(
    private current: number,
    readonly messagesEach = 1,
    private readonly batches?: Semaphore,
  ) {
    this.messages = new Semaphore(current * messagesEach);
  }

  get concurrency(): number {
    return this.current;
  }

  /** Handlers that run continue, also when they are more. */
  resize(concurrency: number): void {
    this.current = concurrency;
    this.messages.resize(concurrency * this.messagesEach);
    this.batches?.resize(concurrency);
  }
}

const POLICY_FIELDS = ['backoff', 'maxAttempts', 'retryOn', 'deadLetterOn', 'deadLetterTo', 'onDeadLetter'] as const;

/** The one listener of a consumer with a plain handler. */
export function onlyListener(name: string, handler: MessageHandler, defaults: ListenerDefaults): Listener {
  const { concurrency, handlerTimeoutMs } = defaults;
  const slots = new HandlerSlots(concurrency);
  const { limiter } = limitsOf(name, {}, defaults, slots);
  return {
    name,
    topic: undefined,
    filter: undefined,
    handler: observed(intercepted(handler, defaults.interceptors), defaults),
    handlerTimeoutMs,
    policy: policyOf({}, defaults),
    permits: concurrency,
    slots,
    limiter,
    isBatch: false,
    isForUnmatched: false,
  };
}

/** @throws UsageError that names the listener and its invalid option */
export function resolveListener(listener: MessageListener, defaults: ListenerDefaults, ioClock: Clock): Listener {
  const { name, topic, filter, batch } = listener;
  const handlerTimeoutMs = listener.handlerTimeoutMs ?? defaults.handlerTimeoutMs;
  const concurrency = listener.concurrency ?? defaults.concurrency;
  try {
    assertOptions(listener, { options: CHECKS });
    if ((listener.handler === undefined) === (batch === undefined)) {
      throw new UsageError('ILLEGAL_OPTION', 'set either handler or batch', 'handler');
    }
    const places = new Semaphore(concurrency);
    const slots =
      batch === undefined ? new HandlerSlots(concurrency) : new HandlerSlots(concurrency, batch.maxSize, places);
    const { limiter, groupSlots } = limitsOf(name, listener, defaults, slots);
    const runOptions = { places: groupSlots?.runsIn(places) ?? places, timeoutMs: handlerTimeoutMs, ioClock };
    const gatherer = batch && gathererOf(batch, runOptions, defaults);
    const handler = gatherer?.handler ?? (listener.handler as MessageHandler);
    const around = intercepted(handler, defaults.interceptors);
    return {
      name,
      topic,
      filter,
      // Interceptors of a batch are called around the batch, not around each of its messages.
      handler: batch === undefined ? observed(around, defaults) : around,
      handlerTimeoutMs: batch === undefined ? handlerTimeoutMs : undefined,
      policy: policyOf(listener, defaults),
      permits: concurrency * (batch?.maxSize ?? 1),
      slots,
      limiter,
      isBatch: batch !== undefined,
      isForUnmatched: false,
    };
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    const text = `listener ${name}: ${cause.message.replace(`[${cause.code}] `, '')}`;
    throw new UsageError(cause.code, text, cause.field, { cause });
  }
}

/** What it is limited by, and the part of it that batches run in. */
function limitsOf(
  name: string,
  own: Pick<MessageListener, 'rateLimit' | 'groupConcurrency'>,
  defaults: ListenerDefaults,
  local: HandlerSlots,
): { readonly limiter: Limiter | undefined; readonly groupSlots: GroupSlots | undefined } {
  const { rateLimit: rate = defaults.rateLimit, groupConcurrency: most = defaults.groupConcurrency } = own;
  const { overGroup } = defaults;
  const rateLimiter = rate?.scope === 'group' ? overGroup?.rate(name, rate) : rate && new RateLimiter(rate);
  const groupSlots = most === undefined ? undefined : overGroup?.slots({ name, most, local });
  const isBoth = groupSlots !== undefined && rateLimiter !== undefined;
  return { groupSlots, limiter: isBoth ? new BothLimits(groupSlots, rateLimiter) : (groupSlots ?? rateLimiter) };
}

function observed(handler: MessageHandler, { telemetry }: ListenerDefaults): MessageHandler {
  return telemetry?.handler(handler) ?? handler;
}

function gathererOf(batch: BatchListening, options: BatchRunOptions, { telemetry }: ListenerDefaults): BatchGatherer {
  return new BatchGatherer(
    telemetry !== undefined ? { ...batch, handler: telemetry.batchHandler(batch.handler) } : batch,
    options,
  );
}

/** Finds the listener of a message. */
export class ListenerSet {
  private readonly unmatched: Listener;

  constructor(readonly all: readonly Listener[]) {
    const fields = { name: 'none', topic: undefined, filter: undefined, handlerTimeoutMs: undefined };
    this.unmatched = {
      ...fields,
      handler: reject,
      policy: {},
      permits: 1,
      slots: new HandlerSlots(1),
      limiter: undefined,
      isBatch: false,
      isForUnmatched: true,
    };
  }

  /**
   * The listener of a message. One that none matches has a listener that `isForUnmatched`: it is not handled but redelivered, possibly to
   * a newer version of the application that has a listener for it; an ack would lose it.
   */
  of({ topic, tag }: MessageView): Listener {
    return (
      this.all.find((one) => one.topic === undefined || (one.topic === topic && takes(one.filter, tag))) ??
      this.unmatched
    );
  }

  /** Whether another listener receives other messages of its topic. */
  sharesTopic(listener: Listener): boolean {
    return this.all.some((other) => other !== listener && other.topic === listener.topic);
  }

  named(name: string): Listener {
    const listener = this.all.find((one) => one.name === name);
    if (listener !== undefined) return listener;
    throw new UsageError('UNKNOWN_LISTENER', `this consumer has no listener "${name}"`, 'listener');
  }
}

function reject({ messageId, topic, tag }: MessageView): never {
  const what = tag === undefined ? 'without a tag' : `with tag "${tag}"`;
  const text = `no listener matches message ${messageId} ${what} from topic "${topic}"; it is kept, not acknowledged`;
  throw new StateError('NO_LISTENER', text);
}

function policyOf(own: FailurePolicy, defaults: FailurePolicy): FailurePolicy {
  const policy: Record<string, unknown> = {};
  for (const field of POLICY_FIELDS) policy[field] = own[field] ?? defaults[field];
  return policy;
}

/** A listener's topic and filter. */
interface FilteredListener {
  readonly name: string;
  readonly topic: string;
  readonly filter?: Filter;
}

/**
 * One subscription for each topic: the union of its listeners' filters.
 * @throws UsageError that names two listeners: `FILTERS_OVERLAP` when both match the same messages, `FILTERS_NOT_MERGEABLE` when
 *   one of them filters by SQL
 */
export function mergedSubscriptions(consumerGroup: string, listeners: readonly FilteredListener[]): Subscription[] {
  const topics = new Map<string, FilteredListener[]>();
  for (const listener of listeners) {
    assertFilter(listener.topic, listener.filter);
    const others = topics.get(listener.topic);
    if (others === undefined) topics.set(listener.topic, [listener]);
    else {
      for (const other of others) assertApart(consumerGroup, other, listener);
      others.push(listener);
    }
  }
  return [...topics].map(([topic, all]) => ({ topic, filter: union(all) }));
}

/** Whether a received message matches this filter. An SQL filter cannot be evaluated here; it is alone on its topic. */
export function takes(filter: Filter = EVERY_MESSAGE, tag: string | undefined): boolean {
  return filter.kind === 'sql' || matchesTag(filter.expression, tag);
}

function union(listeners: readonly FilteredListener[]): Filter {
  const filters = listeners.map(({ filter }) => filter ?? EVERY_MESSAGE);
  const [first] = filters;
  if (filters.length === 1 && first !== undefined) return first;
  return { kind: 'tag', expression: filters.map(({ expression }) => expression.trim()).join(' || ') };
}

function assertApart(consumerGroup: string, one: FilteredListener, other: FilteredListener): void {
  const [first, second] = [one.filter ?? EVERY_MESSAGE, other.filter ?? EVERY_MESSAGE];
  const who = `listeners ${one.name} and ${other.name} both listen to topic "${one.topic}" as consumer group "${consumerGroup}"`;
  const advice = 'use another consumerGroup for one of them';
  if (first.kind === 'sql' || second.kind === 'sql') {
    const text = `${who}, and an SQL filter cannot be merged with another one: a group has one filter for a topic; ${advice}`;
    throw new UsageError('FILTERS_NOT_MERGEABLE', text, 'filter');
  }
  const shared = sharedTag(first.expression, second.expression);
  if (shared === undefined) return;
  const text = `${who}, and both match ${shared}; a group gets each message once: use different filters, or ${advice}`;
  throw new UsageError('FILTERS_OVERLAP', text, 'filter');
}

function sharedTag(one: string, other: string): string | undefined {
  const [first, second] = [tagsOf(one), tagsOf(other)];
  if (first === 'every' || second === 'every') return 'every message (filter *)';
  const tag = [...first].find((name) => second.has(name));
  return tag === undefined ? undefined : `tag "${tag}"`;
}
