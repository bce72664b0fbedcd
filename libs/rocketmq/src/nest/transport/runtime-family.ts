// A connection and the servers created with `new` that it has adopted: they start together, with all other connections of the application, or not at all.

import { everyPart, namingAll } from '../../client/resource-errors.js';
import { UsageError } from '../../support/errors.js';
import { lackAt, START_LACKS } from '../cluster/start-lacks.js';
import type { CheckedOptions } from '../runtime/module-options.js';
import { loggingFailure } from '../runtime/not-running.js';
import type { RocketMQRuntime } from '../runtime/rocketmq-runtime.js';
import type { RocketMQProducer } from '../sending/rocketmq-producer.js';
import { openRuntime } from './own-server.js';
import type { ServerRocketMQ } from './server-rocketmq.js';

/** What a family consists of. */
interface FamilyParts {
  /** The name of the connection. */
  readonly name: string | undefined;
  readonly head: RocketMQRuntime;
  /** The server of the connection, which applications get from Nest. */
  readonly server: ServerRocketMQ;
  /** The producer that the application injects. */
  readonly producer: RocketMQProducer;
  /** All connections of the application, this one among them. */
  connections(): readonly RuntimeFamily[];
}

/** Starts and stops a connection and the servers that it has adopted, together. */
export class RuntimeFamily {
  private readonly adopted: RocketMQRuntime[] = [];
  private readonly adoptedServers: ServerRocketMQ[] = [];
  private readonly arrived = new Set<string>();

  constructor(private readonly given: FamilyParts) {}

  get name(): string | undefined {
    return this.given.name;
  }

  /** A server without options is that of the connection, for where applications cannot inject one (Nest 10). */
  replace(server: ServerRocketMQ): void {
    if (this.given.server.isConnected || server.transportId !== this.given.server.transportId) return;
    this.given.server.actual = server;
    server.attach(this.given.head);
  }

  /** Adopts a server; one that is adopted after the start fails when it is asked to listen. */
  adopt(server: ServerRocketMQ, runtime: RocketMQRuntime): void {
    if (this.given.head.consumers === undefined) {
      this.adopted.push(runtime);
      this.adoptedServers.push(server);
    } else runtime.reject();
    server.attach(runtime);
  }

  /** Whether handlers that say nothing else are meant to receive. */
  get isReceiving(): boolean {
    const { consumers, defaults } = this.given.head.options;
    return consumers !== false && defaults?.enabled !== false;
  }

  /** The server of the connection first, then those that it has adopted. */
  servers(): readonly ServerRocketMQ[] {
    return [this.given.server.actual, ...this.adoptedServers];
  }

  /** @throws what is wrong, with all topics and groups that the application lacks; nothing is left running then */
  async open(): Promise<void> {
    await this.starting(async () => {
      for (const runtime of this.all()) await this.openOne(runtime);
      this.assertGroupsApart();
    });
  }

  /** @throws as {@link open} */
  async listen(): Promise<void> {
    await this.starting(() => everyPart(this.all().map((runtime) => this.locating(runtime, () => runtime.listen()))));
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
    return [this.given.head, ...this.adopted];
  }

  /** Half an application must not run, and people fix what is missing on all clusters at once. */
  private async starting(start: () => Promise<void>): Promise<void> {
    const connections = this.given.connections();
    await loggingFailure(this.given.head.options.logger, async () => {
      try {
        await namingAll(start(), () => connections.flatMap((connection) => connection.lacking()), START_LACKS);
      } catch (error) {
        await Promise.all(connections.flatMap((connection) => connection.all()).map((runtime) => runtime.close(error)));
        throw error;
      }
    });
  }

  /** Fails for each part that has not failed yet and lacks something. */
  private lacking(): Promise<void>[] {
    const others = this.all().filter(({ phase, options }) => phase !== 'closed' && options.target.kind === 'cluster');
    return others.map(async (runtime) => {
      await this.openOne(runtime);
      await this.locating(runtime, () => runtime.check());
    });
  }

  private async openOne(runtime: RocketMQRuntime): Promise<void> {
    const { producer, connections } = this.given;
    await this.locating(runtime, () =>
      runtime === this.given.head
        ? runtime.open(producer, namesOf(connections()))
        : openRuntime(runtime, runtime.options),
    );
  }

  /** Of several clusters, the error names the one that lacks something. */
  private async locating({ options }: RocketMQRuntime, start: () => Promise<void>): Promise<void> {
    try {
      await start();
    } catch (error) {
      const all = this.given.connections().flatMap((connection) => connection.all());
      const isOnlyCluster = new Set(all.map((runtime) => placeOf(runtime.options))).size === 1;
      throw isOnlyCluster ? error : lackAt(placeOf(options), error);
    }
  }

  /** Two consumers of one group in one process would need the same subscriptions, which nothing ensures. */
  private assertGroupsApart(): void {
    const owners = new Map<string, string>();
    for (const { options, consumers = [] } of this.all()) {
      if (options.target.kind === 'embedded') continue;
      for (const { consumerGroup, listeners } of consumers) {
        const key = `${placeOf(options)} ${consumerGroup}`;
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

function placeOf({ target, namespace }: CheckedOptions): string {
  const endpoints = target.kind === 'embedded' ? 'the embedded broker' : target.endpoints;
  return namespace === undefined ? endpoints : `${endpoints}, namespace ${namespace}`;
}

/** @throws UsageError `MODULE_IMPORTED_TWICE` */
function namesOf(connections: readonly RuntimeFamily[]): (string | undefined)[] {
  const names = connections.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice === -1) return names;
  const which = names[twice] === undefined ? 'without a name' : `with the name "${names[twice]}"`;
  const text = `RocketMQModule.forRoot() or forRootAsync() ${which} is imported more than once; import it in the root module only, or give each connection a name`;
  throw new UsageError('MODULE_IMPORTED_TWICE', text);
}
