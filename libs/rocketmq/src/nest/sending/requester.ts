// Requests: a message, and one answer to it. reply-message.ts defines what a request looks like.

import type { Producer } from '../../producer/producer.js';
import { orStored } from '../../producer/sending/durability.js';
import type { SendReceipt } from '../../producer/sending/send-request.js';
import type { OutgoingMessage } from '../../protocol/model/message.js';
import { raceAbort } from '../../support/abort.js';
import { type CallOptions, withDeadline } from '../../support/deadline.js';
import { type RocketMQError, StateError, UsageError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import { assertObject, checkedPositive } from '../../support/options.js';
import { systemRandom } from '../../support/random.js';
import { parseAddress } from '../common/pattern.js';
import { loadSchema } from '../messages/body-schema.js';
import { type MessageWire, validated } from '../messages/message-body.js';
import { assertFits, encoded, type FieldsOf, type MessageFields, passOn } from '../messages/outgoing.js';
import { isRequestDefinition, type RequestDefinition } from '../messages/request-definition.js';
import { type NotInferred, type TopicDefinition, toTopicDefinition } from '../messages/topic-definition.js';
import type { ReplyChannel } from './reply-channel.js';
import { RemoteHandlerError, requestProperties } from './reply-message.js';

/** The other fields of a request's message, its timeout, and a signal that ends the wait early. */
export interface RequestCallOptions extends MessageFields, CallOptions {}

/** What a requester uses; the runtime implements it. */
export interface RequestPort {
  /** Undefined before startup and after shutdown. */
  readonly producer: Producer | undefined;
  /** Undefined before startup, after shutdown, and when requests are not enabled. */
  readonly replies: ReplyChannel | undefined;
  /** Why one of them is undefined. */
  readonly whyNot: RocketMQError;
  /** Undefined when requests are not enabled. */
  readonly replyTimeoutMs: number | undefined;
}

/** Sends requests to handlers with `@RocketMQReply` or `@MessagePattern`, here or in other processes. Needs the module option `requests`. */
export class RocketMQRequester {
  /** @internal provided by the module */
  constructor(
    private readonly port: RequestPort,
    private readonly wire: MessageWire,
    /** @internal for ClientRocketMQ */
    readonly logger: Logger,
  ) {}

  /** Answers that arrived when no request waited for them any more, since startup. */
  get lateReplies(): number {
    return this.port.replies?.lateReplies ?? 0;
  }

  /** Requests that wait for their answers. */
  get pending(): number {
    return this.port.replies?.pending ?? 0;
  }

  /**
   * Sends a request and waits for its one answer.
   * @param pattern `topic` or `topic:tag`, as in `@MessagePattern`, or a definition, as in `@RocketMQReply`
   * @param options `timeoutMs` bounds send and answer together; default: that of the module option `requests`
   * @returns what the handler returned; undefined when it returned nothing
   * @throws RemoteHandlerError with name, message and code of the handler's error, and the details that fit the definition (see `isErrorOf`); code `INVALID_REPLY` when the handler's answer cannot be
   * sent: the request took effect
   * @throws TransportError `DEADLINE_EXCEEDED` when no answer arrived in time: whether the request took effect is unknown
   * @throws StateError `INVALID_REPLY` when the answer cannot be decoded or does not fit its schema: the request took effect
   * @throws UsageError, also when the data does not fit the schema, or another error of a send; nothing was sent then
   */
  request<Answer = unknown>(pattern: string, data: unknown, options?: RequestCallOptions): Promise<Answer>;
  request<Request, Answer, RequestInput, AnswerInput>(
    definition: RequestDefinition<Request, Answer, RequestInput, AnswerInput>,
    data: NotInferred<RequestInput>,
    options?: FieldsOf<'normal'> & CallOptions,
  ): Promise<Answer>;
  async request(target: string | RequestDefinition, data: unknown, options: RequestCallOptions = {}): Promise<unknown> {
    assertObject('options', options);
    if (!isRequestDefinition(target)) return this.asked(target, undefined, data, options);
    const { pattern, topic, answer, error } = target;
    assertFits(topic, options);
    // A missing package must be noticed before the request takes effect.
    await Promise.all([answer, error].map(loadSchema));
    const asking = this.asked(pattern, topic, data, options).catch((reason: unknown) => rejected(target, reason));
    const { value, problem } = await validated(answer, await asking);
    if (problem === undefined) return value;
    const text = `the answer to "${pattern}" does not fit its schema (${problem}); the request took effect`;
    throw new StateError('INVALID_REPLY', text, { outcome: 'unknown' });
  }

  private async asked(
    pattern: string,
    definition: TopicDefinition | undefined,
    data: unknown,
    options: RequestCallOptions,
  ): Promise<unknown> {
    const { producer, replies, defaultTimeoutMs } = this.running();
    const { timeoutMs = defaultTimeoutMs, signal, ...fields } = options;
    checkedPositive('timeoutMs', timeoutMs);
    const requestId = systemRandom.uuid();
    const properties = { ...fields.properties, ...requestProperties(replies.addressOf(requestId)) };
    const { topic, encoding } = this.message(pattern, definition, data, { ...fields, properties });
    return withDeadline(`request to "${pattern}"`, timeoutMs, signal, async (deadline) => {
      const answer = replies.expect(requestId);
      try {
        // The send has a deadline of its own, which knows whether anything was sent.
        await passOn(topic, fields, encoding, this.wire, (message) =>
          producer.sendEncoding(message, { ...deadline.callOptions(), signal }),
        ).catch(orStored);
        return await raceAbort(answer, deadline.signal);
      } finally {
        replies.forget(requestId);
      }
    });
  }

  /** Sends without an answer. @internal for ClientRocketMQ */
  async emit(pattern: unknown, data: unknown, fields: MessageFields): Promise<SendReceipt> {
    const { producer } = this.port;
    if (producer === undefined) throw this.port.whyNot;
    const { topic, encoding } = this.message(pattern, undefined, data, fields);
    return passOn(topic, fields, encoding, this.wire, (message) => producer.sendEncoding(message));
  }

  private message(
    pattern: unknown,
    definition: TopicDefinition | undefined,
    data: unknown,
    fields: MessageFields,
  ): { readonly topic: string; readonly encoding: Promise<OutgoingMessage> } {
    const { topic, tag } = parseAddress(pattern);
    if (tag !== undefined && fields.tag !== undefined && fields.tag !== tag) {
      const text = `message to "${String(pattern)}": the record has another tag, "${fields.tag}"; nothing was sent`;
      throw new UsageError('TAG_GIVEN_TWICE', text, 'tag');
    }
    const all = tag === undefined ? fields : { ...fields, tag };
    const named = toTopicDefinition(topic);
    // Handlers of patterns decode a string by the codec, as those of a definition.
    const plain = typeof data === 'string' ? ({ ...named, type: 'normal' } as const) : named;
    return { topic, encoding: encoded(definition ?? plain, data, all, this.wire) };
  }

  private running() {
    const { producer, replies, replyTimeoutMs } = this.port;
    if (replyTimeoutMs === undefined) {
      const text =
        'requests are not enabled, so no answer could be received; set requests: { application } and nameServer in RocketMQModule ' +
        '(or in the options of ClientRocketMQ); nothing was sent';
      throw new UsageError('NO_REQUESTS', text, 'requests');
    }
    if (producer === undefined || replies === undefined) throw this.port.whyNot;
    return { producer, replies, defaultTimeoutMs: replyTimeoutMs };
  }
}

/** @throws the error of the handler, with what the schema makes of its details if they fit it */
async function rejected({ pattern, error: schema }: RequestDefinition, reason: unknown): Promise<never> {
  if (schema === undefined || !(reason instanceof RemoteHandlerError) || reason.details === undefined) throw reason;
  const { value, problem } = await validated(schema, reason.details);
  if (problem !== undefined) throw reason;
  const { name, message, code } = reason;
  throw new RemoteHandlerError(name, message, code, value as object, pattern);
}
