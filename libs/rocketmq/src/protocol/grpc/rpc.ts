// The RPCs of the messaging service: path, kind and codec of each, for client and broker.

import { frame } from '../../support/grpc/framing.js';
import type { Layout } from '../model/layout.js';
import { decodeAcked, frameAckMessage } from './fast/ack-frame.js';
import { frameAcked, frameReceived, frameSent } from './fast/broker-answers.js';
import { decodeAck, decodeSend } from './fast/broker-requests.js';
import { frameSendMessage } from './fast/message-writing.js';
import { decodeReceived } from './fast/received-message.js';
import {
  type AckMessageRequest,
  type AckMessageResponse,
  MessagingServiceDefinition,
  type ReceiveMessageResponse,
  type SendMessageRequest,
  type SendMessageResponse,
  type SendResultEntry,
} from './generated/apache/rocketmq/v2/service.js';

/** Encodes and decodes one generated message type. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(input: Uint8Array): T;
}

type Definitions = (typeof MessagingServiceDefinition)['methods'];

/** The RPCs by their name in camel case, for example `sendMessage`. */
export type RpcName = keyof Definitions;
type MessageOf<C> = C extends { decode(input: Uint8Array): infer T } ? T : never;
export type RpcRequest<N extends RpcName> = MessageOf<Definitions[N]['requestType']>;
export type RpcResponse<N extends RpcName> = WithDetails<N, MessageOf<Definitions[N]['responseType']>>;

/** With what the gateway answers in this process and the protocol cannot carry. */
type WithDetails<N extends RpcName, T> = N extends 'queryRoute'
  ? T & RouteDetails
  : N extends 'sendMessage'
    ? Omit<T, 'entries'> & { entries: SentEntry[] }
    : T;
interface RouteDetails {
  /** The order configuration of the topic, where the name server has one. */
  readonly orderConfiguration?: Layout;
}
/** The receipt of one message. */
export interface SentEntry extends SendResultEntry {
  readonly queueId?: number;
  /** @see offsetMessageIdOf */
  readonly offsetMessageId?: string;
}

/** One RPC as the wire knows it. */
export interface RpcMethod<N extends RpcName = RpcName> {
  readonly name: N;
  /** The HTTP/2 path, for example `/apache.rocketmq.v2.MessagingService/SendMessage`. */
  readonly path: string;
  readonly request: Codec<RpcRequest<N>>;
  readonly response: Codec<RpcResponse<N>>;
  readonly kind: 'unary' | 'serverStream' | 'bidi';
}

/** Decoders for the answers on the path of every message. */
const QUICK_ANSWERS: Readonly<Record<string, { decode(input: Uint8Array): unknown }>> = {
  receiveMessage: { decode: decodeReceived },
  ackMessage: { decode: decodeAcked },
};

/** Decoders for the requests on the path of every message. */
const QUICK_REQUESTS: Readonly<Record<string, { decode(input: Uint8Array): unknown }>> = {
  sendMessage: { decode: decodeSend },
  ackMessage: { decode: decodeAck },
};

const METHODS: ReadonlyMap<string, RpcMethod> = new Map(
  Object.entries(MessagingServiceDefinition.methods).map(([name, method]) => [
    name,
    {
      name: name as RpcName,
      path: `/${MessagingServiceDefinition.fullName}/${method.name}`,
      request: { ...method.requestType, ...QUICK_REQUESTS[name] } as unknown as RpcMethod['request'],
      response: { ...method.responseType, ...QUICK_ANSWERS[name] } as unknown as RpcMethod['response'],
      kind: method.requestStream ? 'bidi' : method.responseStream ? 'serverStream' : 'unary',
    },
  ]),
);

/** Looks an RPC up by name. */
export function rpcMethod<N extends RpcName>(name: N): RpcMethod<N> {
  return METHODS.get(name) as unknown as RpcMethod<N>;
}

/** An encoded request with the gRPC prefix. */
export function frameRequest<N extends RpcName>(method: RpcMethod<N>, request: RpcRequest<N>): Buffer {
  return quickFrame(method.name, request) ?? frame(method.request.encode(request).finish());
}

/** Encoders for the requests on the path of every message. */
function quickFrame<N extends RpcName>(name: N, request: RpcRequest<N>): Buffer | undefined {
  if (name === 'sendMessage') return frameSendMessage(request as SendMessageRequest);
  return name === 'ackMessage' ? frameAckMessage(request as AckMessageRequest) : undefined;
}

/** An encoded answer with the gRPC prefix. */
export function frameAnswer<N extends RpcName>(method: RpcMethod<N>, answer: RpcResponse<N>): Buffer {
  return quickAnswer(method.name, answer) ?? frame(method.response.encode(answer).finish());
}

/** Encoders for the answers on the path of every message. */
function quickAnswer<N extends RpcName>(name: N, answer: RpcResponse<N>): Buffer | undefined {
  if (name === 'sendMessage') return frameSent(answer as SendMessageResponse);
  if (name === 'receiveMessage') return frameReceived(answer as ReceiveMessageResponse);
  return name === 'ackMessage' ? frameAcked(answer as AckMessageResponse) : undefined;
}

/** The names of all RPCs. */
export function rpcNames(): RpcName[] {
  return Object.keys(MessagingServiceDefinition.methods) as RpcName[];
}
