// What an admin request is answered with.

/** The server's response codes that are used here. @see RemotingSysResponseCode and ResponseCode of the server */
export const RESPONSE_CODES = {
  success: 0,
  systemError: 1,
  requestCodeNotSupported: 3,
  noPermission: 16,
  topicNotExist: 17,
  subscriptionGroupNotExist: 26,
  invalidParameter: 29,
} as const;

type ResponseCode = (typeof RESPONSE_CODES)[keyof typeof RESPONSE_CODES];

export interface AdminAnswer {
  readonly code: ResponseCode;
  readonly remark?: string;
  readonly body?: Buffer;
}

export const SUCCESS: AdminAnswer = { code: RESPONSE_CODES.success };

/** A success that tells something. */
export function answerWith(value: unknown): AdminAnswer {
  return { ...SUCCESS, body: Buffer.from(JSON.stringify(value)) };
}

/** A request that is refused; nothing was changed. */
export class AdminRefusal extends Error {
  constructor(
    readonly code: ResponseCode,
    message: string,
  ) {
    super(message);
    this.name = 'AdminRefusal';
  }
}
