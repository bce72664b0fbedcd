// Runs the suites that need a real Apache RocketMQ, part by part: on an open server, many at once or, if they play processes in time,
// one after the other; on one with access control and TLS; and those that start servers of their own in order to kill them. Servers take
// ports of their own.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { hasProxy } from '../../libs/rocketmq/src/cli/server/jars.js';
import { isRust, startRocketMQRust } from '../../tools/servers/rocketmq/rust-server.js';
import { type RunningServer, startRocketMQ } from '../../tools/servers/rocketmq/server.js';
import { makeServerCertificate } from '../../tools/servers/rocketmq/server-certificate.js';
import type { Counts, Tools } from '../check.js';
import { OptionError } from '../options.js';
import { PART_FOLDERS, PARTS, type Part } from './parts.js';

interface Run extends Tools {
  readonly version: string;
  readonly transport: string;
}

// The suites wait for a server more than they compute.
const AT_ONCE = '--maxWorkers=6';
const ONE_BY_ONE = '--runInBand';
/** What runs a part: jest's exit code. */
const STARTS: Readonly<Record<Part, (run: Run, args: readonly string[]) => Promise<number>>> = {
  open: (run, args) => runOnOpenServer(run, [AT_ONCE, ...args]),
  alone: (run, args) => runOnOpenServer(run, [ONE_BY_ONE, ...args]),
  secured: runOnSecuredServer,
  restarts: runWithoutServer,
};
const ADMINISTRATOR = { accessKey: 'administrator', secretKey: 'secret of the administrator' };
const root = join(import.meta.dirname, '../..');

interface SuitesValues {
  readonly version: string;
  readonly part: Part | undefined;
  readonly transport: string | undefined;
}

/** @returns the parts that passed and failed; jest prints its own counts */
export async function runSuites({ version, part, ...values }: SuitesValues, tools: Tools): Promise<Counts> {
  const transport = values.transport ?? process.env.ROCKETMQ_TEST_TRANSPORT ?? 'http2';
  if (!hasProxy(version) && transport !== 'remoting')
    throw new OptionError(`${version} has no proxy on Maven Central: use --transport remoting`);
  const run = { ...tools, version, transport };
  const named = tools.rest.filter((arg) => arg.startsWith('test/'));
  const others = tools.rest.filter((arg) => !arg.startsWith('test/'));
  const counts = { passed: 0, failed: 0 };
  for (const name of PARTS) {
    if (part !== undefined && part !== name) continue;
    const folders: readonly string[] = PART_FOLDERS[name];
    const suites =
      named.length === 0 ? folders : named.filter((suite) => folders.some((folder) => suite.startsWith(folder)));
    if (suites.length === 0) continue;
    const code = await STARTS[name](run, [...suites, ...others]);
    counts[code === 0 ? 'passed' : 'failed']++;
  }
  return counts;
}

async function runOnOpenServer(run: Run, args: readonly string[]): Promise<number> {
  const server = await (isRust(run.version) ? startRocketMQRust(optionsOf(run)) : startRocketMQ(optionsOf(run)));
  try {
    log(run, `ready: ${server.endpoints}, name server ${server.nameServer}`);
    return await runJest(run, serverEnvironment(server, run), args, server.failed);
  } finally {
    await server.stop();
  }
}

async function runOnSecuredServer(run: Run, args: readonly string[]): Promise<number> {
  const { caFile, ...certificate } = makeServerCertificate(run.folder);
  const server = await startRocketMQ({ ...optionsOf(run), security: { administrator: ADMINISTRATOR, certificate } });
  try {
    log(run, `ready, with access control and TLS: ${server.endpoints}, name server ${server.nameServer}`);
    const environment = {
      ...serverEnvironment(server, run),
      ROCKETMQ_TEST_CA_FILE: caFile,
      ROCKETMQ_TEST_ACCESS_KEY: ADMINISTRATOR.accessKey,
      ROCKETMQ_TEST_SECRET_KEY: ADMINISTRATOR.secretKey,
    };
    return await runJest(run, environment, [AT_ONCE, ...args], server.failed);
  } finally {
    await server.stop();
  }
}

/** Nothing else runs beside these: they are about what a client does in time. */
function runWithoutServer(run: Run, args: readonly string[]): Promise<number> {
  return runJest(run, { ROCKETMQ_TEST_VERSION: run.version }, [ONE_BY_ONE, ...args]);
}

function optionsOf(run: Run) {
  return { version: run.version, signal: run.signal, log: (line: string) => log(run, line) };
}

/** What every suite reads. */
function serverEnvironment(
  { endpoints, nameServer, version }: Pick<RunningServer, 'endpoints' | 'nameServer' | 'version'>,
  { transport }: Run,
): Record<string, string> {
  return {
    ROCKETMQ_TEST_ENDPOINTS: transport === 'remoting' ? `name-server:${nameServer}` : endpoints,
    ...(hasProxy(version) ? { ROCKETMQ_TEST_PROXY: endpoints } : {}),
    ROCKETMQ_TEST_NAME_SERVER: nameServer,
    ROCKETMQ_TEST_VERSION: version,
  };
}

/**
 * @param failed rejects when the run has lost its server
 * @returns jest's exit code
 */
async function runJest(
  { transport, signal }: Run,
  environment: Record<string, string>,
  args: readonly string[],
  failed?: Promise<void>,
): Promise<number> {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const child = spawn(process.execPath, ['--experimental-vm-modules', '--no-warnings', jest, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ROCKETMQ_TEST_TRANSPORT: transport, ...environment },
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
  try {
    return (await Promise.race(failed === undefined ? [ended] : [ended, failed])) ?? 1;
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
    await ended.catch(() => {});
  }
}

function log({ print }: Tools, line: string): void {
  print(`[rocketmq] ${line}`);
}
