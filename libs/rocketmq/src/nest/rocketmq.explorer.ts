// Finds the decorated methods of the application. What they mean together is in listener-plan.ts and checker-plan.ts.

import { type DiscoveryService, MetadataScanner } from '@nestjs/core';
import { HandlerHost, type HandlerMethod, type InstanceWrapper } from './handler-host.js';
import {
  LISTENER_METADATA,
  TRANSACTION_CHECKER_METADATA,
  TRANSACTIONAL_SEND_METADATA,
  TRANSACTIONS,
} from './rocketmq.constants.js';
import type { ListenerMetadata } from './rocketmq-listener.decorator.js';
import type { TransactionCheckerMetadata } from './transaction-checker.decorator.js';
import type { TransactionalSendMetadata, TransactionRunner } from './transactional-send.decorator.js';

export type FoundListener = HandlerMethod & ListenerMetadata;
export type FoundChecker = HandlerMethod & TransactionCheckerMetadata;
export type FoundTransactionalSend = HandlerMethod & TransactionalSendMetadata;

/** All decorated methods of an application. */
export interface Discovered {
  readonly listeners: readonly FoundListener[];
  readonly checkers: readonly FoundChecker[];
  readonly transactionalSends: readonly FoundTransactionalSend[];
  /** Methods that override a listener of their parent class without a decorator of their own: nobody listens there. */
  readonly overrides: readonly HandlerMethod[];
}

/** Looks through all providers and controllers. */
export function explore(discovery: DiscoveryService, runner: TransactionRunner): Discovered {
  const listeners: FoundListener[] = [];
  const checkers: FoundChecker[] = [];
  const transactionalSends: FoundTransactionalSend[] = [];
  const overrides: HandlerMethod[] = [];
  for (const host of hosts(discovery)) {
    for (const [methodName, method] of methods(host.prototype)) {
      const listening = read<ListenerMetadata[]>(LISTENER_METADATA, method) ?? [];
      for (const metadata of listening) listeners.push({ host, methodName, ...metadata });
      if (listening.length === 0 && overridesListener(host.prototype, methodName)) overrides.push({ host, methodName });
      const checker = read<TransactionCheckerMetadata>(TRANSACTION_CHECKER_METADATA, method);
      if (checker !== undefined) checkers.push({ host, methodName, ...checker });
      const send = read<TransactionalSendMetadata>(TRANSACTIONAL_SEND_METADATA, method);
      if (send === undefined) continue;
      transactionalSends.push({ host, methodName, ...send });
      giveRunner(host, runner);
    }
  }
  return { listeners, checkers, transactionalSends, overrides };
}

function read<T>(key: symbol, method: object): T | undefined {
  return Reflect.getMetadata(key, method);
}

/** Each instance once, though it may be provided under several tokens. */
function* hosts(discovery: DiscoveryService): Iterable<HandlerHost> {
  const seen = new Set<unknown>();
  for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
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
  // What a factory will make in a request is not known before.
  if (wrapper.inject !== undefined && wrapper.inject !== null) return undefined;
  return wrapper.metatype?.prototype;
}

function* methods(prototype: object): Iterable<[string, object]> {
  for (const name of new MetadataScanner().getAllMethodNames(prototype)) {
    const method: unknown = (prototype as Record<string, unknown>)[name];
    if (typeof method === 'function') yield [name, method];
  }
}

function overridesListener(prototype: object, methodName: string): boolean {
  for (let parent = Object.getPrototypeOf(prototype); parent !== null; parent = Object.getPrototypeOf(parent)) {
    const method: unknown = Object.getOwnPropertyDescriptor(parent, methodName)?.value;
    if (typeof method === 'function' && read(LISTENER_METADATA, method) !== undefined) return true;
  }
  return false;
}

/** Nest injects nothing into what a factory has made. */
function giveRunner(host: HandlerHost, runner: TransactionRunner): void {
  if (!host.isStatic) return;
  const instance = host.wrapper.instance as { [TRANSACTIONS]?: TransactionRunner };
  instance[TRANSACTIONS] ??= runner;
}
