// What the answers of brokers mean in the gRPC model.

import { Code, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { TransportError, withoutEffect } from '../support/errors.js';

export const OK: Status = { code: Code.OK, message: 'OK' };

/** A rejection by the gateway itself. */
export function rejection(code: Code, message: string): Status {
  return { code, message };
}

/** How a broker words that credentials are missing or wrong, or do not allow the request. @see AuthenticationException, AclException of the server */
const ACCESS = /^(?:User:|username |check signature)|AclException|AuthenticationException|AuthorizationException/i;

/** How a broker words that a topic has fewer queues than before; routes show it within half a minute. @see AbstractSendMessageProcessor of the server */
const QUEUE_GONE = /^request queueId\[\d+\] is illegal/;

/** How a broker words that filters by SQL are off, its default. @see ClientManageProcessor, PullMessageProcessor of the server */
const NO_SQL = /^The broker does not support consumer to filter message by/;

const CODES: ReadonlyMap<number, Code> = new Map([
  [RESPONSE_CODES.systemBusy, Code.TOO_MANY_REQUESTS],
  [RESPONSE_CODES.requestCodeNotSupported, Code.NOT_IMPLEMENTED],
  [RESPONSE_CODES.messageIllegal, Code.BAD_REQUEST],
  [RESPONSE_CODES.noPermission, Code.FORBIDDEN],
  [RESPONSE_CODES.topicNotExist, Code.TOPIC_NOT_FOUND],
  [RESPONSE_CODES.subscriptionParseFailed, Code.ILLEGAL_FILTER_EXPRESSION],
  [RESPONSE_CODES.subscriptionGroupNotExist, Code.CONSUMER_GROUP_NOT_FOUND],
  [RESPONSE_CODES.invalidParameter, Code.BAD_REQUEST],
  [RESPONSE_CODES.noMessage, Code.INVALID_RECEIPT_HANDLE],
  [RESPONSE_CODES.pollingFull, Code.TOO_MANY_REQUESTS],
  [RESPONSE_CODES.flowControl, Code.TOO_MANY_REQUESTS],
  [RESPONSE_CODES.illegalOperation, Code.PRECONDITION_FAILED],
  [RESPONSE_CODES.lmqQuotaExceeded, Code.LITE_TOPIC_QUOTA_EXCEEDED],
  [RESPONSE_CODES.liteSubscriptionQuotaExceeded, Code.LITE_SUBSCRIPTION_QUOTA_EXCEEDED],
]);

/**
 * The status for an answer.
 * @throws TransportError (not-sent) when the broker is starting or stopping, or does not have the queue: it has not executed the request, and
 *   another one may
 */
export function statusOf(answer: RemotingFrame, address: string): Status {
  const { code, remark } = answer;
  if (code === RESPONSE_CODES.success) return OK;
  if (code === RESPONSE_CODES.serviceNotAvailable || code === RESPONSE_CODES.goAway) {
    const text = `${address} accepts no requests now ("${firstLine(remark)}"); nothing took effect`;
    throw new TransportError('UNAVAILABLE', text, 'not-sent', true);
  }
  const line = firstLine(remark);
  if (QUEUE_GONE.test(line)) {
    const text = `${address} has this queue of the topic no longer ("${line}"); nothing took effect`;
    throw new TransportError('UNAVAILABLE', text, 'not-sent', true);
  }
  const message = `${line} (code ${code} of ${address})`;
  if (ACCESS.test(line)) return { code: Code.UNAUTHORIZED, message };
  if (NO_SQL.test(line)) {
    const text = `${message}; set enablePropertyFilter=true in its broker.conf, or filter by tag`;
    return { code: Code.ILLEGAL_FILTER_EXPRESSION, message: text };
  }
  // Code 1 stands for any exception, so the request may have taken effect.
  return { code: CODES.get(code) ?? Code.INTERNAL_SERVER_ERROR, message };
}

/** Stored, but not yet as safely as the broker is configured to store. Brokers give no remark. */
const LESS_DURABLE: ReadonlyMap<number, Status> = new Map([
  [
    RESPONSE_CODES.flushDiskTimeout,
    rejection(Code.MASTER_PERSISTENCE_TIMEOUT, 'it is not on the disk of the broker yet'),
  ],
  [RESPONSE_CODES.flushSlaveTimeout, rejection(Code.SLAVE_PERSISTENCE_TIMEOUT, 'no replica has confirmed it yet')],
  [RESPONSE_CODES.slaveNotAvailable, rejection(Code.HA_NOT_AVAILABLE, 'no replica is available')],
]);

/** The status for the answer to a send, and whether the message is stored. @throws TransportError like {@link statusOf} */
export function sendStatusOf(
  answer: RemotingFrame,
  address: string,
): { readonly status: Status; readonly isStored: boolean } {
  const lessDurable = LESS_DURABLE.get(answer.code);
  if (lessDurable === undefined) {
    const status = statusOf(answer, address);
    return { status, isStored: status.code === Code.OK };
  }
  const { code, message } = lessDurable;
  return { status: { code, message: `${message} (code ${answer.code} of ${address})` }, isStored: true };
}

/** Rethrows a failure of a question before a request: whatever became of the question, the request was not sent. */
export function notSent(error: unknown): never {
  if (!(error instanceof TransportError) || error.outcome !== 'unknown') throw error;
  const code = error.code === 'DEADLINE_EXCEEDED' ? error.code : 'UNAVAILABLE';
  throw new TransportError(code, `nothing was sent: ${withoutEffect(error).message}`, 'not-sent', error.retryable, {
    cause: error,
  });
}

/** Servers append Java stack traces to some remarks. */
function firstLine(remark: string): string {
  return (remark.split('\n', 1)[0] ?? '').trim();
}
