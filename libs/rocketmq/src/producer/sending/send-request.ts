// One SendMessage request with one message or several, and the receipt of each of them.

import type { Client } from '../../client/client.js';
import type { Endpoint } from '../../client/endpoint.js';
import {
  Code,
  type Status,
  type Message as WireMessage,
} from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcResponse, SentEntry } from '../../protocol/grpc/rpc.js';
import { StatusError } from '../../protocol/grpc/status.js';
import type { LevelChoice } from '../../protocol/model/delay-chain.js';
import { toOffset } from '../../protocol/model/offset.js';
import type { Abortable } from '../../support/abort-source.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError, TransportError } from '../../support/errors.js';
import { type Durability, durabilityOf } from './durability.js';

/** The server's answer for one stored message. */
export interface StoredPlace {
  readonly messageId: string;
  /** -1 when the server does not say it. */
  readonly offset: number;
  /** Empty unless the message is delayed. */
  readonly recallHandle: string;
  /** Empty when the server does not say it, so that it knows no transaction. */
  readonly transactionId: string;
  readonly durability: Durability;
  readonly status: Status;
  /** Undefined when the server does not say it. */
  readonly queueId: number | undefined;
  readonly offsetMessageId: string | undefined;
}

/** The options of the request. */
interface SendRequestOptions {
  /** A description of the operation, for errors. */
  readonly what: string;
  /** The timeout in real time, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: Abortable | undefined;
  readonly delayLevels?: LevelChoice;
}

type Answer = RpcResponse<'sendMessage'>;

/** The outcome of one message of a request. */
export type SendResult = StoredPlace | StatusError;

/**
 * Sends messages of one topic in one request. Its success or failure updates the isolation of the endpoint.
 * @returns the results in the order of the messages
 * @throws StatusError or TransportError that applies to all of them; the signal's reason
 */
export async function requestSend(
  client: Client,
  endpoint: Endpoint,
  messages: WireMessage[],
  options: SendRequestOptions,
): Promise<SendResult[]> {
  try {
    const answer = await client.unary(endpoint, 'sendMessage', { messages }, options);
    assertBrokerReached(client, answer, messages, options.what);
    const results = resultsOf(answer, messages, options.what);
    client.rejoin(endpoint);
    return results;
  } catch (error) {
    isolateFailed(client, endpoint, error, options);
    throw error;
  }
}

/**
 * Sends one message in its own request.
 * @param delayLevels see {@link RequestOptions.delayLevels}
 * @throws StatusError or TransportError; the reason of the caller's signal
 */
export async function requestOne(
  client: Client,
  endpoint: Endpoint,
  message: WireMessage,
  what: string,
  deadline: Deadline,
  delayLevels: LevelChoice = 'exact',
): Promise<StoredPlace> {
  const timeoutMs = client.attemptTimeoutMs(deadline);
  const options = { what, timeoutMs, signal: deadline.caller, delayLevels };
  try {
    const messages = [message];
    const answer = await client.unary(endpoint, 'sendMessage', { messages }, options);
    assertBrokerReached(client, answer, messages, what);
    const place = placeOf(answer.entries[0], answer.status, idOf(message), what);
    client.rejoin(endpoint);
    return place;
  } catch (error) {
    isolateFailed(client, endpoint, error, options);
    throw error;
  }
}

/** What a proxy says that could not connect to the broker: it has sent nothing. @see NettyRemotingClient of the server */
const BROKER_AWAY = /^connect to \S+ failed\. RemotingConnectException\b/;

/** What it says when the name servers know no broker of the topic: it was deleted, or they are all missing. */
const NO_ROUTE = /\bNo topic route info in name server\b/;

/** The broker behind a proxy that answers, which is not at fault. */
class BrokerAwayError extends TransportError {}

export function isBrokerAway(error: unknown): boolean {
  return error instanceof BrokerAwayError;
}

/** @throws BrokerAwayError, a TransportError */
function assertBrokerReached(
  { connection: { layouts } }: Client,
  { status }: Answer,
  [first]: readonly WireMessage[],
  what: string,
): void {
  const { messageGroup, liteTopic } = first?.systemProperties ?? {};
  const isOrdered = messageGroup !== undefined || liteTopic !== undefined;
  let problem: string;
  if (status?.code === Code.INTERNAL_SERVER_ERROR && BROKER_AWAY.test(status.message)) {
    const address = status.message.split(' ')[2];
    problem = `the proxy cannot connect to the broker at ${address}${isOrdered ? ', which stores its message group' : ''}`;
  } else if (
    status?.code === Code.TOPIC_NOT_FOUND &&
    NO_ROUTE.test(status.message) &&
    layouts.isDeclared(first?.topic?.name ?? '')
  )
    problem = 'the proxy knows no broker of the topic at present';
  else return;
  const text = `${what}: ${problem}; nothing was sent`;
  throw new BrokerAwayError(isOrdered ? 'MESSAGE_GROUP_UNAVAILABLE' : 'UNAVAILABLE', text, 'not-sent', true);
}

/**
 * The server returns one entry: that of the only message, or that of the first of several, which it stored consecutively in one
 * queue. One entry for each is accepted, too.
 */
function resultsOf({ status, entries }: Answer, messages: readonly WireMessage[], what: string): SendResult[] {
  if (entries.length === messages.length) {
    return messages.map((message, index) => resultOf(entries[index], status, idOf(message), what));
  }
  const { offset, ...first } = placeOf(entries[0], status, '', what);
  return messages.map((message, index) => {
    const messageId = idOf(message);
    return { ...first, messageId, offset: offset < 0 ? offset : offset + index, transactionId: messageId };
  });
}

function resultOf(
  entry: SentEntry | undefined,
  status: Status | undefined,
  messageId: string,
  what: string,
): SendResult {
  try {
    return placeOf(entry, status, messageId, what);
  } catch (error) {
    return error as StatusError;
  }
}

/** What a broker says of a delay beyond its `timerMaxDelaySec`. By proxy the code would leave the outcome open. */
const BEYOND_TIMER = 'timer message illegal';
const CODES_BEYOND_TIMER: readonly Code[] = [Code.INTERNAL_SERVER_ERROR, Code.BAD_REQUEST];
const TOO_FAR_AHEAD =
  'use a shorter delay, or raise the limits of the servers (maxDelayTimeMills of the proxy, timerMaxDelaySec of the brokers)';

/** @throws StatusError for a server that has not stored the message */
function throwRejected(status: Status | undefined, what: string): never {
  const isBeyondTimer =
    status !== undefined && CODES_BEYOND_TIMER.includes(status.code) && status.message.includes(BEYOND_TIMER);
  const meant = isBeyondTimer ? { ...status, code: Code.ILLEGAL_DELIVERY_TIME } : status;
  throw new StatusError(what, meant, meant?.code === Code.ILLEGAL_DELIVERY_TIME ? TOO_FAR_AHEAD : undefined);
}

/** @throws StatusError */
function placeOf(
  entry: SentEntry | undefined,
  ofRequest: Status | undefined,
  sentId: string,
  what: string,
): StoredPlace {
  const status = entry?.status ?? ofRequest;
  const durability = durabilityOf(status);
  if (durability === undefined || status === undefined) return throwRejected(status, what);
  if (entry === undefined && durability === 'as-configured') throw new StatusError(what, undefined);
  // A proxy says nothing more of a message that is less durable.
  const { messageId = '', offset = 0n, recallHandle = '', transactionId = '', queueId, offsetMessageId } = entry ?? {};
  const isPlaceKnown = durability === 'as-configured' || messageId !== '';
  return {
    messageId: messageId === '' ? sentId : messageId,
    offset: isPlaceKnown ? toOffset(offset) : -1,
    recallHandle,
    transactionId,
    durability,
    status,
    queueId,
    offsetMessageId,
  };
}

function idOf(message: WireMessage | undefined): string {
  return message?.systemProperties?.messageId ?? '';
}

/**
 * Isolates an endpoint that has failed. A rejection does not count as a failure, not even of a busy server. A missing answer does not
 * count if the caller aborted, or if the server had less than half the timeout of a request.
 */
function isolateFailed(
  client: Client,
  endpoint: Endpoint,
  error: unknown,
  { signal, timeoutMs }: SendRequestOptions,
): void {
  if (!RocketMQError.is(error) || !error.retryable || error.outcome === 'rejected' || signal?.aborted) return;
  if (isBrokerAway(error)) return;
  const isSilence = error.code === 'DEADLINE_EXCEEDED';
  if (!isSilence || timeoutMs >= client.connection.requestTimeoutMs / 2) client.isolate(endpoint);
}

/** The server's confirmation that it has stored a message: a plain object, which can be written as JSON. */
export interface SendReceipt {
  readonly topic: string;
  /** The id that consumers see. */
  readonly messageId: string;
  /**
   * The offset in the queue; for a delayed or half message, in an internal queue of the server. -1 when the server did not report it: a proxy
   * does not where `durability` is not `as-configured`.
   */
  readonly offset: number;
  /** The name of the broker that has stored it; undefined by proxy, which does not say it. */
  readonly brokerName?: string;
  /** The queue of the broker; undefined by proxy. */
  readonly queueId?: number;
  /**
   * The id by which the broker finds the stored message: its address and the offset in its commit log, in hex; Java's `offsetMsgId`. Of a delayed or
   * half message, that of the copy in an internal queue of the server. Undefined by proxy.
   */
  readonly offsetMessageId?: string;
  /** The handle to recall a delayed message before it is due, see `Producer.recall`. */
  readonly recallHandle: string | undefined;
  /**
   * How safe the message is. Anything but `as-configured` is counted and reported to `events.onLessDurable`; with `requireDurable`, the send fails
   * instead. Do not send it again.
   */
  readonly durability: Durability;
}

/** A receipt with the data that ending a transaction requires. */
export interface StoredMessage extends SendReceipt {
  /** That of the message if the server did not say it. */
  readonly transactionId: string;
  /** Whether the server accepts an end; otherwise only the answer to a check ends the transaction. */
  readonly isEndable: boolean;
  /** When the half message was created, in monotonic business time: its age decides whether it can still be ended. */
  readonly bornAtMs: number;
  readonly endpoint: Endpoint;
  /** The body may be compressed. */
  readonly wire: WireMessage;
  /** As the caller passed it. */
  readonly body: Buffer;
}

/** The part that the caller gets. */
export function receiptOf(stored: SendReceipt): SendReceipt {
  const { topic, messageId, offset, brokerName, queueId, offsetMessageId, recallHandle, durability } = stored;
  return { topic, messageId, offset, brokerName, queueId, offsetMessageId, recallHandle, durability };
}
