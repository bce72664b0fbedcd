// Starts a real Apache RocketMQ (name server; broker and proxy in one process) and stops it. For tests, benchmarks and
// `npm run rocketmq`. Getting the jars is rocketmq-jars.mjs.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChildProcess, claimRunFolder, createRunFolder, noteRun, releaseRunFolder } from './child-processes.mjs';
import { isBrokerRegistered } from './name-server-probe.mjs';
import { accepts, isFree, takePortBlock } from './ports.mjs';
import { brokerConf, JVM_FLAGS, proxyJson, tlsFlags } from './rocketmq-config.mjs';
import { DEFAULT_VERSION, ensureJars, RealServerError } from './rocketmq-jars.mjs';

const START_MS = 90_000;
const POLL_MS = 100;
const KEPT_STORE_GRACE_MS = 30_000;
const TAIL_LINES = 25;
/** What the proxy prints when it serves. */
const READY_LINE = 'rocketmq-proxy startup successfully';

/**
 * The ports of one server. The broker takes `broker - 2` and `broker + 1` as well.
 * @typedef {{ grpc: number, remoting: number, nameServer: number, broker: number }} Ports
 */

/** The ports Apache RocketMQ has by default. @type {Ports} */
export const DEFAULT_PORTS = { grpc: 8081, remoting: 8080, nameServer: 9876, broker: 10911 };

/**
 * @typedef {object} RunningServer
 * @property {string} endpoints what clients connect to, as `127.0.0.1:8081`
 * @property {string} nameServer what the admin client connects to, as `127.0.0.1:9876`
 * @property {string} version
 * @property {string} runFolder configuration, store and logs
 * @property {Promise<void>} failed rejects with a RealServerError when a process ends before `stop()`; never resolves
 * @property {() => Promise<void>} stop ends both processes and removes a run folder that was made here; idempotent
 */

/**
 * Starts a server and resolves when a client can use it.
 * @param {object} [options]
 * @param {string} [options.version] 5.5.0 unless given
 * @param {'free' | Ports} [options.ports] `free` (the default) takes ports of the run's own from 20000 to 30000
 * @param {string} [options.runDir] a folder to keep: messages outlive the run. Without it a folder is made, and removed at stop
 * @param {import('./rocketmq-config.mjs').Security} [options.security] asks clients for signatures and TLS; none unless given
 * @param {(line: string) => void} [options.log]
 * @param {AbortSignal} [options.signal] gives the start up
 * @returns {Promise<RunningServer>}
 * @throws RealServerError with the end of the server's output when it does not start
 */
export async function startRocketMQ({
  version = DEFAULT_VERSION,
  ports = 'free',
  runDir,
  security,
  log = () => {},
  signal,
} = {}) {
  const jars = await ensureJars(version, log, signal);
  const block = ports === 'free' ? await takePortBlock() : undefined;
  const taken = ports === 'free' ? portsIn(block.first) : ports;
  if (ports !== 'free') await checkFree(taken);
  const runFolder = runDir === undefined ? createRunFolder(runRoot()) : keptFolder(runDir);
  const run = { version, jars, ports: taken, runFolder, security, children: /** @type {ChildProcess[]} */ ([]) };
  let stopping;
  const stop = () => {
    stopping ??= stopRun(run, runDir === undefined).finally(() => block?.release());
    return stopping;
  };
  try {
    await bringUp(run, log, signal);
  } catch (error) {
    await stop();
    throw error;
  }
  const failed = Promise.race(run.children.map((child) => child.ended.then(() => child))).then((child) => {
    if (stopping === undefined) throw startFailure(run, child, 'while it was in use');
    return new Promise(() => {});
  });
  failed.catch(() => {});
  return {
    endpoints: `127.0.0.1:${taken.grpc}`,
    nameServer: `127.0.0.1:${taken.nameServer}`,
    version,
    runFolder,
    failed,
    stop,
  };
}

function runRoot() {
  return join(tmpdir(), `nestjs-rocketmq-${userInfo().uid}`);
}

/** @param {string} runDir */
function keptFolder(runDir) {
  const folder = resolve(runDir);
  try {
    claimRunFolder(folder);
  } catch (cause) {
    throw new RealServerError(cause.message, { cause });
  }
  return folder;
}

/** @param {number} first @returns {Ports} */
function portsIn(first) {
  return { grpc: first, remoting: first + 1, nameServer: first + 2, broker: first + 6 };
}

/** @param {Ports} ports @throws RealServerError that names each busy port */
async function checkFree(ports) {
  const wanted = [
    ['gRPC', 'grpc', ports.grpc],
    ['remoting proxy', 'remoting', ports.remoting],
    ['name server', 'nameServer', ports.nameServer],
    ['broker', 'broker', ports.broker],
    ['broker, fast lane', 'broker', ports.broker - 2],
    ['broker, replication', 'broker', ports.broker + 1],
  ];
  const busy = [];
  for (const [what, , port] of wanted) if (!(await isFree(port))) busy.push(`${port} (${what})`);
  if (busy.length === 0) return;
  throw new RealServerError(`these ports are in use: ${busy.join(', ')}; stop what uses them or choose others`);
}

/** @param {{ version: string, jars: string, ports: Ports, runFolder: string, security?: import('./rocketmq-config.mjs').Security, children: ChildProcess[] }} run */
async function bringUp(run, log, signal) {
  const { ports } = run;
  writeConfiguration(run);
  log(`starting Apache RocketMQ ${run.version}`);
  const nameServer = spawnJava(run, 'namesrv', '-Xmx200m', 'org.apache.rocketmq.namesrv.NamesrvStartup', [
    '-c',
    join(run.runFolder, 'ns.conf'),
  ]);
  await until(run, () => accepts(ports.nameServer), 'the name server to accept connections', nameServer, signal);
  const args = ['-pm', 'local', '-bc', join(run.runFolder, 'broker.conf'), '-n', `127.0.0.1:${ports.nameServer}`];
  const mainClass = 'org.apache.rocketmq.proxy.ProxyStartup';
  const broker = spawnJava(run, 'broker', '-Xms1g -Xmx1g', mainClass, args, tlsFlags(run.security));
  const ready = async () =>
    broker.hasPrinted(READY_LINE) &&
    (await accepts(ports.grpc)) &&
    (await isBrokerRegistered(ports.nameServer, `127.0.0.1:${ports.broker}`));
  await until(run, ready, 'the broker to serve and to register with the name server', broker, signal);
}

function writeConfiguration({ runFolder, ports, security }) {
  mkdirSync(join(runFolder, 'home', 'conf'), { recursive: true });
  writeFileSync(join(runFolder, 'ns.conf'), `listenPort=${ports.nameServer}\n`);
  writeFileSync(join(runFolder, 'broker.conf'), brokerConf(runFolder, ports, security));
  writeFileSync(join(runFolder, 'home', 'conf', 'rmq-proxy.json'), proxyJson(ports, security));
}

function spawnJava(run, name, memory, mainClass, args, moreFlags = []) {
  const { runFolder } = run;
  const flags = [...memory.split(' '), ...JVM_FLAGS, ...moreFlags, `-Duser.home=${runFolder}`, '-cp', join(run.jars, '*')];
  const child = new ChildProcess(name, 'java', [...flags, mainClass, ...args], {
    logFile: join(runFolder, `${name}.log`),
    cwd: runFolder,
    env: { ...process.env, ROCKETMQ_HOME: join(runFolder, 'home') },
  });
  run.children.push(child);
  noteRun(
    runFolder,
    run.children.flatMap((one) => one.pids),
  );
  return child;
}

async function until(run, condition, what, child, signal) {
  const endsAt = Date.now() + START_MS;
  while (!(await condition())) {
    if (child.end !== undefined) throw startFailure(run, child, 'at start');
    if (Date.now() > endsAt) throw startFailure(run, child, `: ${START_MS / 1000} s passed, waiting for ${what}`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

function startFailure({ version }, child, when) {
  const how = child.end ?? 'is not ready';
  return new RealServerError(
    `Apache RocketMQ ${version}: the process "${child.name}" ${how} ${when}. The end of its output:\n${child.tail(TAIL_LINES)}`,
  );
}

/** A store that is kept is closed in good order, which takes some 15 s; one that is thrown away is not. */
async function stopRun({ children, runFolder }, removeFolder) {
  const graceMs = removeFolder ? 0 : KEPT_STORE_GRACE_MS;
  // The broker first: it says goodbye to the name server.
  for (const child of [...children].reverse()) await child.stop({ graceMs });
  releaseRunFolder(runFolder);
  if (removeFolder) rmSync(runFolder, { recursive: true, force: true, maxRetries: 3 });
}
