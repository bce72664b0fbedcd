// `@TransactionChecker`: marks the method that knows how transactions on a topic ended.

import type { TransactionCheck as ClientTransactionCheck } from '../../producer/transactions/transaction-check.js';
import { TRANSACTION_CHECKER_METADATA } from '../common/rocketmq.constants.js';
import { type TopicDefinition, type TopicLike, toTopicDefinition } from '../messages/topic-definition.js';

/** The server's question about one half message, with its body decoded. */
export interface TransactionCheck<Body = unknown> extends ClientTransactionCheck {
  readonly body: Body;
}

/** What a check may answer; anything else, a throw and a time-out mean `unknown`: the server asks again. */
export type TransactionAnswer = 'commit' | 'rollback' | 'unknown' | undefined;

/** What the decorator says of its method. */
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
 * Answers the server's checks of transactions on a topic; goes before the module's `transactionLog`. It may be asked while
 * the local transaction still runs, here or in another process: "not found" alone must not mean rollback. A topic has one
 * checker.
 */
// biome-ignore lint/suspicious/noExplicitAny: a topic given by its name alone has bodies that only the application knows
export function TransactionChecker<Body = any, Input = any>(
  topic: TopicLike<Body, Input>,
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
