// The object that an application passes to the module, to producers and consumers: it finds tracer and meter, and creates their
// observers.

import {
  context,
  createNoopMeter,
  metrics as globalMetrics,
  type MeterProvider,
  SpanKind,
  type TextMapPropagator,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import type { ObservedClient } from '../client/observed-client.js';
import type {
  ConsumerTelemetrySource,
  ObservedConsumer,
  PushConsumerTelemetry,
  SimpleConsumerTelemetry,
} from '../consumer/model/consumer-telemetry.js';
import type { ProducerTelemetry, ProducerTelemetrySource } from '../producer/producer-telemetry.js';
import type { MessageView } from '../protocol/model/message.js';
import { UsageError } from '../support/errors.js';
import { type AttributeNames, type Operation, SpanAttributes } from './attributes.js';
import { ConsumerSpans } from './consumer-spans.js';
import { guarded } from './guarded.js';
import { MessagePropagation } from './message-propagation.js';
import { Metrics } from './metrics.js';
import { ProducerSpans } from './producer-spans.js';
import { SimpleConsumerSpans } from './simple-consumer-spans.js';
import { Tracing } from './tracing.js';

/** The options of {@link openTelemetry}. */
export interface OpenTelemetryOptions {
  /** The tracer provider. Default: the global one, which an SDK registers. Without either, nothing is traced. */
  readonly tracerProvider?: TracerProvider;
  /** The meter provider. Default: the global one, which an SDK registers. Without either, nothing is measured. */
  readonly meterProvider?: MeterProvider;
  /** How the context travels in messages. Default: the global propagator; that of the SDKs is W3C Trace Context and Baggage. */
  readonly propagator?: TextMapPropagator;
  /**
   * `continue`: the handler of a message continues the trace in which the message was sent. `link`: it starts a trace of its
   * own with a link to the other, for messages that are handled long after. Batches always start their own. Default `continue`.
   */
  readonly processTrace?: 'continue' | 'link';
  /** Which names to use for attributes that the semantic conventions have renamed. Default `both`. */
  readonly attributeNames?: AttributeNames;
  /**
   * Whether spans contain the message and stack of an error, in addition to its kind (`error.type`). Such a message may quote a body:
   * that of `JSON.parse` does. Default false.
   */
  readonly recordErrors?: boolean;
}

const SCOPE = 'nestjs-rocketmq';
const CREATE: Operation = { name: 'create', type: 'create' };

const CHOICES = {
  processTrace: ['continue', 'link'],
  attributeNames: ['both', 'current', 'former'],
  recordErrors: [true, false],
} as const;
const METHODS = {
  tracerProvider: ['getTracer'],
  meterProvider: ['getMeter'],
  propagator: ['inject', 'extract', 'fields'],
} as const;

/**
 * Telemetry with OpenTelemetry: the option `telemetry` of `RocketMQModule`, `Producer`, `PushConsumer` and `SimpleConsumer`, and of
 * `Inbox` and `Outbox`. One object serves all of them. Register the SDK before you create them: those created before it are not observed.
 * @throws UsageError `ILLEGAL_OPTION` that names the option
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): OpenTelemetry {
  return new OpenTelemetry(options);
}

/** Spans and metrics for producers, consumers, inboxes and outboxes. */
export class OpenTelemetry implements ProducerTelemetrySource, ConsumerTelemetrySource {
  private readonly propagation: MessagePropagation;
  private readonly attributes: SpanAttributes;
  private readonly receivers = new WeakMap<object, SimpleConsumerSpans>();
  private foundTracing: Tracing | undefined;
  private foundMetrics: Metrics | undefined;

  /** @internal created by {@link openTelemetry} */
  constructor(private readonly options: OpenTelemetryOptions) {
    assertOptions(options);
    this.propagation = new MessagePropagation(options.propagator);
    this.attributes = new SpanAttributes(options.attributeNames ?? 'both');
  }

  /** Called by producers. */
  producer(client: ObservedClient): ProducerTelemetry | undefined {
    const { tracing, metrics } = this;
    return tracing === undefined && metrics === undefined
      ? undefined
      : new ProducerSpans(client, tracing?.of(client), metrics);
  }

  /** Called by push consumers. */
  pushConsumer(consumer: ObservedConsumer): PushConsumerTelemetry | undefined {
    const { tracing, metrics } = this;
    return tracing === undefined && metrics === undefined
      ? undefined
      : new ConsumerSpans(consumer, tracing?.of(consumer), metrics);
  }

  /** Called by simple consumers. */
  simpleConsumer(consumer: ObservedConsumer): SimpleConsumerTelemetry | undefined {
    const { tracing, metrics, receivers } = this;
    if (tracing === undefined && metrics === undefined) return undefined;
    return new SimpleConsumerSpans(consumer, tracing?.of(consumer), metrics, receivers);
  }

  /**
   * Runs the application's processing of a message of a `SimpleConsumer` in a span, as a push consumer does with its handlers.
   * Without an SDK, and for a message of another consumer, it only runs the function.
   */
  async process<T>(message: MessageView, work: () => Promise<T> | T): Promise<T> {
    const receiver = this.receivers.get(message);
    return receiver === undefined ? work() : receiver.process(message, work);
  }

  /** Called by outboxes: the message continues the trace in which it was written, not the one in which it is sent. */
  outboxMessage<T extends { readonly topic: string; readonly properties?: Readonly<Record<string, string>> }>(
    message: T,
  ): T {
    const { tracing, propagation, attributes } = this;
    if (tracing === undefined) return message;
    const { topic, properties } = message;
    const changed = guarded(() => {
      const active = context.active();
      if (propagation.givenTo(properties, active) !== undefined) return message;
      const own = attributes.ofOperation(attributes.ofSystem(), CREATE, topic);
      const span = tracing.start({ operation: CREATE, topic, kind: SpanKind.PRODUCER, attributes: own }, active);
      span.end();
      return propagation.inject(trace.setSpan(active, span), message);
    });
    return changed ?? message;
  }

  /** Called by inboxes. */
  inboxHit(consumerGroup: string | undefined): void {
    guarded(() => {
      this.metrics?.inboxHits.add(1, consumerGroup === undefined ? {} : { consumer_group: consumerGroup });
      if (this.tracing !== undefined) trace.getActiveSpan()?.addEvent('nestjs_rocketmq.inbox_hit');
    });
  }

  /** Undefined while no SDK accepts spans. */
  private get tracing(): Tracing | undefined {
    if (this.foundTracing !== undefined) return this.foundTracing;
    const { options, attributes, propagation } = this;
    const tracer = tracerOf(options.tracerProvider ?? trace.getTracerProvider());
    if (tracer === undefined) return undefined;
    const { processTrace = 'continue', recordErrors: recordsErrors = false } = options;
    this.foundTracing = new Tracing({ tracer, attributes, propagation, processTrace, recordsErrors });
    return this.foundTracing;
  }

  /** Undefined while no SDK accepts measurements. */
  private get metrics(): Metrics | undefined {
    if (this.foundMetrics !== undefined) return this.foundMetrics;
    const meter = (this.options.meterProvider ?? globalMetrics.getMeterProvider()).getMeter(SCOPE);
    if (meter.constructor === createNoopMeter().constructor) return undefined;
    this.foundMetrics = new Metrics(meter);
    return this.foundMetrics;
  }
}

/** The global provider exists before an SDK is registered, and then returns tracers that do nothing. */
function tracerOf(provider: TracerProvider & { getDelegateTracer?: (name: string) => Tracer | undefined }) {
  const isWaiting = typeof provider.getDelegateTracer === 'function' && provider.getDelegateTracer(SCOPE) === undefined;
  return isWaiting ? undefined : provider.getTracer(SCOPE);
}

function assertOptions(options: OpenTelemetryOptions): void {
  for (const [name, value] of Object.entries(options)) {
    const problem = problemOf(name, value);
    if (problem === undefined) continue;
    throw new UsageError('ILLEGAL_OPTION', `openTelemetry: option ${name} ${problem}`, name);
  }
}

function problemOf(name: string, value: unknown): string | undefined {
  if (Object.hasOwn(CHOICES, name)) {
    const choices: readonly unknown[] = CHOICES[name as keyof typeof CHOICES];
    if (value === undefined || choices.includes(value)) return undefined;
    return `must be ${choices.map((one) => JSON.stringify(one)).join(' or ')}, not ${JSON.stringify(value)}`;
  }
  if (Object.hasOwn(METHODS, name)) {
    const methods: readonly string[] = METHODS[name as keyof typeof METHODS];
    const given = value as Record<string, unknown> | null | undefined;
    if (given === undefined || methods.every((method) => typeof given?.[method] === 'function')) return undefined;
    return `must be an object with ${methods.map((method) => `${method}()`).join(', ')}`;
  }
  return `is unknown; the options are ${[...Object.keys(METHODS), ...Object.keys(CHOICES)].join(', ')}`;
}
