// Starts and ends spans. The observers of producers and consumers decide which spans there are, and when.

import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { MessageView } from '../protocol/model/message.js';
import { describeError } from '../support/logger.js';
import { ATTRIBUTE, errorTypeOf, type Operation, type SpanAttributes } from './attributes.js';
import { type MessagePropagation, spanContextIn } from './message-propagation.js';

/** What spans are created with. */
interface TracingParts {
  readonly tracer: Tracer;
  readonly attributes: SpanAttributes;
  readonly propagation: MessagePropagation;
  /** Whether the handler of a message continues the trace of the message, or starts its own. */
  readonly processTrace: 'continue' | 'link';
  /** Whether spans contain messages and stacks of errors. */
  readonly recordsErrors: boolean;
}

/** A span that is about to start. */
export interface SpanStart {
  readonly operation: Operation;
  /** Undefined where the messages have different topics. */
  readonly topic: string | undefined;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
  readonly links?: Link[];
}

/** Starts and ends spans. */
export class Tracing {
  constructor(readonly parts: TracingParts) {}

  start({ operation, topic, kind, attributes, links }: SpanStart, parent: Context): Span {
    const name = topic === undefined ? operation.name : `${operation.name} ${topic}`;
    return this.parts.tracer.startSpan(name, { kind, attributes, links: links ?? [] }, parent);
  }

  /** Ends a span. @param error undefined after a success */
  end(span: Span, failure?: { readonly error: unknown }): void {
    if (failure !== undefined) this.fail(span, failure.error);
    span.end();
  }

  fail(span: Span, error: unknown): void {
    const { recordsErrors } = this.parts;
    span.setAttribute(ATTRIBUTE.errorType, errorTypeOf(error));
    // The message of an error may quote a body: that of JSON.parse does.
    const message = recordsErrors ? { message: describeError(error) } : {};
    span.setStatus({ code: SpanStatusCode.ERROR, ...message });
    if (recordsErrors) span.recordException(error instanceof Error ? error : describeError(error));
  }

  /** The parent context of a handler, and the links of its span. */
  originOf({ properties }: Pick<MessageView, 'properties'>): Origin {
    const { propagation, processTrace } = this.parts;
    const carried = propagation.extract(properties);
    const creation = spanContextIn(carried);
    if (creation === undefined) return { parent: carried, creation, links: [] };
    // The rest of the message's context, its baggage, is passed to the handler in either case.
    const parent = processTrace === 'continue' ? carried : trace.deleteSpan(carried);
    return { parent, creation, links: [{ context: creation }] };
  }

  /** Links to the spans in which these messages were created. */
  linksTo(messages: readonly Pick<MessageView, 'properties' | 'messageId'>[]): Link[] {
    const { propagation } = this.parts;
    return messages.flatMap(({ properties, messageId }) => {
      const creation = spanContextIn(propagation.extract(properties));
      if (creation === undefined) return [];
      return [{ context: creation, attributes: { [ATTRIBUTE.messageId]: messageId } }];
    });
  }
}

/** The origin of a message. */
interface Origin {
  readonly parent: Context;
  /** The span in which the message was created. */
  readonly creation: SpanContext | undefined;
  readonly links: Link[];
}

/** No context at all: a span with this parent starts a trace. */
export const NOWHERE: Context = ROOT_CONTEXT;
