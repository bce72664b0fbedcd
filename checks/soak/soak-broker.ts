// The server of a soak: an embedded broker, or a real one that is reached without a proxy. It is killed and started again on its ports.

import { takePortBlock } from '../../tools/ports.js';
import { startEmbeddedBroker } from '../../tools/servers/embedded-broker-process.mjs';
import { type RunningServer, startRocketMQ } from '../../tools/servers/rocketmq/server.js';

export class SoakBroker {
  readonly args: string[];

  #running: { kill: () => Promise<void> } | undefined;
  #block: { first: number; release: () => Promise<void> } | undefined;

  constructor({ topic, group }: { topic: string; group: string }) {
    this.args = ['--strict', '--topic', topic, '--group', group, '--group', 'passers-by'];
  }

  get endpoints(): string {
    return `127.0.0.1:${this.#block?.first}`;
  }

  /** Resolves when it is ready. @throws Error when it ends before */
  async start(): Promise<void> {
    this.#block ??= await takePortBlock();
    this.#running = await startEmbeddedBroker(['--port', String(this.#block.first), ...this.args]);
  }

  /** Ends it without a warning. */
  async kill(): Promise<void> {
    await this.#running?.kill();
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.#block?.release();
  }
}

/** Also restarted on its store, so what is not consumed comes after a restart. */
export class RealSoakBroker {
  readonly topic: string;
  readonly groups: string[];

  #server: RunningServer | undefined;

  constructor({ topic, group }: { topic: string; group: string }) {
    this.topic = topic;
    this.groups = [group, 'passers-by'];
  }

  get endpoints(): string {
    return `name-server:${this.#server?.nameServer}`;
  }

  /** Resolves when it is ready. @throws RealServerError when it does not start */
  async start(): Promise<void> {
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
  async kill(): Promise<void> {
    await this.#server?.killBroker();
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }
}
