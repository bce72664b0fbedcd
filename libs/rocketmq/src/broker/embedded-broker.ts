// The embedded broker: puts the four layers together, starts and stops them.
// Over 300 lines for the documentation of its public methods.

import { randomBytes } from 'node:crypto';
import { LIMITS } from '../protocol/model/limits.js';
import { liteGroupProblem } from '../protocol/model/lite-group.js';
import { TOPIC_TYPES } from '../protocol/model/message.js';
import { consumerGroupNameProblem, topicNameProblem } from '../protocol/model/names.js';
import { raceAbort } from '../support/abort.js';
import { type Clock, SystemClock } from '../support/clock.js';
import { type CallOptions, withNotedEffects } from '../support/deadline.js';
import { StateError, UsageError } from '../support/errors.js';
import { type Logger, silentLogger } from '../support/logger.js';
import { CALL_CHECKS, describe, isIntegerFrom, oneOf, rejectionOf, trueOrFalse } from '../support/options.js';
import { TravelClock } from '../support/travel-clock.js';
import { AccessControl } from './access/access-control.js';
import type { BrokerUser } from './access/users.js';
import { isWildcard, reachableHost } from './advertised-address.js';
import { ConnectedClients } from './connected-clients.js';
import { ControlClient, type InsideControl } from './control/control-client.js';
import type { ControlContext } from './control/control-context.js';
import type { ControlServer } from './control/control-server.js';
import {
  assertHosts,
  assertStoring,
  assertTimeOptions,
  DEFAULT_FIRST_CHECK_MS,
  type EmbeddedBrokerOptions,
  engineOptionsOf,
  retentionOf,
} from './embedded-broker-options.js';
import { Engine } from './engine/engine.js';
import type { DeliveryWatcher } from './engine/engine-listener.js';
import type { GroupDeclaration, TopicDeclaration } from './engine/registry.js';
import { Rejection } from './engine/rejection.js';
import type { RetentionLimits } from './engine/retention.js';
import { RELEASE } from './engine/server-names.js';
import { RegisteredClients } from './remoting/registered-clients.js';
import { remotingRequirementsOf } from './remoting/remoting-requirements.js';
import type { RemotingServer, RequestAnswerer } from './remoting/remoting-server.js';
import { RetentionSweeper } from './retention-sweeper.js';
import { portTlsOf } from './server-tls.js';
import type { BrokerAddress, BrokerContext } from './services/broker-context.js';
import { type ConnectionChoice, Faults } from './services/faults.js';
import type { GrpcServer } from './services/grpc-server.js';
import type { PortTls } from './services/listener.js';
import { LiteSubscriptions } from './services/lite-subscriptions.js';
import { LongPolls } from './services/long-polls.js';
import { messagingServer } from './services/messaging-server.js';
import { Sessions } from './services/sessions.js';
import { TransactionChecks } from './services/transaction-checks.js';
import { DamageLog } from './store/damaged-record.js';
import { LmdbStore, type LmdbStoreOptions } from './store/lmdb-store.js';
import { MemoryStore } from './store/memory-store.js';
import { nameOfRecord } from './store/records.js';
import type { Store } from './store/store.js';
import type { StoreFailure } from './store/store-failure.js';
import { Ticker } from './ticker.js';
import { Activity } from './time/activity.js';
import { type ClientTime, SAME_TIME } from './time/client-time.js';
import type { SteppedBroker } from './time/time-steps.js';
import { assertTimeNotMoved, TimeTravel } from './time/time-travel.js';

const LOOPBACK = '127.0.0.1';
/** How long a start may take by default. */
const START_TIMEOUT_MS = 10_000;

type BrokerState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'starting'; readonly done: Promise<void> }
  | { readonly kind: 'started'; readonly running: Running }
  | { readonly kind: 'stopping'; readonly done: Promise<void> };

/** The parts that exist only while the broker is running. */
interface Running {
  readonly server: GrpcServer;
  readonly polls: LongPolls;
  readonly checks: TransactionChecks;
  readonly nameServer: RemotingServer | undefined;
  readonly remoting: RegisteredClients | undefined;
  readonly control: ControlServer | undefined;
}

/**
 * A RocketMQ broker inside this process that stores its messages in memory or in a folder, for development, tests and demos. A single
 * node, never a cluster. It keeps its messages when it is stopped and started again.
 */
export class EmbeddedBroker {
  /** Injects faults, for tests. */
  readonly faults = new Faults({
    breakStreams: (clientId) => this.breakStreams(clientId),
    breakConnections: (choice) => this.breakConnections(choice),
    forgetSettings: (clientId) => {
      if (clientId === undefined) this.sessions.clear();
      else this.sessions.remove(clientId);
      this.running()?.remoting?.lose(clientId);
    },
    hasRemoting: () => this.#options.nameServerPort !== undefined,
  });
  /** @internal Running calls, stored records and connected clients; for testing/. */
  readonly inside: SteppedBroker & {
    readonly sessions: Sessions;
    readonly clients: ConnectedClients;
    /** Reports deliveries and acknowledgments from now on. */
    watch(watcher: DeliveryWatcher): void;
    deleteMessages(): void;
    /**
     * For clients of the remoting protocol that go by the release of a broker: see `RemotingFrame.version`. A new group then starts in an empty
     * queue as on that release; nothing else changes.
     */
    stateRelease(release: number): void;
  };
  private readonly clock: Clock;
  private readonly realClock = new SystemClock();
  private readonly travel: TimeTravel | undefined;
  private readonly clientTime: ClientTime;
  private readonly activity = new Activity();
  private readonly store: Store;
  private readonly sessions = new Sessions(this.realClock);
  private readonly clients = new ConnectedClients(this.sessions, () => this.running()?.remoting);
  private readonly logger: Logger;
  /** Private fields, so that logging this object does not print keys. */
  readonly #options: EmbeddedBrokerOptions;
  readonly #tls: PortTls;
  readonly #access: AccessControl;
  private readonly engine: Engine;
  private readonly ticker: Ticker;
  private readonly sweeper: RetentionSweeper;
  /** Declarations made before the store is open. */
  private declarations: (() => void)[] = [];
  private readonly damages: DamageLog;
  private isOpen: boolean;
  #state: BrokerState = { kind: 'stopped' };
  private ports: readonly number[];
  private nameServerPort: number | undefined;
  private release: number = RELEASE.number;
  private controlPort: number | undefined;
  /** The host that clients connect to. */
  private readonly host: string;
  private watcher: DeliveryWatcher | undefined;
  private insideControl: Promise<InsideControl> | undefined;

  /** @throws UsageError for invalid hosts, TLS options, users, topics or groups */
  constructor(options?: EmbeddedBrokerOptions);
  /** @internal With the store of a simulation instead of a file. */
  constructor(options: EmbeddedBrokerOptions, disk: Pick<LmdbStoreOptions, 'openFile'>);
  constructor(options: EmbeddedBrokerOptions = {}, disk?: Pick<LmdbStoreOptions, 'openFile'>) {
    this.#options = options;
    assertTimeOptions(options);
    assertHosts(options);
    this.host = reachableHost(options.host ?? LOOPBACK);
    const { timeTravel = false, manualClock = false } = options;
    const travelClock =
      timeTravel || manualClock
        ? new TravelClock(this.realClock, (from, to) => this.travel?.jump(from, to), manualClock)
        : undefined;
    this.clock = travelClock ?? options.clock ?? this.realClock;
    this.logger = options.logger ?? silentLogger;
    this.damages = new DamageLog(this.logger);
    this.#tls = portTlsOf(options.tls, this.realClock, this.logger);
    this.#access = new AccessControl(options.users);
    this.ports = [options.port ?? 0, ...(options.morePorts ?? [])];
    this.nameServerPort = options.nameServerPort;
    this.controlPort = options.controlPort;
    assertStoring(options);
    this.store = this.makeStore(disk);
    this.isOpen = options.data === undefined;
    const retention = retentionOf(options);
    this.engine = this.makeEngine(retention);
    this.ticker = new Ticker(this.clock, this.engine);
    this.inside = {
      activity: this.activity,
      store: this.store,
      sessions: this.sessions,
      clients: this.clients,
      isDispatching: () => this.running()?.polls.isDispatching === true,
      isPolled: (topic, group) => this.running()?.polls.has(topic, group) === true,
      ticks: () => this.ticker.fired,
      duePassed: () => this.engine.duePassed,
      watch: (watcher) => {
        this.watcher = watcher;
      },
      deleteMessages: () => this.engine.administration.deleteMessages(),
      stateRelease: (release) => {
        this.release = release;
      },
    };
    this.travel = travelClock && this.makeTravel(travelClock);
    this.clientTime = this.travel?.clientTime ?? SAME_TIME;
    const ageClock = this.travel === undefined ? this.clock : this.realClock;
    this.sweeper = new RetentionSweeper(ageClock, this.engine, retention, this.clientTime);
    for (const topic of options.topics ?? []) this.declareTopic(topic);
    for (const group of options.groups ?? []) this.declareGroup(group);
  }

  /** The addresses for clients: `127.0.0.1:12345`, several of them separated by `;`. @throws StateError before the start */
  get endpoints(): string {
    return this.listening()
      .map(({ host, port }) => textOf(host, port))
      .join(';');
  }

  /**
   * The address for clients of the remoting protocol and for `RocketMQAdmin`, as their name server.
   * @throws StateError without `nameServerPort`, or before the start
   */
  get nameServerEndpoint(): string {
    if (this.nameServerPort === undefined) {
      throw new StateError(
        'NO_NAME_SERVER_PORT',
        'this embedded broker has no name server port; set the option nameServerPort',
      );
    }
    if (this.nameServerPort === 0) throw notStarted();
    return textOf(this.host, this.nameServerPort);
  }

  /** The URL of the control port: `http://127.0.0.1:12345`. @throws StateError without `controlPort`, or before the start */
  get controlEndpoint(): string {
    if (this.controlPort === undefined) {
      throw new StateError('NO_CONTROL_PORT', 'this embedded broker has no control port; set the option controlPort');
    }
    if (this.controlPort === 0) throw notStarted();
    return `${this.#options.tls === undefined ? 'http' : 'https'}://${textOf(this.controlHost, this.controlPort)}`;
  }

  /**
   * Inspects and manipulates this broker as its control port does, without a port. Calls throw a StateError `NOT_STARTED` while the broker is
   * not running. Messages are found by id only with `nameServerPort` or `controlPort`.
   */
  get control(): ControlClient {
    return new ControlClient({ endpoint: '127.0.0.1:1' }, (asked, body) => this.askInside(asked, body));
  }

  /** Declares a topic, also while the broker is running. @throws UsageError for an invalid name, or when it exists with another type */
  declareTopic(declaration: TopicDeclaration): void {
    const { name, type = 'normal', queues = 1 } = declaration ?? {};
    const problem = topicNameProblem(name);
    if (problem !== undefined) throw new UsageError('ILLEGAL_TOPIC', `topic ${describe(name)} ${problem}`, 'name');
    const typeProblem = oneOf(...TOPIC_TYPES)(type);
    if (typeProblem !== undefined)
      throw new UsageError('ILLEGAL_TOPIC_TYPE', `topic "${name}": type ${typeProblem}`, 'type');
    if (!isIntegerFrom(queues, 1)) {
      const message = `topic "${name}": queues must be an integer from 1 on, not ${describe(queues)}`;
      throw new UsageError('ILLEGAL_QUEUES', message, 'queues');
    }
    this.declare(() => this.engine.declareTopic(declaration));
  }

  /**
   * Declares a consumer group, also while the broker is running.
   * @throws UsageError for an invalid name, an invalid number of attempts, or a change of its order
   */
  declareGroup(declaration: GroupDeclaration): void {
    const { name, fifo = false, maxDeliveryAttempts = 1 } = declaration ?? {};
    const problem = consumerGroupNameProblem(name);
    if (problem !== undefined)
      throw new UsageError('ILLEGAL_CONSUMER_GROUP', `group ${describe(name)} ${problem}`, 'name');
    const fifoProblem = trueOrFalse(fifo);
    if (fifoProblem !== undefined)
      throw new UsageError('ILLEGAL_OPTION', `group "${name}": fifo ${fifoProblem}`, 'fifo');
    if (!isIntegerFrom(maxDeliveryAttempts, 1, LIMITS.attempts)) {
      const message = `group "${name}": maxDeliveryAttempts must be an integer from 1 to ${LIMITS.attempts}, not ${maxDeliveryAttempts}`;
      throw new UsageError('ILLEGAL_MAX_DELIVERY_ATTEMPTS', message, 'maxDeliveryAttempts');
    }
    const liteProblem = declaration.lite && liteGroupProblem(declaration.lite);
    if (liteProblem !== undefined)
      throw new UsageError('ILLEGAL_LITE_GROUP', `group "${name}": ${liteProblem}`, 'lite');
    this.declare(() => this.engine.declareGroup(declaration));
  }

  /**
   * Adds a user or replaces the one with the same access key, also while the broker is running. From then on requests are checked.
   * @throws UsageError for an invalid user
   */
  declareUser(user: BrokerUser): void {
    this.#access.declare(user);
  }

  /** Removes a user, also while the broker is running. Later requests of the user are rejected. */
  removeUser(accessKey: string): void {
    this.#access.remove(accessKey);
  }

  /**
   * Starts serving. Idempotent.
   * @throws StateError `PORT_IN_USE` with the port; with `data`, `DATA_IN_USE` with the process, `DATA_FOREIGN`, `DATA_NEWER`,
   * `DATA_DAMAGED`, `DATA_UNUSABLE`, `LMDB_MISSING`
   * @throws UsageError `DECLARATION_CONFLICT` for a topic or group that exists in the folder with other settings
   */
  start(options: CallOptions = {}): Promise<void> {
    const rejection = rejectionOf(options, { options: CALL_CHECKS }, 'start(): ');
    if (rejection !== undefined) return Promise.reject(rejection);
    switch (this.#state.kind) {
      case 'started':
        return Promise.resolve();
      case 'starting':
        return this.#state.done;
      case 'stopping':
        return this.#state.done.then(() => this.start(options));
      case 'stopped': {
        const done = this.listen(options).then(
          (running) => {
            this.#state = { kind: 'started', running };
          },
          (error: unknown) => {
            this.#state = { kind: 'stopped' };
            throw error;
          },
        );
        this.#state = { kind: 'starting', done };
        return done;
      }
    }
  }

  /** Closes streams, polls, timers and sockets. Idempotent; messages are kept for the next start. */
  stop(): Promise<void> {
    switch (this.#state.kind) {
      case 'stopped':
        return Promise.resolve();
      case 'stopping':
        return this.#state.done;
      case 'starting':
        return this.#state.done.catch(() => {}).then(() => this.stop());
      case 'started': {
        const done = this.shutDown(this.#state.running).then(() => {
          this.#state = { kind: 'stopped' };
        });
        this.#state = { kind: 'stopping', done };
        return done;
      }
    }
  }

  private async listen({ timeoutMs = START_TIMEOUT_MS, signal }: CallOptions): Promise<Running> {
    await this.store.open();
    const polls = new LongPolls(this.realClock);
    const context = this.makeContext(polls);
    const checks = new TransactionChecks(context);
    const lite = new LiteSubscriptions(context);
    const server = messagingServer(context, checks, lite);
    const host = this.#options.host ?? LOOPBACK;
    let nameServer: RemotingServer | undefined;
    let remoting: RegisteredClients | undefined;
    let control: ControlServer | undefined;
    try {
      if (this.travel === undefined) assertTimeNotMoved(this.store);
      else this.travel.load();
      if (this.nameServerPort !== undefined) {
        remoting = new RegisteredClients(this.realClock);
        nameServer = await this.makeNameServer(polls, checks, remoting, lite);
      }
      control = this.controlPort === undefined ? undefined : await this.makeControl();
      this.engine.endRenewals(randomBytes(4).readUInt32BE());
      this.declareAll();
      const bound = await withNotedEffects('start of the embedded broker', timeoutMs, signal, async (deadline) => ({
        grpc: await raceAbort(server.listen(host, this.ports), deadline.signal),
        nameServer: await (nameServer && raceAbort(nameServer.listen(host, this.nameServerPort ?? 0), deadline.signal)),
        control: await (control && raceAbort(control.listen(this.controlHost, this.controlPort ?? 0), deadline.signal)),
      }));
      this.ports = bound.grpc;
      this.nameServerPort = bound.nameServer;
      this.controlPort = bound.control;
      this.ticker.start();
      this.sweeper.start();
      this.logger.info('embedded broker started', { endpoints: this.endpoints, nameServerPort: this.nameServerPort });
      return { server, polls, checks, nameServer, remoting, control };
    } catch (error) {
      nameServer?.stop();
      remoting?.close();
      control?.stop();
      await server.stop();
      await this.closeStore();
      throw error;
    }
  }

  private async shutDown({ server, polls, checks, nameServer, remoting, control }: Running): Promise<void> {
    this.ticker.stop();
    this.sweeper.stop();
    nameServer?.stop();
    remoting?.close();
    control?.stop();
    polls.close();
    checks.close();
    await this.travel?.stop();
    await server.stop();
    await this.closeStore();
    this.logger.info('embedded broker stopped', { endpoints: this.endpoints });
  }

  /** Immediately, or at the next start if the folder is not open. */
  private declare(declaration: () => void): void {
    if (this.isOpen) asUsage(declaration);
    else this.declarations.push(declaration);
  }

  private async closeStore(): Promise<void> {
    this.isOpen = this.#options.data === undefined;
    await this.store.close();
  }

  private declareAll(): void {
    for (const declaration of this.declarations) asUsage(declaration);
    // From now on they are stored in the folder.
    this.declarations = [];
    this.isOpen = true;
  }

  private makeStore(disk: Pick<LmdbStoreOptions, 'openFile'> | undefined): Store {
    const { data: folder, flush = 'sync' } = this.#options;
    if (folder === undefined) return new MemoryStore();
    const failed = (failure: StoreFailure): void => {
      this.ticker.stop();
      this.sweeper.stop();
      this.logger.error(failure.message, { data: folder });
    };
    const reports = { failed, nameOf: nameOfRecord, damaged: this.damages.add };
    return new LmdbStore({ folder, flush, clock: this.realClock, ...reports, ...disk });
  }

  private makeEngine(retention: RetentionLimits): Engine {
    return new Engine(this.store, engineOptionsOf(this.#options, retention), {
      committed: () => this.ticker.rearm(),
      available: (available) => this.running()?.polls.wake(available),
      delivered: (group, deliveries) => this.watcher?.delivered?.(group, deliveries),
      acked: (mark) => this.watcher?.acked?.(mark),
      isPresent: (clientId) => this.sessions.find(clientId) !== undefined,
      checkDue: (check) => this.running()?.checks.send(check),
      damaged: this.damages.add,
      transactionGivenUp: (topic, transactionId) =>
        this.logger.warn('a half message was given up: its last check was not answered, and it is not delivered', {
          topic,
          transactionId,
        }),
    });
  }

  private makeTravel(clock: TravelClock): TimeTravel {
    const { realClock, store, inside } = this;
    return new TimeTravel({ clock, realClock, store, inside, nextDueAtMs: () => this.engine.nextDueAtMs() });
  }

  private makeContext(polls: LongPolls): BrokerContext {
    const { engine, store, clock, realClock, clientTime, sessions, activity, faults, logger } = this;
    const { host = LOOPBACK, advertisedAddress, maxDelayMs = LIMITS.delayMs } = this.#options;
    // On all addresses, each client knows best which of them it can reach.
    const { advertiseAsAsked = isWildcard(host) && advertisedAddress?.port === undefined } = this.#options;
    const own = { engine, store, clock, realClock, clientTime, sessions, polls, activity, faults, logger };
    const secret = { tls: this.#tls, access: this.#access };
    return { ...own, ...secret, addresses: () => this.addresses(), advertiseAsAsked, maxDelayMs };
  }

  private async makeNameServer(
    polls: LongPolls,
    checks: TransactionChecks,
    clients: RegisteredClients,
    lite: LiteSubscriptions,
  ): Promise<RemotingServer> {
    const { engine, store, clock, realClock, clientTime, sessions, activity, faults, logger } = this;
    const { ClientRequests } = await import('./remoting/client-requests.js');
    const { RemotingServer } = await import('./remoting/remoting-server.js');
    const { host = this.host, nameServerPort } = this.#options.advertisedAddress ?? {};
    const address = (): string => textOf(host, nameServerPort ?? this.nameServerPort ?? 0);
    const own = {
      engine,
      store,
      clock,
      realClock,
      clientTime,
      sessions,
      activity,
      faults,
      polls,
      checks,
      clients,
      lite,
      address,
      release: () => this.release,
    };
    const { transactionFirstCheckMs = DEFAULT_FIRST_CHECK_MS } = this.#options;
    const requests = new ClientRequests({ ...own, transactionFirstCheckMs });
    checks.askElsewhere = (check) => requests.check(check);
    const answer: RequestAnswerer = async (request, connection) => {
      this.#access.admitRemoting(request, connection.host, remotingRequirementsOf);
      return requests.answer(request, connection);
    };
    const admits = (port: number): boolean => faults.admitsConnection(port);
    return new RemotingServer({
      answer,
      clock: realClock,
      logger,
      tls: this.#tls,
      admits,
      release: () => this.release,
    });
  }

  /** Those of clients by remoting are the connections over which the broker answers later, or sends something itself. */
  private breakStreams(clientId: string | undefined): void {
    const { server, nameServer, remoting } = this.running() ?? {};
    server?.breakStreams(clientId);
    nameServer?.breakConnections((connection) =>
      clientId === undefined
        ? connection.suspended > 0 || remoting?.idsAt(connection).length !== 0
        : remoting?.isAt(clientId, connection) === true,
    );
  }

  private breakConnections(choice: ConnectionChoice): void {
    const { server, nameServer, remoting } = this.running() ?? {};
    server?.breakConnections(choice);
    const { port = nameServer?.port, clientId } = choice;
    if (port !== nameServer?.port) return;
    nameServer?.breakConnections(
      (connection) => clientId === undefined || remoting?.isAt(clientId, connection) === true,
    );
  }

  private async askInside(...asked: Parameters<InsideControl>): Promise<Buffer> {
    if (this.running() === undefined) throw notStarted();
    this.insideControl ??= import('./control/inside-control.js').then(({ insideControl }) =>
      insideControl(this.controlContext()),
    );
    return (await this.insideControl)(...asked);
  }

  private controlContext(): ControlContext {
    const { engine, store, clock, clientTime, clients, faults, travel } = this;
    const storage = this.#options.data === undefined ? 'memory' : 'disk';
    const own = { engine, store, storage, clock, clientTime, clients, faults, travel } as const;
    return { ...own, endpoints: () => this.endpoints };
  }

  private async makeControl(): Promise<ControlServer> {
    const { realClock, logger } = this;
    const { host, advertisedAddress, tls: ownTls } = this.#options;
    // Its clients use a URL, whose scheme says whether to use TLS.
    const tls = ownTls && { ...this.#tls, allowsPlaintext: false };
    const { controlPortOf } = await import('./control/control-port.js');
    const names = [this.controlHost, host, advertisedAddress?.host].filter((name) => name !== undefined);
    return controlPortOf({ ...this.controlContext(), realClock, logger, tls, access: this.#access, names });
  }

  private get controlHost(): string {
    return this.#options.controlHost ?? LOOPBACK;
  }

  private running(): Running | undefined {
    return this.#state.kind === 'started' ? this.#state.running : undefined;
  }

  private addresses(): readonly BrokerAddress[] {
    const { host, port } = this.#options.advertisedAddress ?? {};
    if (host === undefined) return this.listening();
    return port === undefined ? this.listening().map((own) => ({ ...own, host })) : [{ host, port }];
  }

  private listening(): readonly BrokerAddress[] {
    if (this.ports.includes(0)) throw notStarted();
    return this.ports.map((port) => ({ host: this.host, port }));
  }
}

function notStarted(): StateError {
  return new StateError('NOT_STARTED', 'the embedded broker has no port yet; await start() first');
}

function textOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function asUsage(declare: () => void): void {
  try {
    declare();
  } catch (error) {
    if (error instanceof Rejection)
      throw new UsageError('DECLARATION_CONFLICT', `${error.message}; nothing was changed`);
    throw error;
  }
}
