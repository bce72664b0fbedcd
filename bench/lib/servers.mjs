// The servers of a run: a real Apache RocketMQ and an embedded broker, each in processes of its own; topics, groups, backlogs.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { startRocketMQ } from '../../scripts/rocketmq/server.mjs';
import { startEmbeddedBroker } from '../../scripts/support/embedded-broker-process.mjs';
import { fill } from '../workloads/floors/fill.mjs';
import { storeArguments } from './embedded-arguments.mjs';
import { processesNaming, usageOf } from './process-usage.mjs';

const QUEUES = 8;

/**
 * `real`: Apache RocketMQ; the others: an embedded broker that keeps its messages there.
 * @typedef {'real' | 'memory' | 'async' | 'sync'} ServerKind
 *
 * @typedef {object} Server
 * @property {string} endpoints
 * @property {string} [nameServer]
 * @property {readonly number[]} pids
 * @property {() => import('./process-usage.mjs').Usage} usage
 * @property {(topic: string) => Promise<void>} createTopic
 * @property {(consumerGroup: string) => Promise<void>} createGroup
 * @property {(backlog: { topic: string, bodyBytes: number, count: number }) => Promise<void>} fill
 * @property {() => Promise<void>} release
 *
 * @typedef {object} ServerSource
 * @property {string} name
 * @property {() => Promise<Server>} take for one run
 * @property {() => Promise<void>} stop
 */

/**
 * A real server serves all runs. An embedded broker is started for each: it is quick to start, and what lay in it from a run before
 * would be counted.
 * @param {ServerKind} kind @param {(line: string) => void} log @param {AbortSignal} signal @returns {Promise<ServerSource>}
 */
export async function openServer(kind, log, signal) {
  if (kind === 'real') return openReal(log, signal);
  return { name: `the embedded broker (${kind})`, take: () => startEmbedded(kind), stop: async () => {} };
}

/** @param {(line: string) => void} log @param {AbortSignal} signal @returns {Promise<ServerSource>} */
async function openReal(log, signal) {
  const { endpoints, nameServer, version, runFolder, stop } = await startRocketMQ({ log, signal });
  const admin = new RocketMQAdmin({ nameServer, timeoutMs: 10_000 });
  const pids = processesNaming(runFolder);
  const server = {
    endpoints,
    nameServer,
    pids,
    usage: () => usageOf(pids),
    createTopic: (/** @type {string} */ topic) => admin.createTopic({ topic, type: 'normal', queues: QUEUES }),
    createGroup: (/** @type {string} */ consumerGroup) => admin.createGroup({ consumerGroup }),
    fill: (/** @type {{ topic: string, bodyBytes: number, count: number }} */ backlog) => fill(endpoints, backlog),
    async release() {},
  };
  return {
    name: `Apache RocketMQ ${version}`,
    take: async () => server,
    async stop() {
      await admin.close();
      await stop();
    },
  };
}

/** Topics and groups are created at first use, of 8 queues. @param {ServerKind} kind @returns {Promise<Server>} */
async function startEmbedded(kind) {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-bench-data-'));
  const { pid, endpoints, kill } = await startEmbeddedBroker(['--port', '0', ...storeArguments(kind, folder)]);
  return {
    endpoints,
    pids: [pid],
    usage: () => usageOf([pid]),
    async createTopic() {},
    async createGroup() {},
    fill: (backlog) => fill(endpoints, backlog),
    async release() {
      await kill();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
