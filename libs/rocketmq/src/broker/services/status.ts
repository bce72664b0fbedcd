// The statuses of responses: OK, and the errors that handlers throw to respond with a code.

import { Code, type Status } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { codeName } from '../../protocol/grpc/status.js';
import { AccessRejection } from '../access/access-control.js';
import { Rejection, type RejectionReason } from '../engine/rejection.js';

export const OK: Status = { code: Code.OK, message: 'OK' };

/** Ends an RPC with a code of the protocol, in the status of the response. */
export class AnswerError extends Error {
  constructor(
    readonly answer: Code,
    message: string,
  ) {
    super(message);
    this.name = 'AnswerError';
  }
}

/**
 * The code for each reason of the engine. In some cases the real server responds with INTERNAL_SERVER_ERROR by accident; this broker
 * uses the specific code. Official clients treat everything but OK and INVALID_RECEIPT_HANDLE alike.
 */
const REJECTION_CODES: Readonly<Record<RejectionReason, Code>> = {
  'unknown-topic': Code.TOPIC_NOT_FOUND,
  'unknown-group': Code.CONSUMER_GROUP_NOT_FOUND,
  // The real server's code, and clients know the reason by the words.
  'group-paused': Code.INTERNAL_SERVER_ERROR,
  'type-conflict': Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE,
  'dead-handle': Code.INVALID_RECEIPT_HANDLE,
  // The real server's code, by which clients recognize an expired transaction.
  'unknown-transaction': Code.INTERNAL_SERVER_ERROR,
  'recall-disabled': Code.FORBIDDEN,
  'recall-invalid': Code.BAD_REQUEST,
  'recall-late': Code.ILLEGAL_DELIVERY_TIME,
  // Nothing was stored; a retry may succeed later.
  'store-full': Code.TOO_MANY_REQUESTS,
  'too-many-lite-topics': Code.LITE_TOPIC_QUOTA_EXCEEDED,
};

/** The status for the error of a handler. */
export function statusOf(error: unknown): Status {
  if (error instanceof AnswerError) return { code: error.answer, message: error.message };
  if (error instanceof AccessRejection) return { code: Code.UNAUTHORIZED, message: error.message };
  if (error instanceof Rejection) return { code: REJECTION_CODES[error.reason], message: wordsOf(error) };
  const message = error instanceof Error ? error.message : String(error);
  return { code: Code.INTERNAL_SERVER_ERROR, message };
}

/** The proxy includes the broker's own code in the message, 17 for an unknown topic. */
function wordsOf({ reason, message }: Rejection): string {
  return reason === 'unknown-topic' ? `CODE: 17  DESC: ${message}` : message;
}

/** The status of several entries: their common code, or MULTIPLE_RESULTS. Its message is the name of the code. */
export function commonStatus(statuses: readonly Status[]): Status {
  const [first = OK, ...others] = statuses;
  const code = others.every((other) => other.code === first.code) ? first.code : Code.MULTIPLE_RESULTS;
  return { code, message: codeName(code) };
}
