// A proxy inside the client: takes the requests of one client in the gRPC model, and answers them by the remoting protocol of name
// servers and brokers. @see the proxy of the server in cluster mode

import { durationMs } from '../protocol/grpc/duration.js';
import { Code, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { TelemetryCommand } from '../protocol/grpc/generated/apache/rocketmq/v2/service.js';
import type { RpcName, RpcRequest, RpcResponse } from '../protocol/grpc/rpc.js';
import type { SessionMessage } from '../protocol/grpc/session-message.js';
import { LIMITS } from '../protocol/model/limits.js';
import { MalformedMessage } from '../protocol/remoting/stored-message.js';
import { ClusterAccess } from '../remoting/cluster-access.js';
import { RemotingClient } from '../remoting/remoting-client.js';
import { type Deadline, realTimeIn, withNotedEffects } from '../support/deadline.js';
import { StateError, TransportError } from '../support/errors.js';
import { BrokerRequests } from './broker-requests.js';
import { DelayLevels } from './delay-levels.js';
import type { GatewayOptions, Handler, RequestLimits } from './gateway-options.js';
import { liteSubscriptionOf, liteUnsubscriptionsOf } from './lite-topics.js';
import { BroadcastPositions } from './pull/broadcast-positions.js';
import type { PullSession } from './pull/membership.js';
import { PullConsumer } from './pull/pull-consumer.js';
import { Receiving } from './receiving.js';
import { groupOf, topicsOf, unregistrationsOf } from './registration.js';
import { runningInfoOf } from './running-info.js';
import { Sending } from './sending.js';
import { GatewaySession } from './session.js';
import { Settling } from './settling.js';
import { OK, rejection, statusOf } from './statuses.js';
import { Topics } from './topics.js';
import { HalfMessages } from './transactions.js';

/** More than any cluster has brokers. */
const MAX_SESSIONS = 256;
/** How long connecting may take at least, unless requests have less time. */
const MIN_CONNECT_MS = 1_000;

type Handlers = { readonly [N in RpcName]?: Handler<N> };

/** The gateway of one client id. Its connections are not shared, because a broker knows a client by its connection. */
export class Gateway {
  private readonly client: RemotingClient;
  private readonly cluster: ClusterAccess;
  private readonly topics: Topics;
  private readonly settling: Settling;
  private readonly receiving: Receiving;
  /** Of a broadcast. */
  private readonly positions: BroadcastPositions | undefined;
  private readonly pulling: PullConsumer;
  private readonly halfMessages: HalfMessages;
  private readonly requests: BrokerRequests;
  private readonly handlers: Handlers;
  /** By the address of the broker; the last one that was opened. */
  private readonly sessions = new Map<string, GatewaySession>();

  constructor(private readonly options: GatewayOptions) {
    const { clientId, nameServers, requestTimeoutMs: timeoutMs, tls, credentials, logger } = options;
    const push = (address: string, command: SessionMessage): boolean =>
      this.sessions.get(address)?.push(command) === true;
    this.client = new RemotingClient({
      // A server that cannot be reached must leave time for the next one.
      connectTimeoutMs: Math.max(timeoutMs / nameServers.length, Math.min(timeoutMs, MIN_CONNECT_MS)),
      // A poll brings at least one message of each queue, whatever their size.
      maxFrameBytes: LIMITS.receivedFrameBytes,
      tls,
      credentials: credentials.areGiven ? credentials : undefined,
      onRequest: (request, connection) => {
        this.requests.take(request, connection, (command) => push(connection.address, command));
      },
    });
    this.cluster = new ClusterAccess(this.client, { nameServers, cluster: undefined, timeoutMs, unanimous: true });
    this.topics = new Topics(this.cluster, options.mapAddress, logger);
    this.halfMessages = new HalfMessages(this.client, this.topics);
    const delayLevels = new DelayLevels(this.client);
    const broadcastPort = { clientId, client: this.client, topics: this.topics, logger, timeoutMs };
    this.positions = options.consumption === 'broadcast' ? new BroadcastPositions(broadcastPort) : undefined;
    this.pulling = new PullConsumer({
      delayLevels,
      broadcast: this.positions,
      clientId,
      client: this.client,
      topics: this.topics,
      logger,
      sessions: () => this.pullSessions(),
      onLost: (address, receiptHandles) =>
        push(address, { status: OK, command: { $case: 'leasesLost', value: { receiptHandles } } }),
      // By any session: the broker of such a queue may be away for good.
      onHeldUp: (queues) =>
        [...this.sessions.values()].some((session) =>
          session.push({ status: OK, command: { $case: 'queuesHeldUp', value: { queues } } }),
        ),
    });
    const startedAtMs = realTimeIn(0).getTime();
    this.requests = new BrokerRequests(this.halfMessages, logger, this.pulling, (address, report) => {
      const [session, queues] = [this.sessions.get(address), this.pulling.reportAt(address)];
      return runningInfoOf({ nameServers, startedAtMs, consumption: options.consumption, session, queues }, report);
    });
    this.settling = new Settling(
      this.client,
      {
        releaseOf: (address) => this.sessions.get(address)?.brokerVersion ?? 0,
        addressOf: (brokerName) => this.topics.addressOf(brokerName),
      },
      this.pulling.settling,
    );
    this.receiving = new Receiving(
      clientId,
      this.client,
      this.settling,
      this.pulling,
      (address) => this.sessions.get(address),
      logger,
    );
    const sending = new Sending(this.client, this.topics, this.halfMessages, delayLevels);
    this.handlers = {
      queryRoute: (_, { topic }, deadline) => this.route(topic?.name ?? '', deadline),
      queryAssignment: (_, { topic }, deadline) => this.assignments(topic?.name ?? '', deadline),
      sendMessage: (address, request, deadline, { delayLevels: choice = 'exact' }) =>
        sending.send(address, request, deadline, choice),
      recallMessage: (address, request, deadline) => sending.recall(address, request, deadline),
      endTransaction: (_, request, deadline) => this.halfMessages.end(request, deadline),
      ackMessage: (address, request, deadline) => this.settling.ack(address, request, deadline),
      changeInvisibleDuration: (address, request, deadline, { isRetry = false }) =>
        this.change(address, request, deadline, isRetry),
      forwardMessageToDeadLetterQueue: (address, request, deadline) => this.deadLetter(address, request, deadline),
      syncLiteSubscription: async (address, request, deadline) => ({
        status: await this.sync(address, request, deadline),
      }),
      heartbeat: async (address, _, deadline) => ({ status: await this.heartbeat(address, deadline) }),
      notifyClientTermination: async (address, _, deadline) => ({
        status: await this.notifyTermination(address, deadline),
      }),
    };
  }

  /**
   * One request and its answer.
   * @throws TransportError whose `outcome` says whether the request may have taken effect; StateError once closed; the signal's reason
   */
  unary<N extends RpcName>(
    address: string,
    rpc: N,
    request: RpcRequest<N>,
    limits: RequestLimits,
  ): Promise<RpcResponse<N>> {
    const handler = this.handlers[rpc] as Handler<N> | undefined;
    if (handler === undefined) {
      const status = rejection(Code.NOT_IMPLEMENTED, `${rpc} is not possible without a proxy`);
      return Promise.resolve({ status } as unknown as RpcResponse<N>);
    }
    const { what, timeoutMs, signal } = limits;
    return withNotedEffects(what, timeoutMs, signal, (deadline) => handler(address, request, deadline, limits));
  }

  /** A poll: its answers are passed on as from a proxy. Failures as in {@link unary}. */
  receive(
    address: string,
    request: RpcRequest<'receiveMessage'>,
    { what, timeoutMs, signal }: RequestLimits,
    onAnswer: (answer: RpcResponse<'receiveMessage'>) => void,
  ): Promise<void> {
    return withNotedEffects(what, timeoutMs, signal, async (deadline) => {
      try {
        await this.receiving.receive(address, request, deadline, onAnswer);
      } catch (error) {
        if (!(error instanceof MalformedMessage)) throw error;
        const text = `${what}: ${error.message}; is ${address} a broker of RocketMQ?`;
        throw new TransportError('RPC_FAILED', text, 'unknown', false, { cause: error });
      }
    });
  }

  /** The session with a broker, or with the name servers. */
  telemetry(address: string): GatewaySession {
    const { clientId, consumption, requestTimeoutMs: timeoutMs } = this.options;
    const broker = (): string | undefined => (this.isNameServerOnly(address) ? undefined : address);
    const onAnswer = (answer: TelemetryCommand) => this.requests.answer(answer);
    const earlier = this.sessions.get(address);
    earlier?.cancel();
    // A broker that has restarted has forgotten what was locked.
    if (earlier !== undefined) this.pulling.doubtLocks(address);
    const onRegistered = () => this.pulling.balanceSoon();
    const session = new GatewaySession({
      clientId,
      client: this.client,
      timeoutMs,
      // Read at each use: routes show that it is a broker.
      get address() {
        return broker();
      },
      brokers: async (deadline) =>
        (await this.cluster.masters(deadline)).map(({ address: at }) => this.options.mapAddress(at)),
      group: earlier?.group,
      consumption,
      onJoin: async (settings, deadline) => this.positions?.join(groupOf(settings), topicsOf(settings), deadline),
      onAnswer,
      onRegistered,
    });
    this.forgetEnded();
    this.sessions.set(address, session);
    return session;
  }

  /** A broker can be its own name server, as the embedded one is. */
  private isNameServerOnly(address: string): boolean {
    return this.options.nameServers.includes(address) && this.topics.nameAt(address) === undefined;
  }

  /** Of servers that are gone; a server that is away for a while keeps what it said of the group. */
  private forgetEnded(): void {
    if (this.sessions.size < MAX_SESSIONS) return;
    for (const [address, { isOpen }] of this.sessions) if (!isOpen) this.sessions.delete(address);
  }

  /** Ends sessions and connections; pending calls fail, but a dead letter is not left half moved. Idempotent. */
  async close(): Promise<void> {
    for (const session of this.sessions.values()) session.end();
    await Promise.all([this.receiving.close(), this.pulling.close()]);
    await this.client.close(new StateError('CLOSED', 'the client is closed; nothing was sent'));
  }

  private async route(topic: string, deadline: Deadline): Promise<RpcResponse<'queryRoute'>> {
    const { status, queues, order } = await this.topics.queues(topic, deadline);
    return { status, messageQueues: [...queues], orderConfiguration: order };
  }

  private async assignments(topic: string, deadline: Deadline): Promise<RpcResponse<'queryAssignment'>> {
    const isOrderedAt = (address: string): boolean => {
      const { group } = this.sessions.get(address) ?? {};
      return group?.isOrdered === true && group.lite === undefined && group.abilities.pops;
    };
    const found = await this.topics.readable(topic, isOrderedAt, deadline);
    if (isStatus(found)) return { status: found, assignments: [] };
    return { status: OK, assignments: found.map((messageQueue) => ({ messageQueue })) };
  }

  /** The sessions with brokers that are pulled from, by address. */
  private pullSessions(): ReadonlyMap<string, PullSession> {
    const found = new Map<string, PullSession>();
    for (const [address, { acceptedSettings: settings, group }] of this.sessions) {
      if (settings !== undefined && group?.abilities.pops === false) found.set(address, { settings, group });
    }
    return found;
  }

  private change(
    address: string,
    request: RpcRequest<'changeInvisibleDuration'>,
    deadline: Deadline,
    isRetry: boolean,
  ): Promise<RpcResponse<'changeInvisibleDuration'>> {
    const { topic, group, receiptHandle: handle, invisibleDuration, suspend = false } = request;
    const invisibleMs = invisibleDuration === undefined ? 0 : Math.round(durationMs(invisibleDuration));
    const names = { topic: topic?.name ?? '', consumerGroup: group?.name ?? '' };
    return this.settling.change(address, { ...names, handle, invisibleMs, suspend, isRetry }, deadline);
  }

  private async deadLetter(
    address: string,
    request: RpcRequest<'forwardMessageToDeadLetterQueue'>,
    deadline: Deadline,
  ): Promise<RpcResponse<'forwardMessageToDeadLetterQueue'>> {
    const { topic, group, receiptHandle: handle, messageId } = request;
    const names = { topic: topic?.name ?? '', consumerGroup: group?.name ?? '' };
    return { status: await this.settling.deadLetter(address, { ...names, handle, messageId }, deadline) };
  }

  private heartbeat(address: string, deadline: Deadline): Promise<Status> {
    const session = this.sessions.get(address);
    const unknown = rejection(Code.UNRECOGNIZED_CLIENT_TYPE, 'there is no session with this broker');
    return session?.isOpen === true ? session.heartbeat(deadline) : Promise.resolve(unknown);
  }

  private async notifyTermination(address: string, deadline: Deadline): Promise<Status> {
    const settings = this.sessions.get(address)?.settings;
    if (settings === undefined || this.isNameServerOnly(address)) return OK;
    const { clientId } = this.options;
    await this.pulling.leave(address, deadline);
    const requests = [...unregistrationsOf(clientId, settings), ...liteUnsubscriptionsOf(clientId, settings)];
    await Promise.all(requests.map((request) => this.client.ask(address, request, deadline)));
    return OK;
  }

  private async sync(
    address: string,
    request: RpcRequest<'syncLiteSubscription'>,
    deadline: Deadline,
  ): Promise<Status> {
    const answer = await this.client.ask(address, liteSubscriptionOf(this.options.clientId, request), deadline);
    return statusOf(answer, address);
  }
}

function isStatus(found: readonly unknown[] | Status): found is Status {
  return !Array.isArray(found);
}
