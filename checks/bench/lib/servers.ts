// The servers of a run: a real Apache RocketMQ and an embedded broker, each in processes of its own; topics, groups, backlogs.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { Connection, Producer } from 'nestjs-rocketmq/client';
import { hasProxy } from '../../../libs/rocketmq/src/cli/server/jars.js';
import { startEmbeddedBroker } from '../../../tools/servers/embedded-broker-process.mjs';
import { Postgres } from '../../../tools/servers/postgres-server.js';
import { startRocketMQ } from '../../../tools/servers/rocketmq/server.js';
import { fill } from '../workloads/floors/fill.mjs';
import { storeArguments } from './embedded-arguments.mjs';
import { processesNaming, type Usage, usageOf } from './process-usage.mjs';

const QUEUES = 8;
/** The broker registers every 30 s. */
const SETTLE_MS = 60_000;
const LOOK_EVERY_MS = 300;
const FILL_IN_FLIGHT = 512;

/** `real`: Apache RocketMQ; `postgresql`: a database; the others: an embedded broker that keeps its messages there, or in memory and serves remoting clients as well. */
export type ServerKind = 'real' | 'memory' | 'remoting' | 'async' | 'sync' | 'postgresql';

export interface Server {
  endpoints: string;
  nameServer?: string | undefined;
  pids: readonly number[];
  usage: () => Usage;
  createTopic: (topic: string) => Promise<void>;
  createGroup: (consumerGroup: string) => Promise<void>;
  fill: (backlog: Backlog) => Promise<void>;
  release: () => Promise<void>;
}

interface Backlog {
  topic: string;
  bodyBytes: number;
  count: number;
}

export interface ServerSource {
  name: string;
  /** For one run. */
  take: () => Promise<Server>;
  /** Takes the CPU from one that is not measured; it keeps what it has. */
  pause?: () => void;
  resume?: () => void;
  stop: () => Promise<void>;
}

/**
 * @param version of a real one
 *
 * A real server serves all runs. An embedded broker is started for each: it is quick to start, and what lay in it from a run before
 * would be counted.
 */
export async function openServer(
  kind: ServerKind,
  version: string,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<ServerSource> {
  if (kind === 'real') return openReal(version, log, signal);
  if (kind === 'postgresql') return openPostgres();
  return { name: `the embedded broker (${kind})`, take: () => startEmbedded(kind), stop: async () => {} };
}

async function openReal(version: string, log: (line: string) => void, signal: AbortSignal): Promise<ServerSource> {
  const { endpoints, nameServer, runFolder, stop } = await startRocketMQ({ version, log, signal });
  const admin = new RocketMQAdmin({ nameServer, timeoutMs: 10_000 });
  const pids = processesNaming(runFolder);
  const server = {
    endpoints,
    nameServer,
    pids,
    usage: () => usageOf(pids),
    createTopic: (topic: string) => admin.createTopic({ topic, type: 'normal', queues: QUEUES }),
    createGroup: (consumerGroup: string) => admin.createGroup({ consumerGroup }),
    fill: (backlog: Backlog) => (hasProxy(version) ? fill(endpoints, backlog) : fillByNameServer(endpoints, backlog)),
    async release() {},
  };
  const signalAll = (name: 'SIGSTOP' | 'SIGCONT') => {
    for (const pid of pids) {
      try {
        process.kill(pid, name);
      } catch {
        // It has ended: the next run on it says so.
      }
    }
  };
  let wasPaused = false;
  return {
    name: `Apache RocketMQ ${version}`,
    async take() {
      if (wasPaused) await settled(admin, signal);
      wasPaused = false;
      return server;
    },
    pause() {
      wasPaused = true;
      signalAll('SIGSTOP');
    },
    resume: () => signalAll('SIGCONT'),
    async stop() {
      await admin.close();
      await stop();
    },
  };
}

/** With durable commits. Each run has a database of its own. */
async function openPostgres(): Promise<ServerSource> {
  const server = await Postgres.start(['fsync=on']);
  const pids = processesNaming(server.address.host).filter((pid) => pid !== process.pid);
  let runs = 0;
  return {
    name: 'PostgreSQL',
    take: async () => ({
      endpoints: await server.createDatabase(`bench_${++runs}`),
      pids,
      // The program measures it, since connections are processes that come and go.
      usage: () => ({ cpuMicros: 0, residentBytes: 0 }),
      async createTopic() {},
      async createGroup() {},
      async fill() {},
      async release() {},
    }),
    stop: () => server.stop(),
  };
}

async function fillByNameServer(endpoints: string, { topic, bodyBytes, count }: Backlog): Promise<void> {
  const connection = new Connection({ endpoints });
  const producer = new Producer(connection, { topics: { [topic]: 'normal' } });
  await producer.start();
  try {
    const message = { topic, body: Buffer.alloc(bodyBytes, 'x') };
    const outcomes = await producer.sendBatch(new Array(count).fill(message), { concurrency: FILL_IN_FLIGHT });
    for (const outcome of outcomes) if (outcome.status === 'failed') throw outcome.error;
  } finally {
    await producer.close();
    await connection.close();
  }
}

/**
 * After pauses of two minutes in all, the name server drops its connections and the broker, which then registers again.
 */
async function settled(admin: RocketMQAdmin, signal: AbortSignal): Promise<void> {
  const lastTryAtMs = performance.now() + SETTLE_MS;
  for (let successes = 0; successes < 2; ) {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
    try {
      await admin.createTopic({ topic: 'bench-settled', type: 'normal', queues: QUEUES });
      successes++;
    } catch (error) {
      if (performance.now() > lastTryAtMs) throw error;
      successes = 0;
    }
  }
}

/** Topics and groups are created at first use, of 8 queues. */
async function startEmbedded(kind: ServerKind): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-rocketmq-bench-data-'));
  const { pid, endpoints, nameServerEndpoint, kill } = await startEmbeddedBroker([
    '--port',
    '0',
    ...storeArguments(kind, folder),
  ]);
  return {
    endpoints,
    nameServer: nameServerEndpoint,
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
