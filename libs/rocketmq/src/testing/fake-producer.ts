// A producer for tests that sends nothing: it validates and encodes like the real one, and keeps the messages.
// Over 300 lines, because it has all methods of the real one and what tests ask of it.

import { parseEndpoints } from '../client/endpoint.js';
import { type BodyCodec, jsonCodec } from '../nest/messages/body-codecs.js';
import { NAMES_AS_GIVEN } from '../nest/messages/resource-names.js';
import type { TopicDefinition, TopicLike } from '../nest/messages/topic-definition.js';
import { DETACHED, RocketMQProducer, type SendingPort } from '../nest/sending/rocketmq-producer.js';
import { EncodingMessage } from '../producer/sending/encoding-message.js';
import { sendBatch } from '../producer/sending/send-batch.js';
import type { SendReceipt } from '../producer/sending/send-request.js';
import { SendTurns, type Turn } from '../producer/sending/send-turns.js';
import { Transaction } from '../producer/transactions/transaction.js';
import { runInTransaction, TransactionScope } from '../producer/transactions/transaction-scope.js';
import { toWireMessage } from '../protocol/grpc/message-mapping.js';
import { LIMITS } from '../protocol/model/limits.js';
import { bodyBytes, messageTypeOf, type OutgoingMessage } from '../protocol/model/message.js';
import { assertMessageTypes, assertSendable } from '../protocol/model/message-checks.js';
import { MessageIdGenerator } from '../protocol/model/message-id.js';
import { type Clock, MINUTE_MS, SECOND_MS, SystemClock } from '../support/clock.js';
import { type Deadline, withDeadline } from '../support/deadline.js';
import { StateError, TransportError } from '../support/errors.js';
import { assertOptions, describe, nonEmptyString, type OptionChecks, positiveInteger } from '../support/options.js';
import { systemRandom } from '../support/random.js';
import { OBSERVE, type Observation } from './observation.js';
import { type SentMessage, sentObservation } from './sent-observation.js';

/** Sends that shall fail. */
export interface SendFailure {
  /** Default: all topics. */
  // biome-ignore lint/suspicious/noExplicitAny: only its name is looked at
  readonly topic?: TopicDefinition<any, any> | string;
  /** How many sends; `Infinity` for all later ones. Default 1. */
  readonly times?: number;
  /** Default: a TransportError `UNAVAILABLE` with the outcome `not-sent`. */
  readonly error?: Error;
}

const FAILURE_CHECKS: OptionChecks<SendFailure> = {
  topic: (value) => nonEmptyString(typeof value === 'object' ? (value as { name?: unknown } | null)?.name : value),
  times: (value) => (value === Number.POSITIVE_INFINITY ? undefined : positiveInteger(value)),
  error: (value) => (value instanceof Error ? undefined : `must be an Error, not ${describe(value)}`),
};

/** The options of `fakeProducer()`. */
export interface FakeProducerOptions {
  /** The module's codec, if it sets one. Default JSON. */
  readonly codec?: BodyCodec;
  /** Default: the system clock. */
  readonly clock?: Clock;
  /** `maxDelayMs` of the module's producer, if it sets one. Default 24 h. */
  readonly maxDelayMs?: number;
}

/** Replaces `RocketMQProducer`; created by {@link fakeProducer}. */
export class FakeProducer extends RocketMQProducer {
  /** @internal an application with this producer does not connect */
  readonly [DETACHED] = true;
  private readonly desk: FakeDesk;
  private readonly ownCodec: BodyCodec;

  private constructor({
    codec = jsonCodec,
    clock = new SystemClock(),
    maxDelayMs = LIMITS.delayMs,
  }: FakeProducerOptions) {
    const desk = new FakeDesk(clock, maxDelayMs);
    const hooks = {
      outgoing: async (message: OutgoingMessage, { body }: { readonly body: unknown }) => desk.noted(message, body),
      incoming: async <T>(message: T) => message,
    };
    super(() => desk, { codec, names: NAMES_AS_GIVEN, hooks });
    this.desk = desk;
    this.ownCodec = codec;
  }

  /** @internal */
  static of(options: FakeProducerOptions): FakeProducer {
    return new FakeProducer(options);
  }

  /** The sent messages, in order. */
  get sent(): readonly SentMessage[] {
    return this.desk.sent;
  }

  /** The messages that were sent to one topic, in order. */
  sentTo<Body, Input>(topic: TopicDefinition<Body, Input>): readonly SentMessage<Input>[];
  sentTo(topic: string): readonly SentMessage[];
  sentTo(topic: TopicLike): readonly SentMessage[] {
    const name = typeof topic === 'string' ? topic : topic.name;
    return this.desk.sent.filter((message) => message.topic === name);
  }

  /**
   * Makes the next sends fail; each message of a batch counts as one. Failures that are set later apply later.
   * @throws UsageError `ILLEGAL_OPTION` that names the option
   */
  failNext(failure: SendFailure = {}): void {
    assertOptions(failure, { options: FAILURE_CHECKS }, 'failNext: ');
    const { topic, times = 1, error } = failure;
    const name = typeof topic === 'object' ? topic.name : topic;
    this.desk.failures.push({ topic: name, times, error });
  }

  /** @internal for matchers */
  [OBSERVE](): Observation {
    return sentObservation(this.desk.sent, this.ownCodec);
  }

  /** Clears the sent messages and the failures. */
  reset(): void {
    this.desk.sent.length = 0;
    this.desk.failures.length = 0;
  }
}

/**
 * A producer that sends nothing and keeps the messages, after the same validation as the real one:
 * `.overrideProvider(RocketMQProducer).useValue(fakeProducer())`, or `getRocketMQProducerToken(name)` for a connection with a name. The
 * application then does not connect: no broker is needed, and its listeners receive messages by `deliver()` only.
 */
export function fakeProducer(options: FakeProducerOptions = {}): FakeProducer {
  return FakeProducer.of(options);
}

type Kind = SentMessage['kind'];

/** How long an encoding may take. */
const SEND_TIMEOUT_MS = 10 * SECOND_MS;

/** The fake's replacement for the client's producer. */
class FakeDesk implements SendingPort {
  readonly sent: SentMessage[] = [];
  readonly failures: { readonly topic: string | undefined; times: number; readonly error: Error | undefined }[] = [];
  private readonly bodies = new WeakMap<object, unknown>();
  private readonly ids = new MessageIdGenerator(systemRandom, process.pid);
  private readonly turns = new SendTurns();

  constructor(
    private readonly clock: Clock,
    private readonly maxDelayMs: number,
  ) {}

  /** Remembers what a message was created from. */
  noted(message: OutgoingMessage, body: unknown): OutgoingMessage {
    this.bodies.set(message, body);
    return message;
  }

  async sendEncoding(message: OutgoingMessage | EncodingMessage): Promise<SendReceipt> {
    return this.inTurn('send', message);
  }

  async sendOnewayEncoding(message: OutgoingMessage | EncodingMessage): Promise<void> {
    await this.inTurn('oneway', message);
  }

  sendEncoded: SendingPort['sendEncoded'] = (messages, options = {}) =>
    sendBatch(messages, options, {
      sendTimeoutMs: SEND_TIMEOUT_MS,
      assertOpen: () => {},
      prepare: (message) => {
        const turn = this.turns.take(message);
        return {
          send: (deadline) => this.storeIn(turn, 'batch', message, deadline),
          end: () => turn?.end(),
        };
      },
    });

  recall: SendingPort['recall'] = async ({ topic, recallHandle }) => {
    const index = this.sent.findIndex((one) => one.topic === topic && handleOf(one) === recallHandle);
    const found = this.sent[index];
    if (found === undefined)
      throw new StateError('RECALL_FAILED', `no message on "${topic}" has this recall handle; nothing was recalled`);
    this.sent[index] = { ...found, isRecalled: true };
    return { messageId: found.messageId };
  };

  transact: SendingPort['transact'] = async ({ message }, work) => {
    let half: OutgoingMessage | undefined;
    const sendHalf = async (given: OutgoingMessage): Promise<Transaction> => {
      this.check(given);
      this.failIfRequested(given);
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
      // As if the checker had answered with a rollback.
      await scope.end().catch(() => {});
      throw error;
    }
  };

  private transactionOf(message: OutgoingMessage): Transaction {
    const messageId = message.messageId ?? this.newMessageId();
    const body = bodyBytes(message.body);
    const nowMs = this.clock.nowMs();
    const wire = toWireMessage(message, {
      messageId,
      type: 'transaction',
      body,
      namespace: '',
      bornTimestampMs: nowMs,
      bornHost: '',
      queueId: 0,
      deliveryTimestampMs: undefined,
    });
    const receipt = { topic: message.topic, messageId, offset: 0, recallHandle: undefined };
    const half = {
      ...receipt,
      durability: 'as-configured' as const,
      isEndable: true,
      transactionId: `fake-${messageId}`,
      bornAtMs: this.clock.monotonicMs(),
      endpoint: parseEndpoints('127.0.0.1:1'),
      wire,
      body,
    };
    return new Transaction(half, async () => 'accepted');
  }

  private async inTurn(kind: Kind, message: OutgoingMessage | EncodingMessage): Promise<SendReceipt> {
    const turn = this.turns.take(message);
    try {
      return await withDeadline(`send to "${message.topic}"`, SEND_TIMEOUT_MS, undefined, (deadline) =>
        this.storeIn(turn, kind, message, deadline),
      );
    } finally {
      turn?.end();
    }
  }

  private async storeIn(
    turn: Turn | undefined,
    kind: Kind,
    message: OutgoingMessage | EncodingMessage,
    deadline: Deadline,
  ): Promise<SendReceipt> {
    const encoded = message instanceof EncodingMessage ? await message.within(deadline) : message;
    await turn?.come(deadline);
    return this.store(kind, encoded);
  }

  private store(kind: Kind, message: OutgoingMessage): SendReceipt {
    this.check(message);
    this.failIfRequested(message);
    const kept = this.keep(kind, message);
    const { topic, messageId } = kept;
    const offset = this.sent.length - 1;
    return { topic, messageId, offset, recallHandle: handleOf(kept), durability: 'as-configured' };
  }

  private keep(kind: Kind, message: OutgoingMessage): SentMessage {
    const { keys = [], properties = {}, messageId = this.newMessageId(), ...others } = message;
    const body = this.bodies.get(message);
    const kept = {
      ...others,
      kind,
      body,
      bytes: bodyBytes(message.body),
      keys: [...keys],
      properties: { ...properties },
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
    assertMessageTypes(message);
    assertSendable(message, bodyBytes(message.body).length, this.clock.nowMs(), LIMITS.bodyBytes, this.maxDelayMs);
  }

  private failIfRequested({ topic }: OutgoingMessage): void {
    const failure = this.failures.find((one) => one.times > 0 && (one.topic ?? topic) === topic);
    if (failure === undefined) return;
    failure.times--;
    if (failure.error !== undefined) throw failure.error;
    throw new TransportError(
      'UNAVAILABLE',
      `send to "${topic}": fails as failNext() requested; nothing was sent`,
      'not-sent',
      true,
    );
  }
}

function handleOf(message: SentMessage): string | undefined {
  const { topic, deliverAt, delayMs, messageId } = message;
  return messageTypeOf({ topic, body: '', deliverAt, delayMs }) === 'delay' ? `recall-${messageId}` : undefined;
}
