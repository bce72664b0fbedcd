// Starts a real Apache RocketMQ for clients on this machine (name server; broker and proxy in one process) and stops it. Getting the jars is jars.ts.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildProcess } from './child-processes.js';
import { DEFAULT_VERSION, ensureJars, hasPlainAcl, hasProxy, RealServerError } from './jars.js';
import { JavaRun } from './java-run.js';
import { accepts, isFree } from './local-ports.js';
import { isBrokerRegistered } from './name-server-probe.js';
import {
  brokerConf,
  type Certificate,
  LOGBACK,
  type Ports,
  plainAcl,
  propertiesOf,
  proxyJson,
  QUICK_START,
  type Security,
} from './server-config.js';

/** What the proxy prints when it serves. */
export const PROXY_READY_LINE = 'rocketmq-proxy startup successfully';

/** The ports Apache RocketMQ has by default. */
export const DEFAULT_PORTS: Ports = { grpc: 8081, remoting: 8080, nameServer: 9876, broker: 10911 };

export interface RunningServer {
  /** What clients connect to, as `127.0.0.1:8081`; `name-server:127.0.0.1:9876` for a release without a proxy. */
  endpoints: string;
  /** What the admin client connects to, as `127.0.0.1:9876`. */
  nameServer: string;
  version: string;
  /** Configuration, store and logs. */
  runFolder: string;
  /** Rejects with a RealServerError when a process ends by itself; never resolves. */
  failed: Promise<void>;
  /** Ends the broker with its proxy at once, as a lost machine would; its store stays. */
  killBroker: () => Promise<void>;
  /** Starts a killed one again, on its store. */
  reviveBroker: () => Promise<void>;
  /** Ends both processes and removes a run folder that was made here; idempotent. */
  stop: () => Promise<void>;
}

/** What a server is started with. */
export interface ServerOptions {
  /** 5.5.0 unless given. */
  readonly version?: string | undefined;
  readonly ports: Ports;
  /** A folder to keep: messages outlive the run. Without it a folder is made, and removed at stop. */
  readonly runDir?: string | undefined;
  /** More of the broker's configuration. */
  readonly settings?: Record<string, unknown> | undefined;
  /** Asks clients for signatures, and TLS if it says so; none unless given. */
  readonly security?: Security | undefined;
  /** What it shows to clients with TLS, made in its folder. Default: its processes create their own. */
  readonly certificate?: ((folder: string) => Certificate) | undefined;
  /** Where the jars come from. Default: Maven Central. */
  readonly repository?: string | undefined;
  readonly log?: (line: string) => void;
  /** Gives the start up. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts a server and resolves when a client can use it.
 * @throws RealServerError with the end of the server's output when it does not start
 */
export async function startServer({
  version = DEFAULT_VERSION,
  ports,
  runDir,
  settings,
  security,
  certificate,
  repository,
  log = () => {},
  signal,
}: ServerOptions): Promise<RunningServer> {
  const jars = await ensureJars(version, { log, signal, repository });
  await checkFree(ports);
  const run = new JavaRun({ version, jars, runDir, certificate: security?.certificate ?? certificate });
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= run.stop();
    return stopping;
  };
  try {
    log(`starting Apache RocketMQ ${version}`);
    writeConfiguration(run, ports, security, settings);
    await startNameServer(run, ports, signal);
    await startBroker(run, ports, security, signal);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    endpoints: hasProxy(version) ? `127.0.0.1:${ports.grpc}` : `name-server:127.0.0.1:${ports.nameServer}`,
    nameServer: `127.0.0.1:${ports.nameServer}`,
    version,
    runFolder: run.folder,
    failed: run.failed,
    killBroker: () => run.kill('broker'),
    reviveBroker: () => startBroker(run, ports, security, signal),
    stop,
  };
}

/** @throws RealServerError that names each busy port */
async function checkFree(ports: Ports): Promise<void> {
  const wanted = [
    ['gRPC', ports.grpc],
    ['remoting proxy', ports.remoting],
    ['name server', ports.nameServer],
    ['broker', ports.broker],
    ['broker, fast lane', ports.broker - 2],
    ['broker, replication', ports.broker + 1],
  ] as const;
  const busy = [];
  for (const [what, port] of wanted) if (!(await isFree(port))) busy.push(`${port} (${what})`);
  if (busy.length === 0) return;
  throw new RealServerError(
    busy.length === 1
      ? `port ${busy[0]} is in use; stop what uses it or choose another`
      : `ports ${busy.join(', ')} are in use; stop what uses them or choose others`,
  );
}

function writeConfiguration(
  { folder, version, certificate }: JavaRun,
  ports: Ports,
  security?: Security,
  settings: Record<string, unknown> = {},
): void {
  const conf = writeLogConfiguration(folder);
  writeFileSync(
    join(folder, 'broker.conf'),
    brokerConf(folder, ports, security, { hasPlainAcl: hasPlainAcl(version) }) + propertiesOf(settings),
  );
  writeFileSync(join(conf, 'rmq-proxy.json'), proxyJson(ports, certificate, security));
  if (security !== undefined && hasPlainAcl(version)) writeFileSync(join(conf, 'plain_acl.yml'), plainAcl(security));
}

/** @returns the folder of the configuration, which it makes */
export function writeLogConfiguration(folder: string): string {
  const conf = join(folder, 'home', 'conf');
  mkdirSync(conf, { recursive: true });
  // Releases up to 5.0 do not start without these.
  for (const part of ['namesrv', 'broker']) writeFileSync(join(conf, `logback_${part}.xml`), LOGBACK);
  return conf;
}

/** @param member `name` of the process, if there are several; more of its configuration */
export async function startNameServer(
  run: JavaRun,
  { nameServer }: { nameServer: number },
  signal?: AbortSignal,
  { name = 'namesrv', settings = {} }: { name?: string; settings?: Record<string, unknown> } = {},
): Promise<void> {
  const file = join(run.folder, `${name}.conf`);
  writeFileSync(file, propertiesOf({ listenPort: nameServer, bindAddress: '127.0.0.1', ...settings }));
  const mainClass = 'org.apache.rocketmq.namesrv.NamesrvStartup';
  const program = { name, memory: '-Xmx200m', mainClass, args: ['-c', file], flags: QUICK_START };
  await run.start(program, () => accepts(nameServer), 'the name server to accept connections', signal);
}

async function startBroker(run: JavaRun, ports: Ports, security?: Security, signal?: AbortSignal): Promise<void> {
  const conf = join(run.folder, 'broker.conf');
  const isTlsOnly = security?.certificate !== undefined;
  if (!hasProxy(run.version)) {
    const mainClass = 'org.apache.rocketmq.broker.BrokerStartup';
    const program = {
      name: 'broker',
      memory: '-Xms1g -Xmx1g',
      mainClass,
      args: ['-c', conf],
      isTlsOnly,
    };
    const isReady = () => isBrokerRegistered(ports.nameServer, `127.0.0.1:${ports.broker}`);
    await run.start(program, isReady, 'the broker to register with the name server', signal);
    return;
  }
  const args = ['-pm', 'local', '-bc', conf, '-n', `127.0.0.1:${ports.nameServer}`];
  const mainClass = 'org.apache.rocketmq.proxy.ProxyStartup';
  const program = { name: 'broker', memory: '-Xms1g -Xmx1g', mainClass, args, isTlsOnly };
  const isReady = async (child: ChildProcess) =>
    child.hasPrinted(PROXY_READY_LINE) &&
    (await accepts(ports.grpc)) &&
    (await isBrokerRegistered(ports.nameServer, `127.0.0.1:${ports.broker}`));
  await run.start(program, isReady, 'the broker to serve and to register with the name server', signal);
}
