// The embedded broker in a process of its own. Plain JavaScript: processes that the bench measures start it as well, without the loader of TypeScript.

import { fork } from 'node:child_process';
import { join } from 'node:path';

const CLI = join(import.meta.dirname, '..', '..', 'libs', 'rocketmq', 'bin', 'nestjs-rocketmq.js');

/**
 * Starts one and resolves when it is ready.
 * @param {readonly string[]} args of `nestjs-rocketmq broker`; without `--name-server-port` it has no such port
 * @param {{ execArgv?: string[], onStderr?: (text: string) => void }} [options] arguments of node; who reads standard error instead of
 *   this process's own
 * @returns {Promise<{ pid: number, endpoints: string, nameServerEndpoint: string | undefined, controlEndpoint: string | undefined, child: import('node:child_process').ChildProcess,
 *   ended: Promise<string>, kill: () => Promise<void> }>} `ended` with how it ended; `kill` ends it without a warning
 * @throws Error when it ends before it is ready
 */
export async function startEmbeddedBroker(args, { execArgv = [], onStderr } = {}) {
  // Many of them run at a time, and those that are measured must not keep the index of its tools.
  const own = args.includes('--name-server-port') ? args : [...args, '--no-name-server-port'];
  const stderr = onStderr === undefined ? 'inherit' : 'pipe';
  const child = fork(CLI, ['broker', ...own], { execArgv, stdio: ['ignore', 'ignore', stderr, 'ipc'] });
  child.stderr?.setEncoding('utf8').on('data', (text) => onStderr?.(text));
  const ended = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const { endpoints, nameServerEndpoint, controlEndpoint } = await new Promise((resolve, reject) => {
    child.once('message', resolve);
    void ended.then((end) => reject(new Error(`the embedded broker ended before it was ready: ${end}`)));
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { pid: /** @type {number} */ (child.pid), endpoints, nameServerEndpoint, controlEndpoint, child, ended, kill };
}
