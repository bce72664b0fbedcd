// One client id: its routes, telemetry sessions, heartbeats and disconnect. Producer and consumers are built on it.
// Over 300 lines: start, routes, sessions and shutdown share the state of one client.

import { ClientType, type Resource, type Status } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import type { RpcRequest, RpcResponse } from '../protocol/grpc/rpc.js';
import type { AnnouncedCapabilities } from '../protocol/grpc/session-message.js';
import type { MessageType } from '../protocol/model/message.js';
import { AbortSource } from '../support/abort-source.js';
import type { BackoffPolicy } from '../support/backoff.js';
import { MINUTE_MS, SECOND_MS, SystemClock } from '../support/clock.js';
import { type Deadline, withNotedEffects } from '../support/deadline.js';
import { StateError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import type { RetryPace } from '../support/retry.js';
import { type ClientRole, settingsOf } from './client-role.js';
import type { Connection } from './connection.js';
import { type Endpoint, endpointKey } from './endpoint.js';
import { Heartbeats } from './heartbeats.js';
import { Isolation } from './isolation.js';
import type { StartOptions } from './lifecycle-options.js';
import { PeriodicWork } from './periodic-work.js';
import { queryRoute } from './query-route.js';
import { everyPart } from './resource-errors.js';
import { type Route, resource } from './route.js';
import { RouteTable } from './route-table.js';
import type { RequestOptions, ServerCalls, UnaryRpc } from './server-calls.js';
import { takeCommand } from './server-commands.js';
import { notifyOfSession, type SessionHealth } from './session-events.js';
import { Sessions } from './sessions.js';
import { TelemetrySession } from './telemetry-session.js';

const ROUTE_REFRESH_MS = 30 * SECOND_MS;
const SETTINGS_REFRESH_MS = 5 * MINUTE_MS;
/** A server that does not answer drops the client by itself. A shutdown must not wait for that as long as a request may. */
const MAX_TERMINATION_MS = 3 * SECOND_MS;
const RETRY: BackoffPolicy = { kind: 'exponential', initialMs: 100, maxMs: 2_000, multiplier: 2 };

type State = { readonly kind: 'running' } | { readonly kind: 'closed'; readonly closed: Promise<void> };

/** Talks to a cluster under one client id. Liveness checks use real time, whatever clock the application uses. */
export class Client {
  /** The server stores the settings under this id. */
  readonly id: string;
  private state: State = { kind: 'running' };
  private readonly clock = new SystemClock();
  /** How operations that are safe to repeat are retried. */
  readonly pace: RetryPace;
  private readonly sessions: Sessions;
  private readonly routes: RouteTable;
  private readonly background: PeriodicWork;
  private readonly isolation = new Isolation();
  private readonly heartbeats: Heartbeats;
  private readonly closing = new AbortSource();
  private readonly calls: ServerCalls;
  private readonly unlinkCredentials: () => void;

  constructor(
    readonly connection: Connection,
    private readonly role: ClientRole,
  ) {
    this.id = connection.newClientId();
    const { logger, random } = connection;
    this.pace = { clock: this.clock, random, policy: RETRY };
    this.routes = new RouteTable({
      pace: this.pace,
      connection,
      mayDenyNewTopics: () => !connection.capabilities(connection.bootstrap).findsNewTopics,
      fetch: (topic) =>
        queryRoute(topic, {
          role,
          connection,
          ask: (request) => {
            const options = this.backgroundOptions(`route of topic "${topic}"`);
            return this.unary(connection.bootstrap, 'queryRoute', request, options);
          },
          onServer: (endpoint) => this.session(endpoint),
          hasQueues: () => this.routes.hasQueues(topic),
        }),
    });
    this.sessions = new Sessions(logger, (endpoint) => this.newSession(endpoint));
    this.background = new PeriodicWork(this.clock, logger);
    this.heartbeats = new Heartbeats({
      logger,
      background: this.background,
      sessions: this.sessions,
      isolation: this.isolation,
      session: (endpoint) => this.session(endpoint),
      send: (endpoint) => this.heartbeat(endpoint),
      sync: (session) => this.withinRequest((deadline) => session.sync(deadline.end)),
    });
    this.calls = connection.newCalls(this.id, role);
    // A stream keeps the key that it was opened with, and the server checks that key again whenever settings arrive.
    this.unlinkCredentials = connection.credentials.onRotation(() => this.sessions.reopen());
  }

  /**
   * Finds the topics, sends the settings to all their servers, and keeps both up to date until {@link close}. An unavailable server
   * does not delay the start as long as another is available: it receives the settings when it is back.
   * @throws ResourceError that names all topics that are missing or of another type; the first rejection of the server; when the server is
   *   unavailable, the last failure once the deadline has passed
   */
  async start(
    topics: ReadonlyMap<string, MessageType | undefined>,
    deadline: Deadline,
    { waitForTopics: waitForTopic }: StartOptions = {},
  ): Promise<void> {
    await everyPart([...topics].map(([topic, type]) => this.routes.get(topic, deadline, { type, waitForTopic })));
    // Without a topic there is no route, so the settings go to the bootstrap endpoint.
    if (topics.size === 0) this.session(this.connection.bootstrap);
    await this.sessions.synced(deadline, this.attemptTimeoutMs(deadline));
    this.heartbeats.start();
    // Closures would keep the deadline in memory for good.
    this.background.every('refresh of routes', ROUTE_REFRESH_MS, this.refreshRoutes.bind(this));
    this.background.every('refresh of settings', SETTINGS_REFRESH_MS, this.refreshSettings.bind(this));
  }

  /**
   * Asks what the server says of the settings where a topic is missing: a proxy by one request, name servers and brokers by several.
   * @throws the rejection of the server; when it does not answer, its failure
   */
  async tryOut(deadline: Deadline): Promise<void> {
    // Without any route, there is no other session.
    if (this.sessions.list().length === 0) this.session(this.connection.bootstrap);
    const timeoutMs = this.connection.hasProxy ? this.attemptTimeoutMs(deadline) : Math.max(1, deadline.remainingMs());
    await withNotedEffects('settings', timeoutMs, deadline.signal, (own) =>
      this.sessions.synced(own, own.remainingMs()),
    );
  }

  /**
   * The route of a topic; from the cache if it is known.
   * @throws ResourceError when the topic does not exist, or does not accept messages of `type`. Whatever it throws, nothing
   *   took effect
   */
  route(topic: string, deadline: Deadline, type?: MessageType): Promise<Route> {
    return this.routes.get(topic, deadline, { type });
  }

  /** The cached route, if it is known and accepts messages of `type`; otherwise {@link route} reports the problem. */
  knownRoute(topic: string, type: MessageType): Route | undefined {
    return this.routes.peek(topic, type);
  }

  /**
   * A route that the server has given within the last second: what a proxy does with a message group depends on what it knows at present.
   * Failures as in {@link route}.
   */
  freshRoute(topic: string, deadline: Deadline, type?: MessageType): Promise<Route> {
    return this.routes.fresh(topic, deadline, { type });
  }

  /** Refreshes a route that may be stale, in the background; the cached one is used until then. */
  renewRoute(topic: string): void {
    this.routes.renew(topic);
  }

  /** Marks an endpoint as failed, until a heartbeat or an answer to the settings succeeds. */
  isolate(endpoint: Endpoint): void {
    this.heartbeats.isolate(endpoint);
  }

  /** Ends the isolation of an endpoint that has recovered. */
  rejoin(endpoint: Endpoint): void {
    this.heartbeats.rejoin(endpoint);
  }

  isIsolated(endpoint: Endpoint): boolean {
    return this.isolation.has(endpoint);
  }

  /** Waits until a server that failed has recovered, or the time is over. @throws the signal's reason */
  pauseUnlessRejoined(durationMs: number, signal: AbortSignal): Promise<void> {
    return this.isolation.pause(this.clock, durationMs, signal);
  }

  /** The status of the sessions. */
  sessionHealth(): SessionHealth[] {
    return this.sessions.health();
  }

  /** @internal What this client is doing, a line for each fact. */
  report(): readonly string[] {
    return this.role.report?.() ?? [];
  }

  /** The session of an endpoint; opened at first use. @throws StateError `CLOSED` */
  session(endpoint: Endpoint): TelemetrySession {
    this.assertRunning();
    return this.sessions.to(endpoint);
  }

  /**
   * Sends changed settings to all endpoints; resolves when every one has answered. Unavailable ones are not waited for while
   * another is available: nothing is received from them before they have the settings.
   */
  syncSettings(deadline: Deadline): Promise<void> {
    return this.sessions.sync(deadline);
  }

  /**
   * One request and its answer. The caller must check the status inside the answer.
   * @throws TransportError whose `outcome` says whether the request may have reached the server; StateError once closed; the
   *   signal's reason
   */
  unary<N extends UnaryRpc>(
    endpoint: Endpoint,
    rpc: N,
    request: RpcRequest<N>,
    options: RequestOptions,
  ): Promise<RpcResponse<N>> {
    if (this.state.kind === 'closed') return Promise.reject(closedError());
    return this.calls.unary(endpoint, rpc, request, options);
  }

  /**
   * One request, and its answers as they arrive; resolves when the server has ended the stream. Failures as in {@link unary}; if
   * `onAnswer` throws, the call is canceled.
   */
  async receive(
    endpoint: Endpoint,
    request: RpcRequest<'receiveMessage'>,
    options: RequestOptions,
    onAnswer: (answer: RpcResponse<'receiveMessage'>) => void,
  ): Promise<void> {
    this.assertRunning();
    await this.calls.receive(endpoint, request, options, onAnswer);
  }

  /** Notifies every endpoint of the termination and ends the sessions. The connection stays open. Later calls wait for the same end. */
  close(): Promise<void> {
    if (this.state.kind === 'closed') return this.state.closed;
    this.closing.abort(closedError());
    const closed = this.notifyTermination();
    this.state = { kind: 'closed', closed };
    return closed;
  }

  private async notifyTermination(): Promise<void> {
    const request = { group: this.groupResource };
    const options = { what: 'termination', timeoutMs: Math.min(MAX_TERMINATION_MS, this.connection.requestTimeoutMs) };
    this.unlinkCredentials();
    await this.background.stop();
    await Promise.all(
      this.sessions.list().map(async ({ endpoint, session }) => {
        // An unavailable server drops the client by itself.
        if (session.isSynced) {
          await this.calls
            .unary(endpoint, 'notifyClientTermination', request, options)
            .catch((error) =>
              this.connection.logger.debug('client termination could not be sent', { error: describeError(error) }),
            );
        }
        await session.close();
        this.connection.release(endpoint);
      }),
    );
    await this.calls.close();
  }

  private async refreshRoutes(): Promise<void> {
    await this.routes.refresh();
    const left = await this.sessions.leaveGone([this.connection.bootstrap, ...this.routes.endpoints()]);
    for (const endpoint of left) {
      this.isolation.remove(endpoint);
      this.connection.release(endpoint);
      this.role.onGone?.(endpoint);
    }
  }

  /** How long one request of a longer operation may take, in milliseconds. */
  attemptTimeoutMs(deadline: Deadline): number {
    return Math.max(1, Math.min(this.connection.requestTimeoutMs, deadline.remainingMs()));
  }

  /** Whether this server can do it, or all that have answered the settings of this consumer; false before the first answer. */
  announces(capability: keyof AnnouncedCapabilities, server?: Endpoint): boolean {
    return this.sessions.announce(capability, server);
  }

  /**
   * Names a server to an operator: its address, and its broker where it serves one alone.
   * @param brokers those that are known to be there beside those of the routes
   */
  nameOf(server: Endpoint, brokers: readonly string[] = []): string {
    const key = endpointKey(server);
    const [broker, ...others] = new Set([...this.routes.brokersAt(key), ...brokers]);
    return broker === undefined || others.length > 0 ? key : `${broker} (${key})`;
  }

  private newSession(endpoint: Endpoint): TelemetrySession {
    const { connection, role } = this;
    connection.retain(endpoint);
    const session: TelemetrySession = new TelemetrySession({
      endpoint: endpointKey(endpoint),
      clock: this.clock,
      random: connection.random,
      logger: connection.logger,
      ready: (signal) => this.calls.ready(signal),
      open: () => this.calls.telemetry(endpoint),
      hasOtherCredentials: (version, signal) => connection.credentials.renew(version, signal),
      credentialsVersion: () => connection.credentials.version,
      settings: () => settingsOf(role, connection, endpoint),
      onSettings: (settings) => {
        this.rejoin(endpoint);
        return role.onSettings(settings, endpoint);
      },
      onCommand: (command) => {
        if (!role.onCommand(command, endpoint)) takeCommand(command, this, { endpoint, session });
      },
      onChange: (change) => {
        if (role.events === undefined) return;
        const kind = role.type === ClientType.PRODUCER ? 'producer' : 'consumer';
        const identity = { role: kind, clientId: this.id, consumerGroup: role.consumerGroup } as const;
        notifyOfSession(role.events, identity, { endpoint: endpointKey(endpoint), change, logger: connection.logger });
      },
    });
    return session;
  }

  /** Sends the settings to all endpoints again, as {@link syncSettings}, within the timeout of one request. */
  async refreshSettings(): Promise<void> {
    await this.withinRequest((deadline) => this.syncSettings(deadline));
  }

  private withinRequest(sync: (deadline: Deadline) => Promise<void>): Promise<void> {
    return withNotedEffects('settings', this.connection.requestTimeoutMs, this.closing, sync);
  }

  private async heartbeat(endpoint: Endpoint): Promise<Status | undefined> {
    const request = { group: this.groupResource, clientType: this.role.type };
    return (await this.unary(endpoint, 'heartbeat', request, this.backgroundOptions('heartbeat'))).status;
  }

  private get groupResource(): Resource | undefined {
    const { consumerGroup } = this.role;
    return consumerGroup === undefined ? undefined : resource(this.connection.namespace, consumerGroup);
  }

  private backgroundOptions(what: string): RequestOptions {
    return { what, timeoutMs: this.connection.requestTimeoutMs, signal: this.closing };
  }

  private assertRunning(): void {
    if (this.state.kind === 'closed') throw closedError();
  }
}

function closedError(): StateError {
  return new StateError('CLOSED', 'the client is closed; nothing was sent');
}
