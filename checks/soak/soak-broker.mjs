// The server of a soak: an embedded broker, or a real one that is reached without a proxy. It is killed and started again on its ports.

import { takePortBlock } from '../../tools/ports.ts';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';
import { startRocketMQ } from '../../tools/servers/rocketmq/server.ts';

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

/** Also restarted on its store, so what is not consumed comes after a restart. */
export class RealSoakBroker {
  /** @type {import('../../tools/servers/rocketmq/server.ts').RunningServer | undefined} */
  #server;

  /** @param {{ topic: string, group: string }} names */
  constructor({ topic, group }) {
    this.topic = topic;
    this.groups = [group, 'passers-by'];
  }

  get endpoints() {
    return `name-server:${this.#server?.nameServer}`;
  }

  /** Resolves when it is ready. @throws RealServerError when it does not start */
  async start() {
    if (this.#server !== undefined) return this.#server.reviveBroker();
    this.#server = await startRocketMQ();
    const { RocketMQAdmin } = await import('nestjs-rocketmq/admin');
    const admin = new RocketMQAdmin({ nameServer: this.#server.nameServer });
    try {
      await admin.createTopic({ topic: this.topic, type: 'normal' });
      for (const consumerGroup of this.groups) await admin.createGroup({ consumerGroup });
    } finally {
      await admin.close();
    }
  }

  /** Ends it without a warning. */
  async kill() {
    await this.#server?.killBroker();
  }

  async stop() {
    await this.#server?.stop();
  }
}
