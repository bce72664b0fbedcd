// npm run test:rocketmq [-- OPTIONS] [-- test/contract/sending ...] [-- more jest arguments]; `-- --help` prints the options.
// Runs the suites that need a real Apache RocketMQ, part by part: on an open server, many at once or, if they play processes in time,
// one after the other; on one with access control and TLS; and those that start servers of their own in order to kill them. Servers take
// ports of their own. Exits with jest's code.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRunnerArguments } from '../../tools/arguments.mjs';
import { DEFAULT_VERSION, hasProxy, RealServerError } from '../../tools/servers/rocketmq/jars.mjs';
import { isRust, startRocketMQRust } from '../../tools/servers/rocketmq/rust-server.mjs';
import { startRocketMQ } from '../../tools/servers/rocketmq/server.mjs';
import { makeServerCertificate } from '../../tools/servers/rocketmq/server-certificate.mjs';

const USAGE = `npm run test:rocketmq [-- OPTIONS] [-- FILES and jest arguments]
  --version 5.3.3       of the server: 5.3.3, 5.4.0 and 5.5.0, or with --transport remoting also older ones (5.0.0 and 5.1.4 are tested), which
                        have no proxy on Maven Central; rust-1.0.0 is RocketMQ-Rust, with --transport remoting and --part open;
                        default ${DEFAULT_VERSION}
  --part open           only this part: open, alone, secured or restarts; default all
  --transport grpc-js   what carries the calls of our clients: http2, grpc-js, or remoting without a proxy; default http2`;
// The suites wait for a server more than they compute.
const AT_ONCE = '--maxWorkers=8';
const ONE_BY_ONE = '--runInBand';
/**
 * The folders of each part, and what runs them. The order is that of the runs.
 * @type {Record<string, { folders: string[], start: (run: Run, args: readonly string[]) => Promise<number> }>}
 */
const PARTS = {
  open: { folders: ['test/contract', 'test/real'], start: (run, args) => runOnOpenServer(run, [AT_ONCE, ...args]) },
  alone: { folders: ['test/alone'], start: (run, args) => runOnOpenServer(run, [ONE_BY_ONE, ...args]) },
  secured: { folders: ['test/secured'], start: runOnSecuredServer },
  restarts: { folders: ['test/restarts'], start: runWithoutServer },
};
const TRANSPORTS = ['http2', 'grpc-js', 'remoting'];
const ADMINISTRATOR = { accessKey: 'administrator', secretKey: 'secret of the administrator' };
const root = join(import.meta.dirname, '../..');

/**
 * @typedef {import('../../tools/servers/rocketmq/server.mjs').RunningServer} RunningServer
 * @typedef {{ version: string, log: (line: string) => void, signal: AbortSignal }} Run
 */

async function main() {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const byDefault = {
    version: DEFAULT_VERSION,
    part: 'all',
    transport: process.env.ROCKETMQ_TEST_TRANSPORT ?? 'http2',
  };
  const { options, rest } = parseRunnerArguments(args, byDefault);
  const { version, part, transport } = options;
  if (!TRANSPORTS.includes(transport)) throw new RealServerError(`--transport is one of ${TRANSPORTS.join(', ')}`);
  if (!hasProxy(version) && transport !== 'remoting')
    throw new RealServerError(`${version} has no proxy on Maven Central: use --transport remoting`);
  // What the suites read: test/support/transport.ts.
  process.env.ROCKETMQ_TEST_TRANSPORT = transport;
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stopped.abort(new RealServerError('stopped')));
  const run = { version, log: print, signal: stopped.signal };
  const named = rest.filter((arg) => arg.startsWith('test/'));
  const others = rest.filter((arg) => !arg.startsWith('test/'));
  if (part !== 'all' && !(part in PARTS))
    throw new RealServerError(`--part is one of ${Object.keys(PARTS).join(', ')}`);
  let failed = 0;
  for (const [name, { folders, start }] of Object.entries(PARTS)) {
    if (part !== 'all' && part !== name) continue;
    const suites =
      named.length === 0 ? folders : named.filter((suite) => folders.some((folder) => suite.startsWith(folder)));
    if (suites.length === 0) continue;
    const code = await start(run, [...suites, ...others]);
    failed ||= code;
  }
  return failed;
}

/** @param {Run} run @param {readonly string[]} args for jest */
async function runOnOpenServer(run, args) {
  const server = await (isRust(run.version) ? startRocketMQRust(run) : startRocketMQ(run));
  try {
    print(`ready: ${server.endpoints}, name server ${server.nameServer}`);
    return await runJest(serverEnvironment(server), args, run.signal, server.failed);
  } finally {
    await server.stop();
  }
}

/** @param {Run} run @param {readonly string[]} args for jest */
async function runOnSecuredServer(run, args) {
  const folder = mkdtempSync(join(tmpdir(), 'rocketmq-certificate-'));
  try {
    const { caFile, ...identity } = makeServerCertificate(folder);
    const server = await startRocketMQ({ ...run, security: { administrator: ADMINISTRATOR, ...identity } });
    try {
      print(`ready, with access control and TLS: ${server.endpoints}, name server ${server.nameServer}`);
      const environment = {
        ...serverEnvironment(server),
        ROCKETMQ_TEST_CA_FILE: caFile,
        ROCKETMQ_TEST_ACCESS_KEY: ADMINISTRATOR.accessKey,
        ROCKETMQ_TEST_SECRET_KEY: ADMINISTRATOR.secretKey,
      };
      return await runJest(environment, [AT_ONCE, ...args], run.signal, server.failed);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Nothing else runs beside these: they are about what a client does in time. @param {Run} run @param {readonly string[]} args for jest */
function runWithoutServer({ version, signal }, args) {
  return runJest({ ROCKETMQ_TEST_VERSION: version }, [ONE_BY_ONE, ...args], signal);
}

/** @param {Pick<RunningServer, 'endpoints' | 'nameServer' | 'version'>} server the environment of every suite */
function serverEnvironment({ endpoints, nameServer, version }) {
  const isRemoting = process.env.ROCKETMQ_TEST_TRANSPORT === 'remoting';
  return {
    ROCKETMQ_TEST_ENDPOINTS: isRemoting ? `name-server:${nameServer}` : endpoints,
    ...(hasProxy(version) ? { ROCKETMQ_TEST_PROXY: endpoints } : {}),
    ROCKETMQ_TEST_NAME_SERVER: nameServer,
    ROCKETMQ_TEST_VERSION: version,
  };
}

/**
 * @param {Record<string, string>} environment
 * @param {readonly string[]} args for jest
 * @param {AbortSignal} signal
 * @param {Promise<void>} [failed] rejects when the run has lost its server
 * @returns {Promise<number>} jest's exit code
 */
async function runJest(environment, args, signal, failed) {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const child = spawn(process.execPath, ['--experimental-vm-modules', '--no-warnings', jest, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
  try {
    return await Promise.race(failed === undefined ? [ended] : [ended, failed]);
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
    await ended.catch(() => {});
  }
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`[rocketmq] ${line}\n`);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    process.stderr.write(`${error instanceof RealServerError ? error.message : error.stack}\n`);
    process.exitCode = 1;
  },
);
