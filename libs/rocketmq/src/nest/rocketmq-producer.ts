// What applications send with. The client's own producer, which it stands before, comes and goes with the application.

import type { Producer } from '../producer/producer.js';
import type { SendReceipt } from '../producer/send-receipt.js';
import type { Transaction } from '../producer/transaction.js';
import { messageTypeOf, type OutgoingMessage } from '../protocol/message.js';
import type { CallOptions } from '../support/deadline.js';
import { StateError, UsageError } from '../support/errors.js';
import type { BodyCodec } from './body-codec.js';
import { runWithTopic, type TransactionalMessage, toOutgoing } from './current-transaction.js';
import { encodeBody } from './message-body.js';
import { type TopicDefinition, type TopicLike, toTopicDefinition } from './topic-definition.js';
import type { TransactionRunner } from './transactional-send.decorator.js';

/** Everything of a message but its topic and body, and how long the send may take. */
export interface SendOptions extends Omit<OutgoingMessage, 'topic' | 'body'>, CallOptions {}

/** A message in its plain form. */
export interface PlainMessage extends Omit<OutgoingMessage, 'body'> {
  /** Bytes are sent as they are, a string as UTF-8, anything else by the module's codec (JSON). */
  readonly body: unknown;
}

/** A message of a transaction with its topic. */
export interface TransactionalTopicMessage<Input> extends TransactionalMessage<Input> {
  // biome-ignore lint/suspicious/noExplicitAny: what a receiver makes of the body does not matter to the sender
  readonly topic: TopicDefinition<any, Input> | string;
}

/** Sends messages, from before the application's first `onModuleInit` until after its last `beforeApplicationShutdown`. */
export class RocketMQProducer implements TransactionRunner {
  /** @internal provided by the module */
  constructor(
    private readonly producer: () => Producer | undefined,
    private readonly codec: BodyCodec,
  ) {}

  /**
   * Sends a message and waits until the server has stored it.
   * @param options `timeoutMs` bounds all attempts together; default: `requestTimeoutMs` × 3
   * @throws UsageError before anything was sent: the body does not fit the schema, the options do not fit the topic's type
   * @throws StatusError or TransportError, whose `outcome` says whether the message may be stored
   */
  send<Body, Input>(topic: TopicDefinition<Body, Input>, body: Input, options?: SendOptions): Promise<SendReceipt>;
  send(message: PlainMessage, options?: CallOptions): Promise<SendReceipt>;
  async send(first: TopicDefinition | PlainMessage, second?: unknown, third: SendOptions = {}): Promise<SendReceipt> {
    const producer = this.running();
    if ('topic' in first) {
      const body = await encodeBody(toTopicDefinition(first.topic), first.body, this.codec);
      return producer.send({ ...first, body }, second as CallOptions | undefined);
    }
    const { timeoutMs, signal, ...message } = third;
    const outgoing = { ...message, topic: first.name, body: '' };
    assertFits(first, outgoing);
    return producer.send({ ...outgoing, body: await encodeBody(first, second, this.codec) }, { timeoutMs, signal });
  }

  /**
   * Takes a delayed message back before it is due, by the receipt of its send. The server answers OK even when it is too
   * late, or was recalled before.
   * @throws StatusError when the server refuses; it is off there by default (`recallMessageEnable` of the broker)
   */
  async recall(
    receipt: { readonly topic: string; readonly recallHandle: string | undefined },
    options?: CallOptions,
  ): Promise<{ readonly messageId: string }> {
    const { topic, recallHandle } = receipt;
    if (recallHandle === undefined) {
      const text = `the message on "${topic}" has no recall handle: it is not a delayed one, or the server gives none`;
      throw new UsageError('NO_RECALL_HANDLE', text, 'recallHandle');
    }
    return this.running().recall({ topic, recallHandle }, options);
  }

  /**
   * Runs `work` as the local transaction of a message, like a method with `@TransactionalSend`. Without `message`, `work`
   * calls `currentTransaction().prepare({ topic, body })`.
   */
  async transact<T, Input = unknown>(
    options: CallOptions & { readonly message?: TransactionalTopicMessage<Input> },
    work: () => Promise<T>,
  ): Promise<T> {
    const { message, ...call } = options;
    const topic = message === undefined ? undefined : toTopicDefinition(message.topic as TopicLike);
    return this.runTransaction(topic, message, call, work);
  }

  /**
   * Sends a half message, which nobody sees until the transaction commits. Prefer {@link transact}.
   * @throws UsageError `NO_TRANSACTION_CHECKER` when the topic has none; else as `send`
   */
  async beginTransaction<Input>(
    message: TransactionalTopicMessage<Input>,
    options?: CallOptions,
  ): Promise<Transaction> {
    const topic = toTopicDefinition(message.topic as TopicLike);
    return this.running().beginTransaction(await toOutgoing(topic, message, this.codec), options);
  }

  /** @internal */
  async runMethod<T>(
    topic: TopicDefinition,
    message: (() => TransactionalMessage | Promise<TransactionalMessage>) | undefined,
    timeoutMs: number | undefined,
    method: () => Promise<T>,
  ): Promise<T> {
    return this.runTransaction(topic, await message?.(), { timeoutMs }, method);
  }

  private async runTransaction<T>(
    topic: TopicDefinition | undefined,
    message: TransactionalMessage | undefined,
    options: CallOptions,
    work: () => Promise<T>,
  ): Promise<T> {
    const producer = this.running();
    const half =
      topic === undefined || message === undefined ? undefined : await toOutgoing(topic, message, this.codec);
    return producer.transact({ ...options, message: half }, () => runWithTopic(topic, this.codec, work));
  }

  private running(): Producer {
    const producer = this.producer();
    if (producer !== undefined) return producer;
    const text =
      'the producer is not running; it starts with the application (app.init() or app.listen()) and ends with it; ' +
      'nothing was sent';
    throw new StateError('NOT_RUNNING', text);
  }
}

/** Found here, so that the error speaks of the definition and the options, not of the cluster. */
function assertFits({ name, type }: TopicDefinition, message: OutgoingMessage): void {
  const found = messageTypeOf(message);
  if (type === undefined || type === found) return;
  const fix: Readonly<Record<typeof type, string>> = {
    normal: 'leave out messageGroup, delayMs, deliverAt and priority',
    fifo: 'give a messageGroup and no delivery time',
    delay: 'give delayMs or deliverAt (0 and now are fine), and no messageGroup',
    priority: 'give a priority, no messageGroup and no delivery time',
    transaction: 'use @TransactionalSend or transact()',
  };
  const text = `topic "${name}" is defined for ${type} messages, this is a ${found} one: ${fix[type]}; nothing was sent`;
  throw new UsageError('MESSAGE_TYPE_MISMATCH', text, 'type');
}
