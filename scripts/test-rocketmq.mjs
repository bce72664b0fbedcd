// npm run test:rocketmq [-- --version 5.3.3] [-- test/contract/sending] [-- more jest arguments]
// Starts a real Apache RocketMQ on ports of its own, runs the suites that need one, stops it; then the same with access control
// and TLS. Exits with jest's code.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRunnerArguments } from './lib/arguments.mjs';
import { DEFAULT_VERSION, RealServerError } from './lib/rocketmq-jars.mjs';
import { startRocketMQ } from './lib/rocketmq-server.mjs';
import { makeServerCertificate } from './lib/server-certificate.mjs';

const SUITES = ['test/contract', 'test/real'];
/** They run on a server of their own, which asks for signatures and TLS. */
const SECURED_SUITE = 'test/secured';
const ADMINISTRATOR = { accessKey: 'administrator', secretKey: 'secret of the administrator' };
const root = join(import.meta.dirname, '..');

/** @typedef {import('./lib/rocketmq-server.mjs').RunningServer} RunningServer */

async function main() {
  const { options, rest } = parseRunnerArguments(process.argv.slice(2), { version: DEFAULT_VERSION });
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stopped.abort(new RealServerError('stopped')));
  const run = { version: options.version, log: print, signal: stopped.signal };
  const named = rest.filter((arg) => arg.startsWith('test/'));
  const others = rest.filter((arg) => !arg.startsWith('test/'));
  const isSecured = (/** @type {string} */ suite) => suite.startsWith(SECURED_SUITE);
  const open = named.length === 0 ? SUITES : named.filter((suite) => !isSecured(suite));
  const secured = named.length === 0 ? [SECURED_SUITE] : named.filter(isSecured);
  const codes = [];
  if (open.length > 0) codes.push(await runOnOpenServer(run, [...open, ...others]));
  if (secured.length > 0) codes.push(await runOnSecuredServer(run, [...secured, ...others]));
  return codes.find((code) => code !== 0) ?? 0;
}

async function runOnOpenServer(run, args) {
  const server = await startRocketMQ(run);
  try {
    print(`ready: ${server.endpoints}, name server ${server.nameServer}`);
    return await runJest(server, args, run.signal);
  } finally {
    await server.stop();
  }
}

async function runOnSecuredServer(run, args) {
  const folder = mkdtempSync(join(tmpdir(), 'rocketmq-certificate-'));
  try {
    const { caFile, ...identity } = makeServerCertificate(folder);
    const server = await startRocketMQ({ ...run, security: { administrator: ADMINISTRATOR, ...identity } });
    try {
      print(`ready, with access control and TLS: ${server.endpoints}, name server ${server.nameServer}`);
      return await runJest(server, args, run.signal, {
        ROCKETMQ_TEST_CA_FILE: caFile,
        ROCKETMQ_TEST_ACCESS_KEY: ADMINISTRATOR.accessKey,
        ROCKETMQ_TEST_SECRET_KEY: ADMINISTRATOR.secretKey,
      });
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {RunningServer} server
 * @param {readonly string[]} args for jest
 * @param {AbortSignal} signal
 * @param {Record<string, string>} [environment] beside what every suite is told
 * @returns {Promise<number>} jest's exit code
 */
async function runJest(server, args, signal, environment = {}) {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const flags = ['--experimental-vm-modules', '--no-warnings', jest, '--maxWorkers=4', ...args];
  const child = spawn(process.execPath, flags, {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      ROCKETMQ_TEST_ENDPOINTS: server.endpoints,
      ROCKETMQ_TEST_NAME_SERVER: server.nameServer,
      ROCKETMQ_TEST_VERSION: server.version,
      ...environment,
    },
  });
  signal.addEventListener('abort', () => child.kill('SIGTERM'));
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
  try {
    return await Promise.race([ended, server.failed]);
  } finally {
    child.kill('SIGTERM');
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
