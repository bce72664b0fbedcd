// The embedded broker in a process of its own.

import { fork } from 'node:child_process';
import { join } from 'node:path';

const CLI = join(import.meta.dirname, '..', '..', 'libs', 'rocketmq', 'bin', 'nestjs-rocketmq.js');

/**
 * Starts one and resolves when it is ready.
 * @param {readonly string[]} args of `nestjs-rocketmq broker`
 * @returns {Promise<{ pid: number, endpoints: string, adminEndpoint: string | undefined, kill: () => Promise<void> }>} `kill` ends it
 *   without a warning
 * @throws Error when it ends before it is ready
 */
export async function startEmbeddedBroker(args) {
  const child = fork(CLI, ['broker', ...args], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const { endpoints, adminEndpoint } = await new Promise((resolve, reject) => {
    child.once('message', resolve);
    ended.then((code) => reject(new Error(`the embedded broker ended with code ${code} before it was ready`)));
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { pid: /** @type {number} */ (child.pid), endpoints, adminEndpoint, kill };
}
