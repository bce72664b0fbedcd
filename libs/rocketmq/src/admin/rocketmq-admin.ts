// Topics and consumer groups of an Apache RocketMQ cluster, by way of its name server, or of an embedded broker, by way of its
// admin port.

import { consumerGroupNameProblem, topicNameProblem } from '../protocol/names.js';
import type { RemotingFrame } from '../protocol/remoting-frame.js';
import { SystemClock, sleep } from '../support/clock.js';
import { type CallOptions, type Deadline, withDeadline } from '../support/deadline.js';
import { TransportError, UsageError } from '../support/errors.js';
import { type MasterBroker, parseClusterInfo, parseTopicRoute, type TopicRoute } from './cluster.js';
import {
  checkGroupDefinition,
  describeGroup,
  findGroupConfig,
  type GroupConfig,
  type GroupDefinition,
  type GroupDescription,
  updateGroupRequest,
} from './groups.js';
import { RemotingClient } from './remoting-client.js';
import { PartlyDoneError, RemotingError } from './remoting-error.js';
import type { RemotingRequest } from './remoting-request.js';
import {
  checkTopicDefinition,
  describeTopic,
  parseTopicConfig,
  type TopicConfig,
  type TopicDefinition,
  type TopicDescription,
  updateTopicRequest,
} from './topics.js';

export interface RocketMQAdminOptions {
  /**
   * `host:port` of each name server, separated by `;`; or the `adminEndpoint` of an embedded broker. The first that can be
   * reached is asked.
   */
  readonly nameServer: string;
  /** The cluster to work on. Needed when the name server knows several. */
  readonly cluster?: string;
  /** How long a call may take in all. Default: 3000. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 3000;
const ROUTE_POLL_MS = 100;
const TOPIC_NOT_EXIST = 17;
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/;

/**
 * Creates, alters and describes topics and consumer groups. Every call may be repeated: it makes the servers as described,
 * whatever they were. Connections open at first use; `close()` ends them.
 *
 * All methods throw `UsageError` for a wrong argument, `RemotingError` when a server refuses (it names the server, the code
 * and the remark), `TransportError` when a server cannot be reached or does not answer in time, `PartlyDoneError` when
 * either happens after a first broker was changed.
 */
export class RocketMQAdmin {
  private readonly clock = new SystemClock();
  private readonly nameServers: readonly string[];
  private readonly timeoutMs: number;
  private readonly client: RemotingClient;

  constructor(private readonly options: RocketMQAdminOptions) {
    this.nameServers = parseNameServers(options.nameServer);
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    // One that cannot be reached must leave time for the next.
    this.client = new RemotingClient({ connectTimeoutMs: this.timeoutMs / this.nameServers.length });
  }

  /**
   * Creates the topic on every master broker of the cluster, or alters it there. Resolves when the name server hands out
   * its route.
   */
  async createTopic(definition: TopicDefinition, options?: CallOptions): Promise<void> {
    checkTopicDefinition(definition);
    await this.run(`create topic ${definition.topic}`, options, async (deadline) => {
      const brokers = await this.masters(deadline);
      const change = async (broker: MasterBroker): Promise<void> => {
        const existing = await this.topicConfig(broker, definition.topic, deadline);
        await this.client.call(broker.address, updateTopicRequest(definition, existing), deadline);
      };
      const untilRouted = (): Promise<void> => this.untilRouted(definition.topic, brokers, deadline);
      await onEach(deadline.what, brokers, change, untilRouted);
    });
  }

  /** The topic as its brokers have it, or undefined when the name server has no route for it. */
  async describeTopic(topic: string, options?: CallOptions): Promise<TopicDescription | undefined> {
    checkName('topic', topic, topicNameProblem(topic));
    return this.run(`describe topic ${topic}`, options, async (deadline) => {
      const route = await this.route(topic, deadline);
      const brokers = this.ofCluster(route?.brokers ?? []);
      const configs = await Promise.all(
        brokers.map(async (broker) => ({ broker, config: await this.topicConfig(broker, topic, deadline) })),
      );
      const found = configs.filter((one): one is { broker: MasterBroker; config: TopicConfig } => !!one.config);
      return found.length === 0 ? undefined : describeTopic(topic, found);
    });
  }

  /** Creates the consumer group on every master broker of the cluster, or alters it there. */
  async createGroup(definition: GroupDefinition, options?: CallOptions): Promise<void> {
    checkGroupDefinition(definition);
    await this.run(`create consumer group ${definition.consumerGroup}`, options, async (deadline) => {
      await onEach(deadline.what, await this.masters(deadline), async (broker) => {
        const existing = await this.groupConfig(broker, definition.consumerGroup, deadline);
        await this.client.call(broker.address, updateGroupRequest(definition, existing), deadline);
      });
    });
  }

  /** The consumer group as the brokers have it, or undefined when none has it. Asking does not create it. */
  async describeGroup(consumerGroup: string, options?: CallOptions): Promise<GroupDescription | undefined> {
    checkName('consumer group', consumerGroup, consumerGroupNameProblem(consumerGroup));
    return this.run(`describe consumer group ${consumerGroup}`, options, async (deadline) => {
      const brokers = await this.masters(deadline);
      const configs = await Promise.all(brokers.map((one) => this.groupConfig(one, consumerGroup, deadline)));
      const first = configs.find((config) => config !== undefined);
      const having = brokers.filter((_, index) => configs[index] !== undefined);
      return first === undefined ? undefined : describeGroup(consumerGroup, first, having);
    });
  }

  /** Closes the connections; calls still running fail. Idempotent. */
  close(): Promise<void> {
    return this.client.close();
  }

  private run<T>(what: string, options: CallOptions | undefined, work: (deadline: Deadline) => Promise<T>): Promise<T> {
    return withDeadline(what, options?.timeoutMs ?? this.timeoutMs, options?.signal, work);
  }

  private async masters(deadline: Deadline): Promise<readonly MasterBroker[]> {
    const known = parseClusterInfo(await this.askNameServer({ code: 106 }, deadline));
    const brokers = this.ofCluster(known);
    const clusters = [...new Set(brokers.map((broker) => broker.cluster))];
    if (clusters.length > 1) {
      const message = `the name server knows the clusters ${clusters.join(', ')}; say which by the option "cluster"`;
      throw new UsageError('CLUSTER_AMBIGUOUS', message, 'cluster');
    }
    if (brokers.length > 0) return brokers;
    const where = this.options.cluster === undefined ? '' : ` of cluster "${this.options.cluster}"`;
    const message = `${deadline.what}: no broker${where} is registered at the name server ${this.options.nameServer}; nothing was changed; a broker that has just started registers after some seconds`;
    throw new TransportError('UNAVAILABLE', message, 'not-sent', true);
  }

  private ofCluster(brokers: readonly MasterBroker[]): readonly MasterBroker[] {
    const { cluster } = this.options;
    return cluster === undefined ? brokers : brokers.filter((broker) => broker.cluster === cluster);
  }

  private async route(topic: string, deadline: Deadline): Promise<TopicRoute | undefined> {
    const request = { code: 105, fields: { topic, acceptStandardJsonOnly: 'true' } };
    const answer = await undefinedWhenMissing(this.askNameServer(request, deadline));
    return answer === undefined ? undefined : parseTopicRoute(answer);
  }

  private async topicConfig(broker: MasterBroker, topic: string, deadline: Deadline): Promise<TopicConfig | undefined> {
    const answer = await undefinedWhenMissing(
      this.client.call(broker.address, { code: 351, fields: { topic } }, deadline),
    );
    return answer === undefined ? undefined : parseTopicConfig(answer);
  }

  private async groupConfig(broker: MasterBroker, group: string, deadline: Deadline): Promise<GroupConfig | undefined> {
    return findGroupConfig(await this.client.call(broker.address, { code: 201 }, deadline), group);
  }

  private async untilRouted(topic: string, brokers: readonly MasterBroker[], deadline: Deadline): Promise<void> {
    for (;;) {
      const route = await this.route(topic, deadline);
      if (brokers.every((broker) => route?.queues.has(broker.name))) return;
      await sleep(this.clock, ROUTE_POLL_MS, deadline.signal);
    }
  }

  /** Asks one name server after the other until one answers. */
  private async askNameServer(request: RemotingRequest, deadline: Deadline): Promise<RemotingFrame> {
    const failures: string[] = [];
    for (const address of this.nameServers) {
      try {
        return await this.client.call(address, request, deadline);
      } catch (error) {
        if (!(error instanceof TransportError) || deadline.signal.aborted) throw error;
        failures.push(error.message);
      }
    }
    const message = `${deadline.what}: no name server can be reached: ${failures.join('; ')}`;
    throw new TransportError('UNAVAILABLE', message, 'not-sent', true);
  }
}

/** @throws PartlyDoneError when something fails after the first broker was changed */
async function onEach(
  what: string,
  brokers: readonly MasterBroker[],
  change: (broker: MasterBroker) => Promise<void>,
  afterwards: () => Promise<void> = async () => {},
): Promise<void> {
  const done: string[] = [];
  try {
    for (const broker of brokers) {
      await change(broker);
      done.push(broker.name);
    }
    await afterwards();
  } catch (error) {
    throw done.length === 0 ? error : new PartlyDoneError(what, done, error as Error);
  }
}

async function undefinedWhenMissing(answer: Promise<RemotingFrame>): Promise<RemotingFrame | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RemotingError && error.responseCode === TOPIC_NOT_EXIST) return undefined;
    throw error;
  }
}

function checkName(kind: string, name: string, problem: string | undefined): void {
  if (problem !== undefined) throw new UsageError('ILLEGAL_NAME', `${kind} "${name}" ${problem}`);
}

function parseNameServers(text: string): readonly string[] {
  const addresses = text
    .split(';')
    .map((address) => address.trim())
    .filter((address) => address !== '');
  if (addresses.length > 0 && addresses.every((address) => ADDRESS.test(address))) return addresses;
  const message = `nameServer is "${text}"; it must be host:port, or several with ";" between`;
  throw new UsageError('ILLEGAL_NAME_SERVER', message, 'nameServer');
}
