// An embedded broker that is killed and started again on the same port.

import { startEmbeddedBroker } from '../../support/embedded-broker-process.mjs';
import { takePortBlock } from '../../support/ports.mjs';

export class SoakBroker {
  /** @type {{ kill: () => Promise<void> } | undefined} */
  #running;
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
    this.#running = await startEmbeddedBroker(['--port', String(this.#block.first), ...this.args]);
  }

  /** Ends it without a warning. */
  async kill() {
    await this.#running?.kill();
  }

  async stop() {
    await this.kill();
    await this.#block?.release();
  }
}
