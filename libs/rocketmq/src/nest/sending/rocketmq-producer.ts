// The producer that applications inject. It wraps the client's own producer, which exists only while the application runs.

import type { Producer } from '../../producer/producer.js';
import type { EncodingMessage } from '../../producer/sending/encoding-message.js';
import type { BatchOptions, BatchOutcome } from '../../producer/sending/send-batch.js';
import type { SendReceipt } from '../../producer/sending/send-request.js';
import type { OutgoingMessage, TopicType } from '../../protocol/model/message.js';
import { assertIsMessage, assertMessageTypes } from '../../protocol/model/message-checks.js';
import type { CallOptions } from '../../support/deadline.js';
import { StateError, UsageError } from '../../support/errors.js';
import { anyFunction, anyObject, assertCall, assertObject, describe, rejected } from '../../support/options.js';
import type { MessageWire } from '../messages/message-body.js';
import {
  byDefinition,
  byName,
  type FieldArguments,
  type FieldsOf,
  type MessageFields,
  type PlainMessage,
  passOn,
  placed,
  type TopicMessage,
} from '../messages/outgoing.js';
import type { RequestDefinition } from '../messages/request-definition.js';
import {
  assertTopicLike,
  type NotInferred,
  type TopicDefinition,
  toTopicDefinition,
} from '../messages/topic-definition.js';
import {
  assertTransactional,
  type CurrentTransaction,
  runWithTopic,
  type TransactionalMessage,
  type TransactionOrigin,
  toOutgoing,
  type WithoutTopic,
} from '../transactions/current-transaction.js';
import type { TransactionalRun } from '../transactions/transactional-send.decorator.js';
import type { RequestCallOptions, RocketMQRequester } from './requester.js';

/** All fields of a message except its topic and body, and the timeout of the send. */
export interface SendOptions extends MessageFields, CallOptions {}

/** A message of a transaction with its topic. */
export interface TransactionalTopicMessage<Input> extends TransactionalMessage<NotInferred<Input>> {
  // biome-ignore lint/suspicious/noExplicitAny: what a receiver makes of the body does not matter to the sender
  readonly topic: TopicDefinition<any, Input, 'transaction'> | string;
}

/** @internal The producer that messages are passed to, usually the client's. Not in the published types: `sendEncoded` is not. */
export type SendingPort = Pick<Producer, 'sendEncoding' | 'sendEncoded' | 'sendOnewayEncoding' | 'recall' | 'transact'>;

/** Marks a producer of tests. */
export const DETACHED = Symbol.for('nestjs-rocketmq.detached-producer');

/** Whether this producer sends nothing, so that no connection is needed. */
export function isDetached(producer: object): boolean {
  return DETACHED in producer;
}

/** Sends messages, from before the application's first `onModuleInit` until after its last `beforeApplicationShutdown`. */
export class RocketMQProducer {
  /** @internal provided by the module */
  constructor(
    private readonly running: () => SendingPort,
    private readonly wire: MessageWire,
    private readonly requester?: Pick<RocketMQRequester, 'request'>,
  ) {}

  /**
   * Sends a message and waits until the server has stored it. Messages of one message group are stored in the order of the calls, see
   * `Producer.send`.
   * @param options `timeoutMs` limits all attempts together; default: `requestTimeoutMs` × `producer.maxAttempts`
   * @throws UsageError when the body does not fit the schema, or the options do not fit the topic's type; nothing was sent
   * @throws NotSentError, StatusError or TransportError, whose `outcome` says whether the message may be stored
   */
  send<Body, Input, Type extends TopicType>(
    topic: TopicDefinition<Body, Input, Type>,
    body: NotInferred<Input>,
    ...options: FieldArguments<Type, CallOptions>
  ): Promise<SendReceipt>;
  send(message: PlainMessage, options?: CallOptions): Promise<SendReceipt>;
  async send(first: TopicDefinition | PlainMessage, second?: unknown, third?: SendOptions): Promise<SendReceipt> {
    const producer = this.running();
    return this.passOn(first, second, third, (message, call) => producer.sendEncoding(message, call));
  }

  /**
   * Sends messages, each in a request of its own, and returns the outcome of each, in the given order; it does not throw for a
   * message that failed. An invalid message fails on its own. Messages of one message group are sent one after another: when one
   * fails, the later ones of its group are not sent.
   * @throws UsageError for an invalid option, StateError once closed; nothing was sent
   */
  sendBatch<Body, Input, Type extends TopicType>(
    topic: TopicDefinition<Body, Input, Type>,
    messages: readonly TopicMessage<NotInferred<Input>, Type>[],
    options?: BatchOptions,
  ): Promise<BatchOutcome[]>;
  sendBatch(messages: readonly PlainMessage[], options?: BatchOptions): Promise<BatchOutcome[]>;
  async sendBatch(
    first: TopicDefinition | readonly PlainMessage[],
    second?: readonly TopicMessage<unknown>[] | BatchOptions,
    third?: BatchOptions,
  ): Promise<BatchOutcome[]> {
    const producer = this.running();
    if (isDefinition(first)) {
      const made = listed(second).map((given) => {
        const { body, ...fields } = Object(given) as TopicMessage<unknown>;
        const encoding = async (): Promise<OutgoingMessage> => {
          assertIsMessage(given);
          return byDefinition(first, body, fields, this.wire);
        };
        return placed(first.name, fields, encoding(), this.wire);
      });
      return producer.sendEncoded(made, third);
    }
    const made = listed(first).map((given) => {
      const message = Object(given) as PlainMessage;
      return placed(message.topic, message, byName(given as PlainMessage, this.wire), this.wire);
    });
    return producer.sendEncoded(made, second as BatchOptions | undefined);
  }

  /**
   * Sends a message without waiting for the server. A failure is logged and reported to `events.onOnewayFailed`.
   * @throws as {@link send}, before anything was sent
   */
  sendOneway<Body, Input, Type extends TopicType>(
    topic: TopicDefinition<Body, Input, Type>,
    body: NotInferred<Input>,
    ...options: FieldArguments<Type, CallOptions>
  ): Promise<void>;
  sendOneway(message: PlainMessage, options?: CallOptions): Promise<void>;
  async sendOneway(first: TopicDefinition | PlainMessage, second?: unknown, third?: SendOptions): Promise<void> {
    const producer = this.running();
    return this.passOn(first, second, third, (message, call) => producer.sendOnewayEncoding(message, call));
  }

  /**
   * Recalls a delayed message before it is due, by the receipt of its send. The server answers OK for a message that was already
   * recalled, too; once the message was due, it rejects the recall.
   * @throws StatusError when the server rejects it; recalls are off there by default (`recallMessageEnable` of the broker)
   */
  async recall(
    receipt: { readonly topic: string; readonly recallHandle: string | undefined },
    options?: CallOptions,
  ): Promise<{ readonly messageId: string }> {
    assertObject('receipt', receipt);
    const { topic, recallHandle } = receipt;
    if (recallHandle === undefined) {
      const text = `the message on ${describe(topic)} has no recall handle: it is not a delayed message, or the server does not support recalls`;
      throw new UsageError('NO_RECALL_HANDLE', text, 'recallHandle');
    }
    return this.running().recall({ topic, recallHandle }, options);
  }

  /**
   * Runs `work` as the local transaction of a message, like a method with `@TransactionalSend`: the half message is sent before,
   * and a return commits it. Code inside may use `currentTransaction()`, too.
   * @param options for sending the half message, as in {@link send}
   * @throws as {@link send} when the half message fails: `work` has not run; otherwise what `work` throws
   */
  async transaction<T, Input>(
    given: TransactionalTopicMessage<Input>,
    work: (transaction: CurrentTransaction) => Promise<T>,
    options: CallOptions = {},
  ): Promise<T> {
    assertIsMessage(given);
    const { topic, ...message } = given;
    assertTopicLike(topic);
    const problem = anyFunction(work);
    if (problem !== undefined) throw rejected('work', `${problem}; nothing was sent`);
    assertCall(options);
    const origin = { topic: toTopicDefinition(topic), wire: this.wire };
    return this.runTransaction(origin, message, options, work);
  }

  /**
   * Sends a request to a handler with `@RocketMQReply` or `@MessagePattern` and waits for its one answer, as `RocketMQRequester.request`
   * does. Needs the module option `requests`.
   * @param pattern `topic` or `topic:tag`, or a definition, by which request and answer are typed and validated
   * @param options `timeoutMs` limits send and answer together; default: that of the module option `requests`
   * @throws as `RocketMQRequester.request`; StateError `NO_REQUESTER` from a producer of a test, which cannot receive answers
   */
  request<Answer = unknown>(pattern: string, data: unknown, options?: RequestCallOptions): Promise<Answer>;
  request<Request, Answer, RequestInput, AnswerInput>(
    definition: RequestDefinition<Request, Answer, RequestInput, AnswerInput>,
    data: NotInferred<RequestInput>,
    options?: FieldsOf<'normal'> & CallOptions,
  ): Promise<Answer>;
  async request(target: string | RequestDefinition, data: unknown, options?: RequestCallOptions): Promise<unknown> {
    // Which of the two it is matters to the compiler only.
    if (this.requester !== undefined) return this.requester.request(target as string, data, options);
    const text = 'this producer belongs to no RocketMQModule, so no answer could be received; nothing was sent';
    throw new StateError('NO_REQUESTER', text);
  }

  /** The producer of one topic, typed by its bodies. */
  for<Body, Input, Type extends TopicType>(topic: TopicDefinition<Body, Input, Type>): TopicSender<Input, Type> {
    return new TopicSender<Input, Type>(this, topic as unknown as TopicDefinition<unknown, Input, Type>);
  }

  /** @internal */
  async runMethod<T>({ topic, message, timeoutMs, call }: TransactionalRun, method: () => Promise<T>): Promise<T> {
    return this.runTransaction({ topic, wire: this.wire, call }, await message?.(), { timeoutMs }, method);
  }

  private async runTransaction<T>(
    origin: TransactionOrigin,
    message: TransactionalMessage | undefined,
    { timeoutMs, signal }: CallOptions,
    work: (transaction: CurrentTransaction) => Promise<T>,
  ): Promise<T> {
    const producer = this.running();
    const half = message === undefined ? undefined : await toOutgoing(origin.topic, message, origin.wire);
    return producer.transact({ timeoutMs, signal, message: half }, () => runWithTopic(origin, work));
  }

  private passOn<T>(
    first: TopicDefinition | PlainMessage,
    second: unknown,
    options: SendOptions = {},
    send: (message: OutgoingMessage | EncodingMessage, call: CallOptions | undefined) => Promise<T>,
  ): Promise<T> {
    const { wire } = this;
    const problem = anyObject(options);
    if (problem !== undefined) throw rejected('options', problem);
    const { timeoutMs, signal, ...fields } = options;
    if (!isDefinition(first)) {
      assertMessageTypes(first, false);
      const call = second as CallOptions | undefined;
      return passOn(first.topic, first, byName(first, wire), wire, (message) => send(message, call));
    }
    const encoding = byDefinition(first, second, fields, wire);
    return passOn(first.name, fields, encoding, wire, (message) => send(message, { timeoutMs, signal }));
  }
}

function isDefinition(first: TopicDefinition | PlainMessage | readonly PlainMessage[]): first is TopicDefinition {
  return typeof first === 'object' && first !== null && 'name' in first && !('topic' in first);
}

/** The messages of a batch, which may be none. @throws UsageError */
function listed(messages: unknown): readonly unknown[] {
  // A list may have gaps.
  if (Array.isArray(messages)) return Array.from(messages);
  throw rejected('messages', `must be a list of messages, not ${describe(messages)}`);
}

/** Sends to one topic. Each method is that of `RocketMQProducer`. */
export class TopicSender<Input, Type extends TopicType = TopicType> {
  /** @internal Created by `RocketMQProducer.for`. */
  constructor(
    private readonly producer: Pick<RocketMQProducer, 'send' | 'sendBatch' | 'sendOneway' | 'transaction'>,
    readonly topic: TopicDefinition<unknown, Input, Type>,
  ) {}

  /** See `RocketMQProducer.send`. */
  send(body: Input, ...options: FieldArguments<Type, CallOptions>): Promise<SendReceipt> {
    return this.producer.send(this.topic, body, ...options);
  }

  /** See `RocketMQProducer.sendBatch`. */
  sendBatch(messages: readonly TopicMessage<Input, Type>[], options?: BatchOptions): Promise<BatchOutcome[]> {
    return this.producer.sendBatch(this.topic, messages, options);
  }

  /** See `RocketMQProducer.sendOneway`. */
  sendOneway(body: Input, ...options: FieldArguments<Type, CallOptions>): Promise<void> {
    return this.producer.sendOneway(this.topic, body, ...options);
  }

  /** See `RocketMQProducer.transaction`. */
  async transaction<T>(
    this: TopicSender<Input, 'transaction'>,
    message: TransactionalMessage<Input> & WithoutTopic,
    work: (transaction: CurrentTransaction) => Promise<T>,
    options?: CallOptions,
  ): Promise<T> {
    assertIsMessage(message);
    assertTransactional(this.topic.name, message);
    return this.producer.transaction({ ...message, topic: this.topic }, work, options);
  }
}
