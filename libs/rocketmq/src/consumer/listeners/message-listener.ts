// The listeners of a push consumer: which messages each takes, what handles them, how many at once, and what failures lead to.

import type { Filter } from '../../protocol/model/filter.js';
import type { MessageView } from '../../protocol/model/message.js';
import type { Clock } from '../../support/clock.js';
import { StateError, UsageError } from '../../support/errors.js';
import { positive, positiveInteger } from '../../support/options.js';
import { type ConsumeInterceptor, intercepted } from '../model/consume-interceptor.js';
import type { PushConsumerTelemetry } from '../model/consumer-telemetry.js';
import type { FailurePolicy } from '../model/failure-policy.js';
import type { BatchListening, MessageHandler } from '../model/handler.js';
import { BatchGatherer, type BatchRunOptions } from './batch-gatherer.js';
import { takes } from './listener-filters.js';

/** One listener of a consumer that has several. It gets the messages of its topic that its filter takes, and no others. */
export interface MessageListener extends FailurePolicy {
  /** Names it in errors and for pauses; each listener of a consumer has another. */
  readonly name: string;
  /** The topic whose messages it gets. */
  readonly topic: string;
  /** Default: every message. Listeners of one topic must want different tags; one that filters by SQL is alone on its topic. */
  readonly filter?: Filter;
  /** Awaited for each message. Give this or `batch`. Default: none. */
  readonly handler?: MessageHandler;
  /** Hands over several messages at once. Not for ordered groups. Default: none. */
  readonly batch?: BatchListening;
  /** Handlers side by side; with `batch`: batches side by side. Default: the consumer's `concurrency`. */
  readonly concurrency?: number;
  /** How long its handler may run. Default: the consumer's `handlerTimeoutMs`. */
  readonly handlerTimeoutMs?: number;
}

/** What listeners have in common unless they say otherwise. */
export interface ListenerDefaults extends FailurePolicy {
  readonly concurrency: number;
  readonly handlerTimeoutMs: number | undefined;
  readonly interceptors: readonly ConsumeInterceptor[];
  readonly telemetry?: PushConsumerTelemetry | undefined;
}

/** A listener with its options decided. */
export interface Listener {
  readonly name: string;
  /** Undefined: all of the consumer's. */
  readonly topic: string | undefined;
  readonly filter: Filter | undefined;
  readonly handler: MessageHandler;
  /** Undefined for batches: their time-out is that of the batch. */
  readonly handlerTimeoutMs: number | undefined;
  readonly policy: FailurePolicy;
  /** How many messages may be with it at once. */
  readonly permits: number;
  readonly isBatch: boolean;
  /** It stands for the listener of a message that nobody takes. */
  readonly isNobody: boolean;
}

const POLICY_FIELDS = ['backoff', 'maxAttempts', 'retryOn', 'deadLetterOn', 'deadLetterTo', 'onDeadLetter'] as const;

/** The one listener of a consumer that has a plain handler. */
export function onlyListener(name: string, handler: MessageHandler, defaults: ListenerDefaults): Listener {
  const { concurrency, handlerTimeoutMs } = defaults;
  return {
    name,
    topic: undefined,
    filter: undefined,
    handler: intercepted(handler, aroundOne(defaults)),
    handlerTimeoutMs,
    policy: policyOf({}, defaults),
    permits: concurrency,
    isBatch: false,
    isNobody: false,
  };
}

/** @throws UsageError that names the listener and its wrong option */
export function resolveListener(listener: MessageListener, defaults: ListenerDefaults, ioClock: Clock): Listener {
  const { name, topic, filter, batch } = listener;
  const handlerTimeoutMs = listener.handlerTimeoutMs ?? defaults.handlerTimeoutMs;
  const concurrency = listener.concurrency ?? defaults.concurrency;
  try {
    positiveInteger('concurrency', concurrency);
    if (handlerTimeoutMs !== undefined) positive('handlerTimeoutMs', handlerTimeoutMs);
    if ((listener.handler === undefined) === (batch === undefined)) {
      throw new UsageError('ILLEGAL_OPTION', 'give a handler or a batch, one of them', 'handler');
    }
    const gatherer = batch && gathererOf(batch, { concurrency, timeoutMs: handlerTimeoutMs, ioClock }, defaults);
    const handler = gatherer?.handler ?? (listener.handler as MessageHandler);
    return {
      name,
      topic,
      filter,
      // What stands around the handling of a batch stands around the batch, not around each of its messages.
      handler: intercepted(handler, batch === undefined ? aroundOne(defaults) : defaults.interceptors),
      handlerTimeoutMs: batch === undefined ? handlerTimeoutMs : undefined,
      policy: policyOf(listener, defaults),
      permits: concurrency * (batch?.maxSize ?? 1),
      isBatch: batch !== undefined,
      isNobody: false,
    };
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    const text = `listener ${name}: ${cause.message.replace(`[${cause.code}] `, '')}`;
    throw new UsageError(cause.code, text, cause.field, { cause });
  }
}

function aroundOne({ interceptors, telemetry }: ListenerDefaults): readonly ConsumeInterceptor[] {
  return telemetry === undefined ? interceptors : [telemetry.interceptor, ...interceptors];
}

/** @throws UsageError that names the option */
function gathererOf(batch: BatchListening, options: BatchRunOptions, { telemetry }: ListenerDefaults): BatchGatherer {
  const isWatched = telemetry !== undefined && typeof batch.handler === 'function';
  return new BatchGatherer(isWatched ? { ...batch, handler: telemetry.batchHandler(batch.handler) } : batch, options);
}

/** Whose a message is. */
export class ListenerSet {
  private readonly nobody: Listener;

  constructor(readonly all: readonly Listener[]) {
    const fields = { name: 'none', topic: undefined, filter: undefined, handlerTimeoutMs: undefined };
    this.nobody = { ...fields, handler: refuse, policy: {}, permits: 1, isBatch: false, isNobody: true };
  }

  /**
   * The listener of a message. One that nobody takes has a listener that `isNobody`: it is not handled and comes again, perhaps to
   * a newer version of the application that takes it; an ack would lose it.
   */
  of({ topic, tag }: MessageView): Listener {
    return (
      this.all.find((one) => one.topic === undefined || (one.topic === topic && takes(one.filter, tag))) ?? this.nobody
    );
  }

  /** Whether another listener takes other messages of its topic. */
  sharesTopic(listener: Listener): boolean {
    return this.all.some((other) => other !== listener && other.topic === listener.topic);
  }

  named(name: string): Listener {
    const listener = this.all.find((one) => one.name === name);
    if (listener !== undefined) return listener;
    throw new UsageError('UNKNOWN_LISTENER', `this consumer has no listener "${name}"`, 'listener');
  }
}

function refuse({ messageId, topic, tag }: MessageView): never {
  const what = tag === undefined ? 'without a tag' : `with tag "${tag}"`;
  const text = `no listener takes message ${messageId} ${what} from topic "${topic}"; it is kept, not acknowledged`;
  throw new StateError('NO_LISTENER', text);
}

function policyOf(own: FailurePolicy, defaults: FailurePolicy): FailurePolicy {
  const policy: Record<string, unknown> = {};
  for (const field of POLICY_FIELDS) policy[field] = own[field] ?? defaults[field];
  const { maxAttempts } = policy as FailurePolicy;
  if (maxAttempts !== undefined) positiveInteger('maxAttempts', maxAttempts);
  return policy;
}
