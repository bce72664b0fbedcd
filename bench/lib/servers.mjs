// The servers of a run: a real Apache RocketMQ and an embedded broker, each in processes of its own; topics, groups, backlogs.

import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { startEmbeddedBroker } from '../../scripts/lib/embedded-broker-process.mjs';
import { startRocketMQ } from '../../scripts/lib/rocketmq-server.mjs';
import * as wire from '../workloads/floors/http2-wire.mjs';
import { assertOk, metadataOf, PATHS, sendRequest } from '../workloads/floors/requests.mjs';

const QUEUES = 8;
/** Many messages of one topic in a request, some requests side by side: a backlog is quickly there. */
const FILL = { perRequest: 32, maxBytes: 512 * 1024, inFlight: 8 };

/** @typedef {{ endpoints: string, name: string, createTopic: Function, createGroup: Function, fill: Function, stop: Function }} Server */

/** @param {'real' | 'embedded'} kind @param {(line: string) => void} log @param {AbortSignal} signal @returns {Promise<Server>} */
export async function openServer(kind, log, signal) {
  const running = kind === 'real' ? await startReal(log, signal) : await startEmbedded(log);
  const admin = new RocketMQAdmin({ nameServer: running.nameServer, timeoutMs: 10_000 });
  return {
    endpoints: running.endpoints,
    name: running.name,
    createTopic: (/** @type {string} */ topic) => admin.createTopic({ topic, type: 'normal', queues: QUEUES }),
    createGroup: (/** @type {string} */ consumerGroup) => admin.createGroup({ consumerGroup }),
    fill: (/** @type {{ topic: string, bodyBytes: number, count: number }} */ backlog) =>
      fill(running.endpoints, backlog),
    async stop() {
      await admin.close();
      await running.stop();
    },
  };
}

async function startReal(log, signal) {
  const { endpoints, nameServer, version, stop } = await startRocketMQ({ log, signal });
  return { endpoints, nameServer, stop, name: `Apache RocketMQ ${version}` };
}

async function startEmbedded(log) {
  log('starting the embedded broker');
  const { endpoints, adminEndpoint, kill } = await startEmbeddedBroker(['--port', '0', '--admin-port', '0']);
  return { endpoints, nameServer: adminEndpoint, stop: kill, name: 'the embedded broker' };
}

/** @param {string} endpoints @param {{ topic: string, bodyBytes: number, count: number }} backlog */
async function fill(endpoints, { topic, bodyBytes, count }) {
  const failed = new AbortController();
  const calls = await wire.open(endpoints, metadataOf(`bench-fill@${process.pid}`), (error) => failed.abort(error));
  const body = Buffer.alloc(bodyBytes, 'x');
  const perRequest = Math.min(FILL.perRequest, Math.ceil(FILL.maxBytes / bodyBytes));
  let sent = 0;
  const filler = async () => {
    while (sent < count) {
      // Consumers tell messages by their ids: each needs its own.
      const request = wire.prepare(sendRequest({ topic, body, perRequest, firstId: sent }));
      sent += perRequest;
      assertOk(await answerOf(calls, request, failed.signal));
    }
  };
  try {
    await Promise.all(Array.from({ length: FILL.inFlight }, filler));
  } finally {
    calls.close();
  }
}

/** @param {AbortSignal} failed @returns {Promise<Buffer>} */
function answerOf(calls, request, failed) {
  return new Promise((resolve, reject) => {
    const fail = () => reject(failed.reason);
    if (failed.aborted) return fail();
    failed.addEventListener('abort', fail, { once: true });
    calls.unary(PATHS.send, request, (response) => {
      failed.removeEventListener('abort', fail);
      resolve(response);
    });
  });
}
