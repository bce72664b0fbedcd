// A server that requires TLS and signatures: the embedded broker, or the real server of this run.

import { readFileSync } from 'node:fs';
import type { BrokerUser } from 'nestjs-rocketmq/broker';
import { HOUR_MS } from '../../../libs/rocketmq/src/support/clock.js';
import { ServerUsers } from '../../../tools/servers/rocketmq/server-users.js';
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
  const users = new ServerUsers({ nameServer: variable('NAME_SERVER'), ...access, hasPlainAcl });
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

/** Whether the real server of this run has ACL 1.0. */
export const hasPlainAcl = isBefore('5.3.0');
