// Errors for requests that a name server or broker rejected, and for changes that were made in part. Connection failures are
// TransportErrors.

import { accessAdvice } from '../protocol/credentials/access-advice.js';
import { RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { type Outcome, RocketMQError } from '../support/errors.js';

interface CodeMeaning {
  readonly name: string;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly advice: string;
}

/** The server's response codes that matter here. @see RemotingSysResponseCode and ResponseCode of the server */
const MEANINGS: ReadonlyMap<number, CodeMeaning> = new Map([
  [RESPONSE_CODES.systemError, refused('SYSTEM_ERROR', false, 'fix what the server reports and call again')],
  [RESPONSE_CODES.systemBusy, refused('SYSTEM_BUSY', true, 'the server is overloaded: call again later')],
  [
    RESPONSE_CODES.requestCodeNotSupported,
    refused(
      'REQUEST_CODE_NOT_SUPPORTED',
      false,
      'the server has another version, or is a broker instead of a name server or vice versa',
    ),
  ],
  [RESPONSE_CODES.messageIllegal, refused('MESSAGE_ILLEGAL', false, 'fix what the server reports and send again')],
  [
    RESPONSE_CODES.serviceNotAvailable,
    refused('SERVICE_NOT_AVAILABLE', true, 'the server is starting or stopping: call again later'),
  ],
  [RESPONSE_CODES.noPermission, refused('NO_PERMISSION', false, '')],
  [RESPONSE_CODES.topicNotExist, refused('TOPIC_NOT_EXIST', false, 'create the topic first')],
  [
    RESPONSE_CODES.subscriptionGroupNotExist,
    refused('SUBSCRIPTION_GROUP_NOT_EXIST', false, 'create the consumer group first'),
  ],
  [RESPONSE_CODES.invalidParameter, refused('INVALID_PARAMETER', false, 'fix what the server reports and call again')],
]);

function refused(name: string, retryable: boolean, advice: string): CodeMeaning {
  return { name, outcome: 'rejected', retryable, advice };
}

/** A name server or broker answered with a code other than success. `code` is its name, such as `SYSTEM_ERROR`. */
export class RemotingError extends RocketMQError {
  /** The server's number, for instance 17. */
  readonly responseCode: number;

  /** @param what the name of the operation: "create topic order-created" */
  constructor(
    what: string,
    /** The server that answered, as `host:port`. */
    readonly address: string,
    answer: Pick<RemotingFrame, 'code' | 'remark'>,
  ) {
    const meaning = MEANINGS.get(answer.code);
    const name = meaning?.name ?? `RESPONSE_${answer.code}`;
    const remark = firstLine(answer.remark);
    const serverMessage = `${address} answered code ${answer.code}${remark === '' ? '' : ` "${remark}"`}`;
    const next =
      meaning === undefined
        ? 'it may have taken effect'
        : `it did not take effect there; ${answer.code === RESPONSE_CODES.noPermission ? accessAdvice(remark) : meaning.advice}`;
    super(name, `${what}: ${serverMessage}; ${next}`, meaning?.outcome ?? 'unknown', meaning?.retryable ?? false);
    this.responseCode = answer.code;
  }
}

/** A topic or consumer group exists with other settings than those that were given. Nothing was changed. */
export class AlreadyExistsError extends RocketMQError {
  constructor(
    /** What exists: `topic "orders"`. */
    readonly what: string,
    /** In which settings it differs; a sentence for each setting and broker. */
    readonly differences: readonly string[],
  ) {
    const found = `${what} already exists with other settings: ${differences.join('; ')}`;
    super('ALREADY_EXISTS', `${found}; nothing was changed; pass ifExists: 'update' to change it`, 'not-sent', false);
  }
}

/** A change was made on some brokers and then failed. `cause` is the failure. Repeating the call is safe and completes the change. */
export class PartlyDoneError extends RocketMQError {
  /** @param what the name of the operation: "create topic order-created" */
  constructor(
    what: string,
    /** The brokers that have the change, by name. */
    readonly doneOn: readonly string[],
    cause: Error,
  ) {
    const message = `${what}: done on ${doneOn.join(', ')}, then failed: ${cause.message}; the other brokers are unchanged; repeat the call to complete it, which is safe`;
    super('PARTLY_DONE', message, 'unknown', RocketMQError.is(cause) && cause.retryable, { cause });
  }
}

/** The server appends Java stack traces to some remarks. */
function firstLine(remark: string): string {
  return (remark.split('\n', 1)[0] ?? '').trim();
}
