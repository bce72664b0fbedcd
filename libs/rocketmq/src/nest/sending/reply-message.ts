// Requests and answers as messages: the properties that describe them. requester.ts sends and waits, answering.ts answers.

import type { MessageView, OutgoingMessage } from '../../protocol/model/message.js';
import { errorJson } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import type { BodyCodec } from '../messages/body-codecs.js';
import type { RequestDefinition } from '../messages/request-definition.js';

/** The name of every reply topic contains this; answers are never sent to another topic. */
export const REPLY_TOPIC_MARK = 'nestjs-rocketmq-reply-';

/** The properties of requests and answers. Services in other languages use them to answer, too. */
export const REQUEST_PROPERTIES = {
  /** Of a request: the topic to answer to, by its name on the cluster. */
  replyTopic: 'rpcReplyTopic',
  /** Of a request: the tag of the answer. */
  replyTag: 'rpcReplyTag',
  /** Of a request, and repeated in its answer. */
  requestId: 'rpcRequestId',
  /** Of an answer, a `ReplyKind`: what its body is. */
  replyKind: 'rpcReplyKind',
} as const;

/**
 * What an answer is: a value encoded by the codec, bytes as they are, no bytes (an empty Buffer), nothing (a handler without a result), or
 * the error as JSON: `{ name, message, code, details }`, the last two only where the error has them. The body of the empty ones is ignored.
 */
type ReplyKind = 'value' | 'bytes' | 'no-bytes' | 'nothing' | 'error';

/** Where an answer is sent. */
export interface ReplyAddress {
  readonly topic: string;
  readonly tag: string;
  readonly requestId: string;
}

/** An answer, or the error of the handler. */
type Reply = { readonly kind: 'answer'; readonly value: unknown } | { readonly kind: 'error'; readonly error: Error };

/** The error of a handler in another process, with the `name`, `message`, `code` and `details` of the original error. */
export class RemoteHandlerError<Details = Readonly<Record<string, unknown>>> extends Error {
  /**
   * @param code undefined when neither the original error nor its `details` have one that is a string
   * @param details the object or array that was given to `new RpcException()`, as JSON has it; undefined for other errors, and for more than 16 KiB
   * @param pattern that of the request, if the details fit the schema `error` of its definition
   */
  constructor(
    name: string,
    message: string,
    readonly code?: string,
    readonly details?: Details,
    readonly pattern?: string,
  ) {
    super(message);
    this.name = name;
  }

  /** For `JSON.stringify`, which leaves the message of an Error out. */
  toJSON(): Record<string, unknown> {
    return errorJson(this);
  }
}

/** Whether an error is that of a handler of this request, with details that fit the schema `error` of the definition. */
export function isErrorOf<Details>(
  // biome-ignore lint/suspicious/noExplicitAny: only its details matter
  { pattern, error: schema }: RequestDefinition<any, any, any, any, Details>,
  error: unknown,
): error is RemoteHandlerError<Details> & { readonly details: Details } {
  return schema !== undefined && error instanceof RemoteHandlerError && error.pattern === pattern;
}

/** The properties that mark a message as a request. */
export function requestProperties({ topic, tag, requestId }: ReplyAddress): Record<string, string> {
  const { replyTopic, replyTag, requestId: id } = REQUEST_PROPERTIES;
  return { [replyTopic]: topic, [replyTag]: tag, [id]: requestId };
}

/**
 * Where the answer to this message is sent; undefined for a message that is not a request. `rejected`: it is a request, but names
 * a topic that is not a reply topic. Answering it would let anybody who can send requests write to any topic.
 */
export function replyAddressOf({ properties }: MessageView): ReplyAddress | 'rejected' | undefined {
  const topic = properties[REQUEST_PROPERTIES.replyTopic];
  const tag = properties[REQUEST_PROPERTIES.replyTag];
  const requestId = properties[REQUEST_PROPERTIES.requestId];
  if (topic === undefined || tag === undefined || requestId === undefined) return undefined;
  return topic.includes(REPLY_TOPIC_MARK) ? { topic, tag, requestId } : 'rejected';
}

/** The message that answers with a value. @throws what the codec throws */
export function answerMessage(address: ReplyAddress, value: unknown, codec: BodyCodec): OutgoingMessage {
  if (value === undefined) return replyMessage(address, 'nothing', '-');
  if (!(value instanceof Uint8Array)) return replyMessage(address, 'value', codec.encode(value));
  // The server rejects empty bodies.
  return value.length > 0 ? replyMessage(address, 'bytes', value) : replyMessage(address, 'no-bytes', '-');
}

/**
 * The message that answers with name, code and message of an error and the reasons of a validation, never with its stack. A long message
 * is shortened: the server would reject it.
 */
export function errorMessage(address: ReplyAddress, error: unknown): OutgoingMessage {
  const given = givenTo(error);
  const code = codeOf(error) ?? codeOf(given);
  const text = { name: nameOf(error), message: describeError(error), code, details: detailsIn(given) };
  const shortened = (_key: string, value: unknown) => (typeof value === 'string' ? shortText(value) : value);
  return replyMessage(address, 'error', JSON.stringify(text, shortened));
}

/** What was given to Nest's RpcException, or to the one that is wrapped in it. */
function givenTo(error: unknown): unknown {
  let given: unknown;
  let wrapper = error;
  try {
    for (let depth = 0; depth < MAX_WRAPPERS; depth++) {
      const { getError } = Object(wrapper) as { readonly getError?: unknown };
      if (typeof getError !== 'function') break;
      given = getError.call(wrapper);
      wrapper = given;
    }
  } catch {
    // An error of the application may throw when it is asked.
  }
  return given;
}

/** Undefined when it has no JSON form, or too much of it; and for an Error, whose fields may be internal. */
function detailsIn(given: unknown): object | undefined {
  if (typeof given !== 'object' || given === null || given instanceof Error) return undefined;
  try {
    const text = JSON.stringify(given);
    return text.length <= MAX_CHARACTERS ? objectIn(JSON.parse(text)) : undefined;
  } catch {
    return undefined;
  }
}

/** An object or an array. */
function objectIn(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function codeOf(error: unknown): string | undefined {
  try {
    const { code } = Object(error) as { readonly code?: unknown };
    return typeof code === 'string' ? code : undefined;
  } catch {
    return undefined;
  }
}

const MAX_CHARACTERS = 16 * 1024;
/** How many wrappers around an error are looked into. */
const MAX_WRAPPERS = 8;

function shortText(text: string): string {
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
}

/** The content of an answer. @throws what the codec throws */
export function replyOf({ properties, body }: MessageView, codec: BodyCodec): Reply {
  switch (properties[REQUEST_PROPERTIES.replyKind]) {
    case 'nothing':
      return { kind: 'answer', value: undefined };
    case 'bytes':
      return { kind: 'answer', value: body };
    case 'no-bytes':
      return { kind: 'answer', value: Buffer.alloc(0) };
    case 'error': {
      const { name, message, code, details } = JSON.parse(body.toString('utf8')) as Readonly<Record<string, unknown>>;
      const ownCode = typeof code === 'string' ? code : undefined;
      return {
        kind: 'error',
        error: new RemoteHandlerError(String(name), String(message), ownCode, objectIn(details)),
      };
    }
    default:
      return { kind: 'answer', value: codec.decode(body) };
  }
}

function replyMessage(
  { topic, tag, requestId }: ReplyAddress,
  kind: ReplyKind,
  body: Uint8Array | string,
): OutgoingMessage {
  const properties = { [REQUEST_PROPERTIES.requestId]: requestId, [REQUEST_PROPERTIES.replyKind]: kind };
  return { topic, tag, body, properties };
}

/** Some error classes, Nest's RpcException for one, do not set their name. */
function nameOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return 'Error';
    const name: unknown = error.name === 'Error' ? error.constructor.name : error.name;
    return typeof name === 'string' ? name : 'Error';
  } catch {
    return 'Error';
  }
}
