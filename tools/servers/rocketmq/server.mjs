// Starts a real Apache RocketMQ (name server; broker and proxy in one process) and stops it. For tests, benchmarks and
// `npm run rocketmq`. Getting the jars is jars.mjs; several proxies are cluster.mjs.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accepts, isFree, takePortBlock } from '../../ports.mjs';
import { DEFAULT_VERSION, ensureJars, hasPlainAcl, hasProxy, RealServerError } from './jars.mjs';
import { JavaRun } from './java-run.mjs';
import { isBrokerRegistered } from './name-server-probe.mjs';
import { brokerConf, LOGBACK, plainAcl, propertiesOf, proxyJson, tlsFlags } from './server-config.mjs';

/** What the proxy prints when it serves. */
export const PROXY_READY_LINE = 'rocketmq-proxy startup successfully';

/**
 * The ports of one server. The broker takes `broker - 2` and `broker + 1` as well.
 * @typedef {{ grpc: number, remoting: number, nameServer: number, broker: number }} Ports
 */

/** The ports Apache RocketMQ has by default. @type {Ports} */
export const DEFAULT_PORTS = { grpc: 8081, remoting: 8080, nameServer: 9876, broker: 10911 };

/**
 * @typedef {object} RunningServer
 * @property {string} endpoints what clients connect to, as `127.0.0.1:8081`; `name-server:127.0.0.1:9876` for a release without a proxy
 * @property {string} nameServer what the admin client connects to, as `127.0.0.1:9876`
 * @property {string} version
 * @property {string} runFolder configuration, store and logs
 * @property {Promise<void>} failed rejects with a RealServerError when a process ends by itself; never resolves
 * @property {() => Promise<void>} killBroker ends the broker with its proxy at once, as a lost machine would; its store stays
 * @property {() => Promise<void>} reviveBroker starts a killed one again, on its store
 * @property {() => Promise<void>} stop ends both processes and removes a run folder that was made here; idempotent
 */

/**
 * Starts a server and resolves when a client can use it.
 * @param {object} [options]
 * @param {string} [options.version] 5.5.0 unless given
 * @param {'free' | Ports} [options.ports] `free` (the default) takes ports of the run's own from 20000 to 30000
 * @param {string} [options.runDir] a folder to keep: messages outlive the run. Without it a folder is made, and removed at stop
 * @param {Record<string, unknown>} [options.settings] more of the broker's configuration
 * @param {import('./server-config.mjs').Security} [options.security] asks clients for signatures and TLS; none unless given
 * @param {(line: string) => void} [options.log]
 * @param {AbortSignal} [options.signal] gives the start up
 * @returns {Promise<RunningServer>}
 * @throws RealServerError with the end of the server's output when it does not start
 */
export async function startRocketMQ({
  version = DEFAULT_VERSION,
  ports = 'free',
  runDir,
  settings,
  security,
  log = () => {},
  signal,
} = {}) {
  const jars = await ensureJars(version, log, signal);
  const { taken, release } = await takePorts(ports);
  const run = new JavaRun({ version, jars, runDir });
  /** @type {Promise<void> | undefined} */
  let stopping;
  const stop = () => {
    stopping ??= run.stop().finally(release);
    return stopping;
  };
  try {
    log(`starting Apache RocketMQ ${version}`);
    writeConfiguration(run.folder, taken, version, security, settings);
    await startNameServer(run, taken, signal, security);
    await startBroker(run, taken, security, signal);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    endpoints: hasProxy(version) ? `127.0.0.1:${taken.grpc}` : `name-server:127.0.0.1:${taken.nameServer}`,
    nameServer: `127.0.0.1:${taken.nameServer}`,
    version,
    runFolder: run.folder,
    failed: run.failed,
    killBroker: () => run.kill('broker'),
    reviveBroker: () => startBroker(run, taken, security, signal),
    stop,
  };
}

/** @param {'free' | Ports} ports @returns {Promise<{ taken: Ports, release: () => Promise<void> }>} */
async function takePorts(ports) {
  if (ports !== 'free') {
    await checkFree(ports);
    return { taken: ports, release: async () => {} };
  }
  const { first, release } = await takePortBlock();
  return { taken: { grpc: first, remoting: first + 1, nameServer: first + 2, broker: first + 6 }, release };
}

/** @param {Ports} ports @throws RealServerError that names each busy port */
async function checkFree(ports) {
  const wanted = /** @type {const} */ ([
    ['gRPC', ports.grpc],
    ['remoting proxy', ports.remoting],
    ['name server', ports.nameServer],
    ['broker', ports.broker],
    ['broker, fast lane', ports.broker - 2],
    ['broker, replication', ports.broker + 1],
  ]);
  const busy = [];
  for (const [what, port] of wanted) if (!(await isFree(port))) busy.push(`${port} (${what})`);
  if (busy.length === 0) return;
  throw new RealServerError(`these ports are in use: ${busy.join(', ')}; stop what uses them or choose others`);
}

/**
 * @param {string} folder @param {Ports} ports @param {string} version
 * @param {import('./server-config.mjs').Security} [security] @param {Record<string, unknown>} [settings]
 */
function writeConfiguration(folder, ports, version, security, settings = {}) {
  const conf = join(folder, 'home', 'conf');
  mkdirSync(conf, { recursive: true });
  writeFileSync(
    join(folder, 'broker.conf'),
    brokerConf(folder, ports, security, { hasPlainAcl: hasPlainAcl(version) }) + propertiesOf(settings),
  );
  writeFileSync(join(conf, 'rmq-proxy.json'), proxyJson(ports, security));
  if (security !== undefined && hasPlainAcl(version)) writeFileSync(join(conf, 'plain_acl.yml'), plainAcl(security));
  // Releases up to 5.0 do not start without these.
  for (const part of ['namesrv', 'broker']) writeFileSync(join(conf, `logback_${part}.xml`), LOGBACK);
}

/**
 * @param {JavaRun} run
 * @param {{ nameServer: number }} ports
 * @param {AbortSignal} [signal]
 * @param {import('./server-config.mjs').Security} [security]
 * @param {{ name?: string, settings?: Record<string, unknown> }} [member] `name` of the process, if there are several; more of its configuration
 */
export async function startNameServer(run, { nameServer }, signal, security, { name = 'namesrv', settings = {} } = {}) {
  const file = join(run.folder, `${name}.conf`);
  writeFileSync(file, propertiesOf({ listenPort: nameServer, ...settings }));
  const mainClass = 'org.apache.rocketmq.namesrv.NamesrvStartup';
  // The broker registers with it in plaintext.
  const flags = tlsFlags(security, 'permissive');
  const program = { name, memory: '-Xmx200m', mainClass, args: ['-c', file], flags };
  await run.start(program, () => accepts(nameServer), 'the name server to accept connections', signal);
}

/**
 * @param {JavaRun} run @param {Ports} ports
 * @param {import('./server-config.mjs').Security} [security] @param {AbortSignal} [signal]
 */
async function startBroker(run, ports, security, signal) {
  const conf = join(run.folder, 'broker.conf');
  if (!hasProxy(run.version)) {
    const mainClass = 'org.apache.rocketmq.broker.BrokerStartup';
    const program = {
      name: 'broker',
      memory: '-Xms1g -Xmx1g',
      mainClass,
      args: ['-c', conf],
      flags: tlsFlags(security),
    };
    const isReady = () => isBrokerRegistered(ports.nameServer, `127.0.0.1:${ports.broker}`);
    await run.start(program, isReady, 'the broker to register with the name server', signal);
    return;
  }
  const args = ['-pm', 'local', '-bc', conf, '-n', `127.0.0.1:${ports.nameServer}`];
  const mainClass = 'org.apache.rocketmq.proxy.ProxyStartup';
  const program = { name: 'broker', memory: '-Xms1g -Xmx1g', mainClass, args, flags: tlsFlags(security) };
  const isReady = async (/** @type {import('../../process/child-processes.mjs').ChildProcess} */ child) =>
    child.hasPrinted(PROXY_READY_LINE) &&
    (await accepts(ports.grpc)) &&
    (await isBrokerRegistered(ports.nameServer, `127.0.0.1:${ports.broker}`));
  await run.start(program, isReady, 'the broker to serve and to register with the name server', signal);
}
