// The embedded broker in a process of its own, to be killed and started again on the same port.

import { fork } from 'node:child_process';
import { join } from 'node:path';
import { takePortBlock } from './ports.mjs';

const CLI = join(import.meta.dirname, '..', '..', 'libs', 'rocketmq', 'bin', 'nestjs-rocketmq.js');

export class SoakBroker {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  /** @type {{ first: number, release: () => Promise<void> } | undefined} */
  #block;

  /** @param {{ topic: string, group: string }} names */
  constructor({ topic, group }) {
    this.args = ['--strict', '--topic', topic, '--group', group, '--group', 'passers-by'];
  }

  get endpoints() {
    return `127.0.0.1:${this.#block?.first}`;
  }

  /** Resolves when it is ready. @throws Error when it ends before */
  async start() {
    this.#block ??= await takePortBlock();
    const child = fork(CLI, ['broker', '--port', String(this.#block.first), ...this.args], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    await new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('exit', (code) => reject(new Error(`the broker ended with code ${code} before it was ready`)));
    });
  }

  /** Ends it without a warning. */
  async kill() {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async stop() {
    await this.kill();
    await this.#block?.release();
  }
}
