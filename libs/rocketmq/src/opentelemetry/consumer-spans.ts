// Observes one push consumer: a span for each call of a handler, and metrics of messages on their way to it.

import { type Attributes, type Context, context, type Span, SpanKind, trace } from '@opentelemetry/api';
import type { ObservedConsumer, ObservedPoll, PushConsumerTelemetry } from '../consumer/model/consumer-telemetry.js';
import type { DeadLetterReason, FailureSettlement } from '../consumer/model/failure-policy.js';
import type { BatchContext, BatchHandler, MessageHandler } from '../consumer/model/handler.js';
import type { MessageView } from '../protocol/model/message.js';
import { monotonicMs } from '../support/deadline.js';
import { isThenable } from '../support/thenable.js';
import { ATTRIBUTE, type Operation, OWN_ATTRIBUTE } from './attributes.js';
import { guarded } from './guarded.js';
import { handling } from './message-propagation.js';
import { ClientLabels, type Metrics } from './metrics.js';
import { type ClientTracing, NOWHERE } from './tracing.js';

const PROCESS: Operation = { name: 'process', type: 'process' };

/** A call of a handler. */
interface Run {
  /** Undefined where nothing is traced. */
  readonly span: Span | undefined;
  readonly context: Context;
  readonly startedAtMs: number;
  isEnded: boolean;
}

interface BegunSpan {
  readonly span: Span;
  readonly context: Context;
}

type Failure = { readonly error: unknown } | undefined;

/** Traces and measures one push consumer. Without `tracing` it only measures, without `metrics` it only traces. */
export class ConsumerSpans implements PushConsumerTelemetry {
  private readonly labels: ClientLabels;
  private readonly running = new Map<MessageView, Run>();
  /** Whose handler has failed, until {@link failed} says what follows. Few: each costs the garbage collector more than in a map. */
  private readonly failing = new WeakMap<MessageView, Run>();
  /** By the properties, which all views of a message share: the handler gets a view of its own when the body was compressed. */
  private readonly arrivedAtMs = new WeakMap<MessageView['properties'], number>();
  private unwatch: (() => void) | undefined;

  constructor(
    private readonly consumer: ObservedConsumer,
    private readonly tracing: ClientTracing | undefined,
    private readonly metrics: Metrics | undefined,
  ) {
    this.labels = new ClientLabels(consumer);
  }

  start(): void {
    this.unwatch ??= this.metrics?.watch(this.consumer);
  }

  /** {@link failed} records a failure, because it knows what follows. */
  handler(handler: MessageHandler): MessageHandler {
    return (message, about) => {
      const run = guarded(() => this.begin([message], (tracing) => this.beginOne(tracing, message)));
      if (run === undefined) return handler(message, about);
      this.running.set(message, run);
      const succeed = (): void => this.endOne(run, message, undefined);
      const fail = (error: unknown): never => {
        if (this.running.delete(message)) this.failing.set(message, run);
        throw error;
      };
      let work: ReturnType<MessageHandler>;
      try {
        work = context.with(run.context, handler, undefined, message, about);
      } catch (error) {
        return fail(error);
      }
      // The promise of another library may return anything from its "then".
      return isThenable(work) ? Promise.resolve(work).then(succeed, fail) : succeed();
    };
  }

  batchHandler(handler: BatchHandler): BatchHandler {
    return async (messages, batch) => {
      const run = guarded(() => this.begin(messages, (tracing) => this.beginBatch(tracing, messages)));
      if (run === undefined) return handler(messages, batch);
      const watched = watchedBatch(batch);
      try {
        await context.with(run.context, () => handler(messages, watched));
        // A handler that exceeded its timeout has failed, whatever it did then.
        this.endBatch(run, messages, watched, batch.signal.aborted ? { error: batch.signal.reason } : undefined);
      } catch (error) {
        this.endBatch(run, messages, watched, { error });
        throw error;
      }
    };
  }

  received({ messages, deliveredAtMs, receivedAtMs }: ObservedPoll): void {
    const { metrics } = this;
    const [first] = messages;
    if (metrics === undefined || first === undefined) return;
    guarded(() => {
      const nowMs = monotonicMs();
      for (const message of messages) this.arrivedAtMs.set(message.properties, nowMs);
      const latencyMs = deliveredAtMs === undefined ? -1 : receivedAtMs - deliveredAtMs;
      // Two clocks: a negative difference only shows that they differ.
      if (latencyMs >= 0) metrics.deliveryLatency.record(latencyMs, this.labels.of(first.topic).plain);
    });
  }

  failed(message: MessageView, error: unknown, settlement: FailureSettlement | undefined): void {
    guarded(() => {
      if (settlement?.kind === 'retry') this.metrics?.retries.add(1, this.labels.of(message.topic).plain);
      const run = this.running.get(message) ?? this.failing.get(message);
      if (run === undefined || run.isEnded) return;
      if (settlement !== undefined) run.span?.setAttributes(settlementAttributes(settlement));
      this.endOne(run, message, { error });
    });
  }

  deadLetter({ topic }: MessageView, reason: DeadLetterReason): void {
    guarded(() => this.metrics?.deadLetters.add(1, { ...this.labels.of(topic).plain, reason }));
  }

  leaseLost(topic: string): void {
    guarded(() => this.metrics?.lostLeases.add(1, this.labels.of(topic).plain));
  }

  close(): void {
    this.unwatch?.();
  }

  private begin(messages: readonly MessageView[], beginSpan: (tracing: ClientTracing) => BegunSpan): Run {
    this.noteWaits(messages);
    const startedAtMs = monotonicMs();
    const { tracing } = this;
    if (tracing === undefined) return { span: undefined, context: context.active(), startedAtMs, isEnded: false };
    return { ...beginSpan(tracing), startedAtMs, isEnded: false };
  }

  private beginOne(tracing: ClientTracing, message: MessageView): BegunSpan {
    const { parent, creation, links } = tracing.originOf(message);
    const attributes = tracing.received(PROCESS, message);
    const start = { operation: PROCESS, topic: message.topic, kind: SpanKind.CONSUMER, attributes, links };
    const span = tracing.start(start, parent);
    return { span, context: handling(trace.setSpan(parent, span), creation) };
  }

  /** A batch belongs to none of its messages' traces: it starts its own, with a link to each. */
  private beginBatch(tracing: ClientTracing, messages: readonly MessageView[]): BegunSpan {
    const topic = messages[0]?.topic;
    const attributes = tracing.attributes(PROCESS, topic);
    attributes[ATTRIBUTE.batchCount] = messages.length;
    const links = tracing.linksTo(messages);
    const span = tracing.start({ operation: PROCESS, topic, kind: SpanKind.CONSUMER, attributes, links }, NOWHERE);
    return { span, context: trace.setSpan(NOWHERE, span) };
  }

  private noteWaits(messages: readonly MessageView[]): void {
    const { metrics, arrivedAtMs } = this;
    if (metrics === undefined) return;
    for (const message of messages) {
      const atMs = arrivedAtMs.get(message.properties);
      if (atMs !== undefined) metrics.awaitTime.record(monotonicMs() - atMs, this.labels.of(message.topic).plain);
    }
  }

  private endOne(run: Run, message: MessageView, failure: Failure): void {
    if (run.isEnded) return;
    run.isEnded = true;
    this.running.delete(message);
    guarded(() => {
      this.measure(run, message, failure !== undefined);
      if (run.span !== undefined) this.tracing?.end(run.span, failure);
    });
  }

  private endBatch(run: Run, messages: readonly MessageView[], batch: WatchedBatch, failure: Failure): void {
    guarded(() => {
      for (const message of messages) this.measure(run, message, failure !== undefined || batch.failed.has(message));
      const { size } = batch.failed;
      if (run.span === undefined) return;
      if (size > 0) run.span.setAttribute(OWN_ATTRIBUTE.failedInBatch, size);
      const [first] = batch.failed.values();
      this.tracing?.end(run.span, failure ?? (size > 0 ? { error: first } : undefined));
    });
  }

  private measure({ startedAtMs }: Run, { topic }: MessageView, isFailure: boolean): void {
    const { success, failure } = this.labels.of(topic);
    this.metrics?.processTime.record(monotonicMs() - startedAtMs, isFailure ? failure : success);
  }
}

/** The context of a batch, which records what failed. Handlers may destructure it, so nothing in it uses `this`. */
interface WatchedBatch extends BatchContext {
  readonly failed: ReadonlyMap<MessageView, unknown>;
}

function watchedBatch({ signal, signalOf, fail }: BatchContext): WatchedBatch {
  const failed = new Map<MessageView, unknown>();
  return {
    failed,
    signal,
    signalOf,
    fail: (message, error) => {
      fail(message, error);
      if (!failed.has(message)) failed.set(message, error);
    },
  };
}

function settlementAttributes(settlement: FailureSettlement): Attributes {
  if (settlement.kind === 'retry') {
    return { [OWN_ATTRIBUTE.settlement]: 'retry', [OWN_ATTRIBUTE.retryDelayMs]: settlement.delayMs };
  }
  return { [OWN_ATTRIBUTE.settlement]: 'dead_letter', [OWN_ATTRIBUTE.deadLetterReason]: settlement.reason };
}
