// `@TransactionalSend`: makes a method the local transaction of a message. rocketmq-producer.ts runs it.

import { Inject, Optional } from '@nestjs/common';
import { StateError, UsageError } from '../../support/errors.js';
import { isThenable } from '../../support/thenable.js';
import { TRANSACTIONAL_SEND_METADATA, transactionsToken } from '../common/rocketmq.constants.js';
import {
  type NotInferred,
  type TopicDefinition,
  type TopicLike,
  toTopicDefinition,
} from '../messages/topic-definition.js';
import { type TransactionalCall, type TransactionalMessage, topicTransactionHere } from './current-transaction.js';

/**
 * The message that a function returns, with these fields. The compiler does not look for mistyped fields there by itself, so the fields
 * are inferred, and those that a message does not have must not be set.
 */
type MessageWith<Input, Field extends PropertyKey> = TransactionalMessage<NotInferred<Input>> & {
  readonly [Name in Field]?: unknown;
} & { readonly [Name in Exclude<Field, keyof TransactionalMessage>]?: undefined };

type Literals = '' | 0 | 0n | true | readonly [] | readonly Literals[] | { readonly [field: string]: Literals };

/**
 * No message is of this type. As an alternative of the returned type it keeps `{ kind: 'created' }` from becoming `{ kind: string }`: the
 * compiler keeps literals and tuples where the expected type has any, and the topic's body is not yet known there.
 */
interface KeepsLiterals {
  readonly body: Literals;
  readonly '~never': never;
}

/** The message, or a promise of it. */
type ReturnedMessage<Input, Field extends PropertyKey> =
  | MessageWith<Input, Field>
  | KeepsLiterals
  | Promise<MessageWith<Input, Field> | KeepsLiterals>;

/** Any type: with the constraint `unknown`, the compiler ignores the alternative {@link KeepsLiterals}. */
// biome-ignore lint/suspicious/noConfusingVoidType: a topic may be declared with it
type Anything = NonNullable<unknown> | null | undefined | void;

/** The options of `@TransactionalSend`. */
export interface TransactionalSendOptions<
  Input extends Anything,
  Args extends readonly unknown[],
  Field extends PropertyKey = keyof TransactionalMessage,
> {
  /**
   * Creates the message, or a promise of it, from the method's arguments; the half message is sent before the method runs. Without it, the method calls
   * `currentTransaction().prepare()`, or nothing is sent. Default: none.
   */
  readonly message?: (...args: Args) => ReturnedMessage<Input, Field>;
  /** The timeout of sending the half message, retries included, in milliseconds. Default: `requestTimeoutMs` × `producer.maxAttempts`. */
  readonly timeoutMs?: number;
  /** The connection that it sends to, by the `name` of `RocketMQModule.forRoot()`. Default: the one without a name. */
  readonly connection?: string;
}

/** The metadata of the decorator. */
export interface TransactionalSendMetadata {
  readonly topic: TopicDefinition;
  readonly connection: string | undefined;
}

/** A method to run as a local transaction. */
export interface TransactionalRun {
  readonly topic: TopicDefinition;
  /** Undefined: the method prepares its message itself. */
  readonly message: (() => TransactionalMessage | Promise<TransactionalMessage>) | undefined;
  readonly timeoutMs: number | undefined;
  readonly call: TransactionalCall;
}

/** Runs methods as local transactions. */
export interface TransactionRunner {
  runMethod<T>(run: TransactionalRun, method: () => Promise<T>): Promise<T>;
}

/**
 * Makes the method the local transaction of a message on a transactional topic, whoever calls it. When the method succeeds, the
 * message is committed, unless the method called `currentTransaction().rollback()`. When it throws, the topic's checker is asked at
 * once, its answer ends the transaction, and the error is rethrown. The topic needs a `@TransactionChecker`, or the module a `transactionLog`.
 *
 * The message is visible if and only if the local transaction committed, with one exception: the server gives it up when nobody answers its
 * checks, 15 by default, that is after about 7.5 minutes without any running instance. The event `transaction-given-up` reports that.
 *
 * An override that also has the decorator and calls `super.method()` forms one transaction with it, with one message: the override's,
 * or that of the overridden method when the override has none. All other calls are transactions of their own.
 */
export function TransactionalSend<
  Body,
  Input extends Anything,
  Args extends readonly unknown[],
  Field extends PropertyKey = keyof TransactionalMessage,
>(topic: TopicLike<Body, Input, 'transaction'>, options: TransactionalSendOptions<Input, Args, Field> = {}) {
  const definition = toTopicDefinition(topic as TopicLike);
  const { timeoutMs, connection } = options;
  const token = transactionsToken(connection);
  // biome-ignore lint/suspicious/noExplicitAny: the method may take more than the message is made from
  return <Method extends (...args: [...Args, ...any[]]) => Promise<unknown>>(
    target: object,
    methodName: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => {
    const method = descriptor.value as unknown as (...args: unknown[]) => Promise<unknown>;
    const label = `${target.constructor.name}.${String(methodName)}`;
    const toMessage = options.message as ((...args: unknown[]) => TransactionalMessage) | undefined;
    async function transactional(this: object, ...args: unknown[]): Promise<unknown> {
      const message = toMessage === undefined ? undefined : () => toMessage.apply(this, args);
      const local = (): Promise<unknown> => awaitable(label, method.apply(this, args));
      const call: TransactionalCall = { instance: this, methodName, method: transactional };
      const running = topicTransactionHere();
      if (running?.isJoinedBy(call, definition)) {
        if (message !== undefined && !running.isPrepared) await running.prepare(await message());
        return local();
      }
      const runner = (this as { readonly [key: symbol]: TransactionRunner | undefined } | undefined)?.[token];
      if (runner === undefined) throw noRunner(label);
      return runner.runMethod({ topic: definition, message, timeoutMs, call }, local);
    }
    takeOver(method, transactional);
    const metadata: TransactionalSendMetadata = { topic: definition, connection };
    Reflect.defineMetadata(TRANSACTIONAL_SEND_METADATA, metadata, transactional);
    // Injected, not looked up: so it exists in request-scoped instances, too, and two applications do not mix.
    if (!Reflect.hasMetadata(token, target.constructor)) {
      Reflect.defineMetadata(token, true, target.constructor);
      // Optional: without the module the class can still be created, for instance in a unit test, and the call explains what is missing.
      Optional()(target, token);
      Inject(token)(target, token);
    }
    descriptor.value = transactional as unknown as Method;
  };
}

function awaitable<T>(label: string, result: Promise<T>): Promise<T> {
  if (isThenable(result)) return result;
  const text =
    `${label} has @TransactionalSend but returns no promise, so the end of its local transaction is unknown; make it async. The ` +
    'transaction check decides about the message';
  throw new UsageError('NOT_ASYNC', text);
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
    `${name} has @TransactionalSend, but its instance was not created by Nest in an application with RocketMQModule (and the ` +
    'connection that it names), or it was called without its instance; the method has not run, nothing was sent';
  return new StateError('NO_MODULE', text);
}
