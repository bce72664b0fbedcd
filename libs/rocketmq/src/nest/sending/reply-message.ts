// Requests and answers as messages: the properties that describe them. requester.ts sends and waits, answering.ts answers.

import type { MessageView, OutgoingMessage } from '../../protocol/model/message.js';
import { errorJson } from '../../support/errors.js';
import { describeError } from '../../support/logger.js';
import { type BodyCodec, jsonCodec } from '../messages/message-body.js';

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
 * What the body of an answer is: a value encoded by the codec, bytes as they are, nothing (a handler without a result), or the
 * error as JSON: `{ name, message }`.
 */
type ReplyKind = 'value' | 'bytes' | 'nothing' | 'error';

/** Where an answer is sent. */
export interface ReplyAddress {
  readonly topic: string;
  readonly tag: string;
  readonly requestId: string;
}

/** An answer, or the error of the handler. */
type Reply = { readonly kind: 'answer'; readonly value: unknown } | { readonly kind: 'error'; readonly error: Error };

/** The error of a handler in another process. Its `name` and `message` are those of the original error. */
export class RemoteHandlerError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }

  /** For `JSON.stringify`, which leaves the message of an Error out. */
  toJSON(): Record<string, unknown> {
    return errorJson(this);
  }
}

/** The properties that mark a message as a request. */
export function requestProperties({ topic, tag, requestId }: ReplyAddress): Record<string, string> {
  const { replyTopic, replyTag, requestId: id } = REQUEST_PROPERTIES;
  return { [replyTopic]: topic, [replyTag]: tag, [id]: requestId };
}

/**
 * Where the answer to this message is sent; undefined for a message that is not a request. `refused`: it is a request, but names
 * a topic that is not a reply topic. Answering it would let anybody who can send requests write to any topic.
 */
export function replyAddressOf({ properties }: MessageView): ReplyAddress | 'refused' | undefined {
  const topic = properties[REQUEST_PROPERTIES.replyTopic];
  const tag = properties[REQUEST_PROPERTIES.replyTag];
  const requestId = properties[REQUEST_PROPERTIES.requestId];
  if (topic === undefined || tag === undefined || requestId === undefined) return undefined;
  return topic.includes(REPLY_TOPIC_MARK) ? { topic, tag, requestId } : 'refused';
}

/** The message that answers with a value. @throws what the codec throws */
export function answerMessage(address: ReplyAddress, value: unknown, codec: BodyCodec): OutgoingMessage {
  if (value === undefined) return replyMessage(address, 'nothing', '-');
  // The server rejects empty bodies.
  if (value instanceof Uint8Array && value.length > 0) return replyMessage(address, 'bytes', value);
  return replyMessage(address, 'value', bodyOf(value, codec));
}

/** The message that answers with the name and the message of an error and the reasons of a validation, never with its stack. */
export function errorMessage(address: ReplyAddress, error: unknown): OutgoingMessage {
  return replyMessage(address, 'error', JSON.stringify({ name: nameOf(error), message: describeError(error) }));
}

/** The content of an answer. @throws what the codec throws */
export function replyOf({ properties, body }: MessageView, codec: BodyCodec): Reply {
  switch (properties[REQUEST_PROPERTIES.replyKind]) {
    case 'nothing':
      return { kind: 'answer', value: undefined };
    case 'bytes':
      return { kind: 'answer', value: body };
    case 'error': {
      const { name, message } = JSON.parse(body.toString('utf8')) as {
        readonly name: unknown;
        readonly message: unknown;
      };
      return { kind: 'error', error: new RemoteHandlerError(String(name), String(message)) };
    }
    default:
      return { kind: 'answer', value: codec.decode(body) };
  }
}

/**
 * A body that a receiver with this codec can decode. Other codecs leave strings unchanged; a string as JSON has quotes, without which
 * the receiver cannot decode it.
 */
export function bodyOf(value: unknown, codec: BodyCodec): Uint8Array | string {
  if (value instanceof Uint8Array) return value;
  return typeof value === 'string' && codec !== jsonCodec ? value : codec.encode(value);
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
  if (!(error instanceof Error)) return 'Error';
  return error.name === 'Error' ? error.constructor.name : error.name;
}
