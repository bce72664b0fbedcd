// One SendMessage request, of one message or several, and what its answer says of each of them.

import type { Client } from '../client/client.js';
import type { Endpoint } from '../client/endpoint.js';
import type { Message as WireMessage } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import type { SendMessageResponse, SendResultEntry } from '../protocol/generated/apache/rocketmq/v2/service.js';
import { requireOk, StatusError } from '../protocol/status.js';
import type { Deadline } from '../support/deadline.js';
import { RocketMQError } from '../support/errors.js';

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
    const results = resultsOf(
      await client.unary(endpoint, 'sendMessage', { messages }, options),
      messages,
      options.what,
    );
    client.rejoin(endpoint);
    return results;
  } catch (error) {
    if (speaksAgainstServer(error, options, client.connection.requestTimeoutMs)) client.isolate(endpoint);
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
  const [result] = await requestSend(client, endpoint, [message], options);
  if (result === undefined || result instanceof StatusError) throw result;
  return result;
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
  const [first] = entries;
  if (messages.length > 1 && entries.length === messages.length) {
    return entries.map((entry, index) => resultOf(entry, idOf(messages[index]), what));
  }
  requireOk(what, first?.status ?? status);
  if (first === undefined) throw new StatusError(what, undefined);
  if (messages.length === 1) return [placeOf(first, idOf(messages[0]))];
  return messages.map((message, index) => {
    const messageId = idOf(message);
    return { messageId, offset: first.offset + BigInt(index), recallHandle: '', transactionId: messageId };
  });
}

function resultOf(entry: SendResultEntry, messageId: string, what: string): SendResult {
  try {
    requireOk(what, entry.status);
    return placeOf(entry, messageId);
  } catch (error) {
    return error as StatusError;
  }
}

function placeOf({ messageId, offset, recallHandle, transactionId }: SendResultEntry, sentId: string): StoredPlace {
  return { messageId: messageId === '' ? sentId : messageId, offset, recallHandle, transactionId };
}

function idOf(message: WireMessage | undefined): string {
  return message?.systemProperties?.messageId ?? '';
}

/**
 * A refusal is a sound answer, a busy server's too. And silence says nothing when the caller gave up, or left the server less
 * than a request's time.
 */
function speaksAgainstServer(
  error: unknown,
  { signal, patienceMs }: SendRequestOptions,
  requestTimeoutMs: number,
): boolean {
  if (!RocketMQError.is(error) || !error.retryable || error.outcome === 'rejected') return false;
  if (signal?.aborted) return false;
  return error.code !== 'DEADLINE_EXCEEDED' || patienceMs >= requestTimeoutMs;
}
