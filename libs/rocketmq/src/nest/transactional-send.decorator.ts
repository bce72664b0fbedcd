// `@TransactionalSend`: makes a method the local transaction of a message. What runs it is in rocketmq-producer.ts.

import { Inject } from '@nestjs/common';
import { StateError } from '../support/errors.js';
import type { TransactionalMessage } from './current-transaction.js';
import { TRANSACTIONAL_SEND_METADATA, TRANSACTIONS } from './rocketmq.constants.js';
import { type TopicDefinition, type TopicLike, toTopicDefinition } from './topic-definition.js';

/** The options of `@TransactionalSend`. */
export interface TransactionalSendOptions<Input, Args extends readonly unknown[]> {
  /**
   * Makes the message from the method's arguments; its half is sent before the method. Without it the method calls
   * `currentTransaction().prepare()`, or nothing is sent.
   */
  readonly message?: (...args: Args) => TransactionalMessage<Input> | Promise<TransactionalMessage<Input>>;
  /** How long the half message may take, its retries included. Default: `requestTimeoutMs` × `producer.maxAttempts`. */
  readonly timeoutMs?: number;
}

/** What the decorator says of its method. */
export interface TransactionalSendMetadata {
  readonly topic: TopicDefinition;
}

/** Runs methods as local transactions. */
export interface TransactionRunner {
  runMethod<T>(
    topic: TopicDefinition,
    message: (() => TransactionalMessage | Promise<TransactionalMessage>) | undefined,
    timeoutMs: number | undefined,
    method: () => Promise<T>,
  ): Promise<T>;
}

/**
 * Makes the method the local transaction of a message on a transactional topic, whoever calls it. Its return commits the
 * message, unless it called `currentTransaction().rollback()`. A throw asks the topic's check at once, whose answer ends the
 * transaction; the error is rethrown. The topic needs a `@TransactionChecker`, or the module a `transactionLog`.
 */
export function TransactionalSend<Body, Input, Args extends readonly unknown[]>(
  topic: TopicLike<Body, Input>,
  options: TransactionalSendOptions<Input, Args> = {},
) {
  const definition = toTopicDefinition(topic as TopicLike);
  const { timeoutMs } = options;
  // biome-ignore lint/suspicious/noExplicitAny: the method may take more than the message is made from
  return <Method extends (...args: [...Args, ...any[]]) => Promise<unknown>>(
    target: object,
    propertyKey: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => {
    const method = descriptor.value as unknown as (...args: unknown[]) => Promise<unknown>;
    const name = `${target.constructor.name}.${String(propertyKey)}`;
    const toMessage = options.message as ((...args: unknown[]) => TransactionalMessage) | undefined;
    async function transactional(this: object, ...args: unknown[]): Promise<unknown> {
      const runner = (this as { readonly [TRANSACTIONS]?: TransactionRunner })[TRANSACTIONS];
      if (runner === undefined) throw noRunner(name);
      const message = toMessage === undefined ? undefined : () => toMessage.apply(this, args);
      return runner.runMethod(definition, message, timeoutMs, () => method.apply(this, args));
    }
    takeOver(method, transactional);
    const metadata: TransactionalSendMetadata = { topic: definition };
    Reflect.defineMetadata(TRANSACTIONAL_SEND_METADATA, metadata, transactional);
    // Injected, not looked up: so it is there in request-scoped instances too, and two applications do not mix.
    if (!Reflect.hasMetadata(TRANSACTIONS, target.constructor)) {
      Reflect.defineMetadata(TRANSACTIONS, true, target.constructor);
      Inject(TRANSACTIONS)(target, TRANSACTIONS);
    }
    descriptor.value = transactional as unknown as Method;
  };
}

/** The wrapper keeps the name, the length and the metadata of decorators that were applied before. */
function takeOver(method: object, wrapper: object): void {
  for (const property of ['name', 'length'] as const) {
    const descriptor = Object.getOwnPropertyDescriptor(method, property);
    if (descriptor !== undefined) Object.defineProperty(wrapper, property, descriptor);
  }
  for (const key of Reflect.getOwnMetadataKeys(method)) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), wrapper);
  }
}

function noRunner(name: string): StateError {
  const text =
    `${name} has @TransactionalSend, but its instance was not made by Nest in an application with RocketMQModule; ` +
    'nothing was sent';
  return new StateError('NO_MODULE', text);
}
