// The two brokers that the official clients are run against, with the topics and groups of those clients.

import { fork } from 'node:child_process';
import { join } from 'node:path';
import { startRocketMQ } from '../../scripts/lib/rocketmq-server.mjs';
import { startMutatingProxy } from './mutating-proxy.mjs';
import { resourcesOf } from './resources.mjs';

const ADMIN_TIMEOUT_MS = 20_000;

/**
 * @typedef {object} Backend
 * @property {string} endpoints
 * @property {() => Promise<void>} stop
 */

/**
 * @param {{ clients: readonly string[], log: (line: string) => void, signal?: AbortSignal }} options
 * @returns {Promise<Backend>}
 */
export async function startRealBackend({ clients, log, signal }) {
  const server = await startRocketMQ({ log, signal });
  try {
    await createResources(server.nameServer, clients);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { endpoints: server.endpoints, stop: () => server.stop() };
}

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
 * @param {{ clients: readonly string[], mutation?: import('./mutating-proxy.mjs').Mutation }} options with a mutation,
 *   clients see the broker through a proxy that spoils its answers
 * @returns {Promise<Backend>}
 */
export async function startEmbeddedBackend({ clients, mutation }) {
  const proxy = mutation === undefined ? undefined : await startMutatingProxy(mutation);
  const broker = fork(join(import.meta.dirname, 'embedded-broker.mjs'));
  const ended = new Promise((resolve) => broker.once('exit', resolve));
  const answer = new Promise((resolve) => {
    broker.once('message', resolve);
    broker.once('exit', (code) => resolve({ error: `the embedded broker ended with ${code}` }));
  });
  const resources = clients.map(resourcesOf);
  broker.send({
    topics: resources.flatMap(({ topics }) => topics),
    groups: resources.flatMap(({ groups }) => groups),
    advertisedAddress: proxy?.address,
  });
  const { endpoints, error } = await answer;
  const stop = async () => {
    await proxy?.close();
    if (broker.connected) broker.disconnect();
    await ended;
  };
  if (error !== undefined) {
    await stop();
    throw new Error(error);
  }
  proxy?.forwardTo(endpoints);
  return { endpoints: proxy === undefined ? endpoints : `${proxy.address.host}:${proxy.address.port}`, stop };
}
