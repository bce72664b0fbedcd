// `@TransactionChecker`: marks the method that answers how transactions on a topic ended.

import type { TransactionCheckRequest } from '../../producer/transactions/transaction-check.js';
import { TRANSACTION_CHECKER_METADATA } from '../common/rocketmq.constants.js';
import { type TopicDefinition, type TopicLike, toTopicDefinition } from '../messages/topic-definition.js';

/** The server's check of one half message, with its body decoded. */
export interface TransactionCheck<Body = unknown> extends TransactionCheckRequest {
  readonly body: Body;
}

/** The answer to a check; anything else, an error and a timeout mean `unknown`: the server asks again. */
export type TransactionAnswer = 'commit' | 'rollback' | 'unknown' | undefined;

/** The metadata of the decorator. */
export interface TransactionCheckerMetadata {
  readonly topic: TopicDefinition;
  readonly connection: string | undefined;
}

/** The options of `@TransactionChecker`. */
export interface TransactionCheckerOptions {
  /** The connection whose checks it answers, by the `name` of `RocketMQModule.forRoot()`. Default: the one without a name. */
  readonly connection?: string;
}

type CheckerMethod<Body> = (check: TransactionCheck<Body>) => Promise<TransactionAnswer> | TransactionAnswer;

/**
 * Answers the server's transaction checks of a topic, in preference to the module's `transactionLog`. It may be called while
 * the local transaction is still running, here or in another process: "not found" alone must not mean rollback. A topic has one
 * checker.
 */
// biome-ignore lint/suspicious/noExplicitAny: a topic given by its name alone has bodies that only the application knows
export function TransactionChecker<Body = any, Input = any>(
  topic: TopicLike<Body, Input, 'transaction'>,
  { connection }: TransactionCheckerOptions = {},
) {
  return <Method extends CheckerMethod<Body>>(
    _target: object,
    _propertyKey: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => {
    const metadata: TransactionCheckerMetadata = { topic: toTopicDefinition(topic as TopicLike), connection };
    Reflect.defineMetadata(TRANSACTION_CHECKER_METADATA, metadata, descriptor.value as object);
  };
}
