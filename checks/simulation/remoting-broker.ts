// A broker without a proxy, and its name server: the port of the embedded broker for clients of the remoting protocol, on the simulated network.
// The broker loads its own by `import()`, which Node resolves in another thread, at a time that a seed cannot determine.

import type { Socket } from 'node:net';
import { type AdminAnswer, AdminRejection } from '../../libs/rocketmq/src/broker/admin/admin-answer.js';
import type { EmbeddedBroker } from '../../libs/rocketmq/src/broker/embedded-broker.js';
import { DEFAULT_FIRST_CHECK_MS } from '../../libs/rocketmq/src/broker/embedded-broker-options.js';
import { BROKER_NAME } from '../../libs/rocketmq/src/broker/engine/server-names.js';
import type { ClientConnection } from '../../libs/rocketmq/src/broker/remoting/client-connection.js';
import { ClientRequests } from '../../libs/rocketmq/src/broker/remoting/client-requests.js';
import { RegisteredClients } from '../../libs/rocketmq/src/broker/remoting/registered-clients.js';
import { RemotingServer } from '../../libs/rocketmq/src/broker/remoting/remoting-server.js';
import type { BrokerContext } from '../../libs/rocketmq/src/broker/services/broker-context.js';
import { LiteSubscriptions } from '../../libs/rocketmq/src/broker/services/lite-subscriptions.js';
import type { LongPolls } from '../../libs/rocketmq/src/broker/services/long-polls.js';
import type { TransactionChecks } from '../../libs/rocketmq/src/broker/services/transaction-checks.js';
import { REQUEST_CODES as CODES, RESPONSE_CODES } from '../../libs/rocketmq/src/protocol/remoting/codes.js';
import type { RemotingFrame } from '../../libs/rocketmq/src/protocol/remoting/frame.js';

/** The permission of a topic that cannot be written. @see PermName of the server */
const READ_ONLY = 4;
/** Requests that name the broker in their bodies. */
const LOCKS: readonly number[] = [CODES.lockBatchMq, CODES.unlockBatchMq];
/** @see NamesrvUtil of the server */
const ORDER_CONFIGURATION = 'ORDER_TOPIC_CONFIG';

interface RemotingBrokerOptions {
  readonly name: string;
  readonly host: string;
  /** Of the name server, and of the broker: a client must not take one for the other. */
  readonly ports: readonly [nameServer: number, broker: number];
  /** See `RemotingFrame.version`. */
  readonly release: number;
  /** Asked before each answer: whether its connection breaks first, after the work was done. */
  readonly losesAnswer: () => boolean;
  /** What its name server knows. Default: this broker alone. */
  readonly cluster?: ClusterView | undefined;
}

/** The brokers of a cluster of two, as their name server sees them. */
export interface ClusterView {
  readonly other: { readonly name: string; readonly address: string; readonly isReadOnly: boolean };
  isRegistered(brokerName: string): boolean;
  /** The order configuration of a topic. */
  orderOf(topic: string): string | undefined;
}

/** Serves one simulated broker from its start to its end. */
export class RemotingBroker {
  private readonly servers: readonly RemotingServer[];
  private readonly clients: RegisteredClients;
  private readonly requests: ClientRequests;

  /** @param broker one that has started */
  constructor(
    broker: EmbeddedBroker,
    private readonly options: RemotingBrokerOptions,
  ) {
    const inner = broker as unknown as {
      running(): { readonly polls: LongPolls; readonly checks: TransactionChecks };
      makeContext(polls: LongPolls): BrokerContext;
    };
    const { polls, checks } = inner.running();
    const context = inner.makeContext(polls);
    const { realClock: clock, logger } = context;
    const { host, ports, release } = options;
    this.clients = new RegisteredClients(clock);
    this.requests = new ClientRequests({
      ...context,
      checks,
      clients: this.clients,
      lite: new LiteSubscriptions(context),
      address: () => `${host}:${ports[1]}`,
      release: () => release,
      transactionFirstCheckMs: DEFAULT_FIRST_CHECK_MS,
    });
    checks.askElsewhere = (check) => this.requests.check(check);
    this.servers = ports.map(
      () =>
        new RemotingServer({
          answer: (request, connection) => this.answer(request, connection),
          clock,
          logger,
          tls: undefined,
          release: () => release,
        }),
    );
  }

  async listen(): Promise<void> {
    const { host, ports } = this.options;
    for (const [index, server] of this.servers.entries()) await server.listen(host, ports[index] ?? 0);
  }

  stop(): void {
    for (const server of this.servers) server.stop();
    this.clients.close();
  }

  private async answer(request: RemotingFrame, connection: ClientConnection): Promise<AdminAnswer | undefined> {
    const answer = await this.work(request, connection);
    if (request.isOneWay || !this.options.losesAnswer()) return answer;
    const { socket } = connection as unknown as { readonly socket: Socket };
    socket.destroy();
    return undefined;
  }

  private async work(request: RemotingFrame, connection: ClientConnection): Promise<AdminAnswer | undefined> {
    if (request.code === CODES.getKvConfig) return this.orderConfiguration(request);
    if (LOCKS.includes(request.code)) return this.lock(request, connection);
    const answer = await this.requests.answer(request, connection);
    return request.code === CODES.getRouteInfoByTopic ? this.route(answer) : answer;
  }

  /** An embedded broker takes locks of its own queues only, and goes by one name wherever it is. */
  private async lock(request: RemotingFrame, connection: ClientConnection): Promise<AdminAnswer | undefined> {
    const { name } = this.options;
    const renamed = (body: Buffer | undefined, from: string, to: string): Buffer =>
      Buffer.from((body ?? '').toString().replaceAll(JSON.stringify(from), JSON.stringify(to)));
    const own = { ...request, body: renamed(request.body, name, BROKER_NAME) };
    const answer = await this.requests.answer(own, connection);
    return answer && { ...answer, body: renamed(answer.body, BROKER_NAME, name) };
  }

  /** As a name server that knows, or has lost, each of two brokers. */
  private route(answer: AdminAnswer | undefined): AdminAnswer | undefined {
    const { cluster } = this.options;
    if (cluster === undefined || answer?.body === undefined) return answer;
    const { brokerDatas, queueDatas, ...route } = JSON.parse(answer.body.toString());
    const { name: brokerName, address, isReadOnly } = cluster.other;
    const [own, queues] = [brokerDatas[0], queueDatas[0]];
    const known = [
      { broker: own, queues },
      {
        broker: { brokerName, cluster: own.cluster, brokerAddrs: { 0: address } },
        queues: { ...queues, brokerName, ...(isReadOnly ? { perm: READ_ONLY } : {}) },
      },
    ].filter(({ broker }) => cluster.isRegistered(broker.brokerName));
    if (known.length === 0) throw new AdminRejection(RESPONSE_CODES.topicNotExist, 'no broker has registered');
    const both = {
      ...route,
      brokerDatas: known.map(({ broker }) => broker),
      queueDatas: known.map((one) => one.queues),
    };
    return { ...answer, body: Buffer.from(JSON.stringify(both)) };
  }

  private orderConfiguration({ fields: { namespace, key = '' } }: RemotingFrame): AdminAnswer {
    const value = namespace === ORDER_CONFIGURATION ? this.options.cluster?.orderOf(key) : undefined;
    if (value === undefined) throw new AdminRejection(RESPONSE_CODES.queryNotFound, 'no such configuration');
    return { code: RESPONSE_CODES.success, fields: { value } };
  }
}
