// The server of the demos: an embedded broker with a data folder, or a real Apache RocketMQ in cluster mode, with a proxy or without one,
// with the faults that its processes support.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RocketMQAdmin } from 'nestjs-rocketmq/admin';
import { createDemoResources } from '../../scripts/demo/resources.js';
import { type RunningCluster, startRocketMQCluster } from '../../tools/servers/rocketmq/cluster.js';
import type { Servers } from './app-link.js';
import type { ProcessFaultKind } from './fault-plan.js';
import { Program } from './program.js';

/** A process of the run, as faults see it. */
export interface Victim {
  readonly name: string;
  /** Its supported faults. */
  readonly faults: readonly ProcessFaultKind[];
  /** Whether a fault lasts until the process is ready again. Otherwise it lasts until the start command, because a fast start is under test. */
  readonly isSlowToStart: boolean;
  kill(): Promise<void>;
  terminate(): Promise<void>;
  pause(): void;
  continue(): void;
  /** Starts it again. */
  start(): Promise<void>;
}

export interface Server extends Servers {
  readonly victims: readonly Victim[];
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** Of a real server. */
  readonly version: string;
  /** The folder for data and logs. */
  readonly folder: string;
  /** A free port, for a server that accepts any. */
  readonly port: number;
  /** Called when a process ends unexpectedly. */
  readonly onLost: (how: string) => void;
  readonly log: (line: string) => void;
}

/** `remoting` is a real server without a proxy. */
export type Backend = 'embedded' | 'rocketmq' | 'remoting';

/** Retries are fast, and frequent enough to outlast a long fault. */
const BACKOFF = { kind: 'exponential', initialMs: 500, maxMs: 4_000, multiplier: 2 } as const;
const MAX_DELIVERY_ATTEMPTS = 64;
/** Half messages are kept longer than any fault lasts. */
const CHECKS = { transactionFirstCheckMs: 2_000, transactionCheckIntervalMs: 1_000, transactionCheckMax: 100 };

/** By default, a proxy takes 20 s to notice that a broker is available again. */
const PROXY_SETTINGS = {
  useEndpointPortFromRequest: true,
  topicConfigCacheRefreshSeconds: 1,
  topicRouteServiceCacheRefreshSeconds: 1,
  subscriptionGroupConfigCacheRefreshSeconds: 1,
};

const CLI = join(process.cwd(), 'libs/rocketmq/bin/nestjs-rocketmq.js');

export function startServer(backend: Backend, options: ServerOptions): Promise<Server> {
  return STARTS[backend](options);
}

const STARTS: Readonly<Record<Backend, (options: ServerOptions) => Promise<Server>>> = {
  embedded: startEmbedded,
  rocketmq: startReal,
  remoting: startWithoutProxy,
};

interface Resources {
  readonly topics: readonly { readonly name: string; readonly type: string }[];
  readonly groups: readonly { readonly name: string }[];
}

function demoResources(): Resources {
  return JSON.parse(readFileSync(join(process.cwd(), 'scripts/demo/resources.json'), 'utf8'));
}

async function startEmbedded({ folder, port, onLost }: ServerOptions): Promise<Server> {
  const { topics, groups } = demoResources();
  const config = join(folder, 'broker.json');
  const own = groups.map(({ name }) => ({ name, backoff: BACKOFF, maxDeliveryAttempts: MAX_DELIVERY_ATTEMPTS }));
  writeFileSync(
    config,
    JSON.stringify({ topics, groups: own, strict: true, recallEnabled: true, advertiseAsAsked: true, ...CHECKS }),
  );
  const args = ['broker', '--port', String(port), '--data', join(folder, 'broker'), '--flush', 'sync'];
  args.push('--no-name-server-port');
  const program = new Program({
    name: 'broker',
    args: [CLI, ...args, '--config', config],
    env: process.env,
    logFolder: folder,
    onLost,
  });
  try {
    await program.start();
  } catch (error) {
    await program.kill();
    throw error;
  }
  return { ports: [port], hasNameServer: false, victims: [victimOf(program)], stop: () => program.kill() };
}

/** A program of this repository supports all faults. */
export function victimOf(program: Program): Victim {
  return {
    name: program.name,
    faults: ['kill', 'stop', 'restart'],
    isSlowToStart: false,
    kill: () => program.kill(),
    terminate: () => program.terminate(),
    pause: () => program.pause(),
    continue: () => program.continue(),
    start: () => program.start(),
  };
}

/** Routes contain the port of the request. */
async function startReal(options: ServerOptions): Promise<Server> {
  const { version, log } = options;
  const cluster = await startRocketMQCluster({ version, proxies: 1, proxySettings: PROXY_SETTINGS, log });
  await prepare(cluster, options);
  const { killBroker, reviveBroker, killProxy, reviveProxy } = cluster;
  const victims = [
    javaVictim(cluster, 'broker', 'broker', { kill: () => killBroker(), start: () => reviveBroker() }),
    javaVictim(cluster, 'proxy', 'proxy-0', { kill: () => killProxy(0), start: () => reviveProxy(0) }),
  ];
  return { ports: cluster.proxies.map(portOf), hasNameServer: false, victims, stop: cluster.stop };
}

async function startWithoutProxy(options: ServerOptions): Promise<Server> {
  const { version, log } = options;
  const cluster = await startRocketMQCluster({ version, brokers: 2, log });
  await prepare(cluster, options);
  const { killBroker, reviveBroker, killNameServer, reviveNameServer } = cluster;
  const ofBroker = (index: number) => ({ kill: () => killBroker(index), start: () => reviveBroker(index) });
  const ofNameServer = { kill: () => killNameServer(0), start: () => reviveNameServer(0) };
  const victims = [
    javaVictim(cluster, 'broker', 'broker', ofBroker(0)),
    javaVictim(cluster, 'broker-1', 'broker-1', ofBroker(1)),
    javaVictim(cluster, 'name-server', 'namesrv', ofNameServer),
  ];
  const ports = [cluster.nameServer, ...cluster.brokers].map(portOf);
  return { ports, hasNameServer: true, victims, stop: cluster.stop };
}

function portOf(address: string): number {
  return Number(address.split(':')[1]);
}

/** Creates what the demos need, or stops the cluster. */
async function prepare(cluster: RunningCluster, { onLost }: ServerOptions): Promise<void> {
  cluster.failed.catch((error: Error) => onLost(error.message));
  try {
    await createResources(cluster.nameServer);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** @param process the name of the process in the cluster */
function javaVictim(
  cluster: RunningCluster,
  name: string,
  process: Parameters<RunningCluster['signal']>[0],
  { kill, start }: Pick<Victim, 'kill' | 'start'>,
): Victim {
  return {
    name,
    // Its graceful stop takes 15 seconds.
    faults: ['kill', 'stop'],
    isSlowToStart: true,
    kill,
    // Not one of its faults.
    terminate: () => Promise.reject(new Error(`${name} is never restarted here`)),
    pause: () => cluster.signal(process, 'SIGSTOP'),
    continue: () => cluster.signal(process, 'SIGCONT'),
    start,
  };
}

async function createResources(nameServer: string): Promise<void> {
  await createDemoResources(nameServer, () => {});
  const admin = new RocketMQAdmin({ nameServer });
  try {
    for (const { name: consumerGroup } of demoResources().groups) {
      const attempts = { consumerGroup, backoff: BACKOFF, maxDeliveryAttempts: MAX_DELIVERY_ATTEMPTS };
      await admin.createGroup(attempts, { ifExists: 'update' });
    }
  } finally {
    await admin.close();
  }
}
