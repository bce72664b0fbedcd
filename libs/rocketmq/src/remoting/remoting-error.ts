// The error for a request that a name server or broker rejected. Connection failures are TransportErrors.

import { accessAdvice, isPlainAclRejection } from '../protocol/credentials/access-advice.js';
import { RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { MAY_HAVE_TAKEN_EFFECT, type Outcome, RocketMQError } from '../support/errors.js';

interface CodeMeaning {
  readonly name: string;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly advice: string;
}

/** The server's response codes that matter here. @see RemotingSysResponseCode and ResponseCode of the server */
const MEANINGS: ReadonlyMap<number, CodeMeaning> = new Map([
  [RESPONSE_CODES.systemError, rejected('SYSTEM_ERROR', false, 'fix what the server reports and call again')],
  [RESPONSE_CODES.systemBusy, rejected('SYSTEM_BUSY', true, 'the server is overloaded: call again later')],
  [
    RESPONSE_CODES.requestCodeNotSupported,
    rejected(
      'REQUEST_CODE_NOT_SUPPORTED',
      false,
      'the server has another version, or is a broker instead of a name server or vice versa',
    ),
  ],
  [RESPONSE_CODES.messageIllegal, rejected('MESSAGE_ILLEGAL', false, 'fix what the server reports and send again')],
  [
    RESPONSE_CODES.serviceNotAvailable,
    rejected('SERVICE_NOT_AVAILABLE', true, 'the server is starting or stopping: call again later'),
  ],
  [RESPONSE_CODES.noPermission, rejected('NO_PERMISSION', false, '')],
  [RESPONSE_CODES.topicNotExist, rejected('TOPIC_NOT_EXIST', false, 'create the topic first')],
  [
    RESPONSE_CODES.subscriptionGroupNotExist,
    rejected('SUBSCRIPTION_GROUP_NOT_EXIST', false, 'create the consumer group first'),
  ],
  [
    RESPONSE_CODES.illegalOperation,
    rejected(
      'ILLEGAL_OPERATION',
      false,
      'fix what the server reports; a message that is due cannot be canceled any more',
    ),
  ],
  [RESPONSE_CODES.invalidParameter, rejected('INVALID_PARAMETER', false, 'fix what the server reports and call again')],
]);

function rejected(name: string, retryable: boolean, advice: string): CodeMeaning {
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
    const isDenied = deniesAccess(answer);
    const meaning = MEANINGS.get(isDenied ? RESPONSE_CODES.noPermission : answer.code);
    const name = meaning?.name ?? `RESPONSE_${answer.code}`;
    const remark = firstLine(answer.remark);
    const serverMessage = `${address} answered code ${answer.code}${remark === '' ? '' : ` "${remark}"`}`;
    const next =
      meaning === undefined
        ? MAY_HAVE_TAKEN_EFFECT
        : `it did not take effect there; ${isDenied ? accessAdvice(remark) : meaning.advice}`;
    super(name, `${what}: ${serverMessage}; ${next}`, meaning?.outcome ?? 'unknown', meaning?.retryable ?? false);
    this.responseCode = answer.code;
  }
}

/** Whether the server rejects the caller: by the code of ACL 2.0, or by the words of ACL 1.0. */
export function deniesAccess({ code, remark }: Pick<RemotingFrame, 'code' | 'remark'>): boolean {
  return code === RESPONSE_CODES.noPermission || (code === RESPONSE_CODES.systemError && isPlainAclRejection(remark));
}

/** The server appends Java stack traces to some remarks. */
function firstLine(remark: string): string {
  return (remark.split('\n', 1)[0] ?? '').trim();
}
