// Finds the methods with `@EventPattern`, `@MessagePattern` and `@RocketMQReply` of a server, as listeners. Nest finds the same methods, but the
// callbacks that it registers no longer have the original errors.

import { UsageError } from '../../support/errors.js';
import { type HandlerHost, type HandlerMethod, methodLabel } from '../common/handler-host.js';
import { connectionOf, isPattern, parsePattern } from '../common/pattern.js';
import { LISTENER_METADATA, PATTERN_KIND_METADATA } from '../common/rocketmq.constants.js';
import { assertListenerOptions } from '../listening/listener-options.js';
import type { RocketMQListenerOptions } from '../listening/listener-settings.js';
import {
  type Discovered,
  type FoundListener,
  methods,
  type Override,
  overriddenMethods,
  type PatternHandling,
} from '../listening/rocketmq.explorer.js';
import { assertNoGenerator, recordArguments } from '../listening/rocketmq-listener.decorator.js';
import { toTopicDefinition } from '../messages/topic-definition.js';
import { definitionIn } from './rocketmq-reply.decorator.js';

/** Nest's own keys, the same on 10.4, 11 and 12; Nest exports no names for them from a package root. */
const PATTERN_METADATA = 'microservices:pattern';
const PATTERN_TRANSPORT_METADATA = 'microservices:transport';
export const PATTERN_EXTRAS_METADATA = 'microservices:pattern_extras';
/** Nest's number of `@EventPattern` (`PatternHandler`). */
const EVENT = 2;

/** The options of `@EventPattern` and `@MessagePattern` beside pattern and transport: those of `@RocketMQListener`. */
export type PatternExtras = Omit<RocketMQListenerOptions, 'filter' | 'connection' | 'parameters'>;

/** What the plan needs of the server whose handlers it takes. */
export interface PlannedServer {
  readonly isConnected: boolean;
  wasPlanned: boolean;
  readonly transportId?: number | symbol;
  readonly takesGlobals: boolean | undefined;
  around(context: object, run: () => Promise<unknown>): Promise<unknown>;
}

/**
 * The discovered methods, with the handlers of a server that is connected to the application.
 * @throws as {@link patternHandlers}
 */
export function withPatterns(
  found: Discovered,
  controllers: readonly HandlerHost[],
  server: PlannedServer,
): Discovered {
  if (!server.isConnected) return found;
  server.wasPlanned = true;
  const around: PatternHandling['around'] = (context, run) => server.around(context, run);
  const owner = { transportId: server.transportId, around };
  const handlers = patternHandlers(controllers, { ...owner, globalEnhancers: true });
  // A controller that is created for each message cannot be seen here when Nest registers it.
  const isSeen = handlers.some(({ host }) => host.isStatic);
  const globalEnhancers = (isSeen ? server.takesGlobals : undefined) ?? true;
  const decided = globalEnhancers ? handlers : patternHandlers(controllers, { ...owner, globalEnhancers });
  const overrides = overridesOf(controllers, server.transportId);
  return { ...found, listeners: [...found.listeners, ...decided], overrides: [...found.overrides, ...overrides] };
}

/** What the servers take that are connected to an application. */
export interface Taken {
  /** The transports of the servers of this library. */
  readonly transports: ReadonlySet<unknown>;
  /** Whether a server of any kind takes handlers without a transport. */
  readonly isAnyConnected: boolean;
  /** The connection that reports handlers without a transport. */
  readonly first: string | undefined;
}

/** The discovered methods, with the handlers that no server takes. It is certain at startup: a server that is connected later fails. */
export function withUnconnected(
  found: Discovered,
  controllers: readonly HandlerHost[],
  connection: string | undefined,
  taken: Taken,
  isOnByDefault: boolean,
): Discovered {
  const unconnected = [...found.unconnected];
  const elsewhere = [...found.elsewhere];
  for (const host of controllers) {
    for (const [methodName, method] of methods(host.prototype)) {
      const extras: PatternExtras = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method) ?? {};
      if (!isDecorated(method) || !(extras.enabled ?? isOnByDefault)) continue;
      const transport = transportOf(method);
      const isTaken = transport === undefined ? taken.isAnyConnected : taken.transports.has(transport);
      const owner = transport === undefined ? { connection: taken.first } : connectionOf(transport);
      // Beside such a handler without a transport, no server of this library starts.
      const isForeign = transport === undefined && !patternsOf(method).every(isPattern);
      if (isTaken || owner === undefined || isForeign) continue;
      if (owner.connection !== connection) elsewhere.push({ host, methodName, ...owner });
      else unconnected.push({ host, methodName, decorator: decoratorOf(method), ...owner });
    }
  }
  return { ...found, unconnected, elsewhere };
}

/**
 * The handlers of a transport, to describe them: this does not make them part of a plan.
 * @param isConnected whether Nest has registered a server of this transport; otherwise handlers without a transport belong to another one,
 *   if to any, and are left out
 * @throws as {@link withPatterns}
 */
export function describedPatterns(
  controllers: readonly HandlerHost[],
  transportId: unknown,
  isConnected: boolean,
): FoundListener[] {
  const found = patternHandlers(controllers, { transportId, globalEnhancers: true, around: (_, run) => run() });
  return isConnected
    ? found
    : found.filter(
        ({ host, methodName }) =>
          transportOf((host.prototype as Record<string, object>)[methodName] as object) !== undefined,
      );
}

/** The handlers that any connected server takes, as `Class.method`: those without a transport. */
export function patternsOfAnyTransport(controllers: readonly HandlerHost[]): string[] {
  return controllers.flatMap((host) =>
    [...methods(host.prototype)]
      .filter(([, method]) => isDecorated(method) && transportOf(method) === undefined)
      .map(([methodName]) => methodLabel({ host, methodName })),
  );
}

function transportOf(method: object): unknown {
  return Reflect.getMetadata(PATTERN_TRANSPORT_METADATA, method);
}

/** Which handlers a server has, and how they run. */
interface PatternOwner {
  readonly transportId: unknown;
  /** Whether global guards, pipes, interceptors and filters apply, unless a handler sets that itself. */
  readonly globalEnhancers: boolean;
  around: PatternHandling['around'];
}

/**
 * The handlers in these controllers, by Nest's rule: those of this transport, and those without a transport.
 * @throws UsageError that names the method: an invalid pattern or option, a generator, or `@RocketMQListener` on the same method
 */
function patternHandlers(hosts: Iterable<HandlerHost>, owner: PatternOwner): FoundListener[] {
  const found: FoundListener[] = [];
  for (const host of hosts) {
    for (const [methodName, method] of methods(host.prototype)) {
      if (!isHandler(method, owner.transportId)) continue;
      const kind: unknown = Reflect.getMetadata(PATTERN_KIND_METADATA, method);
      found.push(...handlersOf({ host, methodName }, method, kind === EVENT, owner));
    }
  }
  return found;
}

/** Whether a server of this transport handles the pattern of a method. */
function isHandler(method: object, transportId: unknown): boolean {
  const transport = transportOf(method);
  return isDecorated(method) && (transport === undefined || transport === transportId);
}

function isDecorated(method: object): boolean {
  return Reflect.hasMetadata(PATTERN_KIND_METADATA, method);
}

function patternsOf(method: object): readonly unknown[] {
  return Reflect.getMetadata(PATTERN_METADATA, method) ?? [];
}

/** The methods without a decorator that override such a handler. */
function overridesOf(hosts: Iterable<HandlerHost>, transportId: unknown): Override[] {
  const found: Override[] = [];
  for (const host of hosts) {
    for (const [methodName, method] of methods(host.prototype)) {
      if (isDecorated(method) || Reflect.hasMetadata(LISTENER_METADATA, method)) continue;
      const [nearest] = [...overriddenMethods(host.prototype, methodName)].filter(isDecorated);
      if (nearest === undefined || nearest === method || !isHandler(nearest, transportId)) continue;
      found.push({ host, methodName, decorator: decoratorOf(nearest) });
    }
  }
  return found;
}

function decoratorOf(method: object): string {
  if (Reflect.getMetadata(PATTERN_KIND_METADATA, method) === EVENT) return '@EventPattern';
  const extras: object = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method) ?? {};
  return definitionIn(extras) === undefined ? '@MessagePattern' : '@RocketMQReply';
}

function handlersOf(method: HandlerMethod, marked: object, isEvent: boolean, owner: PatternOwner): FoundListener[] {
  const label = methodLabel(method);
  assertBoundOnce(label, marked);
  const patterns = patternsOf(marked);
  const extras: PatternExtras = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, marked) ?? {};
  const who = `${label} (${decoratorOf(marked)})`;
  assertNoGenerator(who, marked);
  assertExtras(who, extras, isEvent);
  recordArguments(method.host.prototype.constructor, method.methodName);
  const { globalEnhancers, around } = owner;
  return patterns.map((pattern) => {
    const name = extras.name ?? label;
    const named = { ...extras, name: patterns.length > 1 ? `${name}(${String(pattern)})` : name };
    return listenerOf(method, who, pattern, { extras: named, isEvent, globalEnhancers, around });
  });
}

/**
 * A handler as Nest registered it.
 * @throws as {@link patternHandlers}
 */
export function patternListener(
  method: HandlerMethod,
  pattern: unknown,
  { extras, isEvent, around }: Pick<PatternMeaning, 'isEvent' | 'around'> & { readonly extras: object },
): FoundListener {
  const who = `handler of ${JSON.stringify(pattern)}`;
  assertExtras(who, extras, isEvent);
  const named = { name: `ServerRocketMQ(${String(pattern)})`, ...extras };
  return listenerOf(method, who, pattern, { extras: named, isEvent, globalEnhancers: true, around });
}

interface PatternMeaning {
  readonly extras: PatternExtras;
  readonly isEvent: boolean;
  readonly globalEnhancers: boolean;
  readonly around: PatternHandling['around'];
}

function listenerOf(
  method: HandlerMethod,
  who: string,
  pattern: unknown,
  { extras, isEvent, globalEnhancers, around }: PatternMeaning,
): FoundListener {
  const { topic, tags } = parsePattern(who, pattern);
  const definition = definitionIn(extras);
  if (definition !== undefined) assertOnlyReply(who, definition.pattern, pattern, isEvent);
  const options: RocketMQListenerOptions = { ...extras, filter: tags };
  const kind = isEvent ? 'event' : 'message';
  const handling = { kind, answer: definition?.answer, globalEnhancers, around } as const;
  return { ...method, topic: definition?.topic ?? toTopicDefinition(topic), options, pattern: handling };
}

/** Nest keeps only one pattern of a method, but the extras of all. */
function assertOnlyReply(who: string, defined: string, pattern: unknown, isEvent: boolean): void {
  if (pattern === defined && !isEvent) return;
  const text = `${who} has @RocketMQReply of "${defined}" and the pattern ${JSON.stringify(pattern)}, of which Nest keeps one; remove one`;
  throw new UsageError('BOUND_TWICE', text);
}

function assertBoundOnce(label: string, method: object): void {
  if (Reflect.getMetadata(LISTENER_METADATA, method) === undefined) return;
  const text = `${label} has @RocketMQListener and a pattern of ServerRocketMQ, so each message would be handled twice; remove one`;
  throw new UsageError('BOUND_TWICE', text);
}

function assertExtras(who: string, extras: PatternExtras, isEvent: boolean): void {
  if ('filter' in extras) {
    const text = `${who}: option filter is unknown here; put the tags into the pattern, "topic:tag || tag"`;
    throw new UsageError('ILLEGAL_OPTION', text, 'filter');
  }
  if ('connection' in extras) {
    const text = `${who}: option connection is unknown here; choose the connection by the transport, rocketMQTransport('name')`;
    throw new UsageError('ILLEGAL_OPTION', text, 'connection');
  }
  if ('parameters' in extras) {
    const text = `${who}: option parameters is unknown here; the method of a pattern may have any parameters`;
    throw new UsageError('ILLEGAL_OPTION', text, 'parameters');
  }
  assertListenerOptions(who, 'decorator', extras);
  if (isEvent) return;
  for (const field of ['batch', 'manual', 'mode'] as const) {
    if (extras[field] === undefined) continue;
    const text = `${who}: option ${field} cannot be combined with answers, since each request gets one; use @EventPattern`;
    throw new UsageError('ILLEGAL_OPTION', text, field);
  }
}
