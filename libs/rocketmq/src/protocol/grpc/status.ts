// The table of what each status code means for a caller, and the error for a status.

import { MAY_HAVE_TAKEN_EFFECT, type Outcome, RocketMQError } from '../../support/errors.js';
import { accessAdvice } from '../credentials/access-advice.js';
import { isPauseRejection } from '../model/group-pause.js';
import { Code, type Status } from './generated/apache/rocketmq/v2/definition.js';

/** The meaning of a code: whether the request took effect, and whether the same request may succeed later. */
interface StatusMeaning {
  readonly outcome: Exclude<Outcome, 'not-sent'>;
  readonly retryable: boolean;
}

const rejected: StatusMeaning = { outcome: 'rejected', retryable: false };
const busy: StatusMeaning = { outcome: 'rejected', retryable: true };
/** Stored, before the broker's disk or a replica has confirmed it (see `SendMessageActivity` of the proxy). */
const stored: StatusMeaning = { outcome: 'stored', retryable: false };
/** The server stopped waiting for its broker: the message may be stored (see `ResponseBuilder` of the proxy). */
const perhaps: StatusMeaning = { outcome: 'unknown', retryable: true };

/** Every code of the protocol. A test fails when a code of the protocol is missing here. */
export const STATUS_MEANINGS: ReadonlyMap<Code, StatusMeaning> = new Map<Code, StatusMeaning>([
  [Code.CODE_UNSPECIFIED, perhaps],
  [Code.OK, { outcome: 'rejected', retryable: false }],
  [Code.MULTIPLE_RESULTS, perhaps],
  [Code.BAD_REQUEST, rejected],
  [Code.ILLEGAL_ACCESS_POINT, rejected],
  [Code.ILLEGAL_TOPIC, rejected],
  [Code.ILLEGAL_CONSUMER_GROUP, rejected],
  [Code.ILLEGAL_MESSAGE_TAG, rejected],
  [Code.ILLEGAL_MESSAGE_KEY, rejected],
  [Code.ILLEGAL_MESSAGE_GROUP, rejected],
  [Code.ILLEGAL_MESSAGE_PROPERTY_KEY, rejected],
  [Code.INVALID_TRANSACTION_ID, rejected],
  [Code.ILLEGAL_MESSAGE_ID, rejected],
  [Code.ILLEGAL_FILTER_EXPRESSION, rejected],
  [Code.ILLEGAL_INVISIBLE_TIME, rejected],
  [Code.ILLEGAL_DELIVERY_TIME, rejected],
  [Code.INVALID_RECEIPT_HANDLE, rejected],
  [Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, rejected],
  [Code.UNRECOGNIZED_CLIENT_TYPE, busy],
  [Code.MESSAGE_CORRUPTED, rejected],
  [Code.CLIENT_ID_REQUIRED, rejected],
  [Code.ILLEGAL_POLLING_TIME, rejected],
  [Code.ILLEGAL_OFFSET, rejected],
  [Code.ILLEGAL_LITE_TOPIC, rejected],
  [Code.INVALID_CLIENT_PROPERTIES, rejected],
  [Code.UNAUTHORIZED, rejected],
  [Code.PAYMENT_REQUIRED, rejected],
  [Code.FORBIDDEN, rejected],
  [Code.NOT_FOUND, rejected],
  [Code.MESSAGE_NOT_FOUND, busy],
  [Code.TOPIC_NOT_FOUND, rejected],
  [Code.CONSUMER_GROUP_NOT_FOUND, rejected],
  [Code.OFFSET_NOT_FOUND, rejected],
  [Code.REQUEST_TIMEOUT, perhaps],
  [Code.PAYLOAD_TOO_LARGE, rejected],
  [Code.MESSAGE_BODY_TOO_LARGE, rejected],
  [Code.MESSAGE_BODY_EMPTY, rejected],
  [Code.PRECONDITION_FAILED, rejected],
  [Code.TOO_MANY_REQUESTS, busy],
  [Code.LITE_TOPIC_QUOTA_EXCEEDED, rejected],
  [Code.LITE_SUBSCRIPTION_QUOTA_EXCEEDED, rejected],
  [Code.REQUEST_HEADER_FIELDS_TOO_LARGE, rejected],
  [Code.MESSAGE_PROPERTIES_TOO_LARGE, rejected],
  [Code.INTERNAL_ERROR, perhaps],
  [Code.INTERNAL_SERVER_ERROR, perhaps],
  [Code.HA_NOT_AVAILABLE, stored],
  [Code.NOT_IMPLEMENTED, rejected],
  [Code.PROXY_TIMEOUT, perhaps],
  [Code.MASTER_PERSISTENCE_TIMEOUT, stored],
  [Code.SLAVE_PERSISTENCE_TIMEOUT, stored],
  [Code.UNSUPPORTED, rejected],
  [Code.VERSION_UNSUPPORTED, rejected],
  [Code.VERIFY_FIFO_MESSAGE_UNSUPPORTED, rejected],
  [Code.FAILED_TO_CONSUME_MESSAGE, rejected],
]);

/** The name of a code, including a code of a newer server. */
export function codeName(code: Code): string {
  return Code[code] ?? `CODE_${code}`;
}

const EFFECTS: Readonly<Record<StatusMeaning['outcome'], string>> = {
  rejected: 'it did not take effect',
  unknown: MAY_HAVE_TAKEN_EFFECT,
  stored: 'the message is stored',
};

/**
 * The server answered with a status other than OK. `code` is the protocol's name, for example `TOPIC_NOT_FOUND`; or `GROUP_PAUSED`: the server
 * delivers nothing to the consumer group until it is resumed. The protocol has no code for that.
 */
export class StatusError extends RocketMQError {
  /** The protocol's number, for example 40402. */
  readonly statusCode: number;

  /**
   * @param what a description of the operation: "send to order-created"
   * @param meaning of the answer for the caller. Default: that of its code
   */
  constructor(what: string, status: Status | undefined, advice = adviceOn(status), meaning = meaningOf(status)) {
    const code = status?.code ?? Code.CODE_UNSPECIFIED;
    const effect = EFFECTS[meaning.outcome];
    const answer =
      status === undefined ? 'the server answered without a status' : `the server said "${status.message}"`;
    super(
      isPaused(status) ? 'GROUP_PAUSED' : codeName(code),
      `${what}: ${answer}; ${effect}${advice === undefined ? '' : `; ${advice}`}`,
      meaning.outcome,
      meaning.retryable,
    );
    this.statusCode = code;
  }
}

function isPaused(status: Status | undefined): boolean {
  return status !== undefined && isPauseRejection(status.message);
}

function meaningOf(status: Status | undefined): StatusMeaning {
  if (isPaused(status)) return busy;
  return STATUS_MEANINGS.get(status?.code ?? Code.CODE_UNSPECIFIED) ?? perhaps;
}

function adviceOn(status: Status | undefined): string | undefined {
  if (isPaused(status))
    return 'the consumer group is paused; see why with "npx nestjs-rocketmq group show", and resume it with "npx nestjs-rocketmq group resume"';
  return status?.code === Code.UNAUTHORIZED ? accessAdvice(status.message) : undefined;
}

/** @throws StatusError unless the status is OK; a missing status is an error too */
export function requireOk(what: string, status: Status | undefined, advice?: string): void {
  if (status?.code !== Code.OK) throw new StatusError(what, status, advice);
}
