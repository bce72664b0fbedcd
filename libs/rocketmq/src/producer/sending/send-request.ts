// One SendMessage request, of one message or several, and what its answer says of each of them.

import type { Client } from '../../client/client.js';
import type { Endpoint } from '../../client/endpoint.js';
import type { Status, Message as WireMessage } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { SendMessageResponse, SendResultEntry } from '../../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import { requireOk, StatusError } from '../../protocol/grpc/status.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';

/** What the server says of one message that it has stored. */
export interface StoredPlace {
  readonly messageId: string;
  readonly offset: bigint;
  /** Empty unless the message is delayed. */
  readonly recallHandle: string;
  readonly transactionId: string;
}

/** How the request is made. */
export interface SendRequestOptions {
  /** The operation in words, for errors. */
  readonly what: string;
  /** Real time until it fails. */
  readonly timeoutMs: number;
  /** How long those who wait for it would wait in all. */
  readonly patienceMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What became of one message of a request. */
export type SendResult = StoredPlace | StatusError;

/**
 * Sends the messages, which are of one topic, in one request. Whether it succeeds or fails, it says how the endpoint is.
 * @returns the results in the order of the messages
 * @throws StatusError or TransportError that holds for all of them; the signal's reason
 */
export async function requestSend(
  client: Client,
  endpoint: Endpoint,
  messages: WireMessage[],
  options: SendRequestOptions,
): Promise<SendResult[]> {
  try {
    const answer = await client.unary(endpoint, 'sendMessage', { messages }, options);
    const results = resultsOf(answer, messages, options.what);
    client.rejoin(endpoint);
    return results;
  } catch (error) {
    judge(client, endpoint, error, options);
    throw error;
  }
}

/**
 * Sends one message in a request of its own.
 * @throws StatusError or TransportError; the reason of the caller's signal
 */
export async function requestOne(
  client: Client,
  endpoint: Endpoint,
  message: WireMessage,
  what: string,
  deadline: Deadline,
): Promise<StoredPlace> {
  const timeoutMs = client.attemptTimeoutMs(deadline);
  const options = { what, timeoutMs, patienceMs: deadline.timeoutMs, signal: deadline.caller };
  try {
    const { status, entries } = await client.unary(endpoint, 'sendMessage', { messages: [message] }, options);
    const place = placeOf(entries[0], status, idOf(message), what);
    client.rejoin(endpoint);
    return place;
  } catch (error) {
    judge(client, endpoint, error, options);
    throw error;
  }
}

/**
 * The server gives one entry: that of the only message, or that of the first of several, which lie one behind another in one
 * queue. An entry for each is taken as such.
 */
function resultsOf(
  { status, entries }: SendMessageResponse,
  messages: readonly WireMessage[],
  what: string,
): SendResult[] {
  if (entries.length === messages.length) {
    return messages.map((message, index) => resultOf(entries[index], status, idOf(message), what));
  }
  const { offset } = placeOf(entries[0], status, '', what);
  return messages.map((message, index) => {
    const messageId = idOf(message);
    return { messageId, offset: offset + BigInt(index), recallHandle: '', transactionId: messageId };
  });
}

function resultOf(
  entry: SendResultEntry | undefined,
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

/** @throws StatusError */
function placeOf(
  entry: SendResultEntry | undefined,
  status: Status | undefined,
  sentId: string,
  what: string,
): StoredPlace {
  requireOk(what, entry?.status ?? status);
  if (entry === undefined) throw new StatusError(what, undefined);
  const { messageId, offset, recallHandle, transactionId } = entry;
  return { messageId: messageId === '' ? sentId : messageId, offset, recallHandle, transactionId };
}

function idOf(message: WireMessage | undefined): string {
  return message?.systemProperties?.messageId ?? '';
}

/**
 * Isolates an endpoint that has failed. A refusal is a sound answer, a busy server's too. And silence says nothing when the
 * caller gave up, or left the server less than a request's time.
 */
function judge(client: Client, endpoint: Endpoint, error: unknown, { signal, patienceMs }: SendRequestOptions): void {
  if (!RocketMQError.is(error) || !error.retryable || error.outcome === 'rejected' || signal?.aborted) return;
  const isSilence = error.code === 'DEADLINE_EXCEEDED';
  if (!isSilence || patienceMs >= client.connection.requestTimeoutMs) client.isolate(endpoint);
}
