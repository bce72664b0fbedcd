// Observes one simple consumer: spans of its requests, and of the processing that the application marks.

import { type Attributes, type Context, context, type Span, SpanKind, trace } from '@opentelemetry/api';
import type {
  ObservedConsumer,
  ObservedPoll,
  SettleOperation,
  SimpleConsumerTelemetry,
} from '../consumer/model/consumer-telemetry.js';
import type { MessageView } from '../protocol/model/message.js';
import { monotonicMs } from '../support/deadline.js';
import { ATTRIBUTE, type Operation } from './attributes.js';
import { guarded } from './guarded.js';
import { handling } from './message-propagation.js';
import { ClientLabels, type Metrics } from './metrics.js';
import type { ClientTracing, SpanStart } from './tracing.js';

const RECEIVE: Operation = { name: 'receive', type: 'receive' };
const PROCESS: Operation = { name: 'process', type: 'process' };
const SETTLE: Readonly<Record<SettleOperation, Operation>> = {
  ack: { name: 'ack', type: 'settle' },
  change_invisible_duration: { name: 'change_invisible_duration', type: 'settle' },
  forward_to_dead_letter_queue: { name: 'forward_to_dead_letter_queue', type: 'settle' },
};

/** Traces and measures one simple consumer. */
export class SimpleConsumerSpans implements SimpleConsumerTelemetry {
  private readonly labels: ClientLabels;

  /** @param receivers records which consumer has received a message */
  constructor(
    consumer: ObservedConsumer,
    private readonly tracing: ClientTracing | undefined,
    private readonly metrics: Metrics | undefined,
    private readonly receivers: WeakMap<object, SimpleConsumerSpans>,
  ) {
    this.labels = new ClientLabels(consumer);
  }

  receive<T extends MessageView>(
    topic: string,
    work: (onPoll: (poll: ObservedPoll) => void) => Promise<T[]>,
  ): Promise<T[]> {
    const start = (tracing: ClientTracing): SpanStart => {
      const attributes = tracing.attributes(RECEIVE, topic);
      return { operation: RECEIVE, topic, kind: SpanKind.CLIENT, attributes };
    };
    return this.run(start, async (span) => {
      const messages = await work((poll) => this.measure(poll));
      guarded(() => {
        for (const message of messages) this.receivers.set(message, this);
        span?.setAttribute(ATTRIBUTE.batchCount, messages.length);
        if (span !== undefined && this.tracing !== undefined) span.addLinks(this.tracing.linksTo(messages));
      });
      return messages;
    });
  }

  settle<T>(operation: SettleOperation, messages: readonly MessageView[], work: () => Promise<T>): Promise<T> {
    return this.run((tracing) => this.settlement(tracing, SETTLE[operation], messages), work);
  }

  leaseLost(topic: string): void {
    guarded(() => this.metrics?.lostLeases.add(1, this.labels.of(topic).plain));
  }

  /** Runs the application's processing of a message that this consumer has received. */
  async process<T>(message: MessageView, work: () => Promise<T> | T): Promise<T> {
    const startedAtMs = monotonicMs();
    const { success, failure } = this.labels.of(message.topic);
    const { tracing } = this;
    const begun = tracing && guarded(() => this.beginProcess(tracing, message));
    const end = (labels: Attributes, failed?: { readonly error: unknown }): void => {
      guarded(() => this.metrics?.processTime.record(monotonicMs() - startedAtMs, labels));
      if (begun !== undefined) guarded(() => tracing?.end(begun.span, failed));
    };
    try {
      const result = await (begun === undefined ? work() : context.with(begun.context, work));
      end(success);
      return result;
    } catch (error) {
      end(failure, { error });
      throw error;
    }
  }

  private beginProcess(
    tracing: ClientTracing,
    message: MessageView,
  ): { readonly span: Span; readonly context: Context } {
    const { parent, creation, links } = tracing.originOf(message);
    const attributes = tracing.received(PROCESS, message);
    // The code that runs here requested the message, so it is linked to, too.
    const ambient = trace.getSpanContext(context.active());
    const all = ambient === undefined ? links : [...links, { context: ambient }];
    const start = { operation: PROCESS, topic: message.topic, kind: SpanKind.CONSUMER, attributes, links: all };
    const span = tracing.start(start, parent);
    return { span, context: handling(trace.setSpan(parent, span), creation) };
  }

  private settlement(tracing: ClientTracing, operation: Operation, messages: readonly MessageView[]): SpanStart {
    const [first] = messages;
    const topic = messages.every((one) => one.topic === first?.topic) ? first?.topic : undefined;
    const attributes = tracing.attributes(operation, topic);
    if (messages.length === 1 && first !== undefined) attributes[ATTRIBUTE.messageId] = first.messageId;
    else attributes[ATTRIBUTE.batchCount] = messages.length;
    return { operation, topic, kind: SpanKind.CLIENT, attributes, links: tracing.linksTo(messages) };
  }

  private measure({ messages, deliveredAtMs, receivedAtMs }: ObservedPoll): void {
    const [first] = messages;
    const latencyMs = deliveredAtMs === undefined ? -1 : receivedAtMs - deliveredAtMs;
    if (first === undefined || latencyMs < 0) return;
    guarded(() => this.metrics?.deliveryLatency.record(latencyMs, this.labels.of(first.topic).plain));
  }

  private async run<T>(
    start: (tracing: ClientTracing) => SpanStart,
    work: (span: Span | undefined) => Promise<T>,
  ): Promise<T> {
    const { tracing } = this;
    const span = tracing && guarded(() => tracing.start(start(tracing), context.active()));
    if (tracing === undefined || span === undefined) return work(undefined);
    try {
      const result = await work(span);
      guarded(() => tracing.end(span));
      return result;
    } catch (error) {
      guarded(() => tracing.end(span, { error }));
      throw error;
    }
  }
}
