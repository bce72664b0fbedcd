// Starts a real Apache RocketMQ as it stands in production: name servers, brokers, and proxies in processes of their own
// (cluster mode). Each can be killed and started again, and brokers and proxies can be stopped and continued.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accepts, takePortBlock } from '../../ports.mjs';
import { DEFAULT_VERSION, ensureJars } from './jars.mjs';
import { JavaRun } from './java-run.mjs';
import { isBrokerRegistered } from './name-server-probe.mjs';
import { PROXY_READY_LINE, startNameServer } from './server.mjs';
import { brokerConf, propertiesOf, proxyJson } from './server-config.mjs';

/**
 * The ports in a block. A broker takes the one after its own, too, and that two before. So a second broker leaves no room for proxies, which
 * then take a block of their own, as each further broker does.
 */
const NAME_SERVER_PORTS = [0, 6];
const BROKER_PORTS = /** @type {const} */ ([3, 7]);
const PROXY_PORTS = [5, 7];
/** The process of the first broker's slave, which has the name of its master in the cluster. */
const SLAVE = 'slave';
const SLAVE_SETTINGS = { brokerName: 'broker', brokerId: 1, brokerRole: 'SLAVE' };
/** These processes are started often and live short: less time goes into compiling than they would win by it. */
const QUICK_START = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

/**
 * @typedef {object} RunningCluster
 * @property {readonly string[]} proxies the address of each, as `127.0.0.1:8081`
 * @property {readonly string[]} remoting the address of each proxy for the remoting protocol
 * @property {string} nameServer all of them, as `127.0.0.1:9876` or `127.0.0.1:9876;127.0.0.1:9877`
 * @property {(index: number) => Promise<void>} killProxy
 * @property {(index: number) => Promise<void>} reviveProxy
 * @property {(index?: number) => Promise<void>} killBroker its store stays; the first one unless given
 * @property {(index?: number) => Promise<void>} shutDownBroker in good order, which takes some seconds
 * @property {(index?: number) => Promise<void>} reviveBroker resolves when it is registered with a name server
 * @property {readonly string[]} brokers the address of each
 * @property {string | undefined} slave the address of the first broker's slave
 * @property {(index: number) => Promise<void>} killNameServer
 * @property {(index: number) => Promise<void>} reviveNameServer resolves when it accepts connections; it knows nothing yet
 * @property {(name: 'broker' | `broker-${number}` | `proxy-${number}` | 'namesrv', signal: 'SIGSTOP' | 'SIGCONT') => void} signal
 * @property {string} runFolder configuration, stores and logs
 * @property {Promise<void>} failed rejects with a RealServerError when a process ends by itself; never resolves
 * @property {() => Promise<void>} stop idempotent
 */

/**
 * @param {object} [options]
 * @param {string} [options.version] 5.5.0 unless given
 * @param {number} [options.proxies] 0 to 2; 2 unless given, 0 with several brokers
 * @param {number} [options.brokers] 1 unless given
 * @param {string} [options.brokerHeap] of each broker, as `512m`; 1g unless given
 * @param {number} [options.nameServers] 1 or 2; 1 unless given
 * @param {Record<string, unknown>} [options.proxySettings] more of `rmq-proxy.json`
 * @param {Record<string, unknown>} [options.brokerSettings] more of `broker.conf`, of the slave too
 * @param {boolean} [options.slave] whether the first broker has one; no unless given
 * @param {Record<string, unknown>} [options.nameServerSettings] more of `ns.conf`
 * @param {(line: string) => void} [options.log]
 * @returns {Promise<RunningCluster>}
 * @throws RealServerError with the end of the output of what did not start
 */
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
} = {}) {
  const jars = await ensureJars(version, log);
  const block = await takePortBlock();
  const { first } = block;
  // A broker has three ports, and those of a block are taken.
  const slaveBlock = slave ? await takePortBlock() : undefined;
  /** @type {(typeof block)[]} */
  const brokerBlocks = [];
  while (brokerBlocks.length < brokers - BROKER_PORTS.length) brokerBlocks.push(await takePortBlock());
  const proxyBlock = brokers > 1 && proxies > 0 ? await takePortBlock() : undefined;
  const slavePort = slaveBlock === undefined ? undefined : slaveBlock.first + BROKER_PORTS[0];
  const portsIn = (/** @type {readonly number[]} */ offsets, /** @type {number} */ count) =>
    offsets.slice(0, count).map((offset) => first + offset);
  const nameServerPorts = portsIn(NAME_SERVER_PORTS, nameServers);
  const brokerPorts = [
    ...portsIn(BROKER_PORTS, brokers),
    ...brokerBlocks.map((block) => block.first + BROKER_PORTS[0]),
  ];
  const proxyPorts = PROXY_PORTS.slice(0, proxies).map((offset) => (proxyBlock ?? block).first + offset);
  const [nameServer = 0] = nameServerPorts;
  const portsOf = ({ broker = brokerPorts[0] ?? 0, grpc = 0 }) => ({ grpc, remoting: grpc + 1, nameServer, broker });
  const run = new JavaRun({ version, jars });
  /** @type {Promise<void> | undefined} */
  let stopping;
  const stop = () => {
    const blocks = [block, ...brokerBlocks, slaveBlock, proxyBlock];
    stopping ??= run.stop().finally(() => Promise.all(blocks.map((taken) => taken?.release())));
    return stopping;
  };
  const nameOf = (/** @type {string} */ name, /** @type {number} */ index) => (index === 0 ? name : `${name}-${index}`);
  const startProxy = (/** @type {number} */ index) =>
    startOneProxy(run, `proxy-${index}`, portsOf({ grpc: proxyPorts[index] }), proxySettings);
  const startOneNameServer = (/** @type {number} */ index) =>
    startNameServer(run, { nameServer: nameServerPorts[index] ?? 0 }, undefined, undefined, {
      name: nameOf('namesrv', index),
      settings: nameServerSettings,
    });
  const ofBrokers = { nameServers: nameServerPorts, heap: brokerHeap };
  const startOneBroker = (index = 0) =>
    startBroker(run, nameOf('broker', index), portsOf({ broker: brokerPorts[index] }), ofBrokers, brokerSettings);
  const startAll = (/** @type {readonly number[]} */ ports, /** @type {(index: number) => Promise<void>} */ start) =>
    Promise.all(ports.map((_, index) => start(index)));
  try {
    log(`starting Apache RocketMQ ${version} with ${proxies} ${proxies === 1 ? 'proxy' : 'proxies'}`);
    mkdirSync(join(run.folder, 'home', 'conf'), { recursive: true });
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
    reviveProxy: startProxy,
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

/**
 * @param {JavaRun} run @param {string} name @param {import('./server.mjs').Ports} ports
 * @param {{ nameServers: readonly number[], heap: string }} options @param {Record<string, unknown>} settings
 */
async function startBroker(run, name, ports, { nameServers, heap }, settings) {
  const file = join(run.folder, `${name}.conf`);
  const member = { name, store: `store-${name}`, nameServers };
  writeFileSync(file, brokerConf(run.folder, ports, undefined, member) + propertiesOf(settings));
  const mainClass = 'org.apache.rocketmq.broker.BrokerStartup';
  const program = { name, memory: `-Xms${heap} -Xmx${heap}`, mainClass, args: ['-c', file], flags: QUICK_START };
  const isReady = async () =>
    (await Promise.all(nameServers.map((port) => isBrokerRegistered(port, `127.0.0.1:${ports.broker}`)))).some(Boolean);
  await run.start(program, isReady, 'the broker to register with the name server');
}

/** @param {JavaRun} run @param {string} name @param {import('./server.mjs').Ports} ports @param {object} settings */
async function startOneProxy(run, name, ports, settings) {
  const file = join(run.folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(proxyJson(ports)), ...settings }, undefined, 2));
  const mainClass = 'org.apache.rocketmq.proxy.ProxyStartup';
  const args = ['-pm', 'cluster', '-pc', file, '-n', `127.0.0.1:${ports.nameServer}`];
  const isReady = async (/** @type {import('../../process/child-processes.mjs').ChildProcess} */ child) =>
    child.hasPrinted(PROXY_READY_LINE) && (await accepts(ports.grpc));
  const program = { name, memory: '-Xms256m -Xmx512m', mainClass, args, flags: QUICK_START };
  await run.start(program, isReady, 'the proxy to serve');
}
