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
import type { MessageType, MessageView, OutgoingMessage } from '../protocol/model/message.js';
import { describeError } from '../support/logger.js';
import { ATTRIBUTE, errorTypeOf, type Operation, type SpanAttributes, type TracedClient } from './attributes.js';
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

/** The most topics of an operation that are remembered: names may come from outside. */
const MAX_TOPICS = 1_000;

/** Starts and ends spans. */
export class Tracing {
  constructor(readonly parts: TracingParts) {}

  of(client: TracedClient): ClientTracing {
    return new ClientTracing(this.parts, client);
  }

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

/** Starts and ends the spans of one client. */
export class ClientTracing extends Tracing {
  /** Made at the first span: before it the client may have no id. */
  private ofClient: Attributes | undefined;
  private readonly ofTopics = new Map<Operation, Map<string | undefined, TopicAttributes>>();

  constructor(
    parts: TracingParts,
    private readonly client: TracedClient,
  ) {
    super(parts);
  }

  /** Those of a span that is about no single message. */
  attributes(operation: Operation, topic: string | undefined): Attributes {
    return { ...this.ofTopic(operation, topic).own };
  }

  sent(operation: Operation, message: OutgoingMessage, type: MessageType, nowMs: number): Attributes {
    const attributes = this.ofType(operation, message.topic, type, false);
    this.parts.attributes.addOutgoing(attributes, message, nowMs);
    return attributes;
  }

  received(operation: Operation, message: MessageView): Attributes {
    const attributes = this.ofType(operation, message.topic, message.messageType, true);
    this.parts.attributes.addReceived(attributes, message);
    return attributes;
  }

  private ofType(operation: Operation, topic: string, type: MessageType | undefined, isReceived: boolean): Attributes {
    const { own, byType } = this.ofTopic(operation, topic);
    let attributes = byType.get(type);
    if (attributes === undefined) {
      attributes = this.parts.attributes.ofMessage(own, type, isReceived);
      byType.set(type, attributes);
    }
    return { ...attributes };
  }

  private ofTopic(operation: Operation, topic: string | undefined): TopicAttributes {
    let ofOperation = this.ofTopics.get(operation);
    if (ofOperation === undefined) {
      ofOperation = new Map();
      this.ofTopics.set(operation, ofOperation);
    }
    let found = ofOperation.get(topic);
    if (found === undefined) {
      const names = this.parts.attributes;
      this.ofClient ??= names.ofClient(this.client);
      found = { own: names.ofOperation(this.ofClient, operation, topic), byType: new Map() };
      if (ofOperation.size < MAX_TOPICS) ofOperation.set(topic, found);
    }
    return found;
  }
}

/** What the spans of an operation on a topic have in common. */
interface TopicAttributes {
  readonly own: Attributes;
  /** With what all messages of a type have in common. */
  readonly byType: Map<MessageType | undefined, Attributes>;
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
