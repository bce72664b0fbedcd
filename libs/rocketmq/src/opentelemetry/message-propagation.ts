// The context of a trace in the properties of messages: W3C traceparent, tracestate and baggage unless the application's
// propagator says otherwise, so that clients in other languages go on with it.

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

type Properties = Readonly<Record<string, string>>;

/** What counts against the server's limit for properties. */
interface Labelled {
  readonly tag?: string | undefined;
  readonly keys?: readonly string[] | undefined;
  readonly properties?: Properties | undefined;
}

/** The server takes neither empty values nor control characters; such a text is of no use to a receiver anyhow. */
const SETTER: TextMapSetter<Record<string, string>> = {
  set(carrier, name, value) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (value !== '' && !/[\u0000-\u001f\u007f]/.test(value)) carrier[name] = value;
  },
};

const GETTER: TextMapGetter<Properties> = {
  get: (carrier, name) => carrier[name],
  keys: (carrier) => Object.keys(carrier),
};

/** Where the context of a handler keeps the creation context of its message. */
const HANDLED = createContextKey('nestjs-rocketmq.handled-message');

/** Puts contexts into messages and finds them there. */
export class MessagePropagation {
  private readonly propagator: Pick<TextMapPropagator, 'inject' | 'extract'>;

  /** @param propagator default: the global one, looked up at each message */
  constructor(propagator: TextMapPropagator | undefined) {
    this.propagator = propagator ?? propagation;
  }

  /** The message with the context; as it is where the server would not take it with more properties. */
  inject<T extends Labelled>(context: Context, message: T): T {
    const properties = { ...message.properties };
    this.propagator.inject(context, properties, SETTER);
    const injected = { ...message, properties };
    return isWithinLimits(injected) ? injected : message;
  }

  /** The context that a message carries; the empty one when it carries none. */
  extract(properties: Properties | undefined): Context {
    return properties === undefined ? ROOT_CONTEXT : this.propagator.extract(ROOT_CONTEXT, properties, GETTER);
  }

  /**
   * The context that somebody gave to a message before it is sent. Undefined where there is none, and where the message only
   * repeats the properties of the one that is being handled: it is a new message, and goes on from there.
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

/** For what the library adds later: the owner of a half message. */
const RESERVED_PROPERTIES = 1;
const RESERVED_BYTES = 512;

function isWithinLimits({ tag = '', keys = [], properties = {} }: Labelled): boolean {
  const entries = Object.entries(properties);
  if (entries.length + RESERVED_PROPERTIES > LIMITS.properties) return false;
  const mostBytes = LIMITS.propertiesBytes - RESERVED_BYTES;
  let units = tag.length;
  for (const key of keys) units += key.length;
  for (const [name, value] of entries) units += name.length + value.length;
  // No more than three bytes each in UTF-8: few messages come near enough to be measured.
  if (units * 3 <= mostBytes) return true;
  return Buffer.byteLength([tag, ...keys, ...entries.flat()].join('')) <= mostBytes;
}

/** The context of a handler, in which messages know the one that is handled. */
export function handling(context: Context, creation: SpanContext | undefined): Context {
  return creation === undefined ? context : context.setValue(HANDLED, creation);
}

/** The span that a context belongs to, if it is a real one. */
export function spanContextIn(context: Context): SpanContext | undefined {
  const found = trace.getSpanContext(context);
  return found !== undefined && isSpanContextValid(found) ? found : undefined;
}
