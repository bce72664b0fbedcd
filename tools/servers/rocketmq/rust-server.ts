// Starts RocketMQ-Rust, a name server and a broker without a proxy, for the contract suite. Its executables are built once, from its crates, into the
// user's cache: that takes half an hour on two cores.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ChildProcess,
  createRunFolder,
  noteRun,
  releaseRunFolder,
} from '../../../libs/rocketmq/src/cli/server/child-processes.js';
import { cacheFolder, RealServerError } from '../../../libs/rocketmq/src/cli/server/jars.js';
import { isBrokerRegistered } from '../../../libs/rocketmq/src/cli/server/name-server-probe.js';
import { brokerConf, propertiesOf } from '../../../libs/rocketmq/src/cli/server/server-config.js';
import { accepts, takePortBlock } from '../../ports.js';
import type { RunningServer } from './server.js';

const CRATES = ['rocketmq-namesrv', 'rocketmq-broker'];
const START_MS = 30_000;
const POLL_MS = 100;
/** Settings of the Java broker that this one rejects, or has no need of. */
const NOT_KNOWN = [
  'bindAddress',
  'diskMaxUsedSpaceRatio',
  'osPageCacheBusyTimeOutMills',
  'transactionMetricFlushInterval',
  'transactionOpBatchInterval',
  'transactionOpMsgMaxSize',
  'transactionTimeOut',
  'waitTimeMillsInSendQueue',
];

/** Whether a version is one of RocketMQ-Rust: `rust-1.0.0`. */
export function isRust(version: string): boolean {
  return version.startsWith('rust-');
}

/**
 * The folder with both executables; builds them when the cache has none.
 * @param version as in `rust-1.0.0`
 * @param signal stops the build
 * @throws RealServerError without Cargo, and when the build fails
 */
export async function ensureRustServer(
  version: string,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<string> {
  const folder = join(cacheFolder(), version);
  if (existsSync(folder)) return folder;
  if (spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status !== 0)
    throw new RealServerError('RocketMQ-Rust needs Rust 1.95 or newer with Cargo: https://rustup.rs');
  mkdirSync(cacheFolder(), { recursive: true });
  const temporary = mkdtempSync(join(cacheFolder(), `build-${version}-`));
  try {
    log(`building RocketMQ-Rust once into ${folder}, which takes half an hour`);
    const env = { ...process.env, CARGO_TARGET_DIR: join(temporary, 'target'), CARGO_PROFILE_DEV_DEBUG: '0' };
    for (const crate of CRATES) {
      const args = [
        'install',
        crate,
        '--version',
        version.replace('rust-', ''),
        '--locked',
        '--debug',
        '--root',
        temporary,
      ];
      const child = spawn('cargo', args, { stdio: ['ignore', 'ignore', 'pipe'], env, signal });
      let output = '';
      child.stderr.on('data', (chunk) => {
        output = (output + chunk).slice(-2000);
      });
      const code = await new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', resolve);
      });
      if (code !== 0)
        throw new RealServerError(`Cargo could not build ${crate} (exit code ${code}):\n${output.trim()}`);
    }
    if (!existsSync(folder)) renameSync(join(temporary, 'bin'), folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return folder;
}

/**
 * Starts both processes, and resolves when a client can use them.
 * @throws RealServerError with the end of the server's output when it does not start
 */
export async function startRocketMQRust({
  version,
  log = () => {},
  signal,
}: {
  version: string;
  log?: (line: string) => void;
  signal?: AbortSignal;
}): Promise<Pick<RunningServer, 'endpoints' | 'nameServer' | 'version' | 'failed' | 'stop'>> {
  const programs = await ensureRustServer(version, log, signal);
  const { first, release } = await takePortBlock();
  const [nameServer, broker] = [first + 2, first + 6];
  const folder = createRunFolder(join(tmpdir(), `nestjs-rocketmq-${userInfo().uid}`));
  const ports = { grpc: first, remoting: first + 1, nameServer, broker };
  const known = brokerConf(folder, ports)
    .split('\n')
    .filter((line) => !NOT_KNOWN.some((name) => line.startsWith(`${name}=`)));
  const conf = join(folder, 'broker.conf');
  writeFileSync(conf, `${known.join('\n')}\n${propertiesOf({ haListenPort: broker + 1 })}`);
  const children: ChildProcess[] = [];
  const stop = async () => {
    for (const child of children.splice(0).reverse()) await child.stop({ shutdownGraceMs: 0 });
    releaseRunFolder(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    await release();
  };
  const start = async (name: string, args: readonly string[], isReady: () => Promise<boolean>) => {
    const env = { ...process.env, ROCKETMQ_HOME: folder, HOME: folder };
    const child = new ChildProcess(name, join(programs, name), args, {
      logFile: join(folder, `${name}.log`),
      cwd: folder,
      env,
    });
    children.push(child);
    noteRun(
      folder,
      children.flatMap(({ pids }) => pids),
    );
    const endsAt = Date.now() + START_MS;
    while (!(await isReady())) {
      if (child.end === undefined && Date.now() < endsAt) await sleep(POLL_MS, undefined, { signal });
      else
        throw new RealServerError(`${name} ${child.end ?? 'is not ready'}. The end of its output:\n${child.tail(25)}`);
    }
    return child;
  };
  try {
    log(`starting RocketMQ-Rust ${version}`);
    const listen = ['--listenPort', String(nameServer), '--bindAddress', '127.0.0.1', '--rocketmqHome', folder];
    await start('rocketmq-namesrv-rust', [...listen, '--kvConfigPath', join(folder, 'kv.json')], () =>
      accepts(nameServer),
    );
    const report = join(folder, 'conversion.json');
    const args = ['-c', conf, '--config-format', 'properties', '--conversion-report', report];
    await start('rocketmq-broker-rust', args, () => isBrokerRegistered(nameServer, `127.0.0.1:${broker}`));
  } catch (error) {
    await stop();
    throw error;
  }
  const failed = Promise.race(
    children.map(async (child) => {
      await child.ended;
      if (children.includes(child)) throw new RealServerError(`${child.name} ${child.end}:\n${child.tail(25)}`);
      await new Promise(() => {});
    }),
  );
  failed.catch(() => {});
  const address = `127.0.0.1:${nameServer}`;
  return { endpoints: `name-server:${address}`, nameServer: address, version, failed, stop };
}
