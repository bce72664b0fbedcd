// Chooses the servers to ask: name servers one after the other or all of them, and each master of the cluster. The requests and the
// meaning of the answers are in the files that use this one.

import { REQUEST_CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { type CallOptions, type Deadline, withDeadline } from '../support/deadline.js';
import { TransportError, UsageError } from '../support/errors.js';
import { undefinedWhen } from './answers.js';
import { type MasterBroker, parseClusterInfo, parseTopicRoute, type TopicRoute } from './cluster.js';
import type { RemotingClient } from './remoting-client.js';
import type { RemotingRequest } from './remoting-request.js';

interface ClusterAccessOptions {
  readonly nameServers: readonly string[];
  readonly cluster: string | undefined;
  readonly timeoutMs: number;
}

/** The servers of one cluster. */
export class ClusterAccess {
  constructor(
    private readonly client: RemotingClient,
    private readonly options: ClusterAccessOptions,
  ) {}

  /** Runs one public operation under its deadline. @param what the name of the operation: "create topic orders" */
  run<T>(what: string, options: CallOptions | undefined, work: (deadline: Deadline) => Promise<T>): Promise<T> {
    return withDeadline(what, options?.timeoutMs ?? this.options.timeoutMs, options?.signal, work);
  }

  /** The answer of a broker. @throws RemotingError for every code but success */
  call(broker: MasterBroker, request: RemotingRequest, deadline: Deadline): Promise<RemotingFrame> {
    return this.client.call(broker.address, request, deadline);
  }

  /** The answer of a broker, whatever its code. */
  ask(broker: MasterBroker, request: RemotingRequest, deadline: Deadline): Promise<RemotingFrame> {
    return this.client.ask(broker.address, request, deadline);
  }

  /** At least one. @throws TransportError when none is registered; UsageError when the cluster must be named */
  async masters(deadline: Deadline): Promise<readonly MasterBroker[]> {
    const known = parseClusterInfo(await this.askNameServer({ code: REQUEST_CODES.getBrokerClusterInfo }, deadline));
    const brokers = this.ofCluster(known);
    const clusters = [...new Set(brokers.map((broker) => broker.cluster))];
    if (clusters.length > 1) {
      const message = `the name server knows the clusters ${clusters.join(', ')}; choose one with the option "cluster"`;
      throw new UsageError('CLUSTER_AMBIGUOUS', message, 'cluster');
    }
    if (brokers.length > 0) return brokers;
    const where = this.options.cluster === undefined ? '' : ` of cluster "${this.options.cluster}"`;
    const message = `${deadline.what}: no broker${where} is registered at the name server ${this.options.nameServers.join(';')}; nothing was changed; try again in some seconds if it has just started, otherwise check its namesrvAddr`;
    throw new TransportError('UNAVAILABLE', message, 'not-sent', true);
  }

  ofCluster(brokers: readonly MasterBroker[]): readonly MasterBroker[] {
    const { cluster } = this.options;
    return cluster === undefined ? brokers : brokers.filter((broker) => broker.cluster === cluster);
  }

  /** The route of the topic at the name server, or undefined. */
  async route(topic: string, deadline: Deadline): Promise<TopicRoute | undefined> {
    const request = { code: REQUEST_CODES.getRouteInfoByTopic, fields: { topic, acceptStandardJsonOnly: 'true' } };
    const answer = await undefinedWhen(RESPONSE_CODES.topicNotExist, this.askNameServer(request, deadline));
    return answer === undefined ? undefined : parseTopicRoute(answer);
  }

  /** Asks one name server after the other until one answers. */
  async askNameServer(request: RemotingRequest, deadline: Deadline): Promise<RemotingFrame> {
    const failures: string[] = [];
    for (const address of this.options.nameServers) {
      try {
        return await this.client.call(address, request, deadline);
      } catch (error) {
        const isAway = error instanceof TransportError && error.retryable;
        if (!isAway || deadline.signal.aborted) throw error;
        failures.push(error.message);
      }
    }
    const message = `${deadline.what}: no name server can be reached: ${failures.join('; ')}`;
    throw new TransportError('UNAVAILABLE', message, 'not-sent', true);
  }

  /** Sends the request to every name server, since they do not replicate. @throws the first failure, after all were asked */
  async callNameServers(request: RemotingRequest, deadline: Deadline): Promise<void> {
    const answers = await Promise.allSettled(
      this.options.nameServers.map((address) => this.client.call(address, request, deadline)),
    );
    const failed = answers.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
