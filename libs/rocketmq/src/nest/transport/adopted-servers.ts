// Servers that were created with `new`, in the lifecycle of the connection that has adopted them.

import { UsageError } from '../../support/errors.js';
import { loggingFailure } from '../runtime/not-running.js';
import type { RocketMQRuntime } from '../runtime/rocketmq-runtime.js';
import { openRuntime } from './own-server.js';
import type { ServerRocketMQ } from './server-rocketmq.js';

/** Starts and stops a connection and the servers that it has adopted, together. */
export class RuntimeFamily {
  private readonly adopted: RocketMQRuntime[] = [];
  private readonly adoptedServers: ServerRocketMQ[] = [];
  private readonly arrived = new Set<string>();

  /** @param provided the server of the connection, which applications get from Nest */
  constructor(
    private readonly head: RocketMQRuntime,
    private readonly provided: ServerRocketMQ,
  ) {}

  /** A server without options is that of the connection, for where applications cannot inject one (Nest 10). */
  replace(server: ServerRocketMQ): void {
    if (this.provided.isConnected || server.transportId !== this.provided.transportId) return;
    this.provided.actual = server;
    server.attach(this.head);
  }

  /** Adopts a server; one that is adopted after the start fails when it is asked to listen. */
  adopt(server: ServerRocketMQ, runtime: RocketMQRuntime): void {
    if (this.head.consumers === undefined) {
      this.adopted.push(runtime);
      this.adoptedServers.push(server);
    } else runtime.reject();
    server.attach(runtime);
  }

  /** Whether handlers that say nothing else are meant to receive. */
  get isReceiving(): boolean {
    const { consumers, defaults } = this.head.options;
    return consumers !== false && defaults?.enabled !== false;
  }

  /** The server of the connection first, then those that it has adopted. */
  servers(): readonly ServerRocketMQ[] {
    return [this.provided.actual, ...this.adoptedServers];
  }

  /** @param openHead opens the connection itself. @throws as it; UsageError `GROUP_TAKEN`; nothing is left running then */
  async open(openHead: () => Promise<void>): Promise<void> {
    await loggingFailure(this.head.options.logger, async () => {
      await openHead();
      try {
        for (const runtime of this.adopted) await openRuntime(runtime, runtime.options);
        this.assertGroupsApart();
      } catch (error) {
        await Promise.all(this.all().map((runtime) => runtime.close(error)));
        throw error;
      }
    });
  }

  async listen(): Promise<void> {
    await Promise.all(this.all().map((runtime) => loggingFailure(runtime.options.logger, () => runtime.listen())));
  }

  async drain(): Promise<void> {
    await Promise.all(this.all().map((runtime) => runtime.drain()));
  }

  /**
   * Closes when both modules of the connection have reached the last phase of the shutdown. One of them is the last of all
   * modules; which one depends on the version of Nest.
   */
  async closeWith(module: 'core' | 'listeners'): Promise<void> {
    this.arrived.add(module);
    if (this.arrived.size === 2) await this.close();
  }

  async close(): Promise<void> {
    await Promise.all(this.all().map((runtime) => runtime.close()));
  }

  /** The connection's own consumers first. */
  all(): readonly RocketMQRuntime[] {
    return [this.head, ...this.adopted];
  }

  /** Two consumers of one group in one process would need the same subscriptions, which nothing ensures. */
  private assertGroupsApart(): void {
    const owners = new Map<string, string>();
    for (const { options, consumers = [] } of this.all()) {
      if (options.target.kind === 'embedded') continue;
      for (const { consumerGroup, listeners } of consumers) {
        const key = `${options.target.endpoints} ${options.namespace ?? ''} ${consumerGroup}`;
        const names = listeners.map(({ name }) => name).join(', ');
        const other = owners.get(key);
        if (other !== undefined) {
          const text =
            `consumer group "${consumerGroup}" is used twice: by ${other}, and by ${names} of a ServerRocketMQ with a connection of ` +
            'its own; use app.get(ServerRocketMQ), which shares the consumer, or another consumerGroup';
          throw new UsageError('GROUP_TAKEN', text, 'consumerGroup');
        }
        owners.set(key, names);
      }
    }
  }
}
