// Starts a real Apache RocketMQ as it stands in production: name servers, brokers, and proxies in processes of their own
// (cluster mode). Each can be killed and started again, and brokers and proxies can be stopped and continued.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildProcess } from '../../../libs/rocketmq/src/cli/server/child-processes.js';
import { DEFAULT_VERSION, ensureJars } from '../../../libs/rocketmq/src/cli/server/jars.js';
import { JavaRun } from '../../../libs/rocketmq/src/cli/server/java-run.js';
import {
  PROXY_READY_LINE,
  startNameServer,
  writeLogConfiguration,
} from '../../../libs/rocketmq/src/cli/server/local-server.js';
import { isBrokerRegistered } from '../../../libs/rocketmq/src/cli/server/name-server-probe.js';
import {
  brokerConf,
  type Ports,
  propertiesOf,
  proxyJson,
  QUICK_START,
} from '../../../libs/rocketmq/src/cli/server/server-config.js';
import { accepts, takePortBlock } from '../../ports.js';
import { makeServerCertificate } from './server-certificate.js';

/**
 * The ports in a block. A broker takes the one after its own, too, and that two before. So a second broker leaves no room for proxies, which
 * then take a block of their own, as each further broker does.
 */
const NAME_SERVER_PORTS = [0, 6];
const BROKER_PORTS = [3, 7] as const;
const PROXY_PORTS = [5, 7];
/** The process of the first broker's slave, which has the name of its master in the cluster. */
const SLAVE = 'slave';
const SLAVE_SETTINGS = { brokerName: 'broker', brokerId: 1, brokerRole: 'SLAVE' };

export interface RunningCluster {
  /** The address of each, as `127.0.0.1:8081`. */
  proxies: readonly string[];
  /** The address of each proxy for the remoting protocol. */
  remoting: readonly string[];
  /** All of them, as `127.0.0.1:9876` or `127.0.0.1:9876;127.0.0.1:9877`. */
  nameServer: string;
  killProxy: (index: number) => Promise<void>;
  reviveProxy: (index: number) => Promise<void>;
  /** Its store stays; the first one unless given. */
  killBroker: (index?: number) => Promise<void>;
  /** In good order, which takes some seconds. */
  shutDownBroker: (index?: number) => Promise<void>;
  /** Resolves when it is registered with a name server. */
  reviveBroker: (index?: number) => Promise<void>;
  /** The address of each. */
  brokers: readonly string[];
  /** The address of the first broker's slave. */
  slave: string | undefined;
  killNameServer: (index: number) => Promise<void>;
  /** Resolves when it accepts connections; it knows nothing yet. */
  reviveNameServer: (index: number) => Promise<void>;
  signal: (name: 'broker' | `broker-${number}` | `proxy-${number}` | 'namesrv', signal: 'SIGSTOP' | 'SIGCONT') => void;
  /** Configuration, stores and logs. */
  runFolder: string;
  /** Rejects with a RealServerError when a process ends by itself; never resolves. */
  failed: Promise<void>;
  /** Idempotent. */
  stop: () => Promise<void>;
}

const MAX_STARTS = 10;
const BETWEEN_STARTS_MS = 1_000;

/** @throws RealServerError with the end of the output of what did not start */
export async function startRocketMQCluster({
  version = DEFAULT_VERSION,
  brokers = 1,
  brokerHeap = '1g',
  nameServers = 1,
  proxies = brokers === 1 ? PROXY_PORTS.length : 0,
  proxySettings = {},
  brokerSettings = {},
  slave = false,
  nameServerSettings = {},
  log = () => {},
}: {
  /** 5.5.0 unless given. */
  version?: string;
  /** 0 to 2; 2 unless given, 0 with several brokers. */
  proxies?: number;
  /** 1 unless given. */
  brokers?: number;
  /** Of each broker, as `512m`; 1g unless given. */
  brokerHeap?: string;
  /** 1 or 2; 1 unless given. */
  nameServers?: number;
  /** More of `rmq-proxy.json`. */
  proxySettings?: Record<string, unknown>;
  /** More of `broker.conf`, of the slave too. */
  brokerSettings?: Record<string, unknown>;
  /** Whether the first broker has one; no unless given. */
  slave?: boolean;
  /** More of `ns.conf`. */
  nameServerSettings?: Record<string, unknown>;
  log?: (line: string) => void;
} = {}): Promise<RunningCluster> {
  const jars = await ensureJars(version, { log });
  const block = await takePortBlock();
  const { first } = block;
  // A broker has three ports, and those of a block are taken.
  const slaveBlock = slave ? await takePortBlock() : undefined;
  const brokerBlocks: (typeof block)[] = [];
  while (brokerBlocks.length < brokers - BROKER_PORTS.length) brokerBlocks.push(await takePortBlock());
  const proxyBlock = brokers > 1 && proxies > 0 ? await takePortBlock() : undefined;
  const slavePort = slaveBlock === undefined ? undefined : slaveBlock.first + BROKER_PORTS[0];
  const portsIn = (offsets: readonly number[], count: number) =>
    offsets.slice(0, count).map((offset) => first + offset);
  const nameServerPorts = portsIn(NAME_SERVER_PORTS, nameServers);
  const brokerPorts = [
    ...portsIn(BROKER_PORTS, brokers),
    ...brokerBlocks.map((block) => block.first + BROKER_PORTS[0]),
  ];
  const proxyPorts = PROXY_PORTS.slice(0, proxies).map((offset) => (proxyBlock ?? block).first + offset);
  const [nameServer = 0] = nameServerPorts;
  const portsOf = ({ broker = brokerPorts[0] ?? 0, grpc = 0 }) => ({ grpc, remoting: grpc + 1, nameServer, broker });
  const run = new JavaRun({ version, jars, certificate: makeServerCertificate });
  let stopping: Promise<void> | undefined;
  const stop = () => {
    const blocks = [block, ...brokerBlocks, slaveBlock, proxyBlock];
    stopping ??= run.stop().finally(() => Promise.all(blocks.map((taken) => taken?.release())));
    return stopping;
  };
  const nameOf = (name: string, index: number) => (index === 0 ? name : `${name}-${index}`);
  const startProxy = (index: number) =>
    startOneProxy(run, `proxy-${index}`, portsOf({ grpc: proxyPorts[index] }), proxySettings);
  const startOneNameServer = (index: number) =>
    startNameServer(run, { nameServer: nameServerPorts[index] ?? 0 }, undefined, {
      name: nameOf('namesrv', index),
      settings: nameServerSettings,
    });
  const ofBrokers = { nameServers: nameServerPorts, heap: brokerHeap };
  const startOneBroker = (index = 0) =>
    startBroker(run, nameOf('broker', index), portsOf({ broker: brokerPorts[index] }), ofBrokers, brokerSettings);
  const startAll = (ports: readonly number[], start: (index: number) => Promise<void>) =>
    Promise.all(ports.map((_, index) => start(index)));
  try {
    log(`starting Apache RocketMQ ${version} with ${proxies} ${proxies === 1 ? 'proxy' : 'proxies'}`);
    writeLogConfiguration(run.folder);
    await startAll(nameServerPorts, startOneNameServer);
    await startAll(brokerPorts, startOneBroker);
    if (slavePort !== undefined) {
      const settings = { ...brokerSettings, ...SLAVE_SETTINGS };
      await startBroker(run, SLAVE, portsOf({ broker: slavePort }), ofBrokers, settings);
    }
    await startAll(proxyPorts, startProxy);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    proxies: proxyPorts.map((port) => `127.0.0.1:${port}`),
    remoting: proxyPorts.map((port) => `127.0.0.1:${portsOf({ grpc: port }).remoting}`),
    nameServer: nameServerPorts.map((port) => `127.0.0.1:${port}`).join(';'),
    brokers: brokerPorts.map((port) => `127.0.0.1:${port}`),
    slave: slavePort === undefined ? undefined : `127.0.0.1:${slavePort}`,
    killProxy: (index) => run.kill(`proxy-${index}`),
    reviveProxy: (index) => untilStarted(() => startProxy(index)),
    killBroker: (index = 0) => run.kill(nameOf('broker', index)),
    shutDownBroker: (index = 0) => run.shutDown(nameOf('broker', index)),
    reviveBroker: startOneBroker,
    killNameServer: (index) => run.kill(nameOf('namesrv', index)),
    reviveNameServer: startOneNameServer,
    signal: (name, signal) => run.signal(name, signal),
    runFolder: run.folder,
    failed: run.failed,
    stop,
  };
}

/** As a supervisor would: a proxy ends at its start when no broker creates its topic in time, as one that is stopped. */
async function untilStarted(start: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === MAX_STARTS) throw error;
      await sleep(BETWEEN_STARTS_MS);
    }
  }
}

async function startBroker(
  run: JavaRun,
  name: string,
  ports: Ports,
  { nameServers, heap }: { nameServers: readonly number[]; heap: string },
  settings: Record<string, unknown>,
): Promise<void> {
  const file = join(run.folder, `${name}.conf`);
  const member = { name, store: `store-${name}`, nameServers };
  writeFileSync(file, brokerConf(run.folder, ports, undefined, member) + propertiesOf(settings));
  const mainClass = 'org.apache.rocketmq.broker.BrokerStartup';
  const program = { name, memory: `-Xms${heap} -Xmx${heap}`, mainClass, args: ['-c', file], flags: QUICK_START };
  const isReady = async () =>
    (await Promise.all(nameServers.map((port) => isBrokerRegistered(port, `127.0.0.1:${ports.broker}`)))).some(Boolean);
  await run.start(program, isReady, 'the broker to register with the name server');
}

async function startOneProxy(run: JavaRun, name: string, ports: Ports, settings: object): Promise<void> {
  const file = join(run.folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(proxyJson(ports, run.certificate)), ...settings }, undefined, 2));
  const mainClass = 'org.apache.rocketmq.proxy.ProxyStartup';
  const args = ['-pm', 'cluster', '-pc', file, '-n', `127.0.0.1:${ports.nameServer}`];
  const isReady = async (child: ChildProcess) => child.hasPrinted(PROXY_READY_LINE) && (await accepts(ports.grpc));
  const program = { name, memory: '-Xms256m -Xmx512m', mainClass, args, flags: QUICK_START };
  await run.start(program, isReady, 'the proxy to serve');
}
