// A server that requires TLS and signatures: the embedded broker, or the real server of this run.

import { readFileSync } from 'node:fs';
import type { BrokerPermission, BrokerUser } from 'nestjs-rocketmq/broker';
import { CredentialsSource } from '../../../libs/rocketmq/src/protocol/credentials/credentials.js';
import { parseClusterInfo } from '../../../libs/rocketmq/src/remoting/cluster.js';
import { RemotingClient } from '../../../libs/rocketmq/src/remoting/remoting-client.js';
import type { RemotingRequest } from '../../../libs/rocketmq/src/remoting/remoting-request.js';
import { HOUR_MS } from '../../../libs/rocketmq/src/support/clock.js';
import { withDeadline } from '../../../libs/rocketmq/src/support/deadline.js';
import { silentLogger } from '../../../libs/rocketmq/src/support/logger.js';
import { resolveTls } from '../../../libs/rocketmq/src/support/tls.js';
import { type Backend, backendOn, isBefore, real, startTestBroker } from '../../contract/support/backend.js';
import { CertificateAuthority, OTHER_NAME } from '../../fixtures/certificates.js';

/** A secured server. Its `access` is that of an administrator. */
export interface SecuredBackend extends Backend {
  /** The CA certificate that signed its certificate, PEM. */
  readonly ca: string;
  readonly administrator: { readonly accessKey: string; readonly secretKey: string };
  /** Adds a user, or changes the one with its key. */
  declareUser(user: BrokerUser): Promise<void>;
  removeUser(accessKey: string): Promise<void>;
}

export const DAY_MS = 24 * HOUR_MS;

/** A further name in the certificates of both servers, in addition to those of this machine. */
export { OTHER_NAME };

export function startSecured(): Promise<SecuredBackend> {
  return process.env.ROCKETMQ_TEST_ENDPOINTS === undefined ? embedded() : onRealServer();
}

async function embedded(): Promise<SecuredBackend> {
  const authority = new CertificateAuthority();
  const administrator = { accessKey: 'administrator', secretKey: 'secret of the administrator' };
  const broker = await startTestBroker({
    users: [{ ...administrator, isSuper: true }],
    // The real one allows 4 days in its proxy and 3 in its broker.
    maxDelayMs: 3 * DAY_MS,
    tls: authority.issue({ names: ['DNS:localhost', 'IP:127.0.0.1', `DNS:${OTHER_NAME}`] }),
  });
  const backend = backendOn(broker);
  return {
    ...backend,
    ca: authority.cert,
    administrator,
    access: { tls: { ca: authority.cert }, credentials: administrator },
    declareUser: async (user) => broker.broker.declareUser(user),
    removeUser: async (accessKey) => broker.broker.removeUser(accessKey),
    stop: async () => {
      await backend.stop();
      authority.remove();
    },
  };
}

async function onRealServer(): Promise<SecuredBackend> {
  const variable = (name: string): string => process.env[`ROCKETMQ_TEST_${name}`] ?? '';
  const ca = readFileSync(variable('CA_FILE'), 'utf8');
  const administrator = { accessKey: variable('ACCESS_KEY'), secretKey: variable('SECRET_KEY') };
  const access = { tls: { ca }, credentials: administrator };
  const backend = await real(variable('ENDPOINTS'), variable('NAME_SERVER'), access);
  const users = new RealUsers(variable('NAME_SERVER'), access);
  const own = {
    ca,
    administrator,
    declareUser: (user: BrokerUser) => users.declare(user),
    removeUser: (accessKey: string) => users.remove(accessKey),
    stop: async () => {
      await users.close();
      await backend.stop();
    },
  };
  // Not spread, which would ask for the proxy, and not every release has one.
  return Object.assign(Object.create(backend) as Backend, own);
}

/** The request codes of ACL 2.0, and of ACL 1.0. @see RequestCode of the server */
const CODES = { createUser: 3001, updateUser: 3002, deleteUser: 3003, createAcl: 3006, updateAcl: 3007 };
const PLAIN_CODES = { declare: 50, remove: 51 };

/** Whether the real server of this run has ACL 1.0. */
export const hasPlainAcl = isBefore('5.3.0');

/** Manages users of a real server with the requests of `mqadmin createUser` and `createAcl`, or of `updateAclConfig`. */
class RealUsers {
  private readonly client: RemotingClient;
  private readonly declared = new Set<string>();

  constructor(
    private readonly nameServer: string,
    access: { tls: { ca: string }; credentials: { accessKey: string; secretKey: string } },
  ) {
    const credentials = new CredentialsSource(access.credentials, { logger: silentLogger });
    this.client = new RemotingClient({
      connectTimeoutMs: 5_000,
      tls: resolveTls(access.tls, silentLogger),
      credentials,
    });
  }

  async declare(user: BrokerUser): Promise<void> {
    const { accessKey: username, secretKey: password, isSuper, permissions = [] } = user;
    if (hasPlainAcl) return this.ask({ code: PLAIN_CODES.declare, fields: plainFieldsOf(user) });
    const isNew = !this.declared.has(username);
    await this.ask({
      code: isNew ? CODES.createUser : CODES.updateUser,
      fields: { username },
      body: json({ username, password, userType: isSuper ? 'Super' : 'Normal' }),
    });
    this.declared.add(username);
    const entries = permissions.map(({ resource, actions, decision = 'allow' }) => {
      return { resource, actions, decision: decision === 'allow' ? 'Allow' : 'Deny' };
    });
    if (entries.length === 0) return;
    const policies = [{ policyType: 'Custom', entries }];
    const code = isNew ? CODES.createAcl : CODES.updateAcl;
    await this.ask({ code, fields: { subject: `User:${username}` }, body: json({ policies }) });
  }

  remove(username: string): Promise<void> {
    if (hasPlainAcl) return this.ask({ code: PLAIN_CODES.remove, fields: { accessKey: username } });
    return this.ask({ code: CODES.deleteUser, fields: { username } });
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private ask(request: RemotingRequest): Promise<void> {
    return withDeadline('users of the real server', 10_000, undefined, async (deadline) => {
      const brokers = parseClusterInfo(await this.client.call(this.nameServer, { code: 106 }, deadline));
      for (const { address } of brokers) await this.client.call(address, request, deadline);
    });
  }
}

/** A user of ACL 1.0: what is not listed is denied. */
function plainFieldsOf({
  accessKey,
  secretKey,
  isSuper = false,
  permissions = [],
}: BrokerUser): Record<string, string> {
  const onAll = permissions.some(({ resource }) => resource === '*') ? 'PUB|SUB' : 'DENY';
  const listed = (kind: 'Topic' | 'Group'): string =>
    permissions
      .filter(({ resource }) => resource.startsWith(`${kind}:`))
      .map((permission) => `${permission.resource.slice(kind.length + 1)}=${plainRight(permission)}`)
      .join(',');
  const own = { topicPerms: listed('Topic'), groupPerms: listed('Group') };
  const lists = Object.fromEntries(Object.entries(own).filter(([, list]) => list !== ''));
  return { accessKey, secretKey, admin: String(isSuper), defaultTopicPerm: onAll, defaultGroupPerm: onAll, ...lists };
}

function plainRight({ actions, decision = 'allow' }: BrokerPermission): string {
  if (decision === 'deny') return 'DENY';
  if (actions.includes('All')) return 'PUB|SUB';
  return ['Pub', 'Sub']
    .filter((action) => actions.some((one) => one === action))
    .join('|')
    .toUpperCase();
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
