// The table of what each status code means for a caller, and the error for a status.

import { MAY_HAVE_TAKEN_EFFECT, type Outcome, RocketMQError } from '../../support/errors.js';
import { accessAdvice } from '../credentials/access-advice.js';
import { isPauseRefusal } from '../model/group-pause.js';
import { Code, type Status } from './generated/apache/rocketmq/v2/definition.js';

/** The meaning of a code: whether the request took effect, and whether the same request may succeed later. */
interface StatusMeaning {
  readonly outcome: Exclude<Outcome, 'not-sent'>;
  readonly retryable: boolean;
}

const refused: StatusMeaning = { outcome: 'rejected', retryable: false };
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
  [Code.BAD_REQUEST, refused],
  [Code.ILLEGAL_ACCESS_POINT, refused],
  [Code.ILLEGAL_TOPIC, refused],
  [Code.ILLEGAL_CONSUMER_GROUP, refused],
  [Code.ILLEGAL_MESSAGE_TAG, refused],
  [Code.ILLEGAL_MESSAGE_KEY, refused],
  [Code.ILLEGAL_MESSAGE_GROUP, refused],
  [Code.ILLEGAL_MESSAGE_PROPERTY_KEY, refused],
  [Code.INVALID_TRANSACTION_ID, refused],
  [Code.ILLEGAL_MESSAGE_ID, refused],
  [Code.ILLEGAL_FILTER_EXPRESSION, refused],
  [Code.ILLEGAL_INVISIBLE_TIME, refused],
  [Code.ILLEGAL_DELIVERY_TIME, refused],
  [Code.INVALID_RECEIPT_HANDLE, refused],
  [Code.MESSAGE_PROPERTY_CONFLICT_WITH_TYPE, refused],
  [Code.UNRECOGNIZED_CLIENT_TYPE, busy],
  [Code.MESSAGE_CORRUPTED, refused],
  [Code.CLIENT_ID_REQUIRED, refused],
  [Code.ILLEGAL_POLLING_TIME, refused],
  [Code.ILLEGAL_OFFSET, refused],
  [Code.ILLEGAL_LITE_TOPIC, refused],
  [Code.INVALID_CLIENT_PROPERTIES, refused],
  [Code.UNAUTHORIZED, refused],
  [Code.PAYMENT_REQUIRED, refused],
  [Code.FORBIDDEN, refused],
  [Code.NOT_FOUND, refused],
  [Code.MESSAGE_NOT_FOUND, busy],
  [Code.TOPIC_NOT_FOUND, refused],
  [Code.CONSUMER_GROUP_NOT_FOUND, refused],
  [Code.OFFSET_NOT_FOUND, refused],
  [Code.REQUEST_TIMEOUT, perhaps],
  [Code.PAYLOAD_TOO_LARGE, refused],
  [Code.MESSAGE_BODY_TOO_LARGE, refused],
  [Code.MESSAGE_BODY_EMPTY, refused],
  [Code.PRECONDITION_FAILED, refused],
  [Code.TOO_MANY_REQUESTS, busy],
  [Code.LITE_TOPIC_QUOTA_EXCEEDED, refused],
  [Code.LITE_SUBSCRIPTION_QUOTA_EXCEEDED, refused],
  [Code.REQUEST_HEADER_FIELDS_TOO_LARGE, refused],
  [Code.MESSAGE_PROPERTIES_TOO_LARGE, refused],
  [Code.INTERNAL_ERROR, perhaps],
  [Code.INTERNAL_SERVER_ERROR, perhaps],
  [Code.HA_NOT_AVAILABLE, stored],
  [Code.NOT_IMPLEMENTED, refused],
  [Code.PROXY_TIMEOUT, perhaps],
  [Code.MASTER_PERSISTENCE_TIMEOUT, stored],
  [Code.SLAVE_PERSISTENCE_TIMEOUT, stored],
  [Code.UNSUPPORTED, refused],
  [Code.VERSION_UNSUPPORTED, refused],
  [Code.VERIFY_FIFO_MESSAGE_UNSUPPORTED, refused],
  [Code.FAILED_TO_CONSUME_MESSAGE, refused],
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
  return status !== undefined && isPauseRefusal(status.message);
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
