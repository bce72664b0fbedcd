// Authenticates and authorizes requests. Rejections have the real server's words, by which clients distinguish the reasons.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Headers } from '../../http2/header-encoder.js';
import { METADATA } from '../../protocol/credentials/metadata.js';
import type { Settings } from '../../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcName, RpcRequest } from '../../protocol/grpc/rpc.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import type { RemotingFrame } from '../../protocol/remoting/frame.js';
import { requirementsOf } from './requirements.js';
import { type Access, assertUser, type BrokerUser, rejectionOf } from './users.js';

/** What clients ask name servers, which answer everybody. */
const OF_EVERYBODY: ReadonlySet<number> = new Set([REQUEST_CODES.getRouteInfoByTopic, REQUEST_CODES.getKvConfig]);

/** The caller is unknown, or not permitted to do this. */
export class AccessRejection extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AccessRejection';
  }
}

/** A client that has sent its settings. */
interface KnownClient {
  readonly clientId: string;
  readonly settings: Settings;
  /** The access key of the user who signed its settings. */
  readonly origin: { readonly user?: string | undefined };
}

/** The caller of a gRPC request. */
export interface Caller {
  readonly headers: Headers;
  /** The result of {@link AccessControl.identify}. */
  readonly user: BrokerUser | undefined;
  /** The caller's address, for rejections. */
  readonly from: string;
}

/** The users and their permissions. While no user was ever declared, everything is permitted and signatures are ignored. */
export class AccessControl {
  private users: Map<string, BrokerUser> | undefined;

  /** @throws UsageError for an invalid user */
  constructor(users: readonly BrokerUser[] | undefined) {
    if (users === undefined) return;
    this.users = new Map();
    for (const user of users) this.declare(user);
  }

  /** Adds a user, or replaces the one with the same access key. */
  declare(user: BrokerUser): void {
    assertUser(user);
    this.users ??= new Map();
    this.users.set(user.accessKey, { ...user });
  }

  remove(accessKey: string): void {
    this.users?.delete(accessKey);
  }

  /** The user who signed these headers; undefined without access control. @throws AccessRejection for an unknown user */
  identify(headers: Headers): BrokerUser | undefined {
    return this.users === undefined ? undefined : this.callerOf(headers);
  }

  /** @throws AccessRejection unless the caller may send this request */
  admit<N extends RpcName>(rpc: N, request: RpcRequest<N>, { headers, user: identified, from }: Caller): void {
    if (this.users === undefined) return;
    // The users may have changed since the headers were received.
    const isKnown = identified !== undefined && this.users.get(identified.accessKey) === identified;
    const user = isKnown ? identified : this.callerOf(headers);
    assertPermitted(user, requirementsOf(rpc, request), from);
  }

  /**
   * Lets a user send settings under an existing client id if the user owns that client, or may do everything that it does. So a client
   * can continue when its access key changes.
   * @throws AccessRejection
   */
  admitSuccessor(client: KnownClient, user: BrokerUser | undefined): void {
    if (user === undefined || isOwner(client, user.accessKey)) return;
    const command = { status: undefined, command: { $case: 'settings', value: client.settings } } as const;
    const needs = requirementsOf('telemetry', command);
    if (needs.some((access) => rejectionOf(user, access) !== undefined)) throw foreignClient(client, user.accessKey);
  }

  /**
   * Requests of the remoting protocol other than those of clients are administration, which requires a super user.
   * @param from the address of the client, for rejections
   * @param needsOf what a request requires; undefined if it is administration
   * @throws AccessRejection
   */
  admitRemoting(
    request: RemotingFrame,
    from: string,
    needsOf: (request: RemotingFrame) => readonly Access[] | undefined,
  ): void {
    if (this.users === undefined || OF_EVERYBODY.has(request.code)) return;
    const user = this.signerOf(request);
    if (user.isSuper === true) return;
    const needs = needsOf(request);
    if (needs === undefined) {
      throw new AccessRejection(
        `User:${user.accessKey} has no permission to access Cluster:* by administration, which is for super users here.`,
      );
    }
    assertPermitted(user, needs, from);
  }

  private signerOf({ fields, body }: RemotingFrame): BrokerUser {
    const { AccessKey: accessKey, Signature: signature = '', ...rest } = fields;
    const values = { ...rest, AccessKey: accessKey ?? '' };
    const content = Object.entries(values)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, value]) => Buffer.from(value));
    return this.authenticate(accessKey, Buffer.concat([...content, body]), Buffer.from(signature, 'base64'));
  }

  /** The control port requires a super user, authenticated with HTTP basic authentication. @throws AccessRejection */
  admitControl(authorization: string | undefined): void {
    if (this.users === undefined) return;
    const [, encoded = ''] = /^basic ([a-z0-9+/=]+)$/i.exec(authorization ?? '') ?? [];
    const [, accessKey = '', secretKey = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
    const user = this.users.get(accessKey);
    if (user?.isSuper === true && isSame(secretKey, user.secretKey)) return;
    throw new AccessRejection(
      'the control port requires a super user: send access key and secret key with HTTP basic authentication',
    );
  }

  private callerOf(headers: Headers): BrokerUser {
    const header = headers[METADATA.authorization] ?? '';
    const dateTime = headers[METADATA.dateTime] ?? '';
    if (header === '') return this.authenticate(undefined, Buffer.alloc(0), Buffer.alloc(0));
    if (dateTime === '') throw new AccessRejection('datetime is null.');
    const { Credential: credential = '', Signature: signature = '' } = itemsOf(header);
    return this.authenticate(credential.split('/')[0], Buffer.from(dateTime), Buffer.from(signature, 'hex'));
  }

  private authenticate(accessKey: string | undefined, content: Buffer, signature: Buffer): BrokerUser {
    if (accessKey === undefined || accessKey === '') throw new AccessRejection('username cannot be null.');
    const user = this.users?.get(accessKey);
    if (user === undefined) throw new AccessRejection(`User:${accessKey} is not found.`);
    const expected = createHmac('sha1', user.secretKey).update(content).digest();
    if (signature.length === expected.length && timingSafeEqual(signature, expected)) return user;
    throw new AccessRejection('check signature failed.');
  }
}

/** @throws AccessRejection */
function assertPermitted(user: BrokerUser, needs: readonly Access[], from: string): void {
  for (const access of needs) {
    const rejection = rejectionOf(user, access);
    if (rejection === undefined) continue;
    const { kind, name } = access;
    throw new AccessRejection(
      `User:${user.accessKey} has no permission to access ${kind}:${name} from ${from}, ${rejection}`,
    );
  }
}

/** Only the user who owns the session may end a client. @throws AccessRejection */
export function assertOwner(client: KnownClient, accessKey: string | undefined): void {
  if (!isOwner(client, accessKey)) throw foreignClient(client, accessKey);
}

function isOwner({ origin: { user } }: KnownClient, accessKey: string | undefined): boolean {
  return user === undefined || user === accessKey;
}

function foreignClient({ clientId }: KnownClient, accessKey: string | undefined): AccessRejection {
  return new AccessRejection(
    `User:${accessKey} has no permission to access Client:${clientId}, which belongs to another user.`,
  );
}

/** Compares in constant time. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** `MQv2-HMAC-SHA1 Credential=…, SignedHeaders=…, Signature=…` */
function itemsOf(header: string): Record<string, string> {
  const at = header.indexOf(' ');
  if (at < 0) throw new AccessRejection('authentication header is incorrect.');
  const items = header
    .slice(at + 1)
    .split(',')
    .map((item) => item.trim().split(/=(.*)/s));
  const odd = items.find((item) => item.length < 2);
  if (odd !== undefined) throw new AccessRejection('authentication keyValues length is incorrect, actual length=1.');
  return Object.fromEntries(items.map(([name = '', value = '']) => [name, value]));
}
