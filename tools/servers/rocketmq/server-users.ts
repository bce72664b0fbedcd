// The users of a real server with access control, and what they may do.

import type { BrokerPermission, BrokerUser } from 'nestjs-rocketmq/broker';
import { CredentialsSource } from '../../../libs/rocketmq/src/protocol/credentials/credentials.js';
import { parseClusterInfo } from '../../../libs/rocketmq/src/remoting/cluster.js';
import { RemotingClient } from '../../../libs/rocketmq/src/remoting/remoting-client.js';
import type { RemotingRequest } from '../../../libs/rocketmq/src/remoting/remoting-request.js';
import { withDeadline } from '../../../libs/rocketmq/src/support/deadline.js';
import { silentLogger } from '../../../libs/rocketmq/src/support/logger.js';
import { resolveTls } from '../../../libs/rocketmq/src/support/tls.js';

interface SecuredServer {
  readonly nameServer: string;
  /** Of the administrator. */
  readonly credentials: { readonly accessKey: string; readonly secretKey: string };
  /** Undefined where it accepts plaintext. */
  readonly tls?: { readonly ca: string };
  /** Whether it is of a release with ACL 1.0. */
  readonly hasPlainAcl: boolean;
}

/** The request codes of ACL 2.0, and of ACL 1.0. @see RequestCode of the server */
const CODES = { createUser: 3001, updateUser: 3002, deleteUser: 3003, createAcl: 3006, updateAcl: 3007 };
const PLAIN_CODES = { declare: 50, remove: 51 };

/** Manages users of a real server with the requests of `mqadmin createUser` and `createAcl`, or of `updateAclConfig`. */
export class ServerUsers {
  private readonly client: RemotingClient;
  private readonly declared = new Set<string>();

  constructor(private readonly server: SecuredServer) {
    const credentials = new CredentialsSource(server.credentials, { logger: silentLogger });
    const tls = server.tls && resolveTls(server.tls, silentLogger);
    this.client = new RemotingClient({ connectTimeoutMs: 5_000, credentials, ...(tls && { tls }) });
  }

  async declare(user: BrokerUser): Promise<void> {
    const { accessKey: username, secretKey: password, isSuper, permissions = [] } = user;
    if (this.server.hasPlainAcl) return this.ask({ code: PLAIN_CODES.declare, fields: plainFieldsOf(user) });
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
    if (this.server.hasPlainAcl) return this.ask({ code: PLAIN_CODES.remove, fields: { accessKey: username } });
    return this.ask({ code: CODES.deleteUser, fields: { username } });
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private ask(request: RemotingRequest): Promise<void> {
    return withDeadline('users of the real server', 10_000, undefined, async (deadline) => {
      const brokers = parseClusterInfo(await this.client.call(this.server.nameServer, { code: 106 }, deadline));
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
