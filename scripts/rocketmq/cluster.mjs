// Starts a real Apache RocketMQ as it stands in production: a name server, a broker, and proxies in processes of their own
// (cluster mode). The broker and each proxy can be killed and started again, and stopped and continued.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accepts, takePortBlock } from '../support/ports.mjs';
import { DEFAULT_VERSION, ensureJars } from './jars.mjs';
import { JavaRun } from './java-run.mjs';
import { isBrokerRegistered } from './name-server-probe.mjs';
import { PROXY_READY_LINE, startNameServer } from './server.mjs';
import { brokerConf, proxyJson } from './server-config.mjs';

/** As many fit with the name server and the broker into one block of ports. */
const PROXIES = 2;

/**
 * @typedef {object} RunningCluster
 * @property {readonly string[]} proxies the address of each, as `127.0.0.1:8081`
 * @property {string} nameServer
 * @property {(index: number) => Promise<void>} killProxy
 * @property {(index: number) => Promise<void>} reviveProxy
 * @property {() => Promise<void>} killBroker its store stays
 * @property {() => Promise<void>} reviveBroker resolves when it is registered with the name server
 * @property {(name: 'broker' | `proxy-${number}`, signal: 'SIGSTOP' | 'SIGCONT') => void} signal
 * @property {Promise<void>} failed rejects with a RealServerError when a process ends by itself; never resolves
 * @property {() => Promise<void>} stop idempotent
 */

/**
 * @param {object} [options]
 * @param {string} [options.version] 5.5.0 unless given
 * @param {number} [options.proxies] 1 or 2; 2 unless given
 * @param {Record<string, unknown>} [options.proxySettings] more of `rmq-proxy.json`
 * @param {(line: string) => void} [options.log]
 * @returns {Promise<RunningCluster>}
 * @throws RealServerError with the end of the output of what did not start
 */
export async function startRocketMQCluster({
  version = DEFAULT_VERSION,
  proxies = PROXIES,
  proxySettings = {},
  log = () => {},
} = {}) {
  const jars = await ensureJars(version, log);
  const block = await takePortBlock();
  const { first } = block;
  const nameServer = first;
  const broker = first + 3;
  const portsOf = (/** @type {number} */ index) => ({
    grpc: first + 5 + 2 * index,
    remoting: first + 6 + 2 * index,
    nameServer,
    broker,
  });
  const indexes = Array.from({ length: proxies }, (_, index) => index);
  const run = new JavaRun({ version, jars });
  /** @type {Promise<void> | undefined} */
  let stopping;
  const stop = () => {
    stopping ??= run.stop().finally(() => block.release());
    return stopping;
  };
  const startProxy = (/** @type {number} */ index) =>
    startOneProxy(run, `proxy-${index}`, portsOf(index), proxySettings);
  try {
    log(`starting Apache RocketMQ ${version} with ${proxies} ${proxies === 1 ? 'proxy' : 'proxies'}`);
    mkdirSync(join(run.folder, 'home', 'conf'), { recursive: true });
    await startNameServer(run, { nameServer });
    await startBroker(run, portsOf(0));
    await Promise.all(indexes.map(startProxy));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    proxies: indexes.map((index) => `127.0.0.1:${portsOf(index).grpc}`),
    nameServer: `127.0.0.1:${nameServer}`,
    killProxy: (index) => run.kill(`proxy-${index}`),
    reviveProxy: startProxy,
    killBroker: () => run.kill('broker'),
    reviveBroker: () => startBroker(run, portsOf(0)),
    signal: (name, signal) => run.signal(name, signal),
    failed: run.failed,
    stop,
  };
}

/** @param {JavaRun} run @param {import('./server.mjs').Ports} ports */
async function startBroker(run, ports) {
  const file = join(run.folder, 'broker.conf');
  writeFileSync(file, brokerConf(run.folder, ports));
  const mainClass = 'org.apache.rocketmq.broker.BrokerStartup';
  const program = { name: 'broker', memory: '-Xms1g -Xmx1g', mainClass, args: ['-c', file] };
  const isReady = () => isBrokerRegistered(ports.nameServer, `127.0.0.1:${ports.broker}`);
  await run.start(program, isReady, 'the broker to register with the name server');
}

/** @param {JavaRun} run @param {string} name @param {import('./server.mjs').Ports} ports @param {object} settings */
async function startOneProxy(run, name, ports, settings) {
  const file = join(run.folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(proxyJson(ports)), ...settings }, undefined, 2));
  const mainClass = 'org.apache.rocketmq.proxy.ProxyStartup';
  const args = ['-pm', 'cluster', '-pc', file, '-n', `127.0.0.1:${ports.nameServer}`];
  const isReady = async (/** @type {import('../support/child-processes.mjs').ChildProcess} */ child) =>
    child.hasPrinted(PROXY_READY_LINE) && (await accepts(ports.grpc));
  await run.start({ name, memory: '-Xms256m -Xmx512m', mainClass, args }, isReady, 'the proxy to serve');
}
