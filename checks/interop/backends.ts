// The two brokers that the official clients are run against, with the topics and groups of those clients.

import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlClient, EmbeddedBrokerOptions } from 'nestjs-rocketmq/broker';
import { takePortBlock } from '../../tools/ports.js';
import { startRocketMQ } from '../../tools/servers/rocketmq/server.js';
import { ServerUsers } from '../../tools/servers/rocketmq/server-users.js';
import { type Mutation, startMutatingProxy } from './mutating-proxy.js';
import { ADMINISTRATOR, KILLS, prefixOf, REMOTING, resourcesOf, usersOf } from './resources.js';

const ADMIN_TIMEOUT_MS = 20_000;
/** A client on a busy machine ends its transactions before it. */
const FIRST_CHECK_MS = 12_000;
const LOOK_EVERY_MS = 250;
/** Until an answer of each group has been lost. */
const LOSS_MS = 30_000;

export interface Backend {
  endpoints: string;
  /** For administration. */
  nameServer: string;
  /** It speaks no TLS. */
  isPlaintext?: boolean;
  /** How often it is to be killed. */
  kills: number;
  /** Ends it without a warning under these clients, and starts it again on its store. */
  killAndRevive: (clients: readonly string[]) => Promise<void>;
  stop: () => Promise<void>;
}

export async function startRealBackend({
  clients,
  hasUsers = false,
  log,
  signal,
}: {
  clients: readonly string[];
  /** Whether it asks for credentials, in plaintext as well. */
  hasUsers?: boolean;
  log: (line: string) => void;
  signal?: AbortSignal;
}): Promise<Backend> {
  const security = hasUsers ? { administrator: ADMINISTRATOR } : undefined;
  const server = await startRocketMQ({ log, signal, security, settings: { transactionTimeOut: FIRST_CHECK_MS } });
  try {
    await createResources(server.nameServer, clients, hasUsers);
    if (hasUsers) await createUsers(server.nameServer, clients);
  } catch (error) {
    await server.stop();
    throw error;
  }
  const killAndRevive = async () => {
    await server.killBroker();
    await server.reviveBroker();
  };
  const { endpoints, nameServer } = server;
  return { endpoints, nameServer, kills: 2, killAndRevive, stop: () => server.stop() };
}

async function createUsers(nameServer: string, clients: readonly string[]): Promise<void> {
  const users = new ServerUsers({ nameServer, credentials: ADMINISTRATOR, hasPlainAcl: false });
  try {
    for (const user of clients.flatMap(usersOf)) await users.declare(user);
  } finally {
    await users.close();
  }
}

async function createResources(nameServer: string, clients: readonly string[], hasUsers: boolean): Promise<void> {
  const { RocketMQAdmin } = await import('nestjs-rocketmq/admin');
  const credentials = hasUsers ? { credentials: ADMINISTRATOR } : {};
  const admin = new RocketMQAdmin({ nameServer, timeoutMs: ADMIN_TIMEOUT_MS, ...credentials });
  try {
    for (const { topics, groups } of clients.map(resourcesOf)) {
      for (const { name: topic, ...rest } of topics) await admin.createTopic({ topic, ...rest });
      for (const { name: consumerGroup, ...rest } of groups) await admin.createGroup({ consumerGroup, ...rest });
    }
  } finally {
    await admin.close();
  }
}

/**
 * On a folder of its own.
 * @param options with a mutation, clients see the broker through a proxy that spoils its answers
 */
export async function startEmbeddedBackend({
  clients,
  mutation,
  hasUsers = false,
}: {
  clients: readonly string[];
  mutation?: Mutation;
  /** Whether it asks for credentials. */
  hasUsers?: boolean;
}): Promise<Backend> {
  const proxy = mutation === undefined ? undefined : await startMutatingProxy(mutation);
  const ports = await takePortBlock();
  const data = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-interop-data-'));
  const resources = clients.map(resourcesOf);
  const options = {
    topics: resources.flatMap(({ topics }) => topics),
    groups: resources.flatMap(({ groups }) => groups),
    ...(hasUsers && { users: [{ ...ADMINISTRATOR, isSuper: true }, ...clients.flatMap(usersOf)] }),
    transactionFirstCheckMs: FIRST_CHECK_MS,
    advertisedAddress: proxy?.address,
    port: ports.first,
    nameServerPort: ports.first + 1,
    data,
  };
  const release = async () => {
    rmSync(data, { recursive: true, force: true, maxRetries: 3 });
    await ports.release();
  };
  let broker = await startEmbedded(options).catch(async (error) => {
    await proxy?.close();
    await release();
    throw error;
  });
  const stop = async () => {
    await proxy?.close();
    await broker.stop();
    await release();
  };
  proxy?.forwardTo(broker.endpoints);
  const killAndRevive = async (served: readonly string[]) => {
    // Consumers that pull start again from their last position.
    await loseAnswers(
      broker.controlEndpoint,
      served.filter((client) => !REMOTING.includes(client)),
    );
    await broker.kill();
    broker = await startEmbedded(options);
  };
  const endpoints = proxy === undefined ? broker.endpoints : `${proxy.address.host}:${proxy.address.port}`;
  const { nameServer } = broker;
  return { endpoints, nameServer, isPlaintext: proxy !== undefined, kills: 3, killAndRevive, stop };
}

interface Addresses {
  endpoints: string;
  nameServer: string;
  controlEndpoint: string;
}

/** @throws Error with the broker's own words when it does not start */
async function startEmbedded(options: EmbeddedBrokerOptions) {
  // Without the loader of this process: the built library, as users have it.
  const broker = fork(join(import.meta.dirname, 'embedded-broker.mjs'), { execArgv: [] });
  const ended = new Promise((resolve) => broker.once('exit', resolve));
  const answer: Promise<Addresses | { error: string }> = new Promise((resolve) => {
    broker.once('message', (message) => resolve(message as Addresses | { error: string }));
    broker.once('exit', (code) => resolve({ error: `the embedded broker ended with ${code}` }));
  });
  broker.send(options);
  const answered = await answer;
  const stop = async () => {
    if (broker.connected) broker.disconnect();
    await ended;
  };
  const kill = async () => {
    broker.kill('SIGKILL');
    await ended;
  };
  if (!('error' in answered)) return { ...answered, stop, kill };
  await stop();
  throw new Error(answered.error);
}

/**
 * Answers of receives get lost from now on; resolves when each group of the kills has messages that its consumers never saw. To hit
 * that moment by a kill alone would be luck.
 */
async function loseAnswers(controlEndpoint: string, clients: readonly string[]): Promise<void> {
  const { ControlClient } = await import('nestjs-rocketmq/broker');
  const control = new ControlClient({ endpoint: controlEndpoint });
  await control.addFault({ rpc: 'receiveMessage', action: { kind: 'dropResponse' }, times: 1_000_000 });
  for (const client of clients) {
    for (const purpose of [KILLS, `${KILLS}-order`]) await untilHeld(control, `${prefixOf(client)}${purpose}`);
  }
}

/**
 * A message that two looks find with one consumer is not just on its way through: these consumers need no time for one.
 */
async function untilHeld(control: ControlClient, group: string): Promise<void> {
  let before = new Set<string>();
  for (const endsAt = Date.now() + LOSS_MS; Date.now() < endsAt; await sleep(LOOK_EVERY_MS)) {
    const { items } = await control.inFlight({ group });
    const held = items
      .filter(({ state }) => state === 'held')
      .map(({ queueId, offset, atMs }) => `${queueId}/${offset} ${atMs}`);
    if (held.some((one) => before.has(one))) return;
    before = new Set(held);
  }
  throw new Error(`no answer to ${group} was lost in ${LOSS_MS} ms`);
}
