// Observes one producer: spans of sends and transactions, and metrics.

import { type Context, context, type Span, SpanKind, trace } from '@opentelemetry/api';
import type { ObservedClient } from '../client/observed-client.js';
import type { ProducerTelemetry } from '../producer/producer-telemetry.js';
import type { LessDurableMessage } from '../producer/sending/durability.js';
import type { InterceptedSend } from '../producer/sending/interceptors.js';
import type { EndResult, ObservedHalf, Resolution, TransactionIdentity } from '../producer/transactions/transaction.js';
import { messageTypeOf, type OutgoingMessage } from '../protocol/model/message.js';
import { monotonicMs } from '../support/deadline.js';
import { ATTRIBUTE, type Operation, OWN_ATTRIBUTE } from './attributes.js';
import { guarded } from './guarded.js';
import { spanContextIn } from './message-propagation.js';
import { ClientLabels, type Metrics } from './metrics.js';
import type { ClientTracing } from './tracing.js';

const SEND: Operation = { name: 'send', type: 'send' };
const TRANSACT: Operation = { name: 'transact' };
const END: Readonly<Record<Resolution, Operation>> = {
  commit: { name: 'commit', type: 'settle' },
  rollback: { name: 'rollback', type: 'settle' },
};
const CHECK: Operation = { name: 'check' };

/** A send in progress. */
interface Begun {
  readonly span: Span;
  readonly context: Context;
  readonly message: OutgoingMessage;
}

/** Traces and measures one producer. Without `tracing` it only measures, without `metrics` it only traces. */
export class ProducerSpans implements ProducerTelemetry {
  private readonly labels: ClientLabels;

  constructor(
    private readonly client: ObservedClient,
    private readonly tracing: ClientTracing | undefined,
    private readonly metrics: Metrics | undefined,
  ) {
    this.labels = new ClientLabels(client);
  }

  // One promise for each send: with an SDK, each costs more than the span's attributes.
  send<T>(
    message: OutgoingMessage,
    kind: InterceptedSend['kind'],
    send: (message: OutgoingMessage) => Promise<T>,
  ): Promise<T> {
    const { tracing } = this;
    const { topic } = message;
    const begun = tracing && guarded(() => this.begin(tracing, message, kind));
    const startedAtMs = monotonicMs();
    const fail = (error: unknown): never => {
      this.sent(topic, startedAtMs, begun, { error });
      throw error;
    };
    let sending: Promise<T>;
    try {
      sending = begun === undefined ? send(message) : context.with(begun.context, send, undefined, begun.message);
    } catch (error) {
      return fail(error);
    }
    return sending.then((result) => {
      this.sent(topic, startedAtMs, begun, undefined);
      return result;
    }, fail);
  }

  async transact<T>(topic: string | undefined, work: () => Promise<T>): Promise<T> {
    return this.run(TRANSACT, topic, SpanKind.INTERNAL, undefined, work);
  }

  async end(half: ObservedHalf, resolution: Resolution, run: () => Promise<EndResult>): Promise<EndResult> {
    const result = await this.run(END[resolution], half.topic, SpanKind.CLIENT, half, async (span) => {
      const ended = await run();
      guarded(() => span?.setAttribute(OWN_ATTRIBUTE.transactionResult, ended));
      return ended;
    });
    const outcome = result === 'accepted' ? resolution : 'left_to_check';
    guarded(() => this.metrics?.transactions.add(1, { ...this.labels.of(half.topic).plain, outcome }));
    return result;
  }

  lessDurable({ topic, durability }: LessDurableMessage): void {
    guarded(() => this.metrics?.lessDurable.add(1, { ...this.labels.of(topic).plain, durability }));
  }

  leftOpen({ topic }: TransactionIdentity): void {
    guarded(() => this.metrics?.transactions.add(1, { ...this.labels.of(topic).plain, outcome: 'unknown' }));
  }

  async check(half: ObservedHalf, answer: () => Promise<Resolution | 'unknown'>): Promise<Resolution | 'unknown'> {
    const resolution = await this.run(CHECK, half.topic, SpanKind.CONSUMER, half, async (span) => {
      const found = await answer();
      guarded(() => span?.setAttribute(OWN_ATTRIBUTE.transactionResolution, found));
      return found;
    });
    guarded(() => this.metrics?.transactionChecks.add(1, { ...this.labels.of(half.topic).plain, resolution }));
    return resolution;
  }

  private begin(tracing: ClientTracing, message: OutgoingMessage, kind: InterceptedSend['kind']): Begun {
    const { propagation } = tracing.parts;
    const active = context.active();
    const given = propagation.givenTo(message.properties, active);
    const creation = given && spanContextIn(given);
    const type = kind === 'half' ? 'transaction' : messageTypeOf(message);
    const attributes = tracing.sent(SEND, message, type, this.client.clock.nowMs());
    const span = tracing.start(
      {
        operation: SEND,
        topic: message.topic,
        kind: creation === undefined ? SpanKind.PRODUCER : SpanKind.CLIENT,
        attributes,
        links: creation === undefined ? [] : [{ context: creation }],
      },
      given ?? active,
    );
    const sending = trace.setSpan(active, span);
    // A context that the caller set on the message stays: by it the receiver finds where the message was created.
    if (given !== undefined) return { span, context: sending, message };
    return { span, context: sending, message: propagation.inject(sending, message) };
  }

  private sent(
    topic: string,
    startedAtMs: number,
    begun: Begun | undefined,
    failure: { readonly error: unknown } | undefined,
  ): void {
    guarded(() => {
      const { success, failure: failed } = this.labels.of(topic);
      this.metrics?.sendCostTime.record(monotonicMs() - startedAtMs, failure === undefined ? success : failed);
      if (begun !== undefined) this.tracing?.end(begun.span, failure);
    });
  }

  /** Runs `work` in a span. @param half the half message that the work is about: it is linked to; for a check, it is the parent */
  private async run<T>(
    operation: Operation,
    topic: string | undefined,
    kind: SpanKind,
    half: ObservedHalf | undefined,
    work: (span: Span | undefined) => Promise<T>,
  ): Promise<T> {
    const { tracing } = this;
    const begun = tracing && guarded(() => this.beginRun(tracing, operation, topic, kind, half));
    if (tracing === undefined || begun === undefined) return work(undefined);
    const { span } = begun;
    try {
      const result = await context.with(begun.context, work, undefined, span);
      guarded(() => tracing.end(span));
      return result;
    } catch (error) {
      guarded(() => tracing.end(span, { error }));
      throw error;
    }
  }

  private beginRun(
    tracing: ClientTracing,
    operation: Operation,
    topic: string | undefined,
    kind: SpanKind,
    half: ObservedHalf | undefined,
  ): { readonly span: Span; readonly context: Context } {
    const attributes = tracing.attributes(operation, topic);
    if (half !== undefined) {
      attributes[ATTRIBUTE.messageId] = half.messageId;
      attributes[OWN_ATTRIBUTE.transactionId] = half.transactionId;
    }
    const origin = half && tracing.originOf(half);
    // A check comes from the server: the code that happens to run here is unrelated.
    const parent = kind === SpanKind.CONSUMER && origin !== undefined ? origin.parent : context.active();
    const span = tracing.start({ operation, topic, kind, attributes, links: origin?.links ?? [] }, parent);
    return { span, context: trace.setSpan(parent, span) };
  }
}
