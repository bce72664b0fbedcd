// `currentTransaction()` as Nest applications have it: bodies are encoded and checked by the topic.

import {
  type CurrentTransaction as ClientTransaction,
  currentTransaction as currentClientTransaction,
  runInTransaction,
} from '../producer/transaction-scope.js';
import type { OutgoingMessage } from '../protocol/message.js';
import { UsageError } from '../support/errors.js';
import { jsonCodec } from './body-codec.js';
import { encodeBody } from './message-body.js';
import { type MessageWire, NAMES_AS_GIVEN } from './resource-names.js';
import { type TopicDefinition, type TopicLike, toTopicDefinition } from './topic-definition.js';

/** The message of a transaction; its topic is that of the decorator. */
export interface TransactionalMessage<Input = unknown> {
  readonly body: Input;
  /** One label by which consumers filter. */
  readonly tag?: string;
  /** Business keys by which operators look a message up. */
  readonly keys?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
}

/** The transaction that the running code belongs to. */
export interface CurrentTransaction extends Omit<ClientTransaction, 'prepare'> {
  /**
   * Sends the half message, for a transaction that decides its message on the way. Call it once, and before the database
   * commit: what is committed first and crashes then has no message.
   * @param message `topic` is needed only where no decorator names it; given as a definition, it types the body
   * @throws UsageError when the body does not fit the topic's schema
   * @throws StateError `ALREADY_PREPARED` the second time; whatever a send throws, the local transaction should then fail
   */
  prepare<Input>(
    message: TransactionalMessage<Input> & {
      // biome-ignore lint/suspicious/noExplicitAny: what a receiver makes of the body does not matter to the sender
      readonly topic?: TopicDefinition<any, Input> | string;
    },
  ): Promise<void>;
}

const BRAND = Symbol.for('nestjs-rocketmq.nest-transaction');

/** A transaction of the client whose message is given as a body, not as bytes. */
export class TopicTransaction implements CurrentTransaction {
  readonly [BRAND] = true;

  constructor(
    private readonly inner: ClientTransaction,
    private readonly wire: MessageWire,
    private readonly bound?: TopicDefinition,
  ) {}

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

  get signal(): AbortSignal {
    return this.inner.signal;
  }

  async prepare(message: TransactionalMessage & { readonly topic?: TopicLike }): Promise<void> {
    const topic = this.topicOf(message.topic);
    await this.inner.prepare(await toOutgoing(topic, message, this.wire));
  }

  rollback(): void {
    this.inner.rollback();
  }

  private topicOf(given: TopicLike | undefined): TopicDefinition {
    const { bound } = this;
    if (given === undefined) {
      if (bound !== undefined) return bound;
      throw new UsageError('NO_TOPIC', 'prepare() needs a topic: no @TransactionalSend names one here', 'topic');
    }
    const topic = toTopicDefinition(given);
    if (bound === undefined) return topic;
    if (topic.name === bound.name) return typeof given === 'string' ? bound : topic;
    const text = `the message is for "${topic.name}", but this transaction was declared for "${bound.name}"; nothing was sent`;
    throw new UsageError('OTHER_TOPIC', text, 'topic');
  }
}

/** A message of a transaction as the client sends it. */
export async function toOutgoing(
  topic: TopicDefinition,
  { body, tag, keys, properties }: TransactionalMessage,
  { codec, names }: MessageWire,
): Promise<OutgoingMessage> {
  return { topic: names.topic(topic.name), body: await encodeBody(topic, body, codec), tag, keys, properties };
}

/** Runs `work` so that {@link currentTransaction} takes bodies for `topic`. Call it inside a transaction of the client. */
export function runWithTopic<T>(
  topic: TopicDefinition | undefined,
  wire: MessageWire,
  work: () => Promise<T>,
): Promise<T> {
  return runInTransaction(new TopicTransaction(currentClientTransaction(), wire, topic), work);
}

/**
 * The transaction of the running method.
 * @throws StateError `NO_TRANSACTION` outside of one
 */
export function currentTransaction(): CurrentTransaction {
  const current = currentClientTransaction();
  return BRAND in current
    ? (current as unknown as CurrentTransaction)
    : new TopicTransaction(current, { codec: jsonCodec, names: NAMES_AS_GIVEN });
}
