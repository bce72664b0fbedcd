// `currentTransaction()` for Nest applications: bodies are encoded and validated by the topic.

import {
  currentLocalTransaction,
  type LocalTransaction,
  runInTransaction,
  transactionHere,
} from '../../producer/transactions/transaction-scope.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { assertIsMessage } from '../../protocol/model/message-checks.js';
import { StateError, UsageError } from '../../support/errors.js';
import { jsonCodec } from '../messages/body-codecs.js';
import { type MessageWire } from '../messages/message-body.js';
import { encoded, type MessageFields, type TypeFields } from '../messages/outgoing.js';
import { NAMES_AS_GIVEN } from '../messages/resource-names.js';
import {
  assertTopicLike,
  type NotInferred,
  type TopicDefinition,
  type TopicLike,
  toTopicDefinition,
} from '../messages/topic-definition.js';

/** The fields of other messages, which the message of a transaction cannot have. */
type NotOfTransactions = { readonly [Field in keyof TypeFields | 'messageId']?: undefined };

/** The message of a transaction; its topic is that of the decorator. */
export interface TransactionalMessage<Input = unknown> extends NotOfTransactions {
  readonly body: Input;
  /** One label by which consumers can filter. */
  readonly tag?: string;
  /** Business keys by which operators can find a message. */
  readonly keys?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
}

/** A message that the compiler has not checked: it may have fields that a transaction's cannot have. */
type AnyMessage = MessageFields & { readonly body: unknown };

/** Of a message whose topic is known without it. */
export interface WithoutTopic {
  readonly topic?: undefined;
}

/** The transaction that the running code belongs to. */
export interface CurrentTransaction extends Omit<LocalTransaction, 'prepare'> {
  /**
   * Sends the half message, for a transaction that creates its message while it runs. Call it once, and before the database
   * commit: a process that commits first and then crashes sends no message.
   * @param message `topic` is required only where no decorator names it; a definition also types the body
   * @throws UsageError when the body does not fit the topic's schema
   * @throws StateError `ALREADY_PREPARED` the second time; on any error of a send, let the local transaction fail
   */
  prepare<Input>(
    message: TransactionalMessage<NotInferred<Input>> & {
      // biome-ignore lint/suspicious/noExplicitAny: what a receiver makes of the body does not matter to the sender
      readonly topic?: TopicDefinition<any, Input, 'transaction'> | string;
    },
  ): Promise<void>;
}

/** The call of a method with `@TransactionalSend` that a transaction belongs to. */
export interface TransactionalCall {
  readonly instance: object;
  readonly methodName: string | symbol;
  /** The decorated function: an override has another function than the method that it overrides. */
  readonly method: object;
}

const BRAND = Symbol.for('nestjs-rocketmq.nest-transaction');

/** A transaction of the client whose message is passed as a body, not as bytes. */
class TopicTransaction implements CurrentTransaction {
  readonly [BRAND] = true;
  private ended = false;

  constructor(
    private readonly inner: LocalTransaction,
    private readonly wire: MessageWire,
    private readonly bound?: TopicDefinition,
    private readonly call?: TransactionalCall,
  ) {}

  /**
   * Whether this call is made through `super` by the method that the transaction belongs to, so that it is part of the transaction.
   * @throws StateError `TRANSACTION_ENDED` when that method has ended, UsageError `OTHER_TOPIC` when it has another topic
   */
  isJoinedBy({ instance, methodName, method }: TransactionalCall, topic: TopicDefinition): boolean {
    const { call, bound } = this;
    if (call === undefined || call.instance !== instance || call.methodName !== methodName || call.method === method) {
      return false;
    }
    const what = `super.${String(methodName)}()`;
    if (this.ended) {
      const text = `${what} was called after the method that calls it had ended; it has not run; await it in that method`;
      throw new StateError('TRANSACTION_ENDED', text);
    }
    if (bound === undefined || bound.name === topic.name) return true;
    const text = `${what} sends to "${topic.name}", its override to "${bound.name}"; both are one transaction with one message, so use one topic; it has not run`;
    throw new UsageError('OTHER_TOPIC', text, 'topic');
  }

  /** The method has ended. */
  end(): void {
    this.ended = true;
  }

  get topic(): string {
    return this.inner.topic;
  }

  get transactionId(): string {
    return this.inner.transactionId;
  }

  get messageId(): string {
    return this.inner.messageId;
  }

  get isPrepared(): boolean {
    return this.inner.isPrepared;
  }

  get isRollback(): boolean {
    return this.inner.isRollback;
  }

  get signal(): AbortSignal {
    return this.inner.signal;
  }

  /** @internal */
  get endFinder(): LocalTransaction['endFinder'] {
    return this.inner.endFinder;
  }

  /** @internal */
  get run(): LocalTransaction['run'] {
    return this.inner.run;
  }

  /** @internal */
  get recorder(): LocalTransaction['recorder'] {
    return this.inner.recorder;
  }

  async prepare(prepared: AnyMessage & { readonly topic?: TopicLike }): Promise<void> {
    assertIsMessage(prepared);
    const { topic: given, ...message } = prepared;
    const topic = this.topicOf(given);
    await this.inner.prepare(await toOutgoing(topic, message, this.wire));
  }

  rollback(): void {
    this.inner.rollback();
  }

  /** @internal */
  findEndBy(...endFinder: Parameters<LocalTransaction['findEndBy']>): void {
    this.inner.findEndBy(...endFinder);
  }

  private topicOf(given: TopicLike | undefined): TopicDefinition {
    const { bound } = this;
    if (given === undefined) {
      if (bound !== undefined) return bound;
      throw new UsageError(
        'NO_TOPIC',
        'prepare() needs a topic: no @TransactionalSend names one; pass it to prepare()',
        'topic',
      );
    }
    assertTopicLike(given);
    const topic = toTopicDefinition(given);
    if (bound === undefined) return topic;
    if (topic.name === bound.name) return typeof given === 'string' ? bound : topic;
    const text = `the message is for "${topic.name}", but this transaction was declared for "${bound.name}"; nothing was sent`;
    throw new UsageError('OTHER_TOPIC', text, 'topic');
  }
}

/** A message of a transaction as the client sends it. @throws UsageError when body or fields do not fit */
export async function toOutgoing(
  topic: TopicDefinition,
  message: AnyMessage,
  wire: MessageWire,
): Promise<OutgoingMessage> {
  assertIsMessage(message);
  assertTransactional(topic.name, message);
  const { body, tag, keys, properties } = message;
  return encoded(topic, body, { tag, keys, properties }, wire);
}

/** Any other field would be lost, and with it the order or the delay that it asks for. @throws UsageError that names the field */
export function assertTransactional(topic: string, message: AnyMessage): void {
  const { body, tag, keys, properties, ...others } = message;
  const found = Object.entries(others).find(([, value]) => value !== undefined);
  if (found === undefined) return;
  const text = `message to "${topic}": the message of a transaction has no field ${found[0]}, only body, tag, keys and properties; nothing was sent`;
  throw new UsageError('MESSAGE_TYPE_MISMATCH', text, found[0]);
}

/** The declaration of a local transaction. */
export interface TransactionOrigin {
  readonly topic: TopicDefinition;
  readonly wire: MessageWire;
  /** Undefined for one without a decorator. */
  readonly call?: TransactionalCall;
}

/** Runs `work` so that {@link currentTransaction} accepts bodies for the topic. Call it inside a transaction of the client. */
export async function runWithTopic<T>(
  { topic, wire, call }: TransactionOrigin,
  work: (transaction: CurrentTransaction) => Promise<T>,
): Promise<T> {
  const transaction = new TopicTransaction(currentLocalTransaction(), wire, topic, call);
  try {
    return await runInTransaction(transaction, () => work(transaction));
  } finally {
    transaction.end();
  }
}

/** The transaction that the running code belongs to, if it belongs to this layer. */
export function topicTransactionHere(): TopicTransaction | undefined {
  const current = transactionHere();
  return current !== undefined && BRAND in current ? (current as unknown as TopicTransaction) : undefined;
}

/**
 * The transaction of the running method.
 * @throws StateError `NO_TRANSACTION` outside of one
 */
export function currentTransaction(): CurrentTransaction {
  return (
    topicTransactionHere() ??
    new TopicTransaction(currentLocalTransaction(), { codec: jsonCodec, names: NAMES_AS_GIVEN })
  );
}
