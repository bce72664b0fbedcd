// Chooses the servers to ask: name servers one after the other or all of them, and each master of the cluster. The requests and the
// meaning of the answers are in the files that use this one.

import { REQUEST_CODES, RESPONSE_CODES } from '../protocol/remoting/codes.js';
import type { RemotingFrame } from '../protocol/remoting/frame.js';
import { type CallOptions, type Deadline, withNotedEffects } from '../support/deadline.js';
import { TransportError, UsageError } from '../support/errors.js';
import { assertCall, type ObjectChecks } from '../support/options.js';
import { undefinedWhen } from './answers.js';
import { type MasterBroker, parseClusterInfo, parseTopicRoute, type TopicRoute } from './cluster.js';
import type { AskOptions, RemotingClient } from './remoting-client.js';
import { RemotingError } from './remoting-error.js';
import type { RemotingRequest } from './remoting-request.js';

/** The namespace of order configurations. @see NamesrvUtil of the server */
export const ORDER_CONFIGURATION = 'ORDER_TOPIC_CONFIG';
/** How long a name server may take to say it: a topic can be used without. */
const ORDER_CONFIGURATION_MS = 1_000;

interface ClusterAccessOptions {
  readonly nameServers: readonly string[];
  readonly cluster: string | undefined;
  readonly timeoutMs: number;
  /**
   * Whether a name server that cannot be asked leaves open whether a topic exists, where the others do not know it: one that has just
   * started knows little. For programs, which try again; a person who asks wants what can be known now.
   */
  readonly unanimous: boolean;
}

/** The servers of one cluster. */
export class ClusterAccess {
  /** The index of the name server that answered last. */
  private preferred = 0;

  constructor(
    private readonly client: RemotingClient,
    private readonly options: ClusterAccessOptions,
  ) {}

  /**
   * Runs one public operation under its deadline.
   * @param what the name of the operation: "create topic orders"
   * @param own the checks of options that other operations do not have
   * @throws UsageError that names an option
   */
  async run<T>(
    what: string,
    options: CallOptions | undefined,
    work: (deadline: Deadline) => Promise<T>,
    own?: ObjectChecks['options'],
  ): Promise<T> {
    assertCall(options, own);
    return withNotedEffects(what, options?.timeoutMs ?? this.options.timeoutMs, options?.signal, work);
  }

  /** Runs a part of an operation under a share of the time that is left. */
  runShare<T>(share: number, deadline: Deadline, work: (own: Deadline) => Promise<T>): Promise<T> {
    return deadline.part(deadline.remainingMs() * share, work);
  }

  /** The answer of a broker. @throws RemotingError for every code but success */
  call(broker: MasterBroker, request: RemotingRequest, deadline: Deadline): Promise<RemotingFrame> {
    return this.client.call(broker.address, request, deadline);
  }

  /** The answer of a broker, whatever its code. */
  ask(
    broker: MasterBroker,
    request: RemotingRequest,
    deadline: Deadline,
    options?: AskOptions,
  ): Promise<RemotingFrame> {
    return this.client.ask(broker.address, request, deadline, options);
  }

  /** The release of a broker. @throws like {@link ask} */
  releaseOf(broker: MasterBroker, deadline: Deadline): Promise<number> {
    return this.client.releaseAt(broker.address, deadline);
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
    const { topicNotExist } = RESPONSE_CODES;
    const answer = await undefinedWhen(topicNotExist, this.askNameServer(request, deadline, topicNotExist));
    return answer === undefined ? undefined : parseTopicRoute(answer);
  }

  /**
   * The order configuration of a topic, as it is stored: that of the first name server that has one, because they do not replicate. Undefined
   * where none has. Only some name servers show it in the route.
   * @param last what was known before: a name server that cannot be asked may still have it
   * @throws TransportError when no name server can be asked: messages of a group must not be sent by a guess
   */
  async orderConfiguration(topic: string, deadline: Deadline, last?: string): Promise<string | undefined> {
    const asked = this.options.nameServers.map((address) => this.askForOrder(address, topic, deadline));
    const failures: unknown[] = [];
    for (const answer of asked) {
      const { text, error } = await answer;
      if (text !== undefined) return text;
      if (error !== undefined) failures.push(error);
    }
    if (failures.length === 0) return undefined;
    const isSilent = failures.length === asked.length && last === undefined;
    if (isSilent || deadline.signal.aborted) throw failures[0];
    return last;
  }

  private async askForOrder(
    address: string,
    topic: string,
    deadline: Deadline,
  ): Promise<{ text?: string; error?: unknown }> {
    const leftMs = deadline.remainingMs();
    const timeoutMs = Math.min(Math.max(ORDER_CONFIGURATION_MS, leftMs / this.options.nameServers.length), leftMs);
    try {
      return { text: await deadline.part(timeoutMs, (own) => this.orderConfigurationOf(address, topic, own)) };
    } catch (error) {
      return { error };
    }
  }

  /** The order configuration at one name server, as it is stored; undefined where it has none. */
  async orderConfigurationOf(nameServer: string, topic: string, deadline: Deadline): Promise<string | undefined> {
    const request = { code: REQUEST_CODES.getKvConfig, fields: { namespace: ORDER_CONFIGURATION, key: topic } };
    const answer = await this.client.ask(nameServer, request, deadline);
    const { value } = answer.fields;
    return answer.code === RESPONSE_CODES.success && value !== undefined && value !== '' ? value : undefined;
  }

  /**
   * Asks one name server after the other until one answers, first the one that answered last. Each has a share of the time, so that one
   * that is silent does not use up that of the others.
   * @param unless an answer with this code is taken only if every name server gives it: they do not replicate
   */
  async askNameServer(request: RemotingRequest, deadline: Deadline, unless?: number): Promise<RemotingFrame> {
    const { nameServers } = this.options;
    const failures: Error[] = [];
    let rejection: RemotingError | undefined;
    for (let step = 0; step < nameServers.length; step++) {
      const index = (this.preferred + step) % nameServers.length;
      try {
        const answer = await this.askOne(nameServers[index] ?? '', request, deadline, nameServers.length - step);
        this.preferred = index;
        return answer;
      } catch (error) {
        if (deadline.signal.aborted) throw error;
        if (!(error instanceof RemotingError) && !(error instanceof TransportError)) throw error;
        if (error instanceof RemotingError && error.responseCode === unless) rejection = error;
        else failures.push(error);
      }
    }
    const [first] = failures;
    if (rejection !== undefined && (first === undefined || !this.options.unanimous)) throw rejection;
    if (first !== undefined && !failures.some(isAway)) throw first;
    const which = rejection === undefined ? 'no name server' : 'not every name server';
    const why = [...failures, ...(rejection === undefined ? [] : [rejection])].map((error) => error.message).join('; ');
    throw new TransportError('UNAVAILABLE', `${deadline.what}: ${which} can be reached: ${why}`, 'not-sent', true);
  }

  /** @param left how many name servers share the remaining time */
  private askOne(address: string, request: RemotingRequest, deadline: Deadline, left: number): Promise<RemotingFrame> {
    if (left === 1) return this.client.call(address, request, deadline);
    const shareMs = Math.ceil(deadline.remainingMs() / left);
    return deadline.part(shareMs, (own) => this.client.call(address, request, own));
  }

  get nameServers(): readonly string[] {
    return this.options.nameServers;
  }

  /** The results in the order of the name servers. */
  atEachNameServer<T>(ask: (nameServer: string) => Promise<T>): Promise<T[]> {
    return Promise.all(this.options.nameServers.map(ask));
  }

  /** The answer of one name server. @throws RemotingError for every code but success */
  callNameServer(nameServer: string, request: RemotingRequest, deadline: Deadline): Promise<RemotingFrame> {
    return this.client.call(nameServer, request, deadline);
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

/** Whether a server could not be asked, as opposed to one that answered. */
function isAway(error: Error): boolean {
  return error instanceof TransportError && error.retryable;
}
