// The trace context in the properties of messages: W3C traceparent, tracestate and baggage unless the application sets another
// propagator, so that clients in other languages can continue it.

import {
  type Context,
  createContextKey,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';
import { LIMITS } from '../protocol/model/limits.js';
import { propertyProblem } from '../protocol/model/message-checks.js';

type Properties = Readonly<Record<string, string>>;

/** What counts against the server's limit for properties. */
interface Labelled {
  readonly tag?: string | undefined;
  readonly keys?: readonly string[] | undefined;
  readonly properties?: Properties | undefined;
}

const SETTER: TextMapSetter<Record<string, string>> = {
  set(carrier, name, value) {
    carrier[name] = value;
  },
};

const GETTER: TextMapGetter<Properties> = {
  get: (carrier, name) => carrier[name],
  keys: (carrier) => Object.keys(carrier),
};

/** The key under which the context of a handler keeps the creation context of its message. */
const HANDLED = createContextKey('nestjs-rocketmq.handled-message');

/** Injects contexts into messages and extracts them. */
export class MessagePropagation {
  private readonly propagator: Pick<TextMapPropagator, 'inject' | 'extract'>;

  /** @param propagator default: the global one, looked up for each message */
  constructor(propagator: TextMapPropagator | undefined) {
    this.propagator = propagator ?? propagation;
  }

  /** The message with the context; unchanged where the server would not accept more properties. */
  inject<T extends Labelled>(context: Context, message: T): T {
    const carrier: Record<string, string> = {};
    this.propagator.inject(context, carrier, SETTER);
    for (const name of Object.keys(carrier)) if (!isSendable(name, carrier[name])) delete carrier[name];
    const properties = message.properties === undefined ? carrier : { ...message.properties, ...carrier };
    const injected = { ...message, properties };
    return isWithinLimits(injected) ? injected : message;
  }

  /** The context that a message carries; the empty one when it carries none. */
  extract(properties: Properties | undefined): Context {
    return properties === undefined ? ROOT_CONTEXT : this.propagator.extract(ROOT_CONTEXT, properties, GETTER);
  }

  /**
   * The context that the caller set on a message before it is sent. Undefined where there is none, and where the message only
   * repeats the properties of the one that is being handled: it is a new message, and continues from there.
   */
  givenTo(properties: Properties | undefined, active: Context): Context | undefined {
    if (properties === undefined) return undefined;
    const given = this.extract(properties);
    const creation = spanContextIn(given);
    if (creation === undefined) return undefined;
    const handled = active.getValue(HANDLED) as SpanContext | undefined;
    return handled?.spanId === creation.spanId ? undefined : given;
  }
}

/** What the server would reject would fail the send; receivers could not use it anyway. */
function isSendable(name: string, value: unknown): boolean {
  return propertyProblem(name, value) === undefined;
}

/** Reserved for what the library adds later: the owner of a half message. */
const RESERVED_PROPERTIES = 1;
const RESERVED_BYTES = 512;

function isWithinLimits({ tag = '', keys = [], properties = {} }: Labelled): boolean {
  const names = Object.keys(properties);
  if (names.length + RESERVED_PROPERTIES > LIMITS.properties) return false;
  const maxBytes = LIMITS.propertiesBytes - RESERVED_BYTES;
  let units = tag.length;
  for (const key of keys) units += key.length;
  for (const name of names) units += name.length + (properties[name]?.length ?? 0);
  // At most three bytes each in UTF-8: few messages come close enough to be measured.
  if (units * 3 <= maxBytes) return true;
  return Buffer.byteLength([tag, ...keys, ...Object.entries(properties).flat()].join('')) <= maxBytes;
}

/** The context of a handler, which lets messages recognize the one that is being handled. */
export function handling(context: Context, creation: SpanContext | undefined): Context {
  return creation === undefined ? context : context.setValue(HANDLED, creation);
}

/** The span of a context, if it is a real one. */
export function spanContextIn(context: Context): SpanContext | undefined {
  const found = trace.getSpanContext(context);
  return found !== undefined && isSpanContextValid(found) ? found : undefined;
}
