// Finds the decorated methods of the application. listener-plan.ts and checker-plan.ts derive consumers and checkers from them.

import { type DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { UsageError } from '../../support/errors.js';
import { type LateLogger, LOG_TO, type Logger } from '../../support/logger.js';
import { HandlerHost, type HandlerMethod, type InstanceWrapper, methodLabel } from '../common/handler-host.js';
import {
  LISTENER_METADATA,
  PATTERN_KIND_METADATA,
  TRANSACTION_CHECKER_METADATA,
  TRANSACTIONAL_SEND_METADATA,
  transactionsToken,
} from '../common/rocketmq.constants.js';
import type { TransactionCheckerMetadata } from '../transactions/transaction-checker.decorator.js';
import type { TransactionalSendMetadata, TransactionRunner } from '../transactions/transactional-send.decorator.js';
import type { ListenerMetadata } from './rocketmq-listener.decorator.js';

/** What a handler of the transport strategy has beyond a listener. */
export interface PatternHandling {
  /** Handlers of kind `message` answer requests. */
  readonly kind: 'event' | 'message';
  /** The schema of its answers, of a handler with `@RocketMQReply`. */
  readonly answer?: StandardSchemaV1 | undefined;
  /** Whether global enhancers apply, unless the handler sets that itself. */
  readonly globalEnhancers: boolean;
  /** Runs each call of the handler. */
  around(context: object, run: () => Promise<unknown>): Promise<unknown>;
}

/** `pattern` is set for a handler of the transport strategy. */
export type FoundListener = HandlerMethod & ListenerMetadata & { readonly pattern?: PatternHandling };
export type FoundChecker = HandlerMethod & TransactionCheckerMetadata;
export type FoundTransactionalSend = HandlerMethod & TransactionalSendMetadata;

/** A method without a decorator, and the decorator of the method that it overrides. */
export type Override = HandlerMethod & { readonly decorator: string };

interface OfConnection {
  readonly connection: string | undefined;
}

/** All decorated methods of an application. */
export interface Discovered {
  readonly listeners: readonly FoundListener[];
  readonly checkers: readonly FoundChecker[];
  readonly transactionalSends: readonly FoundTransactionalSend[];
  /** Methods without a decorator that override a handler of their parent class: they receive nothing. */
  readonly overrides: readonly Override[];
  /** Methods that name another connection than this one. */
  readonly elsewhere: readonly (HandlerMethod & OfConnection)[];
  /** Handlers of patterns that no server takes: they receive nothing. */
  readonly unconnected: readonly (Override & OfConnection)[];
}

/**
 * Searches all providers and controllers for what belongs to one connection.
 * @param connection undefined: the one without a name
 */
export function explore(discovery: DiscoveryService, connection: string | undefined): Discovered {
  const found = {
    listeners: [] as FoundListener[],
    checkers: [] as FoundChecker[],
    overrides: [] as Override[],
    transactionalSends: [] as FoundTransactionalSend[],
    elsewhere: [] as Discovered['elsewhere'][number][],
    unconnected: [],
  };
  const isOurs = (method: HandlerMethod, named: string | undefined): boolean => {
    if (named !== connection) found.elsewhere.push({ ...method, connection: named });
    return named === connection;
  };
  for (const host of hosts(discovery)) {
    for (const [methodName, method] of methods(host.prototype)) {
      const marked: HandlerMethod = { host, methodName };
      const listening = read<ListenerMetadata[]>(LISTENER_METADATA, method) ?? [];
      for (const metadata of listening) {
        if (isOurs(marked, metadata.options.connection)) found.listeners.push({ ...marked, ...metadata });
      }
      const isDecorated = listening.length > 0 || Reflect.hasMetadata(PATTERN_KIND_METADATA, method);
      if (!isDecorated && overridesListener(host.prototype, methodName, connection))
        found.overrides.push({ ...marked, decorator: '@RocketMQListener' });
      const checker = read<TransactionCheckerMetadata>(TRANSACTION_CHECKER_METADATA, method);
      if (checker !== undefined && isOurs(marked, checker.connection)) found.checkers.push({ ...marked, ...checker });
      const send = read<TransactionalSendMetadata>(TRANSACTIONAL_SEND_METADATA, method);
      if (send !== undefined && isOurs(marked, send.connection)) found.transactionalSends.push({ ...marked, ...send });
    }
  }
  return found;
}

function read<T>(key: symbol, method: object): T | undefined {
  return Reflect.getMetadata(key, method);
}

/** Only the controllers. */
export function controllerHosts(discovery: DiscoveryService): HandlerHost[] {
  return [...hostsOf(discovery.getControllers())];
}

/**
 * The classes of the controllers, for callers that run before the instances exist: Nest decides and caches the scope of a
 * controller when it is first asked, although the dependencies of the controller are not known before.
 */
export function controllerPrototypes(discovery: Pick<DiscoveryService, 'getControllers'>): object[] {
  return discovery.getControllers().flatMap(({ metatype }): object[] => metatype?.prototype ?? []);
}

function hosts(discovery: DiscoveryService): Iterable<HandlerHost> {
  return hostsOf([...discovery.getProviders(), ...discovery.getControllers()]);
}

/** Each instance once, even if it is provided under several tokens. */
function* hostsOf(wrappers: readonly InstanceWrapper[]): Iterable<HandlerHost> {
  const seen = new Set<unknown>();
  for (const wrapper of wrappers) {
    if (wrapper.isAlias) continue;
    const prototype = prototypeOf(wrapper);
    const identity = isStatic(wrapper) ? wrapper.instance : wrapper;
    if (prototype === undefined || seen.has(identity)) continue;
    seen.add(identity);
    yield new HandlerHost(wrapper, prototype);
  }
}

function isStatic(wrapper: InstanceWrapper): boolean {
  return wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
}

function prototypeOf(wrapper: InstanceWrapper): object | undefined {
  if (isStatic(wrapper)) {
    const { instance } = wrapper;
    if (typeof instance !== 'object' || instance === null) return undefined;
    const prototype: unknown = Object.getPrototypeOf(instance);
    return typeof prototype === 'object' && prototype !== null && prototype !== Object.prototype
      ? prototype
      : undefined;
  }
  // The class that a factory creates in a request is not known before.
  if (wrapper.inject !== undefined && wrapper.inject !== null) return undefined;
  return wrapper.metatype?.prototype;
}

/** The methods of a class, inherited ones too; no getter is called. */
export function* methods(prototype: object): Iterable<[string, object]> {
  for (const name of new MetadataScanner().getAllMethodNames(prototype)) {
    const method: unknown = (prototype as Record<string, unknown>)[name];
    if (typeof method === 'function') yield [name, method];
  }
}

function overridesListener(prototype: object, methodName: string, connection: string | undefined): boolean {
  for (const method of overriddenMethods(prototype, methodName)) {
    const listening = read<ListenerMetadata[]>(LISTENER_METADATA, method);
    if (listening !== undefined) return listening.some(({ options }) => options.connection === connection);
  }
  return false;
}

/** The methods of this name in the parent classes, the nearest first; no getter is called. */
export function* overriddenMethods(prototype: object, methodName: string): Iterable<object> {
  for (let parent = Object.getPrototypeOf(prototype); parent !== null; parent = Object.getPrototypeOf(parent)) {
    const method: unknown = Object.getOwnPropertyDescriptor(parent, methodName)?.value;
    if (typeof method === 'function') yield method;
  }
}

/** Relays, cleanups and transaction logs are created by the application, mostly without a logger: what they report must not be lost. */
export function giveLogger(discovery: DiscoveryService, logger: Logger): void {
  for (const { wrapper, prototype, isStatic } of hosts(discovery)) {
    if (isStatic && LOG_TO in prototype) (wrapper.instance as LateLogger)[LOG_TO](logger);
  }
}

/** Nest injects nothing into instances from factories. */
export function giveRunner({ transactionalSends }: Discovered, runner: TransactionRunner): void {
  for (const { host, connection } of transactionalSends) {
    if (!host.isStatic) continue;
    const instance = host.wrapper.instance as { [key: symbol]: TransactionRunner | undefined };
    instance[transactionsToken(connection)] ??= runner;
  }
}

/** @throws UsageError `UNKNOWN_CONNECTION` for a method that names a connection that does not exist */
export function assertKnown({ elsewhere }: Discovered, connections: readonly (string | undefined)[]): void {
  const lost = elsewhere.find(({ connection }) => !connections.includes(connection));
  if (lost === undefined) return;
  const { connection } = lost;
  const missing =
    connection === undefined ? 'no connection, but all connections have names' : `connection "${connection}"`;
  const known = connections.map((name) => (name === undefined ? 'one without a name' : `"${name}"`)).join(', ');
  const text = `${methodLabel(lost)} names ${missing}; RocketMQModule has ${known}`;
  throw new UsageError('UNKNOWN_CONNECTION', text, 'connection');
}
