// How spans begin and end. Which there are, and when, is decided by those who watch producers and consumers.

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

/** What spans are made with. */
export interface TracingParts {
  readonly tracer: Tracer;
  readonly attributes: SpanAttributes;
  readonly propagation: MessagePropagation;
  /** Whether the handler of a message goes on with its trace, or begins one of its own. */
  readonly processTrace: 'continue' | 'link';
  /** Whether spans hold messages and stacks of errors. */
  readonly recordsErrors: boolean;
}

/** A span that is about to begin. */
export interface SpanStart {
  readonly operation: Operation;
  /** Undefined where there is not one for all. */
  readonly topic: string | undefined;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
  readonly links?: Link[];
}

/** Begins and ends spans. */
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

  /** Where the handling of a message belongs, and what it points at. */
  originOf({ properties }: Pick<MessageView, 'properties'>): Origin {
    const { propagation, processTrace } = this.parts;
    const carried = propagation.extract(properties);
    const creation = spanContextIn(carried);
    if (creation === undefined) return { parent: carried, creation, links: [] };
    // What else the message carries, its baggage, is the handler's in either case.
    const parent = processTrace === 'continue' ? carried : trace.deleteSpan(carried);
    return { parent, creation, links: [{ context: creation }] };
  }

  /** Links to where these messages were made. */
  linksTo(messages: readonly Pick<MessageView, 'properties' | 'messageId'>[]): Link[] {
    const { propagation } = this.parts;
    return messages.flatMap(({ properties, messageId }) => {
      const creation = spanContextIn(propagation.extract(properties));
      if (creation === undefined) return [];
      return [{ context: creation, attributes: { [ATTRIBUTE.messageId]: messageId } }];
    });
  }
}

/** Where a message comes from. */
export interface Origin {
  readonly parent: Context;
  /** The span in which the message was made. */
  readonly creation: SpanContext | undefined;
  readonly links: Link[];
}

/** No context at all: what begins there begins a trace. */
export const NOWHERE: Context = ROOT_CONTEXT;
