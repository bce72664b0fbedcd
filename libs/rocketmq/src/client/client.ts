// One client id: its routes, its telemetry sessions, its heartbeats and its goodbye. Producer and consumers are built on it.

import { hostname } from 'node:os';
import { toDuration } from '../protocol/duration.js';
import { ClientType, Code, Language, type Settings } from '../protocol/generated/apache/rocketmq/v2/definition.js';
import type { MessageType } from '../protocol/message.js';
import { type RpcName, type RpcRequest, type RpcResponse, rpcMethod } from '../protocol/rpc.js';
import { requireOk, StatusError } from '../protocol/status.js';
import type { BackoffPolicy } from '../support/backoff.js';
import { MINUTE_MS, type ScheduledTask, SECOND_MS, SystemClock } from '../support/clock.js';
import { type Deadline, withDeadline } from '../support/deadline.js';
import { StateError } from '../support/errors.js';
import { describeError } from '../support/logger.js';
import { type RetryPace, retryUntil } from '../support/retry.js';
import type { WireCall } from './channel.js';
import type { Connection } from './connection.js';
import { type Endpoint, endpointKey, toWireEndpoints } from './endpoint.js';
import { topicNotFound, topicTypeMismatch } from './resource-errors.js';
import { type Route, resource, routeFromWire } from './route.js';
import { type ServerCommand, TelemetrySession } from './telemetry-session.js';

/** What a role adds to the common client. */
export interface ClientRole {
  readonly type: ClientType.PRODUCER | ClientType.PUSH_CONSUMER | ClientType.SIMPLE_CONSUMER;
  /** Present for consumers. */
  readonly consumerGroup?: string;
  /** The role's part of the settings, made anew at each sync. */
  settings(): Pick<Settings, 'pubSub' | 'backoffPolicy'>;
  /** What the server decided, at each of its answers to the settings. */
  onSettings(settings: Settings): void;
  /** Handles a command that came over the session of this endpoint; false when it does not know it. */
  onCommand(command: ServerCommand, endpoint: Endpoint): boolean;
}

/** How one request is to be made. */
export interface RequestOptions {
  /** The operation in words, for errors: "send to order-created". */
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

type UnaryRpc = Exclude<RpcName, 'receiveMessage' | 'pullMessage' | 'telemetry'>;

const HEARTBEAT_MS = 10 * SECOND_MS;
const ROUTE_REFRESH_MS = 30 * SECOND_MS;
const SETTINGS_REFRESH_MS = 5 * MINUTE_MS;
const RETRY: BackoffPolicy = { kind: 'exponential', initialMs: 100, maxMs: 2_000, multiplier: 2 };

type State = { readonly kind: 'running' } | { readonly kind: 'closed'; readonly closed: Promise<void> };

/** Talks to a cluster under one client id. Liveness is in real time, whatever clock the application uses. */
export class Client {
  readonly id: string;
  private state: State = { kind: 'running' };
  private readonly clock = new SystemClock();
  private readonly pace: RetryPace;
  private readonly sessions = new Map<string, { readonly endpoint: Endpoint; readonly session: TelemetrySession }>();
  private readonly routes = new Map<string, Route>();
  private readonly timers = new Map<string, ScheduledTask>();
  private readonly background = new Set<Promise<void>>();
  private readonly closing = new AbortController();

  constructor(
    readonly connection: Connection,
    private readonly role: ClientRole,
  ) {
    this.id = connection.newClientId();
    this.pace = { clock: this.clock, random: connection.random, policy: RETRY };
  }

  /**
   * Finds the topics, makes the settings known wherever they live, and keeps all that up to date until {@link close}.
   * @throws ResourceError when a topic is missing or of another type; the first refusal of the server; when the server is
   *   away, the last failure once the deadline has passed
   */
  async start(topics: ReadonlyMap<string, MessageType | undefined>, deadline: Deadline): Promise<void> {
    await Promise.all([...topics].map(([topic, type]) => this.route(topic, deadline, type)));
    // Without a topic there is no route to follow; the bootstrap endpoint then is the one to be known to.
    if (topics.size === 0) this.session(this.connection.bootstrap);
    await Promise.all([...this.sessions.values()].map(({ session }) => session.synced(deadline.signal)));
    this.repeat('heartbeat', HEARTBEAT_MS, () => this.heartbeat());
    this.repeat('routes', ROUTE_REFRESH_MS, () => this.refreshRoutes());
    this.repeat('settings', SETTINGS_REFRESH_MS, () => this.refreshSettings());
  }

  /**
   * Where the queues of a topic are; from memory when known.
   * @throws ResourceError when the topic does not exist, or does not take messages of `type`
   */
  async route(topic: string, deadline: Deadline, type?: MessageType): Promise<Route> {
    const route =
      this.routes.get(topic) ?? (await retryUntil(deadline, this.pace, () => this.fetchRoute(topic, deadline, type)));
    if (type !== undefined && route.types.length > 0 && !route.types.includes(type)) {
      throw topicTypeMismatch(topic, type, route.types);
    }
    return route;
  }

  /** Forgets a route that turned out to be wrong; the next use asks for it anew. */
  forgetRoute(topic: string): void {
    this.routes.delete(topic);
  }

  /** The session of an endpoint; opened at first use. */
  session(endpoint: Endpoint): TelemetrySession {
    this.assertRunning();
    const key = endpointKey(endpoint);
    const known = this.sessions.get(key);
    if (known !== undefined) return known.session;
    const session = this.newSession(endpoint, key);
    this.sessions.set(key, { endpoint, session });
    session.start();
    return session;
  }

  /** Makes changed settings known everywhere; resolves when every endpoint has answered. */
  async syncSettings(deadline: Deadline): Promise<void> {
    await Promise.all([...this.sessions.values()].map(({ session }) => session.sync(deadline.signal)));
  }

  /** One request and its answer. The status inside the answer is the caller's to judge. */
  async unary<N extends UnaryRpc>(
    endpoint: Endpoint,
    rpc: N,
    request: RpcRequest<N>,
    options: RequestOptions,
  ): Promise<RpcResponse<N>> {
    this.assertRunning();
    const method = rpcMethod(rpc);
    const channel = this.connection.channel(endpoint);
    const bytes = await channel.unary(this.wireCall(method.path, options), method.request.encode(request).finish());
    return method.response.decode(bytes);
  }

  /** One request and the stream of its answers. */
  async *receive(
    endpoint: Endpoint,
    request: RpcRequest<'receiveMessage'>,
    options: RequestOptions,
  ): AsyncIterable<RpcResponse<'receiveMessage'>> {
    this.assertRunning();
    const method = rpcMethod('receiveMessage');
    const channel = this.connection.channel(endpoint);
    const call = this.wireCall(method.path, options);
    for await (const frame of channel.serverStream(call, method.request.encode(request).finish())) {
      yield method.response.decode(frame);
    }
  }

  /** Says goodbye to every endpoint, ends the sessions. The connection stays open. Repeating it waits for the same end. */
  close(): Promise<void> {
    if (this.state.kind === 'closed') return this.state.closed;
    for (const timer of this.timers.values()) timer.cancel();
    this.closing.abort(new StateError('CLOSED', 'the client is closed; nothing was sent'));
    const closed = this.goodbye();
    this.state = { kind: 'closed', closed };
    return closed;
  }

  private async goodbye(): Promise<void> {
    const method = rpcMethod('notifyClientTermination');
    const { consumerGroup } = this.role;
    const request = {
      group: consumerGroup === undefined ? undefined : resource(this.connection.namespace, consumerGroup),
    };
    await Promise.allSettled(this.background);
    await Promise.all(
      [...this.sessions.values()].map(async ({ endpoint, session }) => {
        // A server that is away forgets the client by itself.
        if (session.isSynced) {
          const call = this.wireCall(method.path, { what: 'goodbye', timeoutMs: this.connection.requestTimeoutMs });
          const bytes = method.request.encode(request).finish();
          await Promise.resolve()
            .then(() => this.connection.channel(endpoint).unary(call, bytes))
            .catch((error) => this.connection.logger.debug('goodbye failed', { error: describeError(error) }));
        }
        await session.close();
      }),
    );
  }

  private async fetchRoute(topic: string, deadline: Deadline, type?: MessageType): Promise<Route> {
    const { connection } = this;
    const what = `route of topic "${topic}"`;
    const request = {
      topic: resource(connection.namespace, topic),
      endpoints: toWireEndpoints(connection.bootstrap),
    };
    const options = { what, timeoutMs: this.attemptTimeoutMs(deadline), signal: deadline.signal };
    const response = await this.unary(connection.bootstrap, 'queryRoute', request, options);
    if (response.status?.code === Code.TOPIC_NOT_FOUND) {
      throw topicNotFound(topic, type, new StatusError(what, response.status));
    }
    requireOk(what, response.status);
    const route = routeFromWire(topic, response.messageQueues, connection.addressRules);
    this.routes.set(topic, route);
    for (const { endpoint } of route.queues) this.session(endpoint);
    return route;
  }

  /** What one request of a longer operation may take. */
  attemptTimeoutMs(deadline: Deadline): number {
    return Math.max(1, Math.min(this.connection.requestTimeoutMs, deadline.remainingMs()));
  }

  private newSession(endpoint: Endpoint, key: string): TelemetrySession {
    const { connection, role } = this;
    const { path } = rpcMethod('telemetry');
    const session: TelemetrySession = new TelemetrySession({
      endpoint: key,
      clock: this.clock,
      random: connection.random,
      logger: connection.logger,
      open: () =>
        connection.channel(endpoint).stream({ path, metadata: connection.metadata(this.id), timeoutMs: undefined }),
      settings: () => this.settings(),
      onSettings: (settings) => role.onSettings(settings),
      onCommand: (command) => {
        if (!role.onCommand(command, endpoint)) declineCommand(command, session);
      },
    });
    return session;
  }

  private settings(): Settings {
    const { connection, role } = this;
    return {
      clientType: role.type,
      accessPoint: toWireEndpoints(connection.bootstrap),
      requestTimeout: toDuration(connection.requestTimeoutMs),
      userAgent: {
        language: Language.NODE_JS,
        version: process.version,
        platform: process.platform,
        hostname: hostname(),
      },
      clientProperties: {},
      ...role.settings(),
    };
  }

  private wireCall(path: string, options: RequestOptions): WireCall {
    const { timeoutMs, signal } = options;
    return { path, metadata: this.connection.metadata(this.id), timeoutMs, signal };
  }

  private repeat(name: string, everyMs: number, work: () => Promise<void>): void {
    if (this.state.kind === 'closed') return;
    const tick = (): void => {
      const run = work()
        .catch((error) => this.connection.logger.debug(`${name} failed`, { error: describeError(error) }))
        .finally(() => {
          this.background.delete(run);
          this.repeat(name, everyMs, work);
        });
      this.background.add(run);
    };
    this.timers.set(name, this.clock.schedule(everyMs, tick));
  }

  private async heartbeat(): Promise<void> {
    const { consumerGroup, type } = this.role;
    const group = consumerGroup === undefined ? undefined : resource(this.connection.namespace, consumerGroup);
    await Promise.all(
      [...this.sessions.values()].map(async ({ endpoint, session }) => {
        if (!session.isSynced) return;
        const options = this.backgroundOptions('heartbeat');
        const { status } = await this.unary(endpoint, 'heartbeat', { group, clientType: type }, options);
        // The server has forgotten the settings: tell them again before it refuses something that matters.
        if (status?.code === Code.UNRECOGNIZED_CLIENT_TYPE) {
          await withDeadline('settings', this.connection.requestTimeoutMs, this.closing.signal, (deadline) =>
            session.sync(deadline.signal),
          );
        }
      }),
    );
  }

  private async refreshRoutes(): Promise<void> {
    for (const topic of [...this.routes.keys()]) {
      await withDeadline('route', this.connection.requestTimeoutMs, this.closing.signal, (deadline) =>
        this.fetchRoute(topic, deadline),
      );
    }
  }

  private async refreshSettings(): Promise<void> {
    await withDeadline('settings', this.connection.requestTimeoutMs, this.closing.signal, (deadline) =>
      this.syncSettings(deadline),
    );
  }

  private backgroundOptions(what: string): RequestOptions {
    return { what, timeoutMs: this.connection.requestTimeoutMs, signal: this.closing.signal };
  }

  private assertRunning(): void {
    if (this.state.kind === 'closed') throw new StateError('CLOSED', 'the client is closed; nothing was sent');
  }
}

/** The server waits for an answer to these; silence would cost an operator five seconds. */
function declineCommand(command: ServerCommand, session: TelemetrySession): void {
  const status = { code: Code.NOT_IMPLEMENTED, message: 'not supported by this client' };
  if (command.$case === 'verifyMessageCommand') {
    session.write({ status, command: { $case: 'verifyMessageResult', value: { nonce: command.value.nonce } } });
  } else if (command.$case === 'printThreadStackTraceCommand') {
    session.write({ status, command: { $case: 'threadStackTrace', value: { nonce: command.value.nonce } } });
  }
}
