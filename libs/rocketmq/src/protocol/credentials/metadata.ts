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
 * By this an embedded broker announces itself in the metadata of its answers. The value is the version of the real server whose
 * ways it keeps. Real servers send nothing of the kind: gRPC does not tell their version.
 */
export const EMBEDDED_BROKER_METADATA = 'x-mq-embedded-broker';

/** An access key of RocketMQ's ACL. */
export interface Credentials {
  /** Who asks: the name of a user on the server. */
  readonly accessKey: string;
  /** What requests are signed with. It is never sent. */
  readonly secretKey: string;
  /** A temporary token beside the key, where an authority issues one. Default: none. */
  readonly sessionToken?: string;
}

/** `yyyyMMdd'T'HHmmss'Z'` in UTC, the text that is signed. */
export function dateTimeText(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
}

/** The `authorization` value: HMAC-SHA1 of the date-time text under the secret key (server `AuthenticationHeader`). */
export function authorization(credentials: Credentials, dateTime: string): string {
  const signature = createHmac('sha1', credentials.secretKey).update(dateTime).digest('hex').toUpperCase();
  const { accessKey } = credentials;
  return `MQv2-HMAC-SHA1 Credential=${accessKey}, SignedHeaders=${METADATA.dateTime}, Signature=${signature}`;
}

/** The signed time of a request, and its `authorization` value; undefined without credentials. */
export interface Signature {
  readonly dateTime: string;
  readonly authorization: string | undefined;
}

/** Signs requests. The signed time has no parts of a second, so all requests of one second under one key share a signature. */
export class Signer {
  private second = Number.NaN;
  #credentials: Credentials | undefined;
  private latest: Signature = { dateTime: '', authorization: undefined };

  /** @param nowMs real time: a server may compare it with its own clock */
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
