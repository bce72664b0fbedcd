// npm run test:rocketmq [-- --version 5.3.3] [-- test/contract/sending] [-- more jest arguments]
// Starts a real Apache RocketMQ on ports of its own, runs the suites that need one, stops it. Exits with jest's code.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseRunnerArguments } from './lib/arguments.mjs';
import { DEFAULT_VERSION, RealServerError } from './lib/rocketmq-jars.mjs';
import { startRocketMQ } from './lib/rocketmq-server.mjs';

const SUITES = ['test/contract', 'test/real'];
const root = join(import.meta.dirname, '..');

async function main() {
  const { options, rest } = parseRunnerArguments(process.argv.slice(2), { version: DEFAULT_VERSION });
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stopped.abort(new RealServerError('stopped')));
  const server = await startRocketMQ({ version: options.version, log: print, signal: stopped.signal });
  try {
    print(`ready: ${server.endpoints}, name server ${server.nameServer}`);
    return await runJest(server, rest, stopped.signal);
  } finally {
    await server.stop();
  }
}

/** @returns {Promise<number>} jest's exit code */
async function runJest(server, args, signal) {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const flags = ['--experimental-vm-modules', '--no-warnings', jest, '--maxWorkers=4', ...args];
  const suites = args.some((arg) => arg.startsWith('test/')) ? [] : SUITES;
  const patterns = suites.flatMap((suite) => ['--testPathPatterns', suite]);
  const child = spawn(process.execPath, [...flags, ...patterns], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      ROCKETMQ_TEST_ENDPOINTS: server.endpoints,
      ROCKETMQ_TEST_NAME_SERVER: server.nameServer,
      ROCKETMQ_TEST_VERSION: server.version,
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
