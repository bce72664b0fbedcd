// The two brokers that the official clients are run against, with the topics and groups of those clients.

import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { takePortBlock } from '../../tools/ports.ts';
import { startRocketMQ } from '../../tools/servers/rocketmq/server.ts';
import { KILLS } from './kills.mjs';
import { startMutatingProxy } from './mutating-proxy.mjs';
import { prefixOf, resourcesOf } from './resources.mjs';

const ADMIN_TIMEOUT_MS = 20_000;
/** A client on a busy machine ends its transactions before it. */
const FIRST_CHECK_MS = 12_000;
const LOOK_EVERY_MS = 250;
/** Until an answer of each group has been lost. */
const LOSS_MS = 30_000;

/**
 * @typedef {object} Backend
 * @property {string} endpoints
 * @property {string} nameServer for administration
 * @property {boolean} [isPlaintext] it speaks no TLS
 * @property {number} kills how often it is to be killed
 * @property {(clients: readonly string[]) => Promise<void>} killAndRevive ends it without a warning under these clients, and starts it
 *   again on its store
 * @property {() => Promise<void>} stop
 */

/**
 * @param {{ clients: readonly string[], log: (line: string) => void, signal?: AbortSignal }} options
 * @returns {Promise<Backend>}
 */
export async function startRealBackend({ clients, log, signal }) {
  const server = await startRocketMQ({ log, signal, settings: { transactionTimeOut: FIRST_CHECK_MS } });
  try {
    await createResources(server.nameServer, clients);
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

/** @param {string} nameServer @param {readonly string[]} clients */
async function createResources(nameServer, clients) {
  const { RocketMQAdmin } = await import('nestjs-rocketmq/admin');
  const admin = new RocketMQAdmin({ nameServer, timeoutMs: ADMIN_TIMEOUT_MS });
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
 * @param {{ clients: readonly string[], mutation?: import('./mutating-proxy.mjs').Mutation }} options with a mutation,
 *   clients see the broker through a proxy that spoils its answers
 * @returns {Promise<Backend>}
 */
export async function startEmbeddedBackend({ clients, mutation }) {
  const proxy = mutation === undefined ? undefined : await startMutatingProxy(mutation);
  const ports = await takePortBlock();
  const data = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-interop-data-'));
  const resources = clients.map(resourcesOf);
  const options = {
    topics: resources.flatMap(({ topics }) => topics),
    groups: resources.flatMap(({ groups }) => groups),
    transactionFirstCheckMs: FIRST_CHECK_MS,
    advertisedAddress: proxy?.address,
    port: ports.first,
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
  const killAndRevive = async (/** @type {readonly string[]} */ served) => {
    await loseAnswers(broker.controlEndpoint, served);
    await broker.kill();
    broker = await startEmbedded(options);
  };
  const endpoints = proxy === undefined ? broker.endpoints : `${proxy.address.host}:${proxy.address.port}`;
  const { nameServer } = broker;
  return { endpoints, nameServer, isPlaintext: proxy !== undefined, kills: 3, killAndRevive, stop };
}

/**
 * @typedef {{ endpoints: string, nameServer: string, controlEndpoint: string }} Addresses
 * @param {import('./embedded-broker.mjs').Options} options
 * @throws Error with the broker's own words when it does not start
 */
async function startEmbedded(options) {
  // Without the loader of this process: the built library, as users have it.
  const broker = fork(join(import.meta.dirname, 'embedded-broker.mjs'), { execArgv: [] });
  const ended = new Promise((resolve) => broker.once('exit', resolve));
  /** @type {Promise<Addresses | { error: string }>} */
  const answer = new Promise((resolve) => {
    broker.once('message', (message) => resolve(/** @type {Addresses | { error: string }} */ (message)));
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
 * @param {string} controlEndpoint @param {readonly string[]} clients
 */
async function loseAnswers(controlEndpoint, clients) {
  const { ControlClient } = await import('nestjs-rocketmq/broker');
  const control = new ControlClient({ endpoint: controlEndpoint });
  await control.addFault({ rpc: 'receiveMessage', action: { kind: 'dropResponse' }, times: 1_000_000 });
  for (const client of clients) {
    for (const purpose of [KILLS, `${KILLS}-order`]) await untilHeld(control, `${prefixOf(client)}${purpose}`);
  }
}

/**
 * A message that two looks find with one consumer is not just on its way through: these consumers need no time for one.
 * @param {import('nestjs-rocketmq/broker').ControlClient} control @param {string} group
 */
async function untilHeld(control, group) {
  /** @type {Set<string>} */
  let before = new Set();
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
