// A producer for tests that sends nothing: it checks and encodes as the real one does, and keeps what would have been sent.

import { parseEndpoints } from '../client/endpoint.js';
import { type BodyCodec, jsonCodec } from '../nest/messages/body-codec.js';
import { NAMES_AS_GIVEN } from '../nest/messages/resource-names.js';
import type { TopicDefinition, TopicLike } from '../nest/messages/topic-definition.js';
import { DETACHED, RocketMQProducer, type SendingPort } from '../nest/sending/rocketmq-producer.js';
import { sendBatch } from '../producer/sending/send-batch.js';
import type { SendReceipt } from '../producer/sending/send-receipt.js';
import { Transaction } from '../producer/transactions/transaction.js';
import { runInTransaction, TransactionScope } from '../producer/transactions/transaction-scope.js';
import { toWireMessage } from '../protocol/grpc/message-mapping.js';
import { assertSendable, bodyBytes, messageTypeOf, type OutgoingMessage } from '../protocol/model/message.js';
import { MessageIdGenerator } from '../protocol/model/message-id.js';
import { type Clock, MINUTE_MS, SECOND_MS, SystemClock } from '../support/clock.js';
import { StateError, TransportError } from '../support/errors.js';
import { systemRandom } from '../support/random.js';

/** A message that was sent to a fake producer. */
export interface SentMessage<Input = unknown>
  extends Omit<OutgoingMessage, 'body' | 'keys' | 'properties' | 'messageId'> {
  /** By which call. A transaction's message is here once it is committed. */
  readonly kind: 'send' | 'batch' | 'oneway' | 'transaction';
  /** As it was given. */
  readonly body: Input;
  /** As it would be on the wire. */
  readonly bytes: Buffer;
  readonly keys: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly messageId: string;
  /** Whether `recall()` took it back. */
  readonly isRecalled: boolean;
}

/** Sends that are to fail. */
export interface SendFailure {
  /** Default: all topics. */
  // biome-ignore lint/suspicious/noExplicitAny: only its name is looked at
  readonly topic?: TopicDefinition<any, any> | string;
  /** How many; `Infinity` for all that come. Default 1. */
  readonly times?: number;
  /** Default: a TransportError `UNAVAILABLE` whose outcome is `not-sent`. */
  readonly error?: Error;
}

/** The options of `fakeProducer()`. */
export interface FakeProducerOptions {
  /** That of the module, if it has one of its own. Default JSON. */
  readonly codec?: BodyCodec;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

/** Stands in for `RocketMQProducer`. */
export class FakeProducer extends RocketMQProducer {
  /** @internal an application with it connects nothing */
  readonly [DETACHED] = true;
  private readonly desk: FakeDesk;

  /** @internal made by {@link fakeProducer} */
  constructor({ codec = jsonCodec, clock = new SystemClock() }: FakeProducerOptions) {
    const desk = new FakeDesk(clock);
    const hooks = {
      outgoing: async (message: OutgoingMessage, { body }: { readonly body: unknown }) => desk.noted(message, body),
      incoming: async <T>(message: T) => message,
    };
    super(() => desk, { codec, names: NAMES_AS_GIVEN, hooks });
    this.desk = desk;
  }

  /** What was sent, in order. */
  get sent(): readonly SentMessage[] {
    return this.desk.sent;
  }

  /** What was sent to one topic, in order. */
  sentTo<Body, Input>(topic: TopicDefinition<Body, Input>): readonly SentMessage<Input>[];
  sentTo(topic: string): readonly SentMessage[];
  sentTo(topic: TopicLike): readonly SentMessage[] {
    const name = typeof topic === 'string' ? topic : topic.name;
    return this.desk.sent.filter((message) => message.topic === name);
  }

  /** Lets the next sends fail; a message of a batch is one. Failures that are set later come later. */
  failNext({ topic, times = 1, error }: SendFailure = {}): void {
    const name = typeof topic === 'object' ? topic.name : topic;
    this.desk.failures.push({ topic: name, times, error });
  }

  /** Forgets what was sent, and what is to fail. */
  reset(): void {
    this.desk.sent.length = 0;
    this.desk.failures.length = 0;
  }
}

/**
 * A producer that sends nothing and keeps what it was given, after the same checks as the real one:
 * `.overrideProvider(RocketMQProducer).useValue(fakeProducer())`, or `getProducerToken(name)` for a connection with a name. The
 * application then connects nothing: no broker is needed, and its listeners get messages by `deliver()` only.
 */
export function fakeProducer(options: FakeProducerOptions = {}): FakeProducer {
  return new FakeProducer(options);
}

type Kind = SentMessage['kind'];

/** What the fake hands its messages to, in place of the client's producer. */
class FakeDesk implements SendingPort {
  readonly sent: SentMessage[] = [];
  readonly failures: { readonly topic: string | undefined; times: number; readonly error: Error | undefined }[] = [];
  private readonly bodies = new WeakMap<object, unknown>();
  private readonly ids = new MessageIdGenerator(systemRandom, process.pid);

  constructor(private readonly clock: Clock) {}

  /** Remembers what a message was made from. */
  noted(message: OutgoingMessage, body: unknown): OutgoingMessage {
    this.bodies.set(message, body);
    return message;
  }

  async send(message: OutgoingMessage): Promise<SendReceipt> {
    return this.store('send', message);
  }

  async sendOneway(message: OutgoingMessage): Promise<void> {
    this.store('oneway', message);
  }

  sendEncoded: SendingPort['sendEncoded'] = (messages, options = {}) =>
    sendBatch(messages, options, {
      sendTimeoutMs: 10 * SECOND_MS,
      assertOpen: () => {},
      prepare: (message) => {
        this.check(message);
        return async () => this.store('batch', message);
      },
    });

  recall: SendingPort['recall'] = async ({ topic, recallHandle }) => {
    const index = this.sent.findIndex((one) => one.topic === topic && handleOf(one) === recallHandle);
    const found = this.sent[index];
    if (found === undefined) throw new StateError('RECALL_FAILED', `nothing on "${topic}" has this recall handle`);
    this.sent[index] = { ...found, isRecalled: true };
    return { messageId: found.messageId };
  };

  transact: SendingPort['transact'] = async ({ message }, work) => {
    let half: OutgoingMessage | undefined;
    const sendHalf = async (given: OutgoingMessage): Promise<Transaction> => {
      this.check(given);
      this.failIfTold(given);
      half = given;
      return this.transactionOf(given);
    };
    const scope = new TransactionScope(sendHalf, this.clock, 5 * MINUTE_MS);
    if (message !== undefined) await scope.prepare(message);
    try {
      const result = await runInTransaction(scope, work);
      await scope.end();
      const { resolution, error } = await scope.proven();
      if (half !== undefined && resolution === 'commit') this.keep('transaction', half);
      if (error !== undefined) throw error;
      return result;
    } catch (error) {
      // As if the check had answered "rolled back".
      await scope.end().catch(() => {});
      throw error;
    }
  };

  private transactionOf(message: OutgoingMessage): Transaction {
    const messageId = message.messageId ?? this.newMessageId();
    const body = bodyBytes(message.body);
    const nowMs = this.clock.nowMs();
    const wire = toWireMessage(message, {
      ...{ messageId, type: 'transaction', body, namespace: '', bornTimestampMs: nowMs, bornHost: '', queueId: 0 },
      deliveryTimestampMs: undefined,
    });
    const receipt = { topic: message.topic, messageId, offset: 0n, recallHandle: undefined };
    const half = {
      ...receipt,
      transactionId: `fake-${messageId}`,
      bornAtMs: this.clock.monotonicMs(),
      endpoint: parseEndpoints('127.0.0.1:1'),
      wire,
      body,
    };
    return new Transaction(half, async () => 'accepted');
  }

  private store(kind: Kind, message: OutgoingMessage): SendReceipt {
    this.check(message);
    this.failIfTold(message);
    const kept = this.keep(kind, message);
    const { topic, messageId } = kept;
    return { topic, messageId, offset: BigInt(this.sent.length - 1), recallHandle: handleOf(kept) };
  }

  private keep(kind: Kind, message: OutgoingMessage): SentMessage {
    const { keys = [], properties = {}, messageId = this.newMessageId(), ...others } = message;
    const body = this.bodies.get(message);
    const kept = {
      ...others,
      kind,
      body,
      bytes: bodyBytes(message.body),
      keys,
      properties,
      messageId,
      isRecalled: false,
    };
    this.sent.push(kept);
    return kept;
  }

  private newMessageId(): string {
    return this.ids.next(this.clock.nowMs());
  }

  private check(message: OutgoingMessage): void {
    assertSendable(message, bodyBytes(message.body).length, this.clock.nowMs());
  }

  private failIfTold({ topic }: OutgoingMessage): void {
    const failure = this.failures.find((one) => one.times > 0 && (one.topic ?? topic) === topic);
    if (failure === undefined) return;
    failure.times--;
    if (failure.error !== undefined) throw failure.error;
    throw new TransportError('UNAVAILABLE', `send to "${topic}": told to fail; nothing was sent`, 'not-sent', true);
  }
}

function handleOf(message: SentMessage): string | undefined {
  const { topic, deliverAt, delayMs, messageId } = message;
  return messageTypeOf({ topic, body: '', deliverAt, delayMs }) === 'delay' ? `recall-${messageId}` : undefined;
}
