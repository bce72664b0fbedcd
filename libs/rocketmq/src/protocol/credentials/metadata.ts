// The request metadata of the protocol, and its signature.

import { createHmac } from 'node:crypto';

/** The metadata keys of RocketMQ's gRPC protocol. */
export const METADATA = {
  clientId: 'x-mq-client-id',
  language: 'x-mq-language',
  protocol: 'x-mq-protocol',
  clientVersion: 'x-mq-client-version',
  dateTime: 'x-mq-date-time',
  namespace: 'x-mq-namespace',
  sessionToken: 'x-mq-session-token',
  authorization: 'authorization',
} as const;

/**
 * An embedded broker identifies itself with this key in the metadata of its answers. The value is the version of the real server that
 * it emulates. Real servers do not send it: the gRPC protocol does not expose their version.
 */
export const EMBEDDED_BROKER_METADATA = 'x-mq-embedded-broker';

/** An access key of RocketMQ's ACL. */
export interface Credentials {
  /** The name of a user on the server. */
  readonly accessKey: string;
  /** The key that requests are signed with. It is never sent. */
  readonly secretKey: string;
  /** A temporary token that accompanies the key, if a token service issues one. Default: none. */
  readonly sessionToken?: string;
}

/** `yyyyMMdd'T'HHmmss'Z'` in UTC, the string that is signed. */
export function dateTimeText(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
}

/** The `authorization` value: HMAC-SHA1 of the date-time string with the secret key (server `AuthenticationHeader`). */
export function authorization(credentials: Credentials, dateTime: string): string {
  const signature = createHmac('sha1', credentials.secretKey).update(dateTime).digest('hex').toUpperCase();
  const { accessKey } = credentials;
  return `MQv2-HMAC-SHA1 Credential=${accessKey}, SignedHeaders=${METADATA.dateTime}, Signature=${signature}`;
}

/** The signed time of a request, and its `authorization` value; undefined without credentials. */
interface Signature {
  readonly dateTime: string;
  readonly authorization: string | undefined;
}

/** Signs requests. The signed time has a resolution of one second, so all requests of a second with the same key share a signature. */
export class Signer {
  private second = Number.NaN;
  #credentials: Credentials | undefined;
  private latest: Signature = { dateTime: '', authorization: undefined };

  /** @param nowMs real time, because a server may compare it with its clock */
  sign(nowMs: number, credentials: Credentials | undefined): Signature {
    const second = Math.floor(nowMs / 1000);
    if (second === this.second && credentials === this.#credentials) return this.latest;
    const dateTime = dateTimeText(nowMs);
    this.latest = { dateTime, authorization: credentials && authorization(credentials, dateTime) };
    this.second = second;
    this.#credentials = credentials;
    return this.latest;
  }
}
