// The answers to admin requests.

import { RESPONSE_CODES } from '../../protocol/remoting/codes.js';

type ResponseCode = (typeof RESPONSE_CODES)[keyof typeof RESPONSE_CODES];

export interface AdminAnswer {
  readonly code: ResponseCode;
  readonly remark?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export const SUCCESS: AdminAnswer = { code: RESPONSE_CODES.success };

/** A success with a body. */
export function answerWith(value: unknown): AdminAnswer {
  return { ...SUCCESS, body: Buffer.from(JSON.stringify(value)) };
}

/**
 * A success whose body is a map with objects as keys, as the server's JSON library writes it: `{{"queueId":0}:1}`.
 * @param rest further fields beside the map
 */
export function answerWithMap(
  name: string,
  pairs: readonly (readonly [key: object, value: unknown])[],
  rest = {},
): AdminAnswer {
  const others = Object.entries(rest)
    .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)},`)
    .join('');
  return { ...SUCCESS, body: Buffer.from(`{${others}${JSON.stringify(name)}:${mapText(pairs)}}`) };
}

/** A map with objects as keys, as in {@link answerWithMap}. */
export function mapText(pairs: readonly (readonly [key: object, value: unknown])[]): string {
  const entries = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{${entries.join(',')}}`;
}

/** An integer field of a request. @throws AdminRejection */
export function numberIn(fields: Readonly<Record<string, string>>, name: string): number {
  const value = Number(fields[name]);
  if (fields[name] !== undefined && fields[name] !== '' && Number.isSafeInteger(value)) return value;
  throw rejected(`${name} must be an integer, not ${fields[name]}`);
}

/** A request that is rejected; nothing was changed. */
export class AdminRejection extends Error {
  constructor(
    readonly code: ResponseCode,
    message: string,
  ) {
    super(message);
    this.name = 'AdminRejection';
  }
}

/** The rejection that has no code of its own. */
export function rejected(message: string): AdminRejection {
  return new AdminRejection(RESPONSE_CODES.systemError, message);
}
